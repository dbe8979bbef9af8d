//! Gives what the spec states and takes back what it no longer states.

use std::collections::BTreeMap;

use crds::names::{self, annotation, reason};
use crds::{DatabaseGrantStatus, DriftMode, GrantMode, GrantTargetInfo, HeldRight, Instance as _, Ownership, Time};
use planning::consent::{self, Referrer};
use planning::{Blocked, Class, drift};
use sandbox::Session;
use sandbox::contract::{self, BlockOwner, Examination, GrantReport, GrantSpec, OperationGroup, Selection};

use super::super::first_look;
use super::super::managed::{self, Bound, Done, Lease, Reported};
use super::super::rights::{self, Account};
use super::super::run::Run;
use super::super::translate;
use super::super::trouble::{self, Stop, stop};
use super::super::{managed::authority, report};
use super::same::{databases, is_of, made, was_applied};
use super::{GrantResource, Named, Target, about, former, told};
use crate::servers::Live;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::reconcile::mark_changed;

/// The kinds of instances have no field of a grant's that holds a name.
const NAME_FIELD: &str = "userRef";

/// A grant that can be brought about, as far as is known without asking the server.
pub(super) struct Prepared {
    named: Named,
    target: Target,
    pub(super) bound: Bound,
    pub(super) live: Live,
    /// Without what others share.
    pub(super) spec: GrantSpec,
    pub(super) examination: Examination,
    pub(super) owned: Ownership,
    /// The databases that it names and resources manage, each told from one of its name that was made later.
    pub(super) databases: BTreeMap<String, String>,
}

impl Prepared {
    /// Whom it is for, on the server.
    pub(super) fn account(&self) -> Account {
        let Self { target, live, .. } = self;
        Account { identity: live.facts.identity.clone(), kind: target.kind, name: target.external_name.clone() }
    }
}

/// Checks the spec and everybody's consent.
pub(super) async fn prepare<G>(run: &Run<G>, status: &DatabaseGrantStatus) -> Result<Prepared, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let named = run.object.named().ok_or_else(|| {
        Blocked::invalid(reason::INVALID_SPEC, "exactly one of spec.userRef and spec.roleRef must be set")
    })?;
    drift::check(run.object.drift_policy())?;
    consented(run, &named)?;
    about::consented(run)?;
    let target = Target::find(&run.ctx.stores, &named);
    listed(run, &named, target.as_ref())?;
    let target = target.ok_or_else(|| {
        Blocked::waiting(reason::DEPENDENCY_MISSING, format!("{}: {} does not exist", named.path, shown(&named)))
    })?;
    if target.is_going {
        let message = format!("{}: {} is being deleted: it is given nothing any more", named.path, shown(&named));
        return Err(Blocked::waiting(reason::DEPENDENCY_MISSING, message).into());
    }
    let instance = run.object.stated_instance().unwrap_or_else(|| target.instance.clone());
    if instance != target.instance {
        let message = format!("{}: {} is on another instance: {}", named.path, shown(&named), target.instance);
        return Err(Blocked::invalid(reason::INVALID_SPEC, message).into());
    }
    let bound = managed::bound_to(run, instance, BlockOwner::Grant, NAME_FIELD).await?;
    let options = managed::options(run.object.option_blocks(), BlockOwner::Grant, &bound)?;
    let spec = GrantSpec {
        grantee: target.grantee(&bound.engine),
        roles: Vec::new(),
        options,
        mode: match run.object.mode() {
            GrantMode::Additive => contract::GrantMode::Additive,
            GrantMode::Authoritative => contract::GrantMode::Authoritative,
        },
        recorded: rights::of_status(&status.held),
        shared: Vec::new(),
    };
    let examination = bound.engine.adapter().examine_grant(&spec).await.map_err(stop(bound.paths()))?;
    authority::ceiling(&bound, &examination)?;
    let live = managed::live(run, &bound)?;
    managed::same_server(status.ownership.as_ref(), &bound, &live)?;
    let owned = is_there(&named, &target, &live)?.clone();
    let databases = databases(&run.ctx.stores, &live.facts.identity, &examination);
    // The target is no reference by a name: it is what its resource recorded as its own, and that resource's namespace
    // was asked. A powerful one may be given something too.
    Ok(Prepared { named, target, bound, live, spec, examination, owned, databases })
}

pub(super) async fn run<G>(run: &Run<G>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    // An older operator had an entry for each object.
    draft.held = rights::for_status(rights::of_status(&draft.held));
    let prepared = prepare(run, draft).await?;
    let account = prepared.account();
    let Prepared { named, target, bound, live, mut spec, examination, owned, databases } = prepared;
    let policy = managed::drift_policy(run, &bound, run.object.drift_policy());
    let unkept = about::missing(run);
    let fingerprint = |held: &[HeldRight]| format!("{} {databases:?} {unkept:?} {held:?}", made(&owned));
    let before = managed::look(run, &bound, &live, &fingerprint(&draft.held));
    if let Some(done) = managed::seen_lately(run, &bound, &before, policy.1) {
        return Ok(done);
    }
    if first_look::may_wait(run, &bound, &before, draft)
        && unkept.is_none()
        && was_applied(run, draft, &owned, &databases)
    {
        return Ok(Done::InOrder { next: Some(first_look::wait(run, &before, draft, None)) });
    }
    first_look::is_over(run);
    run.ensure_finalizer(<G as GrantResource>::FINALIZER).await?;
    let mut lease = Lease::of(&live.server, &bound);
    authority::names(run, &bound, &live, &examination, None, lease.session().await?).await?;
    former::leave(run, draft, &bound, &account, &mut lease).await?;
    let applied_before = was_applied(run, draft, &owned, &databases);
    spec.recorded = rights::of_status(&draft.held);
    spec.shared = rights::shared(&run.ctx, &account, &run.uid);
    let found = lease.session().await?.grant(&spec, &Selection::Detect).await.map_err(stop(bound.paths()))?;
    lease.rest();
    let ignores = applied_before && policy.0 == DriftMode::Ignore;
    let changes = translate::changes(&found.update.changes, bound.paths());
    let lacking = if ignores { Vec::new() } else { drift::lacking(&changes) };
    if !lacking.is_empty() {
        managed::nothing_is_applied(draft);
        if is_all_that_is_possible(draft, &found) {
            return Err(trouble::lacking(&lacking).into());
        }
    }
    let applied_before = applied_before && (ignores || (lacking.is_empty() && !found.renewed));
    let (selection, remain) = chosen(run, policy.0, &changes, applied_before);
    introduce(draft, &named, &target);
    let applies = !matches!(&selection, Selection::Only(ids) if ids.is_empty());
    let mut turn = None;
    let report = if applies {
        intend(run, draft, &bound, &account, &owned, &found).await?;
        spec.recorded = rights::of_status(&draft.held);
        // What the others hold is looked at when it is this one's turn: nobody else gives it up meanwhile.
        let concerns_everyone = rights::concern_everyone(draft.held.iter().map(|right| &right.level));
        turn = Some(run.ctx.ledger.enter(&account, concerns_everyone).await);
        spec.shared = rights::shared(&run.ctx, &account, &run.uid);
        // What seemed to be another's before its turn may be nobody's by now: what is given up is decided now.
        let gives_nothing_up = rights::for_status(found.held.iter().cloned()) == draft.held;
        let is_done = found.update.changes.is_empty() && gives_nothing_up;
        give(run, &bound, lease.session().await?, &spec, &selection, found, is_done).await?
    } else {
        found
    };
    lease.rest();
    // As it was when it was this one's turn.
    let changes = translate::changes(&report.update.changes, bound.paths());
    let lacking = if ignores { Vec::new() } else { drift::lacking(&changes) };
    let given = rights::for_status(report.held.iter().cloned());
    let held = if lacking.is_empty() { given.clone() } else { rights::recorded(&report) };
    rights::fits(&held)?;
    if applies || held != draft.held {
        draft.held = held;
        run.ctx.ledger.note(&run.uid, &account, &draft.held);
    }
    drop(turn);

    let failed = remain.len().saturating_add(lacking.len());
    let numbers = told::numbers(&given, failed, bound.engine.serves(OperationGroup::Schema));
    if draft.applied_grants.clone().map(told::without_times).as_ref() != Some(&numbers) {
        draft.applied_grants = Some(told::at_time(numbers, &Time::from(run.now)));
    }
    draft.databases.clone_from(&databases);
    if !lacking.is_empty() {
        return Err(managed::waits_for(draft, &lacking));
    }
    if let Some(record) = &mut draft.ownership {
        record.applied_generation = run.generation();
    }
    let after = managed::look(run, &bound, &live, &fingerprint(&draft.held));
    let done = managed::concluded(run, &bound, draft, after, (&remain, applied_before), policy);
    if let Some(unkept) = unkept {
        draft.message = draft.message.take().map(|message| format!("{message}; {unkept}").as_str().into());
    }
    Ok(done)
}

/// Another namespace's user or role is given something only where that namespace allows it; without telling whether
/// it is there.
fn consented<G: GrantResource>(run: &Run<G>, named: &Named) -> Result<(), Blocked> {
    let Named { kind, namespace, name, path } = named;
    agreed(run, path, consent::Target { group: names::GROUP, kind, namespace, name })
}

/// What is in another namespace is named only where that namespace allows it.
pub(super) fn agreed<G: GrantResource>(run: &Run<G>, path: &str, to: consent::Target<'_>) -> Result<(), Blocked> {
    let own = run.key.namespace.as_str();
    if to.namespace.is_empty() || to.namespace == own {
        return Ok(());
    }
    let from = Referrer { kind: <G as GrantResource>::KIND, namespace: Some(own).filter(|own| !own.is_empty()) };
    let grants = run.ctx.stores.grants.state();
    if consent::granted(grants.iter().map(AsRef::as_ref), from, to) {
        return Ok(());
    }
    let consent::Target { group: _, kind, namespace, name } = to;
    Err(Blocked::refused(
        reason::CONSENT_MISSING,
        format!(
            "{path} names {kind} {namespace}/{name}: namespace {namespace} must allow it by a DatabaseReferenceGrant \
             from kind {}{}",
            run.key.kind,
            if own.is_empty() { String::new() } else { format!(" in namespace {own}") },
        ),
    ))
}

/// No namespace could consent to what is done with a role of the whole cluster: the instance lists those that grants of
/// namespaces may be for, as it does for those that may be named. One that is not there is told in the same words.
fn listed<G: GrantResource>(run: &Run<G>, named: &Named, target: Option<&Target>) -> Result<(), Blocked> {
    let is_the_clusters = named.namespace.is_empty() && !run.key.namespace.is_empty();
    let allows = |target: &Target| {
        let instance = run.ctx.stores.instance(&target.instance);
        let ceiling = instance.as_ref().and_then(|instance| instance.instance_spec().privilege_ceiling.as_ref());
        ceiling.is_some_and(|ceiling| ceiling.unmanaged_names.contains(&target.external_name))
    };
    if !is_the_clusters || target.is_some_and(allows) {
        return Ok(());
    }
    let message = format!(
        "{}: {} would be of the whole cluster: a grant of a namespace is for one only where its instance lists its name \
         in spec.privilegeCeiling.unmanagedNames",
        named.path,
        shown(named)
    );
    Err(Blocked::refused(reason::CONSENT_MISSING, message))
}

fn shown(named: &Named) -> String {
    let Named { kind, namespace, name, path: _ } = named;
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// What the target recorded of itself, once it is on this very server.
fn is_there<'target>(named: &Named, target: &'target Target, live: &Live) -> Result<&'target Ownership, Blocked> {
    // A record of another instance is that instance's word, even where it claims to lead to the same server.
    let is_here =
        |owned: &&Ownership| owned.server_identity == live.facts.identity && owned.instance == target.instance;
    target.ownership.as_ref().filter(is_here).ok_or_else(|| {
        Blocked::waiting(
            reason::DEPENDENCY_MISSING,
            format!("{}: {} is not on the server yet", named.path, shown(named)),
        )
    })
}

/// Notes in the draft whom the grant is for.
fn introduce(draft: &mut DatabaseGrantStatus, named: &Named, target: &Target) {
    draft.target_info = Some(GrantTargetInfo {
        type_: Some(super::delete::type_of(target.kind).to_owned()),
        name: Some(named.name.clone()),
        namespace: Some(named.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        resolved_username: Some(target.external_name.clone()),
    });
}

/// Records what is going to be given, and to whom, before it is given.
async fn intend<G>(
    run: &Run<G>,
    draft: &mut DatabaseGrantStatus,
    bound: &Bound,
    account: &Account,
    owned: &Ownership,
    found: &GrantReport,
) -> Result<(), Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let union = rights::union(&draft.held, found.held.iter().chain(&found.stated).cloned());
    rights::fits(&union)?;
    let is_recorded = draft.ownership.as_ref().is_some_and(|record| is_of(record, owned));
    if !is_recorded || union != draft.held {
        draft.held = union;
        let record = draft.ownership.get_or_insert_with(|| Ownership {
            name: account.name.clone(),
            server_identity: owned.server_identity.clone(),
            nonce: Run::<G>::nonce(),
            instance: bound.id.clone(),
            engine: bound.spec().engine.clone(),
            object_id: None,
            applied_generation: None,
            comment: None,
            adopted: false,
            created_at: Some(Time::from(run.now)),
            companions: Vec::new(),
        });
        record.object_id = Some(made(owned));
        if !is_recorded {
            report::creating(run, draft);
        }
        report::write(run, draft).await?;
    }
    run.ctx.ledger.note(&run.uid, account, &draft.held);
    Ok(())
}

/// Whether everything that lacks nothing is as it should be already, and recorded.
fn is_all_that_is_possible(draft: &DatabaseGrantStatus, found: &GrantReport) -> bool {
    found.update.changes.iter().all(|change| change.lacking.is_some()) && rights::recorded(found) == draft.held
}

/// What to make, and what stays different. A change of the spec is applied as a whole; at an unchanged generation the
/// policy says what is done.
fn chosen<G: GrantResource>(
    run: &Run<G>,
    mode: crds::DriftMode,
    changes: &[drift::Change],
    applied_before: bool,
) -> (Selection, Vec<crds::DriftDiff>) {
    if !applied_before {
        return (Selection::All, drift::impossible(changes));
    }
    run.drift_looked(!changes.is_empty());
    let correction = drift::correct(mode, run.switch(annotation::ALLOW_DESTRUCTIVE_DRIFT), changes);
    (Selection::Only(correction.apply), correction.remain)
}

async fn give<G>(
    run: &Run<G>,
    bound: &Bound,
    session: &mut Session,
    spec: &GrantSpec,
    selection: &Selection,
    found: GrantReport,
    is_done: bool,
) -> Result<GrantReport, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let corrects = match selection {
        Selection::Only(ids) if ids.is_empty() => return Ok(found),
        Selection::Only(_) => true,
        Selection::All if is_done => return Ok(found),
        Selection::All | Selection::Detect => false,
    };
    run.may_write()?;
    let outcome = session.grant(spec, selection).await;
    let ending = Ending::of(&outcome);
    run.ctx.metrics.grant_operation(&bound.id, &bound.spec().engine, Operation::Update, ending);
    if corrects {
        run.ctx.metrics.drift_corrected(&run.key, ending);
    }
    let report = outcome.map_err(|error| retried(&error, bound))?;
    if !report.update.applied.is_empty() {
        mark_changed();
        let (reason, text) = if corrects { ("DriftCorrected", "corrected") } else { ("Applied", "applied") };
        let text = match report.update.applied.len() {
            1 => format!("{text} one difference"),
            several => format!("{text} {several} differences"),
        };
        run.ctx.events.normal(run.object.as_ref(), reason, &text);
    }
    Ok(report)
}

/// Between the look and the change somebody else changed the same: the next look tells.
fn retried(error: &sandbox::CallError, bound: &Bound) -> Stop {
    if managed::is_conflict(error) {
        let message = "the rights changed meanwhile; looking again";
        return Blocked::failed(reason::RECONCILING, message, Class::Transient).into();
    }
    trouble::blocked(error, bound.paths()).into()
}
