//! The update of an object that is ours: everything at a new generation, by policy at one that was applied before.

use std::time::{Duration, Instant};

use crds::names::annotation;
use crds::{DriftDiff, DriftMode, DriftPolicy, DriftStatus, InstanceSpec, Time};
use planning::drift;
use sandbox::Session;
use sandbox::contract::{Mark, Selection};

use super::super::run::Run;
use super::super::status::StatusFields;
use super::super::translate;
use super::super::trouble::{self, Stop, stop};
use super::{Bound, Provisioned, Reported, Wanted};
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::reconcile::mark_changed;

/// The policy in effect: the resource's, otherwise the instance's, otherwise the operator's.
pub(crate) fn policy<K: Reported>(run: &Run<K>, bound: &Bound, stated: Option<&DriftPolicy>) -> (DriftMode, Duration) {
    in_effect(run.ctx.config.default_drift_interval, bound.spec(), stated)
}

/// The same where `default` is the operator's interval.
pub(crate) fn in_effect(
    default: Duration,
    instance: &InstanceSpec,
    stated: Option<&DriftPolicy>,
) -> (DriftMode, Duration) {
    match stated.or(instance.drift_policy.as_ref()) {
        // An interval that cannot be read was refused where it is stated: on the resource, or on the instance.
        Some(policy @ DriftPolicy { mode, interval: _ }) => (*mode, drift::interval(policy).unwrap_or(default)),
        None => (DriftMode::default(), default),
    }
}

/// What an update left.
pub(super) struct Left {
    /// What stays different.
    pub(super) remain: Vec<DriftDiff>,
    /// What is waited for, in sentences.
    pub(super) lacking: Vec<String>,
}

/// The wait for what is lacking. Once it is there, it is another than what was applied to: nothing counts as applied.
pub(crate) fn waits_for<S: StatusFields>(draft: &mut S, lacking: &[String]) -> Stop {
    nothing_is_applied(draft);
    trouble::lacking(lacking).into()
}

/// Everything is applied at the next look.
pub(crate) fn nothing_is_applied<S: StatusFields>(draft: &mut S) {
    if let Some(ownership) = draft.ownership() {
        ownership.applied_generation = None;
    }
}

/// Applies or compares.
pub(super) async fn update<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    session: &mut Session,
    wanted: &Wanted<K>,
    inputs: &K::Inputs,
    mark: &Mark,
    applied_before: bool,
) -> Result<Left, Stop> {
    let call = stop(bound.paths());
    if !applied_before {
        let started = Instant::now();
        let outcome = K::update(session, wanted.spec.clone(), inputs, mark.clone(), Selection::All).await;
        let ending = Ending::of(&outcome);
        K::count(&run.ctx.metrics, &bound.id, &bound.spec().engine, Operation::Update, ending, started);
        let report = outcome.map_err(call)?;
        let changes = translate::changes(&report.changes, bound.paths());
        if !report.applied.is_empty() {
            mark_changed();
        }
        return Ok(Left { remain: drift::impossible(&changes), lacking: drift::lacking(&changes) });
    }
    let report =
        K::update(session, wanted.spec.clone(), inputs, mark.clone(), Selection::Detect).await.map_err(&call)?;
    // A password that the server has not heard of yet is set whatever the policy says of drift.
    let (wished, mut found): (Vec<_>, Vec<_>) =
        report.changes.into_iter().partition(|change| drift::is_new_password(&change.id));
    // A probe may open a session of its own: not for everything at once when the operator starts.
    if run.ctx.memory.recall(&run.uid).is_some_and(|remembered| remembered.looked.is_some()) {
        found.extend(K::probe(session, run.object.external_name(), inputs).await.map_err(&call)?);
    }
    let changes = translate::changes(&found, bound.paths());
    let (mode, _) = policy(run, bound, run.object.drift_policy());
    let allow_destructive = run.switch(annotation::ALLOW_DESTRUCTIVE_DRIFT);
    let correction = drift::correct(mode, allow_destructive, &changes);
    run.drift_looked(!changes.is_empty());
    let correction = if K::INDEPENDENT || correction.lacking.is_empty() {
        correction
    } else {
        // What the others need may be what is lacking.
        drift::Correction { apply: Vec::new(), ..correction }
    };
    let sets_password = !wished.is_empty() || correction.apply.iter().any(|id| drift::is_new_password(id));
    let mut apply: Vec<String> = wished.into_iter().map(|change| change.id).collect();
    apply.extend(correction.apply.iter().cloned());
    if !apply.is_empty() {
        let fields =
            changes.iter().filter(|change| correction.apply.contains(&change.id)).map(|change| change.field.as_str());
        let text = format!("corrected {}", fields.collect::<Vec<_>>().join(", "));
        let selection = Selection::Only(apply);
        run.may_write()?;
        let started = Instant::now();
        let outcome = K::update(session, wanted.spec.clone(), inputs, mark.clone(), selection).await;
        let operation = if sets_password { Operation::SetPassword } else { Operation::Update };
        K::count(&run.ctx.metrics, &bound.id, &bound.spec().engine, operation, Ending::of(&outcome), started);
        let corrects = !correction.apply.is_empty();
        if corrects {
            run.ctx.metrics.drift_corrected(&run.key, Ending::of(&outcome));
        }
        match outcome {
            Ok(_) if !corrects => mark_changed(),
            Ok(_) => {
                mark_changed();
                run.ctx.events.normal(run.object.as_ref(), "DriftCorrected", &text);
            }
            Err(error) if !corrects => return Err(call(error)),
            Err(error) => {
                run.ctx.events.warning(run.object.as_ref(), "DriftCorrectionFailed", &text);
                return Err(call(error));
            }
        }
    }
    Ok(Left { remain: correction.remain, lacking: correction.lacking })
}

/// The drift for the status. Under the mode ignore nothing is said.
pub(crate) fn status<K: Reported>(run: &Run<K>, mode: DriftMode, remain: &[DriftDiff]) -> Option<DriftStatus> {
    (mode != DriftMode::Ignore).then(|| DriftStatus {
        detected: !remain.is_empty(),
        last_checked: Some(Time::from(run.now)),
        diffs: remain.to_vec(),
    })
}
