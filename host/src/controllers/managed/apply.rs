//! From a spec to the server: the steps in their order, each saying what it needs.

use std::time::Instant;

use crds::names::{annotation, reason};
use crds::{DriftDiff, Ownership, Time};
use planning::claim::{self, Claim, Observed};
use planning::{Blocked, Class, adoption, tracking};
use sandbox::contract::{Mark, Proof};
use sandbox::{CallError, Session};

use super::super::first_look;
use super::super::memory::Look;
use super::super::report;
use super::super::run::Run;
use super::super::status::StatusFields as _;
use super::super::translate;
use super::super::trouble::{self, Stop, stop};
use super::{
    Bound, Done, Lease, Provisioned, Seen, Wanted, authority, concluded, drift, load, look, ownership, provisioned,
    seen_lately, validate,
};
use crate::servers::Live;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::reconcile::mark_changed;

/// Brings the server to what the spec says.
pub(super) async fn run<K: Provisioned>(run: &Run<K>, draft: &mut K::Status) -> Result<Done, Stop> {
    let bound = load::bound(run).await?;
    let wanted = validate::wanted(run, &bound).await?;
    authority::ceiling(&bound, &wanted.examination)?;
    let mut inputs = K::gather(run, &bound, &wanted).await?;
    let live = load::live(run, &bound)?;
    same_server(draft.ownership().as_ref(), &bound, &live)?;
    let before = look(run, &bound, &live, &K::fingerprint(&inputs));
    let (_, interval) = drift::policy(run, &bound, run.object.drift_policy());
    if let Some(done) = seen_lately(run, &bound, &before, interval) {
        return Ok(done);
    }
    let mut lease = Lease::of(&live.server, &bound);
    if first_look::may_wait(run, &bound, &before, draft) && !K::is_new(&inputs) && is_worded(run, &wanted, draft) {
        // The cluster is as it has to be, whatever the server is.
        K::secure(run, &bound, &mut lease, &wanted, &mut inputs, draft).await?;
        // A password that was made just now is one that the server has not heard of.
        if !K::is_new(&inputs) {
            let look = look(run, &bound, &live, &K::fingerprint(&inputs));
            return Ok(Done::InOrder { next: Some(first_look::wait(run, &look, draft, K::size(draft))) });
        }
    }
    first_look::is_over(run);
    run.ensure_finalizer(K::FINALIZER).await?;
    let session = lease.session().await?;
    authority::names(run, &bound, &live, &wanted.examination, None, session).await?;
    authority::companions(run, &bound, &live, &wanted.examination, draft.ownership().as_ref(), session).await?;
    let owned = own(run, &bound, &live, &wanted, &mut inputs, &mut lease, draft).await?;
    K::secure(run, &bound, &mut lease, &wanted, &mut inputs, draft).await?;
    bring(run, (&bound, &live), &wanted, &mut inputs, &mut lease, owned, draft).await.map_err(Stop::once_accepted)
}

/// Brings what is there and ours to what the spec says.
async fn bring<K: Provisioned>(
    run: &Run<K>,
    (bound, live): (&Bound, &Live),
    wanted: &Wanted<K>,
    inputs: &mut K::Inputs,
    lease: &mut Lease<'_>,
    owned: Owned,
    draft: &mut K::Status,
) -> Result<Done, Stop> {
    let applied_before = owned.applied_generation.is_some() && owned.applied_generation == run.generation();
    let mark = translate::mark(&run.identity(), &owned.nonce);
    let is_as_before = applied_before && !owned.fresh;
    let turn = if is_as_before { None } else { K::settle(run, bound, lease, inputs).await };
    let session = lease.session().await?;
    run.may_write()?;
    if is_as_before {
        reword(run, bound, session, wanted, &mark, draft).await?;
    }
    let drift::Left { remain, lacking } =
        drift::update(run, bound, session, wanted, inputs, &mark, is_as_before).await?;
    note_words(run, wanted, draft);
    let seen = K::observe(session, run.object.external_name()).await.map_err(stop(bound.paths()))?;
    let seen = seen.ok_or_else(|| {
        Blocked::failed(reason::RECONCILING, "the object vanished while it was being applied", Class::Transient)
    })?;
    K::finish(run, bound, session, wanted, inputs, seen.info, draft).await?;
    lease.rest();
    drop(turn);
    if !lacking.is_empty() {
        // What was applied once is corrected as the policy says when it can be: nothing else is applied again.
        return Err(if is_as_before { trouble::lacking(&lacking).into() } else { drift::waits_for(draft, &lacking) });
    }
    // As it is now: what this reconcile wrote itself is no news, and its absence later is.
    K::applied(inputs);
    let after = look(run, bound, live, &K::fingerprint(inputs));
    Ok(conclude(run, bound, draft, after, &remain, is_as_before))
}

/// A resource that was recorded on one server is never applied to another.
pub(crate) fn same_server(recorded: Option<&Ownership>, bound: &Bound, live: &Live) -> Result<(), Blocked> {
    match recorded {
        Some(recorded) if recorded.server_identity != live.facts.identity => Err(Blocked::conflict(
            reason::SERVER_CHANGED,
            format!(
                "{} now leads to another server than the one this resource was created on; nothing was touched: \
                 point the instance back, or delete this resource with the annotation {}=\"true\" and create it anew",
                bound.id,
                annotation::FORCE_DELETE
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

/// What is ours now.
struct Owned {
    nonce: String,
    applied_generation: Option<i64>,
    /// Created, adopted or found again in this reconcile: everything is to be applied.
    fresh: bool,
}

/// Makes the object ours, or stops.
async fn own<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    live: &Live,
    wanted: &Wanted<K>,
    inputs: &mut K::Inputs,
    lease: &mut Lease<'_>,
    draft: &mut K::Status,
) -> Result<Owned, Stop> {
    let name = run.object.external_name();
    let recorded = draft.ownership().clone();
    let (claim, seen) = whose(run, bound, live, lease.session().await?, recorded.as_ref()).await?;
    let identified = |object_id: Option<String>| Proof { mark: None, object_id };
    match (claim, seen) {
        (Claim::Blocked(blocked), _) => Err(blocked.into()),
        (Claim::Owned, seen) => {
            let fresh = draft.ownership().as_ref().is_some_and(|recorded| recorded.created_at.is_none());
            reached_through(bound, draft);
            let mut owned = record(run, draft, seen.map(|seen| seen.observed))?;
            owned.fresh |= fresh;
            Ok(owned)
        }
        (Claim::Reclaim { nonce }, seen) => {
            *draft.ownership() = Some(intent(run, bound, live, nonce));
            let owned = record(run, draft, seen.map(|seen| seen.observed))?;
            Ok(Owned { fresh: true, ..owned })
        }
        (Claim::RepairMark, seen) => {
            reached_through(bound, draft);
            let owned = record(run, draft, None)?;
            let proof = identified(seen.and_then(|seen| seen.observed.object_id));
            write_mark::<K>(
                lease.session().await?,
                bound,
                name,
                proof,
                wanted,
                translate::mark(&run.identity(), &owned.nonce),
            )
            .await?;
            Ok(owned)
        }
        (Claim::Adopt, seen) => {
            if draft.ownership().as_ref().is_none_or(|recorded| recorded.instance != bound.id) {
                *draft.ownership() = Some(Ownership { adopted: true, ..intent(run, bound, live, Run::<K>::nonce()) });
                K::intends(inputs, draft);
                lease.rest();
                report::creating(run, draft);
                report::write(run, draft).await?;
            }
            let owned = record(run, draft, None)?;
            let observed = seen.map(|seen| seen.observed);
            // Whoever left it behind must not have come back meanwhile.
            let carries = |observed: &Observed| observed.mark.clone().map(translate::mark_written);
            let proof = Proof {
                mark: observed.as_ref().and_then(carries),
                object_id: observed.as_ref().and_then(|observed| observed.object_id.clone()),
            };
            let mark = translate::mark(&run.identity(), &owned.nonce);
            write_mark::<K>(lease.session().await?, bound, name, proof, wanted, mark).await?;
            run.ctx.metrics.adopted(K::KIND);
            run.ctx.events.normal(run.object.as_ref(), "Adopted", &format!("took over {name:?}"));
            record(run, draft, observed).map(|owned| Owned { fresh: true, ..owned }).map_err(Into::into)
        }
        (Claim::Create, _) => {
            let companions = ownership::planned_companions(wanted);
            // What vanished from the server is made anew under the nonce that is recorded already.
            let recorded = draft.ownership().take();
            let nonce = recorded.as_ref().map_or_else(Run::<K>::nonce, |recorded| recorded.nonce.clone());
            let created_at = recorded.as_ref().and_then(|recorded| recorded.created_at.clone());
            *draft.ownership() = Some(Ownership { companions, created_at, ..intent(run, bound, live, nonce.clone()) });
            if recorded.is_none() {
                K::intends(inputs, draft);
                lease.rest();
                report::creating(run, draft);
                report::write(run, draft).await?;
            } else if created_at_of(draft) {
                let text = format!("{name:?} vanished from the server and is created again");
                run.ctx.events.warning(run.object.as_ref(), "DriftDetected", &text);
                K::vanished(draft);
                lease.rest();
                report::write(run, draft).await?;
            }
            K::secure(run, bound, lease, wanted, inputs, draft).await?;
            let mark = translate::mark(&run.identity(), &nonce);
            let session = lease.session().await?;
            run.may_write()?;
            let started = Instant::now();
            let created = K::create(session, wanted.spec.clone(), inputs, mark).await;
            let ending = Ending::of(&created);
            K::count(&run.ctx.metrics, &bound.id, &bound.spec().engine, Operation::Create, ending, started);
            let Seen { observed, info: _ } = created.map_err(|error| raced(&error, bound))?;
            mark_changed();
            K::created(inputs, draft);
            run.ctx.events.normal(run.object.as_ref(), "Created", &format!("created {name:?}"));
            let owned = record(run, draft, Some(observed))?;
            // Whoever gave rights to what vanished gives them to what is there now.
            if let Some(recorded) = draft.ownership() {
                recorded.created_at = Some(Time::from(run.now));
            }
            Ok(Owned { fresh: true, ..owned })
        }
    }
}

/// Looks at the object of the resource's name, and decides whose it is.
async fn whose<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    live: &Live,
    session: &mut Session,
    recorded: Option<&Ownership>,
) -> Result<(Claim, Option<Seen<K::Info>>), Stop> {
    let name = run.object.external_name();
    let mut seen = K::observe(session, name).await.map_err(stop(bound.paths()))?;
    if let Some(Seen { observed, info: _ }) = &mut seen {
        observed.abandoned = observed.mark.as_ref().is_some_and(|mark| ownership::is_abandoned(&run.ctx, mark));
    }
    let ceiling = bound.ceiling();
    let adoption = adoption::decide(
        run.object.adoption_policy(),
        &run.key.namespace,
        name,
        adoption::annotation_for(K::KIND),
        bound.side(&ceiling),
    );
    run.may_write()?;
    let rivals = ownership::rivals(run, &live.facts.identity);
    let observed = seen.as_ref().map(|seen| &seen.observed);
    // Whoever runs a server says what its objects' identities are, and its own: what was recorded through one instance
    // proves nothing to another. There only the mark counts.
    let elsewhere = recorded.filter(|recorded| recorded.instance != bound.id);
    let unproven = elsewhere.map(|recorded| Ownership { object_id: None, ..recorded.clone() });
    let recorded = unproven.as_ref().or(recorded);
    Ok((claim::claim(&run.identity(), recorded, observed, &rivals, &adoption), seen))
}

/// Between the look and the creation somebody else was faster: the next look tells whose it is.
fn raced(error: &CallError, bound: &Bound) -> Stop {
    if provisioned::is_conflict(error) {
        let message = "an object of this name appeared meanwhile; looking again";
        return Blocked::failed(reason::RECONCILING, message, Class::Transient).into();
    }
    trouble::blocked(error, bound.paths()).into()
}

fn created_at_of<S: super::super::status::StatusFields>(draft: &mut S) -> bool {
    draft.ownership().as_ref().is_some_and(|ownership| ownership.created_at.is_some())
}

async fn write_mark<K: Provisioned>(
    session: &mut Session,
    bound: &Bound,
    name: &str,
    proof: Proof,
    wanted: &Wanted<K>,
    mark: Mark,
) -> Result<(), Stop> {
    K::claim(session, name, proof, wanted.comment.clone(), mark).await.map_err(stop(bound.paths()))
}

/// Where the instance asks for another text than the one that was written, that is a wish and no drift.
async fn reword<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    session: &mut Session,
    wanted: &Wanted<K>,
    mark: &Mark,
    draft: &mut K::Status,
) -> Result<(), Stop> {
    if is_worded(run, wanted, draft) {
        return Ok(());
    }
    if let Some(ownership) = draft.ownership().as_ref() {
        let proof = Proof { mark: Some(mark.clone()), object_id: ownership.object_id.clone() };
        write_mark(session, bound, run.object.external_name(), proof, wanted, mark.clone()).await?;
        mark_changed();
    }
    Ok(())
}

/// Whether the text beside the object is the one that is asked for.
fn is_worded<K: Provisioned>(run: &Run<K>, wanted: &Wanted<K>, draft: &mut K::Status) -> bool {
    let words = tracking::noted(wanted.comment.as_deref(), &run.identity());
    draft.ownership().as_ref().is_none_or(|ownership| ownership.comment == words)
}

/// Notes in the draft which text is beside the object now.
fn note_words<K: Provisioned>(run: &Run<K>, wanted: &Wanted<K>, draft: &mut K::Status) {
    if let Some(ownership) = draft.ownership() {
        ownership.comment = tracking::noted(wanted.comment.as_deref(), &run.identity());
    }
}

/// What is recorded before the first side effect.
fn intent<K: Provisioned>(run: &Run<K>, bound: &Bound, live: &Live, nonce: String) -> Ownership {
    Ownership {
        name: run.object.external_name().to_owned(),
        server_identity: live.facts.identity.clone(),
        nonce,
        instance: bound.id.clone(),
        engine: bound.spec().engine.clone(),
        object_id: None,
        applied_generation: None,
        comment: None,
        adopted: false,
        created_at: None,
        companions: Vec::new(),
    }
}

/// Another instance may lead to the same server: the object is let go of through the one that the resource names now.
fn reached_through<S: super::super::status::StatusFields>(bound: &Bound, draft: &mut S) {
    if let Some(ownership) = draft.ownership() {
        ownership.instance.clone_from(&bound.id);
        ownership.engine.clone_from(&bound.spec().engine);
    }
}

/// Notes in the draft that the object is there, where it was seen.
fn record<K: Provisioned>(run: &Run<K>, draft: &mut K::Status, there: Option<Observed>) -> Result<Owned, Blocked> {
    let ownership = draft.ownership().as_mut().ok_or_else(|| {
        Blocked::failed(
            reason::RECONCILE_FAILED,
            "ownership was not recorded before the object was touched",
            Class::Bug,
        )
    })?;
    if let Some(Observed { object_id, .. }) = there {
        // Not every engine has identities of its own.
        ownership.object_id = object_id.or(ownership.object_id.take());
        ownership.created_at.get_or_insert_with(|| Time::from(run.now));
    }
    Ok(Owned { nonce: ownership.nonce.clone(), applied_generation: ownership.applied_generation, fresh: false })
}

/// The verdict, and when to look again.
fn conclude<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    draft: &mut K::Status,
    look: Look,
    remain: &[DriftDiff],
    was_applied: bool,
) -> Done {
    if let Some(ownership) = draft.ownership() {
        ownership.applied_generation = run.generation();
    }
    let policy = drift::policy(run, bound, run.object.drift_policy());
    concluded(run, bound, draft, look, (remain, was_applied), policy)
}
