//! Watches which objects come due for a look, and sweeps the instances that have many of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::{DriftPolicy, Instance as _, InstanceId, Managed as _};
use jiff::Timestamp;
use kube::Resource;
use planning::sweep::{Due, Plan, plan};
use tokio::task::JoinSet;

use super::relations::Relations;
use crate::context::Context;
use crate::controllers::database_grant::GrantResource;
use crate::controllers::memory::{Look, Moment};
use crate::controllers::run::Run;
use crate::controllers::sweep::{Item, LONGEST_WAIT, Object, sweep};
use crate::controllers::{first_look, managed};

/// So long after the start objects that were in order before it wait for their first sweep.
const START: Duration = Duration::from_mins(3);
const LONGEST_WAIT_AT_START: Duration = Duration::from_secs(2);
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
/// After a sweep, before the instance's next: one that found its server gone ends at once, and its objects stay due.
const REST: Duration = Duration::from_secs(3);

/// Sweeps instances, each by a task of its own, to the end of the process.
pub(super) async fn follow(ctx: Arc<Context>, relations: Relations) {
    let mut under_way = JoinSet::new();
    let mut busy: HashMap<tokio::task::Id, InstanceId> = HashMap::new();
    let mut resting: HashMap<InstanceId, Instant> = HashMap::new();
    let mut queued: HashMap<String, Look> = HashMap::new();
    let most = usize::from(ctx.config.max_concurrent_sweeps.get());
    let begin = Instant::now();
    loop {
        let mut wait = if begin.elapsed() < START { LONGEST_WAIT_AT_START } else { LONGEST_WAIT };
        resting.retain(|_, since| since.elapsed() < REST);
        let (mut many, mut due_alone) = (HashSet::new(), HashMap::new());
        for (id, due) in due(&ctx) {
            let Plan::Many { together, alone, forgotten, again } = plan(due) else { continue };
            many.insert(id.clone());
            wait = wait.min(again.unwrap_or(wait));
            if busy.values().any(|busy| *busy == id) {
                // Whom this sweep leaves, nobody knows before its end.
                continue;
            }
            let begins = under_way.len() < most && !resting.contains_key(&id) && ctx.servers.get(&id).is_some();
            let own = if begins || together.is_empty() { alone } else { forgotten };
            for Item { object, look } in own {
                let uid = object.uid();
                // Once: where its look fails, it is tried again like everything that failed.
                if queued.get(&uid) != Some(&look) {
                    // No sweep takes it: it does not wait for its first any longer.
                    first_look::is_over_of(&ctx.memory, &uid);
                    relations.look_at(&object);
                }
                due_alone.insert(uid, look);
            }
            // Who finds no room is asked again when a sweep has ended.
            if begins && !together.is_empty() {
                let (ctx, relations, id_of_task) = (Arc::clone(&ctx), relations.clone(), id.clone());
                let task = under_way.spawn(async move {
                    sweep(ctx, id_of_task, together, |object| relations.look_at(object)).await;
                });
                busy.insert(task.id(), id);
            }
        }
        queued = due_alone;
        // From now on each has a time of its own again.
        ctx.clockless.now(many).iter().for_each(|few| relations.of_instance(few));
        if !resting.is_empty() {
            wait = wait.min(REST);
        }
        let pause = tokio::time::sleep(wait.max(SHORTEST_WAIT));
        tokio::select! {
            () = pause => {}
            Some(ended) = under_way.join_next_with_id() => {
                let task = match ended {
                    Ok((task, ())) => task,
                    Err(error) => {
                        tracing::error!(%error, "a sweep broke off");
                        error.id()
                    }
                };
                resting.extend(busy.remove(&task).map(|id| (id, Instant::now())));
            },
        }
    }
}

/// Every object that was looked at before, by its instance.
fn due(ctx: &Arc<Context>) -> HashMap<InstanceId, Vec<Due<Item>>> {
    let mut all = Dues { ctx, now: ctx.clock.now(), specs: HashMap::new(), found: HashMap::new() };
    let stores = &ctx.stores;
    for one in stores.databases.state() {
        all.add(&one, one.instance_id(), one.spec.drift_policy.as_ref(), Object::Database);
    }
    for one in stores.users.state() {
        all.add(&one, one.instance_id(), one.spec.drift_policy.as_deref(), Object::User);
    }
    for one in stores.roles.state() {
        all.add(&one, one.instance_id(), one.spec.drift_policy.as_ref(), Object::Role);
    }
    for one in stores.cluster_roles.state() {
        all.add(&one, one.instance_id(), one.spec.drift_policy.as_ref(), Object::ClusterRole);
    }
    for one in stores.access_grants.state() {
        all.add(&one, one.instance(stores), one.spec.drift_policy.as_ref(), Object::Grant);
    }
    for one in stores.cluster_access_grants.state() {
        all.add(&one, one.instance(stores), one.spec.drift_policy.as_ref(), Object::ClusterGrant);
    }
    all.found
}

struct Dues<'ctx> {
    ctx: &'ctx Arc<Context>,
    now: Timestamp,
    specs: HashMap<InstanceId, Option<crate::cluster::stores::AnyInstance>>,
    found: HashMap<InstanceId, Vec<Due<Item>>>,
}

impl Dues<'_> {
    fn add<K: Resource<DynamicType = ()>>(
        &mut self,
        object: &Arc<K>,
        instance: Option<InstanceId>,
        policy: Option<&DriftPolicy>,
        of: fn(Arc<K>) -> Object,
    ) {
        let run = Run::new(Arc::clone(object), Arc::clone(self.ctx));
        let remembered = self.ctx.memory.recall(&run.uid).and_then(|remembered| remembered.looked);
        let (Some(look), Some(id)) = (remembered, instance) else { return };
        if run.deleting() || run.leaves_alone() {
            return;
        }
        let instance = self.specs.entry(id.clone()).or_insert_with(|| self.ctx.stores.instance(&id));
        let Some(instance) = instance else { return };
        let default = self.ctx.config.default_drift_interval;
        let (_, interval) = managed::drift_in_effect(default, instance.instance_spec(), policy);
        let Look { at, alone, inputs: _ } = look;
        // What was looked at in a time that is to come is looked at now: its clock was wrong, or this one is.
        let age = |then: Moment| then.age(self.now).unwrap_or(interval);
        let (age, alone, is_first) = (age(at), age(alone), at == Moment::NEVER);
        let item = Item { object: of(Arc::clone(object)), look };
        self.found.entry(id).or_default().push(Due { object: item, age, alone, interval, is_first });
    }
}
