//! Gives what the spec states and takes back what it no longer states.

use crds::names::{self, annotation, reason};
use crds::{
    AppliedGrantsInfo, DatabaseGrantStatus, GrantDetail, GrantMode, GrantTargetInfo, HeldRight, Ownership, Time,
};
use planning::consent::{self, Referrer};
use planning::{Blocked, Class, drift};
use sandbox::Session;
use sandbox::contract::{
    self, BlockOwner, Examination, GrantReport, GrantSpec, Granted, Grantee, ObjectKind, Reference, Selection, Standing,
};

use super::super::managed::{self, Bound, Done, Lease, Reported};
use super::super::rights::{self, Account};
use super::super::run::Run;
use super::super::translate;
use super::super::trouble::{Stop, stop};
use super::super::{managed::authority, report};
use super::{GrantResource, Named, Target};
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
    live: Live,
    pub(super) spec: GrantSpec,
    examination: Examination,
    pub(super) owned: Ownership,
}

/// Checks the spec and everybody's consent. `shared` tells what other resources gave.
pub(super) async fn prepare<G>(
    run: &Run<G>,
    status: &DatabaseGrantStatus,
    shared: impl FnOnce(&Account) -> Vec<Granted>,
) -> Result<Prepared, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let named = run.object.named().ok_or_else(|| {
        Blocked::invalid(reason::INVALID_SPEC, "exactly one of spec.userRef and spec.roleRef must be set")
    })?;
    drift::check(run.object.drift_policy())?;
    consented(run, &named)?;
    let target = Target::find(&run.ctx.stores, &named).ok_or_else(|| {
        Blocked::waiting(reason::DEPENDENCY_MISSING, format!("{}: {} does not exist", named.path, shown(&named)))
    })?;
    let instance = run.object.stated_instance().unwrap_or_else(|| target.instance.clone());
    if instance != target.instance {
        let message = format!("{}: {} is on another instance: {}", named.path, shown(&named), target.instance);
        return Err(Blocked::invalid(reason::INVALID_SPEC, message).into());
    }
    let bound = managed::bound_to(run, instance, BlockOwner::Grant, NAME_FIELD).await?;
    let options = managed::options(run.object.option_blocks(), BlockOwner::Grant, &bound)?;
    let mut spec = GrantSpec {
        grantee: grantee(&bound, &target),
        roles: Vec::new(),
        options,
        mode: match run.object.mode() {
            GrantMode::Additive => contract::GrantMode::Additive,
            GrantMode::Authoritative => contract::GrantMode::Authoritative,
        },
        recorded: rights::of_status(&status.held),
        shared: Vec::new(),
    };
    let mut examination = bound.engine.adapter().examine_grant(&spec).await.map_err(stop(bound.paths()))?;
    authority::ceiling(&bound, &examination)?;
    let live = managed::live(run, &bound)?;
    managed::same_server(status.ownership.as_ref(), &bound, &live)?;
    let owned = is_there(&named, &target, &live)?.clone();
    examination.references.push(Reference {
        path: named.path.trim_start_matches("spec.").to_owned(),
        kind: target.kind,
        name: target.external_name.clone(),
        standing: Standing::Ordinary,
    });

    let account =
        Account { identity: live.facts.identity.clone(), kind: target.kind, name: target.external_name.clone() };
    spec.shared = shared(&account);
    Ok(Prepared { named, target, bound, live, spec, examination, owned })
}

pub(super) async fn run<G>(run: &Run<G>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let shared = |account: &Account| rights::shared(&run.ctx, account, &run.uid);
    let Prepared { named, target, bound, live, mut spec, examination, owned } = prepare(run, draft, shared).await?;
    let policy = managed::drift_policy(run, &bound, run.object.drift_policy());
    let fingerprint = format!("{} {:?}", identity(&owned), draft.held);
    let before = managed::look(run, &bound, &live, &fingerprint);
    if let Some(next) = managed::seen_lately(run, &bound, &before, policy.1) {
        return Ok(Done::InOrder { next });
    }
    run.ensure_finalizer(<G as GrantResource>::FINALIZER).await?;
    let mut lease = Lease::of(&live.server, &bound);
    let session = lease.session().await?;
    authority::names(run, &bound, &live, &examination, session).await?;
    leave_the_former(run, draft, &bound, &owned, session).await?;
    // Whoever was made again has none of the rights that it was given: nothing was applied to it yet.
    let applied_before = draft
        .ownership
        .as_ref()
        .is_some_and(|record| record.applied_generation == run.generation() && is_of(record, &owned));
    let found = session.grant(&spec, &Selection::Detect).await.map_err(stop(bound.paths()))?;
    lease.rest();
    intend(run, draft, &bound, &named, &target, &owned, &found).await?;
    run.ctx.ledger.note(&run.uid, &draft.held);
    spec.recorded = rights::of_status(&draft.held);
    let selection = if applied_before { chosen(run, policy.0, &bound, &found) } else { (Selection::All, Vec::new()) };
    let (selection, remain) = selection;
    // What the others hold is looked at when it is this one's turn: nobody else gives it up meanwhile.
    let account =
        Account { identity: live.facts.identity.clone(), kind: target.kind, name: target.external_name.clone() };
    let concerns_everyone = rights::concern_everyone(draft.held.iter().map(|right| &right.level));
    let turn = run.ctx.ledger.enter(&account, concerns_everyone).await;
    spec.shared = rights::shared(&run.ctx, &account, &run.uid);
    // What seemed to be another's before its turn may be nobody's by now: what is given up is decided now.
    let gives_nothing_up = rights::for_status(found.held.iter().cloned()) == draft.held;
    let is_done = found.update.changes.is_empty() && gives_nothing_up;
    let report = give(run, &bound, lease.session().await?, &spec, &selection, found, is_done).await?;
    lease.rest();
    draft.held = rights::for_status(report.held);
    run.ctx.ledger.note(&run.uid, &draft.held);
    drop(turn);

    let numbers = numbers(&draft.held, remain.len());
    if draft.applied_grants.clone().map(without_times).as_ref() != Some(&numbers) {
        draft.applied_grants = Some(at_time(numbers, &Time::from(run.now)));
    }
    if let Some(record) = &mut draft.ownership {
        record.applied_generation = run.generation();
    }
    let fingerprint = format!("{} {:?}", identity(&owned), draft.held);
    let after = managed::look(run, &bound, &live, &fingerprint);
    Ok(managed::conclude_in_order(run, &bound, draft, after, &remain, policy))
}

/// Tells the target from one of its name that was made later, also where the engine itself does not.
fn identity(owned: &Ownership) -> String {
    let made = || format!("{}@{}", owned.nonce, owned.created_at.as_ref().map(|at| at.0).unwrap_or_default());
    owned.object_id.clone().unwrap_or_else(made)
}

/// Whether the rights that a record is about were given to this very target.
pub(super) fn is_of(record: &Ownership, owned: &Ownership) -> bool {
    record.object_id.as_ref() == Some(&identity(owned))
}

/// Another namespace's user or role is given something only where that namespace allows it; without telling whether
/// it is there.
fn consented<G: GrantResource>(run: &Run<G>, named: &Named) -> Result<(), Blocked> {
    let own = run.key.namespace.as_str();
    if named.namespace.is_empty() || named.namespace == own {
        return Ok(());
    }
    let from = Referrer { kind: <G as GrantResource>::KIND, namespace: Some(own).filter(|own| !own.is_empty()) };
    let to = consent::Target { group: names::GROUP, kind: named.kind, namespace: &named.namespace, name: &named.name };
    let grants = run.ctx.stores.grants.state();
    if consent::granted(grants.iter().map(AsRef::as_ref), from, to) {
        return Ok(());
    }
    Err(Blocked::refused(
        reason::CONSENT_MISSING,
        format!(
            "{} names {}: namespace {} must allow it by a DatabaseReferenceGrant from kind {}{}",
            named.path,
            shown(named),
            named.namespace,
            run.key.kind,
            if own.is_empty() { String::new() } else { format!(" in namespace {own}") },
        ),
    ))
}

fn shown(named: &Named) -> String {
    let Named { kind, namespace, name, path: _ } = named;
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// What the target recorded of itself, once it is on this very server.
fn is_there<'target>(named: &Named, target: &'target Target, live: &Live) -> Result<&'target Ownership, Blocked> {
    target.ownership.as_ref().filter(|owned| owned.server_identity == live.facts.identity).ok_or_else(|| {
        Blocked::waiting(
            reason::DEPENDENCY_MISSING,
            format!("{}: {} is not on the server yet", named.path, shown(named)),
        )
    })
}

fn grantee(bound: &Bound, target: &Target) -> Grantee {
    let owner = match target.kind {
        ObjectKind::Role => BlockOwner::Role,
        ObjectKind::User | ObjectKind::Database => BlockOwner::User,
    };
    let block = bound.engine.block_key(owner).unwrap_or("parameters");
    let options = target.blocks.as_ref().ok().and_then(|blocks| blocks.get(block)).map(ToString::to_string);
    Grantee { kind: target.kind, name: target.external_name.clone(), options }
}

/// Takes back what another user or role was given before the spec named this one.
async fn leave_the_former<G>(
    run: &Run<G>,
    draft: &mut DatabaseGrantStatus,
    bound: &Bound,
    owned: &Ownership,
    session: &mut Session,
) -> Result<(), Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let Some(record) = draft.ownership.as_ref().filter(|record| record.name != owned.name) else { return Ok(()) };
    let account = super::delete::account(draft, record);
    let spec = super::delete::taking_back(run, draft, &account);
    run.may_write()?;
    session.revoke(&spec).await.map_err(stop(bound.paths()))?;
    mark_changed();
    let text = format!("took back what {:?} was given", account.name);
    run.ctx.events.normal(run.object.as_ref(), "Revoked", &text);
    draft.held.clear();
    draft.ownership = None;
    Ok(())
}

/// Records what is going to be given, and to whom, before it is given.
async fn intend<G>(
    run: &Run<G>,
    draft: &mut DatabaseGrantStatus,
    bound: &Bound,
    named: &Named,
    target: &Target,
    owned: &Ownership,
    found: &GrantReport,
) -> Result<(), Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let union = rights::union(&draft.held, found.held.iter().chain(&found.stated).cloned());
    let is_recorded = draft.ownership.as_ref().is_some_and(|record| is_of(record, owned));
    draft.target_info = Some(GrantTargetInfo {
        type_: Some(super::delete::type_of(target.kind).to_owned()),
        name: Some(named.name.clone()),
        namespace: Some(named.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        resolved_username: Some(target.external_name.clone()),
    });
    if is_recorded && union == draft.held {
        return Ok(());
    }
    draft.held = union;
    let record = draft.ownership.get_or_insert_with(|| Ownership {
        name: target.external_name.clone(),
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
    record.object_id = Some(identity(owned));
    if !is_recorded {
        report::creating(run, draft);
    }
    report::write(run, draft).await?;
    Ok(())
}

/// At an unchanged generation the policy says what is done about differences.
fn chosen<G: GrantResource>(
    run: &Run<G>,
    mode: crds::DriftMode,
    bound: &Bound,
    found: &GrantReport,
) -> (Selection, Vec<crds::DriftDiff>) {
    let changes: Vec<_> =
        found.update.changes.iter().cloned().map(|change| translate::change(change, bound.paths())).collect();
    run.drift_looked(!changes.is_empty());
    let correction = drift::correct(mode, run.switch(annotation::ALLOW_DESTRUCTIVE_DRIFT), &changes);
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
        let text = format!("{text} {} differences", report.update.applied.len());
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
    super::super::trouble::blocked(error, bound.paths()).into()
}

fn without_times(mut numbers: AppliedGrantsInfo) -> AppliedGrantsInfo {
    numbers.details.iter_mut().for_each(|detail| detail.applied_at = None);
    numbers
}

fn at_time(mut numbers: AppliedGrantsInfo, time: &Time) -> AppliedGrantsInfo {
    numbers.details.iter_mut().for_each(|detail| detail.applied_at = Some(time.clone()));
    numbers
}

fn numbers(held: &[HeldRight], remain: usize) -> AppliedGrantsInfo {
    let count = |of: &dyn Fn(&HeldRight) -> bool| {
        Some(i32::try_from(held.iter().filter(|right| of(right)).count()).unwrap_or(i32::MAX))
    };
    let is_membership = |right: &HeldRight| right.level == "membership";
    let is_default = |right: &HeldRight| right.level == "default";
    let mut roles: Vec<_> =
        held.iter().filter(|right| is_membership(right)).flat_map(|right| right.object.clone()).collect();
    roles.dedup();
    let detail = |right: &HeldRight| GrantDetail {
        database: right.object.first().cloned(),
        schema: right.object.get(1).filter(|_| right.level == "schema").cloned(),
        privileges: right.privileges.clone(),
        applied_at: None,
        status: Some("Applied".to_owned()),
        message: Some(format!("{} {}", right.level, right.object.join("."))),
    };
    AppliedGrantsInfo {
        applied: count(&|_| true),
        failed: Some(i32::try_from(remain).unwrap_or(i32::MAX)),
        roles,
        direct_grants: count(&|right| !is_membership(right) && !is_default(right)),
        default_privileges: count(&is_default),
        details: held.iter().filter(|right| !is_membership(right)).map(detail).collect(),
    }
}
