//! From a spec to the server: the steps in their order, each saying what it needs.

use std::time::{Duration, Instant};

use crds::names::reason;
use crds::{Ownership, Time};
use kube::ResourceExt as _;
use planning::claim::{self, Claim, Observed};
use planning::{Blocked, Class, adoption, conditions, tracking};
use rand::RngExt as _;
use sandbox::contract::{Mark, Proof};
use sandbox::{CallError, Session};
use sha2::{Digest as _, Sha256};

use super::super::memory::Look;
use super::super::report;
use super::super::run::Run;
use super::super::status::StatusFields as _;
use super::super::translate;
use super::super::trouble::{self, Stop, stop};
use super::{
    Bound, Done, Lease, Provisioned, Reported, Seen, Wanted, authority, drift, load, ownership, provisioned, validate,
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
    if let Some(next) = seen_lately(run, &bound, &before, interval) {
        return Ok(Done::InOrder { next });
    }
    run.ensure_finalizer(K::FINALIZER).await?;
    let mut lease = Lease::of(&live.server, &bound);
    let session = lease.session().await?;
    authority::names(run, &bound, &live, &wanted.examination, session).await?;
    authority::companions(run, &bound, &live, &wanted.examination, draft.ownership().as_ref(), session).await?;
    let owned = own(run, &bound, &live, &wanted, &mut inputs, &mut lease, draft).await?;
    let applied_before = owned.applied_generation.is_some() && owned.applied_generation == run.generation();
    let mark = translate::mark(&run.identity(), &owned.nonce);
    K::secure(run, &bound, &mut lease, &wanted, &mut inputs, draft).await?;
    let is_as_before = applied_before && !owned.fresh;
    let turn = if is_as_before { None } else { K::settle(run, &bound, &mut lease, &mut inputs).await };
    let session = lease.session().await?;
    run.may_write()?;
    if is_as_before {
        reword(run, &bound, session, &wanted, &mark, draft).await?;
    }
    let updated = drift::update(run, &bound, session, &wanted, &inputs, &mark, is_as_before).await?;
    note_words(run, &wanted, draft);
    let seen = K::observe(session, run.object.external_name()).await.map_err(stop(bound.paths()))?;
    let seen = seen.ok_or_else(|| {
        Blocked::failed(reason::RECONCILING, "the object vanished while it was being applied", Class::Transient)
    })?;
    K::finish(run, &bound, session, &wanted, &inputs, seen.info, draft).await?;
    lease.rest();
    drop(turn);
    // As it is now: what this reconcile wrote itself is no news, and its absence later is.
    K::applied(&mut inputs);
    let after = look(run, &bound, &live, &K::fingerprint(&inputs));
    conclude(run, &bound, draft, after, &updated)
}

/// A resource that was recorded on one server is never applied to another.
pub(crate) fn same_server(recorded: Option<&Ownership>, bound: &Bound, live: &Live) -> Result<(), Blocked> {
    match recorded {
        Some(recorded) if recorded.server_identity != live.facts.identity => Err(Blocked::conflict(
            reason::SERVER_CHANGED,
            format!(
                "{} now leads to another server than the one this resource was created on; nothing was touched: \
                 point the instance back, or delete and create this resource",
                bound.id
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Everything that the outcome depends on.
pub(crate) fn look<K: Reported>(run: &Run<K>, bound: &Bound, live: &Live, fingerprint: &str) -> Look {
    let annotations = run.object.meta().annotations.clone().unwrap_or_default();
    // Of the instance, what a resource or its Secret is made from.
    let crds::InstanceSpec { connection, privilege_ceiling, drift_policy, resource_tracking, .. } = bound.spec();
    let crds::ConnectionConfig { host, port, .. } = connection;
    let offered = (host, port, privilege_ceiling, drift_policy, resource_tracking);
    let consents = consents(run);
    let identity = &live.facts.identity;
    let inputs = format!("{:?} {annotations:?} {offered:?} {identity} {fingerprint} {consents}", run.generation());
    // Only whether it is the same is asked: a digest is small, whatever the annotations are.
    Look { inputs: Sha256::digest(inputs).into(), at: run.now, alone: run.now }
}

/// The grants that name this resource's kind and namespace: one that is withdrawn is noticed.
fn consents<K: Reported>(run: &Run<K>) -> String {
    let names_us = |grant: &crds::DatabaseReferenceGrant| {
        // A cluster-scoped kind has no namespace, and is named without one.
        let is_us = |namespace: Option<&String>| namespace.map_or("", String::as_str) == run.key.namespace;
        grant.spec.from.iter().any(|from| from.kind == K::KIND && is_us(from.namespace.as_ref()))
    };
    let mut versions: Vec<_> =
        run.ctx.stores.grants.state_filter(names_us).iter().filter_map(|grant| grant.resource_version()).collect();
    versions.sort();
    versions.join(",")
}

/// The pause until the next look, where the last one was about the same and is not due again.
pub(crate) fn seen_lately<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    look: &Look,
    interval: Duration,
) -> Option<Duration> {
    let last = run.ctx.memory.recall(&run.uid)?.looked?;
    if last.inputs != look.inputs {
        return None;
    }
    let age = Duration::try_from(look.at.duration_since(last.at)).ok()?;
    let left = interval.checked_sub(age).filter(|left| !left.is_zero())?;
    Some(until_next(run, bound, left))
}

/// Until the next look at the server, or at what nobody watches: Secrets that a resource names and labels that admit
/// its namespace are read again at the instance's health interval; so are output Secrets where they are not watched.
fn until_next<K: Reported>(run: &Run<K>, bound: &Bound, look: Duration) -> Duration {
    if run.object.names_what_nobody_watches() || bound.by_label || !run.ctx.config.watch_output_secrets {
        let interval = bound.spec().health_check_in_effect().interval_seconds;
        return look.min(Duration::from_secs(u64::from(interval)));
    }
    look
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
    let seen = K::observe(lease.session().await?, name).await.map_err(stop(bound.paths()))?;
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
    let claim = claim::claim(&run.identity(), draft.ownership().as_ref(), observed, &rivals, &adoption);
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
            if draft.ownership().is_none() {
                *draft.ownership() = Some(Ownership { adopted: true, ..intent(run, bound, live, Run::<K>::nonce()) });
                K::intends(inputs, draft);
                lease.rest();
                report::creating(run, draft);
                report::write(run, draft).await?;
            }
            let owned = record(run, draft, None)?;
            let observed = seen.map(|seen| seen.observed);
            let object_id = observed.as_ref().and_then(|observed| observed.object_id.clone());
            let mark = translate::mark(&run.identity(), &owned.nonce);
            write_mark::<K>(lease.session().await?, bound, name, identified(object_id), wanted, mark).await?;
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
    let words = tracking::noted(wanted.comment.as_deref(), &run.identity());
    if let Some(ownership) = draft.ownership().as_ref().filter(|ownership| ownership.comment != words) {
        let proof = Proof { mark: Some(mark.clone()), object_id: ownership.object_id.clone() };
        write_mark(session, bound, run.object.external_name(), proof, wanted, mark.clone()).await?;
        mark_changed();
    }
    Ok(())
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
    updated: &drift::Updated,
) -> Result<Done, Stop> {
    let (mode, interval) = drift::policy(run, bound, run.object.drift_policy());
    *draft.drift() = drift::status(run, mode, &updated.remain);
    if updated.impossible {
        let fields = translate::fields(&updated.remain);
        // The spec was accepted and the rest of it applied: only a spec of which nothing is applied is not accepted.
        let message = format!("{fields} cannot be changed after creation; the rest was applied: see status.drift");
        return Err(Blocked::failed(reason::IMMUTABLE, message, Class::Invalid).into());
    }
    if let Some(ownership) = draft.ownership() {
        ownership.applied_generation = run.generation();
    }
    Ok(in_order(run, bound, draft, look, &updated.remain, (mode, interval)))
}

/// In order, but for what the policy lets differ.
pub(crate) fn in_order<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    draft: &mut K::Status,
    look: Look,
    remain: &[crds::DriftDiff],
    (mode, interval): (crds::DriftMode, Duration),
) -> Done {
    *draft.drift() = drift::status(run, mode, remain);
    if remain.is_empty() || mode == crds::DriftMode::Ignore {
        let message = "as the spec says";
        report::ready(run, draft, &conditions::all_well(message), message.to_owned());
    } else {
        let message = format!("the server differs in {}: see status.drift", translate::fields(remain));
        report::ready(run, draft, &conditions::drifted(&message), message.clone());
    }
    run.ctx.memory.note(&run.uid, |remembered| {
        remembered.looked = Some(look);
        // What was compared once and is in order now does not drift any more.
        remembered.drifts = remembered.drifts.map(|_| !remain.is_empty());
    });
    // Spread, so that everything that started together is not looked at together for ever.
    let spread = interval.mul_f64(1.0 - 0.1 * rand::rng().random::<f64>());
    Done::InOrder { next: until_next(run, bound, spread) }
}
