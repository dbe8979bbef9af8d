//! The end of a resource: planned from recorded ownership, carried out on the server it was recorded on.

use std::time::{Duration, Instant};

use crds::names::{annotation, reason};
use crds::{DeletionPolicy, Instance as _, Ownership, ResourcePhase};
use planning::claim::{self, Claim};
use planning::deletion::{self, Deletion, Request};
use planning::{Blocked, Class, conditions};
use sandbox::contract::{ObjectKind, Proof};
use sandbox::{Lane, Session};

use super::super::memory::Moment;
use super::super::run::Run;
use super::super::status::StatusFields as _;
use super::super::translate;
use super::super::trouble::{Stop, stop};
use super::{Done, Provisioned, Reported, ownership, paths_of_recorded};
use crate::servers::Live;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::reconcile::mark_changed;

/// How long a deletion waits for the session that is kept for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets go of what is ours, as far as policy and protection allow.
pub(super) async fn run<K: Provisioned>(run: &Run<K>, draft: &mut K::Status) -> Result<Done, Stop> {
    if !run.has_finalizer(K::FINALIZER) {
        return Ok(Done::Released);
    }
    let force = run.switch(annotation::FORCE_DELETE);
    let policy = run.object.deletion_policy().or_else(|error| {
        // What cannot be read must not drop anything; a forced deletion lets go instead.
        if force {
            Ok(DeletionPolicy::Retain)
        } else {
            Err(Blocked::failed(reason::INVALID_SPEC, error.to_string(), Class::Refused))
        }
    })?;
    let recorded = draft.ownership().clone();
    let children = K::children(run);
    if children.is_empty() && conditions::gives(draft.conditions(), reason::CASCADE_DELETING) {
        run.ctx.events.normal(run.object.as_ref(), "CascadeDeleteComplete", "everything that depended on it is gone");
    }
    let request = Request {
        protected: run.object.deletion_protection(),
        force,
        confirmation: run.annotation(annotation::CONFIRM_FORCE_DELETE).map(ToOwned::to_owned),
        policy,
        children,
        owns: recorded.is_some(),
    };
    match (deletion::plan(&request), recorded) {
        (Deletion::Wait { blocked, confirmation }, _) => {
            draft.confirm(confirmation.map(Box::new));
            Err(blocked.into())
        }
        (Deletion::Cascade, _) => {
            draft.confirm(None);
            K::take_children_along(run).await?;
            Err(Blocked::failed(
                reason::CASCADE_DELETING,
                "the resources that depend on it are being deleted first",
                Class::Waiting,
            )
            .into())
        }
        (Deletion::Release | Deletion::Drop, None) => released(run, draft).await,
        (Deletion::Release, Some(recorded)) => {
            match sweep_up(run, &recorded).await {
                Ok(()) => {}
                Err(Stop::Blocked(blocked)) if is_hopeless(run, &blocked, false) => {
                    let text = format!("what a broken-off attempt left may still be there: {}", blocked.message);
                    run.ctx.events.warning(run.object.as_ref(), "DeleteFailed", &text);
                }
                Err(stopped) => return Err(stopped),
            }
            released(run, draft).await
        }
        (Deletion::Drop, Some(recorded)) => match remove(run, draft, &recorded, force).await {
            Ok(()) => released(run, draft).await,
            Err(Stop::Blocked(blocked)) if is_hopeless(run, &blocked, K::waits_its_turn(run, &recorded)) && force => {
                let text = format!("left behind on the server, because deletion was forced: {}", blocked.message);
                run.ctx.events.warning(run.object.as_ref(), "DeleteFailed", &text);
                released(run, draft).await
            }
            Err(stopped) => Err(stopped),
        },
    }
}

/// What may pass by itself is tried so long before a forced deletion leaves something behind: an instance that is
/// not connected yet, a database that is dropped a moment before its owner can be.
const FORCED_AFTER: Duration = Duration::from_secs(10);

/// Whether trying again is of no use; noted with its time, so it is asked whenever a deletion failed.
pub(crate) fn is_hopeless<K: Reported>(run: &Run<K>, blocked: &Blocked, waits_its_turn: bool) -> bool {
    let mut since = Moment::from(run.now);
    run.ctx.memory.note(&run.uid, |remembered| since = *remembered.undeletable.get_or_insert(since));
    // Its turn has not come, or somebody else changed the same: neither says that it cannot be done.
    if blocked.reason == reason::RECONCILING {
        return false;
    }
    match blocked.class {
        Class::Transient | Class::Guest | Class::Waiting => {
            since.age(run.now).is_some_and(|age| age >= FORCED_AFTER) && !waits_its_turn
        }
        Class::Invalid | Class::Refused | Class::Bug => true,
    }
}

/// What to do about a user or role that owns something.
pub(crate) const HAND_OVER: &str = "give the objects to another role or drop them, then deletion goes on by itself; or \
     set the annotation dbops.dbprovision.io/force-delete=\"true\" to have them given away where the engine can do that, \
     and the account left behind where it cannot";

/// Whether a database that this user or role owns is being deleted. One whose deletion waits for a person is not on its
/// way.
pub(crate) fn owns_what_goes<K: Provisioned>(run: &Run<K>, recorded: &Ownership) -> bool {
    run.ctx.stores.databases_of(&recorded.instance).iter().any(|database| {
        let waits_for_a_person =
            database.status.as_ref().is_some_and(|status| status.phase == Some(ResourcePhase::PendingDeletion));
        database.metadata.deletion_timestamp.is_some()
            && !waits_for_a_person
            && database.spec.owner.as_ref() == Some(&recorded.name)
    })
}

async fn released<K: Provisioned>(run: &Run<K>, draft: &K::Status) -> Result<Done, Stop> {
    K::let_go(run, draft).await?;
    Ok(Done::Released)
}

/// What is retained stays; what an attempt that was broken off left under a name of its own goes. Without a way to the
/// server nobody waits for that.
async fn sweep_up<K: Provisioned>(run: &Run<K>, recorded: &Ownership) -> Result<(), Stop> {
    if K::OBJECT != ObjectKind::Database {
        return Ok(());
    }
    let live = run.ctx.servers.get(&recorded.instance);
    let Some(live) = live.filter(|live| live.facts.identity == recorded.server_identity) else { return Ok(()) };
    let call = stop(paths_of_recorded::<K>());
    let mut session = live.server.lane(Lane::Reserved, PATIENCE).await.map_err(&call)?;
    run.may_write()?;
    K::clean_up(&mut session, translate::mark(&run.identity(), &recorded.nonce)).await.map_err(&call)
}

/// Drops what is recorded, where the records agree.
async fn remove<K: Provisioned>(
    run: &Run<K>,
    draft: &mut K::Status,
    recorded: &Ownership,
    force: bool,
) -> Result<(), Stop> {
    let Some(instance) = run.ctx.stores.instance(&recorded.instance) else {
        // There is no way to the server any more, and waiting would keep the namespace from going.
        let text =
            format!("left {:?} behind on the server: {} does not exist any more", recorded.name, recorded.instance);
        run.ctx.events.warning(run.object.as_ref(), "DeleteFailed", &text);
        return Ok(());
    };
    // An instance that leads to a server of which its resources know nothing is not connected either.
    if conditions::gives(instance.conditions(), reason::SERVER_CHANGED) {
        return Err(elsewhere(recorded).into());
    }
    let live = run.ctx.servers.get(&recorded.instance).ok_or_else(|| {
        Blocked::failed(
            reason::INSTANCE_NOT_READY,
            format!("{} is not connected: {:?} is dropped when it is", recorded.instance, recorded.name),
            Class::Waiting,
        )
    })?;
    if live.facts.identity != recorded.server_identity {
        return Err(elsewhere(recorded).into());
    }
    let mut session = live.server.lane(Lane::Reserved, PATIENCE).await.map_err(stop(paths_of_recorded::<K>()))?;
    drop_if_ours(run, draft, recorded, &live, &mut session, force).await
}

fn elsewhere(recorded: &Ownership) -> Blocked {
    Blocked::failed(
        reason::SERVER_CHANGED,
        format!(
            "{} now leads to another server than the one {:?} was created on: point it back, \
             or set the annotation {}=\"true\" to leave it there",
            recorded.instance,
            recorded.name,
            annotation::FORCE_DELETE
        ),
        Class::Refused,
    )
}

async fn drop_if_ours<K: Provisioned>(
    run: &Run<K>,
    draft: &mut K::Status,
    recorded: &Ownership,
    live: &Live,
    session: &mut Session,
    force: bool,
) -> Result<(), Stop> {
    let call = stop(paths_of_recorded::<K>());
    let seen = K::observe(session, &recorded.name).await.map_err(&call)?;
    let rivals = ownership::rivals(run, &live.facts.identity);
    let observed = seen.as_ref().map(|seen| &seen.observed);
    run.may_write()?;
    let ours = run.identity();
    let claim = claim::claim(&ours, Some(recorded), observed, &rivals, &planning::adoption::Adoption::NotAsked);
    let object_id = seen.and_then(|seen| seen.observed.object_id);
    let mark = translate::mark(&ours, &recorded.nonce);
    let (mark, found) = match claim {
        Claim::Create => (mark, false),
        Claim::Owned => (mark, true),
        Claim::Reclaim { nonce } => (translate::mark(&ours, &nonce), true),
        Claim::RepairMark => {
            let proof = Proof { mark: None, object_id: object_id.clone() };
            K::claim(session, &recorded.name, proof, None, mark.clone()).await.map_err(&call)?;
            (mark, true)
        }
        Claim::Adopt | Claim::Blocked(_) => {
            let text = format!("{:?} on the server is not ours: it was left alone", recorded.name);
            run.ctx.events.normal(run.object.as_ref(), "Deleted", &text);
            return Ok(());
        }
    };
    if found {
        K::release(run, session, recorded, &mark, draft, force).await?;
    }
    // Also of what is gone already: a drop that was broken off may have left what was created with the object.
    // The name is the recorded one; the rest of the spec only says what else goes.
    let spec = run.object.spec(None, options(run, recorded));
    // What carries our mark is ours, also where it was restored and is another object to the server.
    let object_id = object_id.filter(|_| found).or_else(|| recorded.object_id.clone());
    let proof = Proof { mark: Some(mark.clone()), object_id };
    run.may_write()?;
    let started = Instant::now();
    let dropped = K::drop_object(session, spec, proof).await;
    K::count(&run.ctx.metrics, &recorded.instance, &recorded.engine, Operation::Delete, Ending::of(&dropped), started);
    dropped.map_err(&call)?;
    if found {
        mark_changed();
    }
    K::clean_up(session, mark).await.map_err(&call)?;
    run.ctx.events.normal(run.object.as_ref(), "Deleted", &format!("dropped {:?}", recorded.name));
    Ok(())
}

/// The engine's block as it stands; a spec that cannot be read must not keep anything from being dropped.
fn options<K: Provisioned>(run: &Run<K>, recorded: &Ownership) -> Option<String> {
    let engine = run.ctx.registry.find(&recorded.engine).ok()?;
    let blocks = run.object.option_blocks().ok()?;
    blocks.get(engine.block_key(K::OPTIONS)?).map(ToString::to_string)
}
