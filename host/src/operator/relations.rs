//! Which resources a change is about, besides the changed one itself.
//!
//! Decided here: a resource is looked at again when its wish changed, when its instance changed or was connected,
//! when a namespace's consent changed, when its output Secret was touched by somebody else, and, while it waits
//! for another resource of its instance, when that one moved. A status alone is no wish.

use std::sync::Arc;

use crds::names::reason;
use crds::{
    ClusterDatabaseGrant, ClusterDatabaseInstance, ClusterDatabaseRole, Condition, Database, DatabaseGrant,
    DatabaseGrantStatus, DatabaseInstance, DatabaseReference, DatabaseReferenceGrant, DatabaseRole, DatabaseRoleStatus,
    DatabaseUser, HeldRight, Instance, InstanceId, Managed, ReferenceGrantFrom, ResourcePhase,
};
use kube::{Resource, ResourceExt};

use crate::cluster::cache::Wish;
use crate::cluster::pump::Change;
use crate::cluster::stores::{AnyInstance, Stores};
use crate::controllers::database_grant::{GrantResource as _, Named};
use crate::controllers::sweep::Object;
use crate::object_key::ObjectKey;
use crate::operator::output_secrets::OutputSecret;
use crate::operator::triggers::Triggers;

/// Reasons that another resource of the same instance may remove.
const WAITS_FOR_ANOTHER: [&str; 4] =
    [reason::DEPENDENCY_MISSING, reason::CONSENT_MISSING, reason::CONFLICT, reason::OWNERSHIP_BLOCKS];

/// What is told when an object is gone: which one, and its uid.
pub(crate) type Forget = Arc<dyn Fn(&ObjectKey, &str) + Send + Sync>;

/// Knows who is related to whom, by the caches.
#[derive(Clone)]
pub(crate) struct Relations {
    pub(super) stores: Stores,
    pub(super) triggers: Triggers,
    pub(super) forget: Forget,
}

impl Relations {
    /// Everything is looked at once.
    pub(crate) fn all(&self) {
        let Self { stores, triggers, forget: _ } = self;
        stores.instances.state().iter().for_each(|object| triggers.queue(&triggers.instances, object.as_ref()));
        stores
            .cluster_instances
            .state()
            .iter()
            .for_each(|object| triggers.queue(&triggers.cluster_instances, object.as_ref()));
        stores.databases.state().iter().for_each(|object| triggers.queue(&triggers.databases, object.as_ref()));
        stores.users.state().iter().for_each(|object| triggers.queue(&triggers.users, object.as_ref()));
        stores.roles.state().iter().for_each(|object| triggers.queue(&triggers.roles, object.as_ref()));
        stores.cluster_roles.state().iter().for_each(|object| triggers.queue(&triggers.cluster_roles, object.as_ref()));
        self.access_grants_where(|_| true, |_| true);
    }

    /// A `DatabaseInstance` changed.
    pub(crate) fn instance(&self, change: &Change<DatabaseInstance>) {
        self.own(change, &self.triggers.instances, |instance| self.of_instance(&instance.id()));
    }

    /// A `ClusterDatabaseInstance` changed.
    pub(crate) fn cluster_instance(&self, change: &Change<ClusterDatabaseInstance>) {
        self.own(change, &self.triggers.cluster_instances, |instance| self.of_instance(&instance.id()));
    }

    /// A `Database` changed.
    pub(crate) fn database(&self, change: &Change<Database>) {
        self.own(change, &self.triggers.databases, |_| {});
        self.moved(change, |database| database.status.as_ref().and_then(|status| status.phase));
        self.remade(change);
    }

    /// A `DatabaseUser` changed.
    pub(crate) fn user(&self, change: &Change<DatabaseUser>) {
        self.own(change, &self.triggers.users, |_| {});
        self.moved(change, |user| user.status.as_ref().and_then(|status| status.phase));
    }

    /// A `DatabaseRole` changed.
    pub(crate) fn role(&self, change: &Change<DatabaseRole>) {
        self.own(change, &self.triggers.roles, |_| {});
        self.moved(change, |role| role.status.as_ref().and_then(|status| status.phase));
    }

    /// A `ClusterDatabaseRole` changed.
    pub(crate) fn cluster_role(&self, change: &Change<ClusterDatabaseRole>) {
        self.own(change, &self.triggers.cluster_roles, |_| {});
        self.moved(change, |role| role.status.as_ref().and_then(|status| status.phase));
    }

    /// A `DatabaseGrant` changed.
    pub(crate) fn access_grant(&self, change: &Change<DatabaseGrant>) {
        self.own(change, &self.triggers.access_grants, |_| {});
        if let Change::Gone(last) = change {
            let own = last.namespace().unwrap_or_default();
            let database = last.spec.database_ref.as_ref();
            let find = |database: &DatabaseReference| self.stores.database(database.namespace_or(&own), &database.name);
            if let Some(database) = database.and_then(find) {
                self.triggers.queue(&self.triggers.databases, database.as_ref());
            }
        }
    }

    /// A `ClusterDatabaseGrant` changed.
    pub(crate) fn cluster_access_grant(&self, change: &Change<ClusterDatabaseGrant>) {
        self.own(change, &self.triggers.cluster_access_grants, |_| {});
    }

    /// Queues the grants of both scopes that are meant.
    fn access_grants_where(
        &self,
        of_namespaces: impl Fn(&DatabaseGrant) -> bool,
        of_the_cluster: impl Fn(&ClusterDatabaseGrant) -> bool,
    ) {
        for grant in self.stores.access_grants.state_filter(of_namespaces) {
            self.triggers.queue(&self.triggers.access_grants, grant.as_ref());
        }
        for grant in self.stores.cluster_access_grants.state_filter(of_the_cluster) {
            self.triggers.queue(&self.triggers.cluster_access_grants, grant.as_ref());
        }
    }

    /// A namespace's consent changed: whom it names, and whom it named.
    pub(crate) fn grant(&self, change: &Change<DatabaseReferenceGrant>) {
        let grants = match change {
            Change::Present { before, now } => {
                if before.as_ref().is_some_and(|before| before.spec == now.spec) {
                    return;
                }
                before.iter().chain([now]).cloned().collect()
            }
            Change::Gone(last) => vec![Arc::clone(last)],
        };
        for from in grants.iter().flat_map(|grant| &grant.spec.from) {
            self.named_by_grant(from);
        }
    }

    /// Somebody else touched an output Secret of ours.
    pub(crate) fn output_secret(&self, secret: &OutputSecret) {
        let OutputSecret { namespace, name, user, database } = secret;
        let is_its_secret = |candidate: &DatabaseUser| {
            let recorded = candidate.status.as_ref().and_then(|status| status.secret.as_ref());
            recorded.is_some_and(|recorded| {
                let own_namespace = candidate.metadata.namespace.as_ref();
                recorded.name.as_ref() == Some(name) && recorded.namespace.as_ref().or(own_namespace) == Some(namespace)
            })
        };
        let mut users = self.stores.users.state_filter(is_its_secret);
        users.extend(user.as_ref().and_then(|user| self.stores.user(namespace, user)));
        for user in &users {
            self.triggers.queue(&self.triggers.users, user.as_ref());
        }
        if let Some(database) = database.as_ref().and_then(|database| self.stores.database(namespace, database)) {
            self.triggers.queue(&self.triggers.databases, database.as_ref());
        }
    }

    /// An instance changed, was connected or went: its resources are looked at.
    pub(crate) fn of_instance(&self, id: &InstanceId) {
        for database in self.stores.databases_of(id) {
            self.triggers.queue(&self.triggers.databases, database.as_ref());
        }
        for user in self.stores.users_of(id) {
            self.triggers.queue(&self.triggers.users, user.as_ref());
        }
        for role in self.stores.roles_of(id) {
            self.triggers.queue(&self.triggers.roles, role.as_ref());
        }
        for role in self.stores.cluster_roles_of(id) {
            self.triggers.queue(&self.triggers.cluster_roles, role.as_ref());
        }
        let stores = &self.stores;
        self.access_grants_where(
            |grant| grant.instance(stores).as_ref() == Some(id),
            |grant| grant.instance(stores).as_ref() == Some(id),
        );
    }

    /// A sweep found that the object on the server is not as it was.
    pub(super) fn look_at(&self, object: &Object) {
        let queues = &self.triggers;
        match object {
            Object::Database(object) => queues.queue(&queues.databases, object.as_ref()),
            Object::User(object) => queues.queue(&queues.users, object.as_ref()),
            Object::Role(object) => queues.queue(&queues.roles, object.as_ref()),
            Object::ClusterRole(object) => queues.queue(&queues.cluster_roles, object.as_ref()),
            Object::Grant(object) => queues.queue(&queues.access_grants, object.as_ref()),
            Object::ClusterGrant(object) => queues.queue(&queues.cluster_access_grants, object.as_ref()),
        }
    }

    /// What all own kinds have in common: the object itself, and `others` where its wish changed or it is gone.
    fn own<K>(
        &self,
        change: &Change<K>,
        queue: &futures::channel::mpsc::UnboundedSender<kube::runtime::reflector::ObjectRef<K>>,
        others: impl Fn(&K),
    ) where
        K: Resource<DynamicType = ()> + ResourceExt + 'static,
    {
        match change {
            Change::Present { before, now } => {
                let wish = Wish::of(now.as_ref());
                if before.as_ref().is_some_and(|before| Wish::of(before.as_ref()) == wish) {
                    return;
                }
                self.triggers.queue(queue, now.as_ref());
                others(now);
            }
            Change::Gone(last) => {
                (self.forget)(&ObjectKey::of(last.as_ref()), last.meta().uid.as_deref().unwrap_or_default());
                others(last);
            }
        }
    }

    /// What all kinds that stand for an object on a server have in common: others may wait for this one.
    fn moved<K>(&self, change: &Change<K>, phase: impl Fn(&K) -> Option<ResourcePhase>)
    where
        K: Managed + Resource<DynamicType = ()>,
    {
        let (now, is_gone) = match change {
            Change::Present { before, now } => {
                let made = |one: &K| one.ownership().map(|it| (it.nonce.clone(), it.created_at.clone()));
                if before.as_ref().is_some_and(|before| phase(before) == phase(now) && made(before) == made(now)) {
                    return;
                }
                (now, false)
            }
            Change::Gone(last) => (last, true),
        };
        self.sibling(is_gone, now.instance_id().as_ref());
        // Whoever was made again has none of the rights that it was given.
        let (kind, meta) = (K::kind(&()), now.meta());
        let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default());
        let is_target = |named: Option<Named>| named.is_some_and(|named| named.is(&kind, namespace, name));
        self.access_grants_where(|grant| is_target(grant.named()), |grant| is_target(grant.named()));
    }

    /// A database came, went or was made again: grants that are about it, and whoever may have rights on it.
    fn remade(&self, change: &Change<Database>) {
        let made = |one: &Database| {
            let owned = one.ownership();
            owned.map(|owned| (owned.nonce.clone(), owned.object_id.clone(), owned.created_at.clone()))
        };
        let database = match change {
            Change::Present { before: Some(before), now } if made(before) == made(now) => return,
            Change::Present { before: _, now } => now,
            Change::Gone(last) => last,
        };
        let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
        let is_on_it = |status: Option<&DatabaseGrantStatus>| {
            let recorded = status.and_then(|status| Some((status.ownership.as_ref()?, &status.databases)));
            recorded.is_some_and(|(ownership, databases)| {
                databases.contains_key(database.external_name())
                    && database.instance_id().as_ref() == Some(&ownership.instance)
            })
        };
        self.access_grants_where(
            |grant| {
                is_on_it(grant.grant_status()) || grant.about().is_some_and(|(of, it)| of == namespace && it == name)
            },
            |grant| is_on_it(grant.grant_status()),
        );
        // The first name of a right's path is that of the database, where an engine needs it with escapes.
        let id = database.instance_id();
        let is_about_it = |right: &HeldRight| {
            right.object.first().is_some_and(|first| first.replace('\\', "") == database.external_name())
        };
        let has_rights =
            |status: Option<&DatabaseRoleStatus>| status.is_some_and(|status| status.held.iter().any(is_about_it));
        let of_namespaces =
            |role: &DatabaseRole| has_rights(role.status.as_ref()) && role.instance_id().as_ref() == id.as_ref();
        for role in self.stores.roles.state_filter(of_namespaces) {
            self.triggers.queue(&self.triggers.roles, role.as_ref());
        }
        let of_the_cluster =
            |role: &ClusterDatabaseRole| has_rights(role.status.as_ref()) && role.instance_id().as_ref() == id.as_ref();
        for role in self.stores.cluster_roles.state_filter(of_the_cluster) {
            self.triggers.queue(&self.triggers.cluster_roles, role.as_ref());
        }
    }

    /// A resource moved or went: its instance may wait for the last one to go, its siblings for what it brought.
    fn sibling(&self, gone: bool, instance: Option<&InstanceId>) {
        let Some(id) = instance else { return };
        if gone {
            match self.stores.instance(id).filter(|instance| instance.metadata().deletion_timestamp.is_some()) {
                Some(AnyInstance::Namespaced(instance)) => {
                    self.triggers.queue(&self.triggers.instances, instance.as_ref());
                }
                Some(AnyInstance::Cluster(instance)) => {
                    self.triggers.queue(&self.triggers.cluster_instances, instance.as_ref());
                }
                None => {}
            }
        }
        // Few wait, so that is asked first: this runs at each step of each resource.
        let is_waiting_database =
            |database: &Database| waits(database.conditions()) && database.instance_id().as_ref() == Some(id);
        for database in self.stores.databases.state_filter(is_waiting_database) {
            self.triggers.queue(&self.triggers.databases, database.as_ref());
        }
        let is_waiting_user = |user: &DatabaseUser| waits(user.conditions()) && user.instance_id().as_ref() == Some(id);
        for user in self.stores.users.state_filter(is_waiting_user) {
            self.triggers.queue(&self.triggers.users, user.as_ref());
        }
        let is_waiting_role = |role: &DatabaseRole| waits(role.conditions()) && role.instance_id().as_ref() == Some(id);
        for role in self.stores.roles.state_filter(is_waiting_role) {
            self.triggers.queue(&self.triggers.roles, role.as_ref());
        }
        let is_waiting_role =
            |role: &ClusterDatabaseRole| waits(role.conditions()) && role.instance_id().as_ref() == Some(id);
        for role in self.stores.cluster_roles.state_filter(is_waiting_role) {
            self.triggers.queue(&self.triggers.cluster_roles, role.as_ref());
        }
        // One that is new has no instance yet; whose target is gone, none any more.
        let concerned = |instance: Option<InstanceId>| instance.is_none_or(|instance| instance == *id);
        let stores = &self.stores;
        self.access_grants_where(
            |grant| waits(grant.conditions()) && concerned(grant.instance(stores)),
            |grant| waits(grant.conditions()) && concerned(grant.instance(stores)),
        );
    }

    fn named_by_grant(&self, from: &ReferenceGrantFrom) {
        let Self { stores, triggers, forget: _ } = self;
        let is_there = |namespace: Option<&String>| namespace == from.namespace.as_ref();
        match from.kind.as_str() {
            "DatabaseInstance" => stores
                .instances
                .state_filter(|object| is_there(object.metadata.namespace.as_ref()))
                .iter()
                .for_each(|object| triggers.queue(&triggers.instances, object.as_ref())),
            "ClusterDatabaseInstance" => stores
                .cluster_instances
                .state()
                .iter()
                .for_each(|object| triggers.queue(&triggers.cluster_instances, object.as_ref())),
            "Database" => stores
                .databases
                .state_filter(|object| is_there(object.metadata.namespace.as_ref()))
                .iter()
                .for_each(|object| triggers.queue(&triggers.databases, object.as_ref())),
            "DatabaseUser" => stores
                .users
                .state_filter(|object| is_there(object.metadata.namespace.as_ref()))
                .iter()
                .for_each(|object| triggers.queue(&triggers.users, object.as_ref())),
            "DatabaseRole" => stores
                .roles
                .state_filter(|object| is_there(object.metadata.namespace.as_ref()))
                .iter()
                .for_each(|object| triggers.queue(&triggers.roles, object.as_ref())),
            "ClusterDatabaseRole" => stores
                .cluster_roles
                .state()
                .iter()
                .for_each(|object| triggers.queue(&triggers.cluster_roles, object.as_ref())),
            "DatabaseGrant" => {
                self.access_grants_where(|object| is_there(object.metadata.namespace.as_ref()), |_| false);
            }
            "ClusterDatabaseGrant" => self.access_grants_where(|_| false, |_| true),
            _ => {}
        }
    }
}

fn waits(conditions: &[Condition]) -> bool {
    conditions.iter().any(|condition| condition.status == "False" && WAITS_FOR_ANOTHER.contains(&&*condition.reason))
}

#[cfg(test)]
mod tests;
