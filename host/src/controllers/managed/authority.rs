//! What the resource may ask for: privileges within the instance's ceiling, names that somebody consented to.

use crds::names::reason;
use crds::{OwnedCompanion, Ownership};
use planning::Blocked;
use planning::references::{self, Known, NameReference, NamedKind, Side, Standing};
use sandbox::Session;
use sandbox::contract::{Companion, Examination, Mark, OperationGroup};

use super::super::run::Run;
use super::super::translate;
use super::super::trouble::{Stop, stop};
use super::{Bound, Reported, Standings, ownership};
use crate::servers::Live;

/// Privileges: needs no server.
pub(crate) fn ceiling(bound: &Bound, examination: &Examination) -> Result<(), Blocked> {
    let ceiling = bound.ceiling();
    examination.privileges.iter().try_for_each(|request| {
        let path = bound.paths().resolve(&request.path);
        references::within_ceiling(&path, translate::privilege(request.privilege), &ceiling)
    })
}

/// Names: whose they are is known to the cluster, how powerful they are to the server. Whoever asks about many has
/// `standings`.
pub(crate) async fn names<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    live: &Live,
    examination: &Examination,
    standings: Option<&Standings>,
    session: &mut Session,
) -> Result<(), Stop> {
    let ours = run.identity();
    let ceiling = bound.ceiling();
    let side = Side { ours: &ours, instance_namespace: bound.id.namespace.as_deref(), ceiling: &ceiling };
    let at = (live.facts.identity.as_str(), &bound.id);
    for reference in &examination.references {
        let reference = translate::reference(reference.clone(), bound.paths());
        let (kind, name, asking) = (reference.kind, reference.name.as_str(), run.key.namespace.as_str());
        let ownership::Holding { holder, awaited } = match standings {
            Some(standings) => standings.holding(&run.ctx, kind, name, &bound.id, asking),
            None => ownership::holding(&run.ctx, at, kind, name, asking),
        };
        let privileged = is_privileged(bound, live, &reference, session).await?;
        let known = Known { holder: holder.as_ref(), awaited, privileged };
        let grants = run.ctx.stores.grants.state();
        references::may_name(&reference, known, side, grants.iter().map(AsRef::as_ref))?;
    }
    Ok(())
}

/// What is created together with the object must be free, or be ours already: decided before anything is touched.
pub(crate) async fn companions<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    live: &Live,
    examination: &Examination,
    recorded: Option<&Ownership>,
    session: &mut Session,
) -> Result<(), Stop> {
    for companion in &examination.companions {
        let Companion { path, kind, name, wants_password: _ } = companion;
        let is_ours = |known: &OwnedCompanion| known.established && known.name == *name;
        if recorded.is_some_and(|recorded| recorded.companions.iter().any(is_ours)) {
            continue;
        }
        let recorded_kind = translate::companion_kind(*kind);
        let is_former = |known: &&OwnedCompanion| known.established && known.kind == recorded_kind;
        if let Some(former) = recorded.and_then(|recorded| recorded.companions.iter().find(is_former)) {
            let path = bound.paths().resolve(path);
            let message = format!(
                "{path} names {name:?}, and {:?} was created with this database: that cannot be changed afterwards; \
                 nothing was touched",
                former.name
            );
            return Err(Blocked::invalid(reason::IMMUTABLE, message).into());
        }
        let kind = translate::named_kind(*kind);
        let mark = match kind {
            NamedKind::Database => session.get_database_info(name).await.map(|info| info.map(|info| info.mark)),
            NamedKind::User => session.get_user_info(name).await.map(|info| info.map(|info| info.mark)),
            NamedKind::Role => session.get_role_info(name).await.map(|info| info.map(|info| info.mark)),
        };
        let is_marked_ours = |mark: Option<Mark>| {
            mark.is_some_and(|mark| translate::mark_read(mark).identity.same_resource(&run.identity()))
        };
        let there = mark.map_err(stop(bound.paths()))?;
        let held = ownership::is_held_by_another(run, &live.facts.identity, kind, name);
        if held || there.is_some_and(|mark| !is_marked_ours(mark)) {
            let path = bound.paths().resolve(path);
            return Err(Blocked::conflict(
                reason::CONFLICT,
                format!("{path} makes {name:?}, which exists already and is somebody else's; nothing was touched: choose another name"),
            )
            .into());
        }
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
            // A name in a list of roles may be an account's, where accounts can have members, and an engine may keep
            // roles and accounts apart: whichever it is, its power counts.
            let user = session.get_user_info(&reference.name).await.map_err(stop(bound.paths()))?;
            if user.is_some_and(|info| info.privileged) {
                return Ok(true);
            }
            if !bound.engine.serves(OperationGroup::Role) {
                return Ok(false);
            }
            let role = session.get_role_info(&reference.name).await.map_err(stop(bound.paths()))?;
            Ok(role.is_some_and(|info| info.privileged))
        }
    }
}
