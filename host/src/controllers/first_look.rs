//! The first look at an object after the operator's start, where its instance has many.
//!
//! Nothing is remembered of any object then, and a look at each by itself would cost the server as many queries as there
//! are objects. What its status says is in order, at this very generation and with nothing new in the cluster, waits for a
//! sweep instead, which compares it with the server, however often it is queued until then. Where none comes in time, it
//! is looked at by itself.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::time::Duration;

use crds::{InstanceId, Managed as _, ResourcePhase};
use planning::sweep::WORTH_A_SWEEP;
use rand::RngExt as _;

use super::database_grant::GrantResource as _;
use super::managed::{Bound, Reported};
use super::memory::{Look, Memory, Moment, Remembered};
use super::run::Run;
use super::status::StatusFields as _;
use crate::cluster::stores::Stores;

/// How long an object waits for a sweep, and half of that more for some of them.
const PATIENCE: Duration = Duration::from_mins(2);

/// The instances that had many objects when the process began its work.
#[derive(Debug, Default)]
pub struct Populous(OnceLock<HashSet<InstanceId>>);

impl Populous {
    fn has(&self, stores: &Stores, id: &InstanceId) -> bool {
        self.0.get_or_init(|| populous(stores)).contains(id)
    }
}

fn populous(stores: &Stores) -> HashSet<InstanceId> {
    let mut counts: HashMap<InstanceId, usize> = HashMap::new();
    let mut count = |id: Option<InstanceId>| {
        if let Some(id) = id {
            *counts.entry(id).or_default() += 1;
        }
    };
    stores.databases.state().iter().for_each(|one| count(one.instance_id()));
    stores.users.state().iter().for_each(|one| count(one.instance_id()));
    stores.roles.state().iter().for_each(|one| count(one.instance_id()));
    stores.cluster_roles.state().iter().for_each(|one| count(one.instance_id()));
    stores.access_grants.state().iter().for_each(|one| count(one.instance(stores)));
    stores.cluster_access_grants.state().iter().for_each(|one| count(one.instance(stores)));
    counts.into_iter().filter(|(_, count)| *count >= WORTH_A_SWEEP).map(|(id, _)| id).collect()
}

/// Whether this is the first look since the process began, or it waits for a sweep since then and nothing happened
/// that the sweep would not see, and the status says that all was well.
pub(crate) fn may_wait<K: Reported>(run: &Run<K>, bound: &Bound, look: &Look, status: &mut K::Status) -> bool {
    let Remembered { waits, looked, .. } = run.ctx.memory.recall(&run.uid).unwrap_or_default();
    let is_as_before = || looked.is_some_and(|last| last.at == Moment::NEVER && last.inputs == look.inputs);
    let may_wait = waits.is_none() || (left(run, waits).is_some() && is_as_before());
    if !may_wait || !run.ctx.populous.has(&run.ctx.stores, &bound.id) || !run.has_finalizer(K::FINALIZER) {
        return false;
    }
    let generation = run.generation();
    let is_applied = status.ownership().as_ref().is_some_and(|recorded| recorded.applied_generation == generation);
    is_applied && *status.observed_generation() == generation && *status.phase() == Some(ResourcePhase::Ready)
}

/// How long it may wait still. Where the clock was set back meanwhile, no longer.
fn left<K: Reported>(run: &Run<K>, waits: Option<Moment>) -> Option<Duration> {
    waits?.left(run.now).filter(|left| *left <= PATIENCE.mul_f64(1.5))
}

/// The first look is decided about: from now on the object is looked at like any other.
pub(crate) fn is_over<K: Reported>(run: &Run<K>) {
    is_over_of(&run.ctx.memory, &run.uid);
}

/// The same of an object by its uid.
pub(crate) fn is_over_of(memory: &Memory, uid: &str) {
    memory.note(uid, |remembered| remembered.waits = Some(Moment::NEVER));
}

/// Leaves the object to a sweep, and says how long it may take. `look` is what everything is like now.
pub(crate) fn wait<K: Reported>(run: &Run<K>, look: &Look, status: &mut K::Status, size: Option<u64>) -> Duration {
    // Overdue for ever: the next sweep takes it along, and its own look is not put off any further.
    let overdue = Look { at: Moment::NEVER, alone: Moment::NEVER, inputs: look.inputs };
    let drifts = status.drift().as_ref().map(|drift| !drift.diffs.is_empty());
    let fresh = PATIENCE.mul_f64(1.0 + 0.5 * rand::rng().random::<f64>());
    let mut patience = fresh;
    run.ctx.memory.note(&run.uid, |remembered| {
        patience = left(run, remembered.waits).unwrap_or(fresh);
        remembered.waits = run.now.checked_add(patience).ok().map(Moment::from);
        remembered.looked = Some(overdue);
        (remembered.drifts, remembered.size) = (drifts, size.into());
    });
    patience
}
