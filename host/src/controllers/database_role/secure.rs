//! What a role's own resource gives it is recorded before it is given, and only where something is going to be given.

use crds::names::{annotation, reason};
use crds::{DatabaseRoleStatus, DriftMode};
use planning::{Blocked, Class, drift};
use sandbox::CallError;
use sandbox::contract::{ErrorKind, Selection};

use super::super::managed::{self, Bound, Lease};
use super::super::run::Run;
use super::super::trouble::{Stop, stop};
use super::super::{report, rights, translate};
use super::{RoleInputs, RoleResource, account, share};

/// Looks at what others share, and records what is going to be given. `draft` tells whether the role is there.
pub(super) async fn record<R: RoleResource>(
    run: &Run<R>,
    bound: &Bound,
    lease: &mut Lease<'_>,
    inputs: &mut RoleInputs,
    draft: &mut DatabaseRoleStatus,
) -> Result<(), Stop> {
    let Some(ownership) = draft.ownership.as_ref().filter(|ownership| ownership.created_at.is_some()) else {
        // There is nobody yet to be given anything.
        return Ok(());
    };
    let applied_before = ownership.applied_generation.is_some() && ownership.applied_generation == run.generation();
    let account = account(run, bound).ok_or_else(|| {
        Blocked::waiting(reason::INSTANCE_NOT_READY, format!("{} is not connected; see its conditions", bound.id))
            .of_the_instance()
    })?;
    share(inputs, rights::shared(&run.ctx, &account, &run.uid));
    let Some(rights) = &mut inputs.rights else { return Ok(()) };
    // An older operator had an entry for each object.
    draft.held = rights::for_status(rights::of_status(&draft.held));
    rights.recorded = rights::of_status(&draft.held);
    let planned = match lease.session().await?.grant(rights, &Selection::Detect).await {
        Ok(planned) => planned,
        // It vanished, and is about to be made again.
        Err(error) if is_absence(&error) => return Ok(()),
        Err(error) => return Err(stop(bound.paths())(error)),
    };
    if applied_before {
        let (mode, _) = managed::drift_policy(run, bound, run.object.drift_policy());
        let changes = translate::changes(&planned.update.changes, bound.paths());
        let lacking = drift::lacking(&changes);
        if !lacking.is_empty() && mode != DriftMode::Ignore {
            return Err(managed::waits_for(draft, &lacking));
        }
        if planned.renewed && mode != DriftMode::Ignore {
            managed::nothing_is_applied(draft);
            let message = "something that it has rights on was made again: they are given again";
            return Err(Blocked::failed(reason::RECONCILING, message, Class::Transient).into());
        }
        let allows_destructive = run.switch(annotation::ALLOW_DESTRUCTIVE_DRIFT);
        if drift::correct(mode, allows_destructive, &changes).apply.is_empty() {
            // Nothing is going to be given.
            return Ok(());
        }
    }
    // Recorded before it is given: whatever happens in between, it can be taken back.
    let union = rights::union(&draft.held, planned.held.into_iter().chain(planned.stated));
    rights::fits(&union)?;
    if union != draft.held {
        draft.held = union;
        lease.rest();
        report::write(run, draft).await?;
    }
    run.ctx.ledger.note(&run.uid, &account, &draft.held);
    rights.recorded = rights::of_status(&draft.held);
    Ok(())
}

/// Something is not there: the role itself, where rights are looked at (see `wit/grant.wit`), or one that it names.
fn is_absence(error: &CallError) -> bool {
    let CallError::Adapter(answer) = error else { return false };
    matches!(answer.kind, ErrorKind::DependencyMissing)
}
