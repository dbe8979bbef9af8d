//! What the resource may ask for: privileges within the instance's ceiling, names that somebody consented to.

use planning::Blocked;
use planning::references::{self, Known, NameReference, NamedKind, Side, Standing};
use sandbox::Session;
use sandbox::contract::Examination;

use super::super::run::Run;
use super::super::translate;
use super::super::trouble::{Stop, stop};
use super::{Bound, Reported, ownership};
use crate::servers::Live;

/// Privileges: needs no server.
pub(crate) fn ceiling(bound: &Bound, examination: &Examination) -> Result<(), Blocked> {
    let ceiling = bound.ceiling();
    examination.privileges.iter().try_for_each(|request| {
        let path = bound.paths().resolve(&request.path);
        references::within_ceiling(&path, translate::privilege(request.privilege), &ceiling)
    })
}

/// Names: whose they are is known to the cluster, how powerful they are to the server.
pub(crate) async fn names<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    live: &Live,
    examination: &Examination,
    session: &mut Session,
) -> Result<(), Stop> {
    let ours = run.identity();
    let ceiling = bound.ceiling();
    let side = Side { ours: &ours, instance_namespace: bound.id.namespace.as_deref(), ceiling: &ceiling };
    for reference in &examination.references {
        let reference = translate::reference(reference.clone(), bound.paths());
        let holder = ownership::holder(&run.ctx, &live.facts.identity, reference.kind, &reference.name);
        let privileged = is_privileged(bound, live, &reference, session).await?;
        let known = Known { holder: holder.as_ref(), privileged };
        let grants = run.ctx.stores.grants.state();
        references::may_name(&reference, known, side, grants.iter().map(AsRef::as_ref))?;
    }
    Ok(())
}

async fn is_privileged(
    bound: &Bound,
    live: &Live,
    reference: &NameReference,
    session: &mut Session,
) -> Result<bool, Stop> {
    match (reference.kind, reference.standing) {
        (NamedKind::Database, _) | (_, Standing::Predefined | Standing::Dangerous | Standing::Protected) => Ok(false),
        (NamedKind::User | NamedKind::Role, Standing::Ordinary) => {
            if reference.name == live.facts.administrator {
                return Ok(true);
            }
            let info = session.get_user_info(&reference.name).await.map_err(stop(bound.paths()))?;
            Ok(info.is_some_and(|info| info.privileged))
        }
    }
}
