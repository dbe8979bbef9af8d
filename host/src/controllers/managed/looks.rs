//! Whether an object has to be looked at, what the look came to, and when the next one is.

use std::time::Duration;

use crds::names::{message, reason};
use crds::{DriftDiff, DriftMode};
use kube::ResourceExt as _;
use planning::{Blocked, Class, conditions};
use rand::RngExt as _;

use super::super::memory::{Look, digest};
use super::super::report;
use super::super::run::Run;
use super::super::status::StatusFields as _;
use super::super::sweep::LONGEST_WAIT;
use super::super::translate;
use super::{Bound, Done, Reported, drift};
use crate::servers::Live;

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
    Look { inputs: digest(&inputs), at: run.now.into(), alone: run.now.into() }
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

/// In order still, where the last look was about the same and is not due again.
pub(crate) fn seen_lately<K: Reported>(run: &Run<K>, bound: &Bound, look: &Look, interval: Duration) -> Option<Done> {
    let last = run.ctx.memory.recall(&run.uid)?.looked?;
    if last.inputs != look.inputs {
        return None;
    }
    let left = interval.checked_sub(last.at.age(run.now)?).filter(|left| !left.is_zero())?;
    Some(Done::InOrder { next: until_next(run, bound, left) })
}

/// Until the next look at the server, or at what nobody watches: Secrets that a resource names and labels that admit
/// its namespace are read again at the instance's health interval; so are output Secrets where they are not watched.
///
/// None where the instance's sweeps say when.
fn until_next<K: Reported>(run: &Run<K>, bound: &Bound, look: Duration) -> Option<Duration> {
    if run.object.names_what_nobody_watches() || bound.by_label || !run.ctx.config.watch_output_secrets {
        let interval = bound.spec().health_check_in_effect().interval_seconds;
        return Some(look.min(Duration::from_secs(u64::from(interval))));
    }
    (look < LONGEST_WAIT || !run.ctx.clockless.has(&bound.id)).then_some(look)
}

/// In order, but for what the policy lets differ, or stuck where some of what remains can never be made, and was asked for
/// at this generation: by a spec that was not applied before, or one of which the status says so already.
pub(crate) fn concluded<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    draft: &mut K::Status,
    look: Look,
    (remain, was_applied): (&[DriftDiff], bool),
    (mode, interval): (DriftMode, Duration),
) -> Done {
    run.ctx.memory.note(&run.uid, |remembered| {
        remembered.looked = Some(look);
        // What was compared once and is in order now does not drift any more.
        remembered.drifts = remembered.drifts.map(|_| !remain.is_empty());
    });
    // Spread, so that everything that started together is not looked at together for ever.
    let spread = interval.mul_f64(1.0 - 0.1 * rand::rng().random::<f64>());
    let next = until_next(run, bound, spread);
    let says_so =
        *draft.observed_generation() == run.generation() && conditions::gives(draft.conditions(), reason::IMMUTABLE);
    let is_fixed = |diff: &&DriftDiff| diff.immutable == Some(true);
    let fixed: Vec<DriftDiff> = remain.iter().filter(is_fixed).cloned().collect();
    if !fixed.is_empty() && (!was_applied || says_so) {
        // What ignores drift still tells of what its spec asks for in vain.
        let (told, mode) =
            if mode == DriftMode::Ignore { (fixed.as_slice(), DriftMode::Detect) } else { (remain, mode) };
        *draft.drift() = drift::status(run, mode, told);
        // The spec was accepted and the rest of it applied: only a spec of which nothing is applied is not accepted.
        let fields = translate::fields(&fixed);
        let message = format!("{fields} cannot be changed any more; the rest was applied: see status.drift");
        let next = next.unwrap_or(spread);
        return Done::Stuck { blocked: Blocked::failed(reason::IMMUTABLE, message, Class::Invalid), next };
    }
    *draft.drift() = drift::status(run, mode, remain);
    if remain.is_empty() || mode == DriftMode::Ignore {
        let message = message::IN_ORDER;
        report::ready(run, draft, &conditions::all_well(message), message);
    } else {
        let message = format!("the server differs in {}: see status.drift", translate::fields(remain));
        report::ready(run, draft, &conditions::drifted(&message), &message);
    }
    Done::InOrder { next }
}
