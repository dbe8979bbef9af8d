//! The status of an instance: five conditions, a phase, and what the server says of itself.

use crds::names::{condition, reason};
use crds::{InstanceEngineStatus, InstancePhase, InstanceStatus, Time};
use planning::conditions::{self, Verdict};
use planning::{Blocked, Class, Gate};

use super::{Connected, discovery};
use crate::controllers::failure::Failure;
use crate::controllers::run::Run;
use crate::engines::Engine;
use crate::telemetry::labels::InstanceInfoLabels;

/// Which adapter serves the instance.
pub(super) fn engine(draft: &mut InstanceStatus, engine: &Engine) {
    draft.engine = Some(InstanceEngineStatus {
        name: engine.adapter().description().engines.first().map(|engine| engine.name.clone()),
        adapter_version: Some(engine.adapter().description().adapter_version.clone()),
        digest: Some(engine.adapter().digest().to_string()),
    });
}

/// Whether the stored status says that the server answers.
pub(super) fn was_connected<I: Connected>(run: &Run<I>) -> bool {
    conditions::holds(run.object.conditions(), condition::CONNECTED)
}

/// The server answers.
pub(super) fn answers<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) {
    let checked = run.object.instance_spec().health_check_in_effect().enabled;
    let healthy = if checked {
        Verdict::new(condition::HEALTHY, true, reason::HEALTH_CHECK_PASSED, "the server answered the last check")
    } else {
        Verdict::new(condition::HEALTHY, None, reason::RECONCILE_SUCCESS, "spec.healthCheck.enabled is false")
    };
    let mut verdicts = conditions::all_well("the server answers");
    verdicts.push(Verdict::new(condition::CONNECTED, true, reason::CONNECTION_SUCCESS, "the server let us in"));
    verdicts.push(healthy);
    verdicts.extend(discovery::verdict(draft));
    draft.phase = Some(InstancePhase::Ready);
    draft.message = Some("the server answers".into());
    draft.deletion_confirmation = None;
    finish(run, draft, &verdicts);
}

/// Something stopped us.
pub(super) fn stopped<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus, blocked: &Blocked) {
    let mut verdicts = conditions::stopped(blocked);
    if run.deleting() {
        // Deletion says nothing about the server.
        let kept = run
            .object
            .conditions()
            .iter()
            .filter(|known| known.type_ == condition::CONNECTED || known.type_ == condition::HEALTHY);
        let kept: Vec<_> = kept.cloned().collect();
        draft.phase = Some(match blocked.class {
            Class::Refused => InstancePhase::PendingDeletion,
            Class::Invalid | Class::Waiting | Class::Transient | Class::Guest | Class::Bug => InstancePhase::Deleting,
        });
        draft.message = Some(blocked.message.as_str().into());
        finish(run, draft, &verdicts);
        draft.conditions.extend(kept);
        return;
    }
    let holds = match blocked.gate {
        Gate::Accepted => None,
        Gate::Synced => Some(false),
    };
    verdicts.push(Verdict::new(condition::CONNECTED, holds, blocked.reason, blocked.message.clone()));
    verdicts.push(Verdict::new(condition::HEALTHY, holds, reason::HEALTH_CHECK_FAILED, blocked.message.clone()));
    draft.phase = Some(match (blocked.gate, blocked.class) {
        (Gate::Synced, Class::Waiting) if !blocked.is_failure() => InstancePhase::Pending,
        (Gate::Accepted | Gate::Synced, _) => InstancePhase::Failed,
    });
    draft.message = Some(blocked.message.as_str().into());
    finish(run, draft, &verdicts);
}

fn finish<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus, verdicts: &[Verdict]) {
    draft.conditions = conditions::merge(run.object.conditions(), verdicts, run.generation(), &Time::from(run.now));
    draft.observed_generation = run.generation();
}

/// Writes the status if more than times changed; says whether it did.
pub(super) async fn write<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) -> Result<bool, Failure> {
    info(run, draft);
    let stored = run.object.instance_status().cloned().unwrap_or_default();
    if without_times(draft) == without_times(&stored) {
        return Ok(false);
    }
    draft.reconcile_id = Some(run.reconcile.id().to_owned());
    draft.last_reconcile_time = Some(Time::from(run.now));
    let written = run.ctx.patches.apply_status(run.object.as_ref(), draft).await;
    written.map_err(Failure::asking("writing the status"))?;
    Ok(true)
}

fn without_times(status: &InstanceStatus) -> InstanceStatus {
    InstanceStatus { last_checked_at: None, reconcile_id: None, last_reconcile_time: None, ..status.clone() }
}

fn info<I: Connected>(run: &Run<I>, draft: &InstanceStatus) {
    let spec = run.object.instance_spec();
    run.ctx.metrics.instance_info(
        &run.object.id(),
        &InstanceInfoLabels {
            instance: run.key.name.clone(),
            namespace: run.key.namespace.clone(),
            engine: spec.engine.clone(),
            version: draft.version.clone().unwrap_or_default(),
            host: spec.connection.host.clone(),
            port: spec.connection.port.to_string(),
            phase: draft.phase.map(|phase| phase.to_string()).unwrap_or_default(),
        },
    );
}
