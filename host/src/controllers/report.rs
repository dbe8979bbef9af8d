//! The one status write of a reconcile, on success and on failure. Nothing is written when nothing changed: the
//! times in a status move only together with something else.

use std::time::Duration;

use crds::names::{condition, message};
use crds::{DriftStatus, Instance as _, ResourcePhase, Time};
use planning::conditions::{self, Verdict};
use planning::{Blocked, Class, Gate};

use super::failure::Failure;
use super::managed::Reported;
use super::run::Run;
use super::status::StatusFields;

/// How a resource that is as it should be is described.
pub(crate) fn ready<K: Reported>(run: &Run<K>, draft: &mut K::Status, verdicts: &[Verdict], message: &str) {
    *draft.phase() = Some(ResourcePhase::Ready);
    *draft.message() = Some(message.into());
    draft.confirm(None);
    set_conditions(run, draft, verdicts);
}

/// How a resource that stopped is described.
pub(crate) fn stopped<K: Reported>(run: &Run<K>, draft: &mut K::Status, blocked: &Blocked) {
    let phase = if run.deleting() {
        match blocked.class {
            Class::Refused => ResourcePhase::PendingDeletion,
            Class::Invalid | Class::Waiting | Class::Transient | Class::Guest | Class::Bug => ResourcePhase::Deleting,
        }
    } else {
        match blocked.gate {
            Gate::Synced if !blocked.is_failure() => ResourcePhase::Pending,
            Gate::Accepted | Gate::Synced => ResourcePhase::Failed,
        }
    };
    *draft.phase() = Some(phase);
    *draft.message() = Some(blocked.message.as_str().into());
    set_conditions(run, draft, &conditions::stopped(blocked));
}

/// How a resource is described while its intent is recorded.
pub(crate) fn creating<K: Reported>(run: &Run<K>, draft: &mut K::Status) {
    use crds::names::reason::{ACCEPTED, CREATING};
    *draft.phase() = Some(ResourcePhase::Creating);
    *draft.message() = Some("being created".into());
    let verdicts = [
        Verdict::new(condition::ACCEPTED, true, ACCEPTED, message::SERVED),
        Verdict::new(condition::SYNCED, false, CREATING, "being created"),
        Verdict::new(condition::READY, false, CREATING, "being created"),
    ];
    set_conditions(run, draft, &verdicts);
}

fn set_conditions<K: Reported>(run: &Run<K>, draft: &mut K::Status, verdicts: &[Verdict]) {
    let merged = conditions::merge(draft.conditions(), verdicts, run.generation(), &Time::from(run.now));
    *draft.conditions() = merged;
    *draft.observed_generation() = run.generation();
}

/// Whether the failure is the instance's, told by its own conditions: a resource that was in order keeps its status,
/// so that an outage of one server does not rewrite the status of everything on it. An instance that goes on saying
/// that all is well, because it does not look or because it is this resource alone that fails, tells nothing.
pub(crate) fn is_told_by_the_instance<K: Reported>(run: &Run<K>, blocked: &Blocked) -> bool {
    let mut stored = run.object.status().cloned().unwrap_or_default();
    !run.deleting()
        && blocked.gate == Gate::Synced
        && matches!(blocked.class, Class::Transient | Class::Waiting)
        && blocked.about_the_instance
        && *stored.observed_generation() == run.generation()
        && conditions::holds(stored.conditions(), condition::READY)
        && !is_denied_by_the_instance(run, &mut stored)
}

/// Whether the instance had time enough to notice, and says that nothing is wrong.
fn is_denied_by_the_instance<K: Reported>(run: &Run<K>, stored: &mut K::Status) -> bool {
    let instance = stored.ownership().as_ref().and_then(|recorded| run.ctx.stores.instance(&recorded.instance));
    let Some(instance) = instance else { return false };
    let health = instance.instance_spec().health_check_in_effect();
    let noticed = Duration::from_secs(u64::from(health.interval_seconds) * 2 + u64::from(health.timeout_seconds));
    conditions::holds(instance.conditions(), condition::READY) && run.ctx.backoff.failing_for(&run.key) > noticed
}

/// Writes the status if it differs from what is stored; says whether it did.
pub(crate) async fn write<K: Reported>(run: &Run<K>, draft: &mut K::Status) -> Result<bool, Failure> {
    let stored = run.object.status().cloned().unwrap_or_default();
    if same_but_for_times(draft, &stored) {
        return Ok(false);
    }
    *draft.reconcile_id() = Some(run.reconcile.id().to_owned());
    *draft.last_reconcile_time() = Some(Time::from(run.now));
    let written = run.ctx.patches.apply_status(run.object.as_ref(), draft).await;
    let written = written.map_err(Failure::asking("writing the status"))?;
    let version = written.meta().resource_version.as_ref().and_then(|version| version.parse().ok());
    run.ctx.memory.note(&run.uid, |remembered| remembered.written = version.or(remembered.written));
    Ok(true)
}

/// Compares without the fields that say when something was looked at.
fn same_but_for_times<S: StatusFields>(draft: &S, stored: &S) -> bool {
    let without_times = |status: &S| {
        let mut status = status.clone();
        *status.reconcile_id() = None;
        *status.last_reconcile_time() = None;
        if let Some(DriftStatus { detected: _, last_checked, diffs: _ }) = status.drift() {
            *last_checked = None;
        }
        status
    };
    without_times(draft) == without_times(stored)
}

#[cfg(test)]
mod tests {
    use crds::DatabaseStatus;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn times_alone_are_no_reason_to_write() {
        let at = |second| Some(Time::from(Timestamp::from_second(second).unwrap()));
        let drift = |second| Some(DriftStatus { detected: false, last_checked: at(second), diffs: Vec::new() });
        let status = |second: i64| DatabaseStatus {
            reconcile_id: Some(second.to_string()),
            last_reconcile_time: at(second),
            drift: drift(second),
            ..DatabaseStatus::default()
        };
        assert!(same_but_for_times(&status(1), &status(2)));
        let other = DatabaseStatus { message: Some("new".into()), ..status(2) };
        assert!(!same_but_for_times(&status(1), &other));
    }
}
