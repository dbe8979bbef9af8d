//! What a scrape of the metrics reads: from the caches, the sandbox and the engines, as they are then.

use std::sync::Arc;

use crds::{Database, DatabaseGrantStatus, DatabaseRoleStatus, DatabaseUser, Managed, ResourcePhase};
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt as _};
use sandbox::Sandbox;

use crate::cluster::stores::Stores;
use crate::controllers::memory::Memory;
use crate::engines::Registry;
use crate::object_key::ObjectKey;
use crate::telemetry::labels::{
    DatabaseInfoLabels, DatabaseLabels, GrantInfoLabels, ObjectLabels, RoleInfoLabels, UserInfoLabels,
};
use crate::telemetry::readings::Readings;

/// What a scrape reads.
pub(super) struct Sources {
    pub(super) sandbox: Sandbox,
    pub(super) registry: Arc<Registry>,
    pub(super) stores: Stores,
    pub(super) memory: Arc<Memory>,
}

impl Readings for Sources {
    fn is_there(&self, key: &ObjectKey) -> bool {
        self.stores.exists(&key.kind, &key.namespace, &key.name)
    }

    fn resources(&self) -> Vec<(&'static str, usize)> {
        self.stores.counts()
    }

    fn databases(&self) -> Vec<DatabaseInfoLabels> {
        let databases = self.stores.databases.state();
        let labels = |database: &Arc<Database>| DatabaseInfoLabels {
            name: database.name_any(),
            database: database.spec.name.clone(),
            instance: database.instance_id().map(|instance| instance.name).unwrap_or_default(),
            namespace: database.namespace().unwrap_or_default(),
            phase: phase(database.status.as_ref().and_then(|status| status.phase)),
        };
        databases.iter().map(labels).collect()
    }

    fn users(&self) -> Vec<UserInfoLabels> {
        let users = self.stores.users.state();
        let labels = |user: &Arc<DatabaseUser>| UserInfoLabels {
            name: user.name_any(),
            username: user.spec.username.clone(),
            instance: user.instance_id().map(|instance| instance.name).unwrap_or_default(),
            namespace: user.namespace().unwrap_or_default(),
            phase: phase(user.status.as_ref().and_then(|status| status.phase)),
        };
        users.iter().map(labels).collect()
    }

    fn roles(&self) -> Vec<RoleInfoLabels> {
        let (roles, cluster_roles) = (self.stores.roles.state(), self.stores.cluster_roles.state());
        let roles = roles.iter().map(|role| role_labels(role.as_ref(), role.status.as_ref()));
        let cluster_roles = cluster_roles.iter().map(|role| role_labels(role.as_ref(), role.status.as_ref()));
        roles.chain(cluster_roles).collect()
    }

    fn grants(&self) -> Vec<GrantInfoLabels> {
        let (grants, cluster_grants) = (self.stores.access_grants.state(), self.stores.cluster_access_grants.state());
        let grants = grants.iter().map(|grant| grant_labels(grant.as_ref(), grant.status.as_ref()));
        let cluster_grants = cluster_grants.iter().map(|grant| grant_labels(grant.as_ref(), grant.status.as_ref()));
        grants.chain(cluster_grants).collect()
    }

    fn sizes(&self) -> Vec<(DatabaseLabels, u64)> {
        let databases = self.stores.databases.state();
        let measured = |database: &Arc<Database>| {
            let bytes = self.memory.recall(database.metadata.uid.as_deref()?)?.size.bytes()?;
            let ownership = database.ownership()?;
            let labels = DatabaseLabels {
                name: database.name_any(),
                database: database.spec.name.clone(),
                instance: ownership.instance.name.clone(),
                engine: ownership.engine.clone(),
                namespace: database.namespace().unwrap_or_default(),
            };
            Some((labels, bytes))
        };
        databases.iter().filter_map(measured).collect()
    }

    fn drifts(&self) -> Vec<(ObjectLabels, bool)> {
        let Stores { databases, users, roles, cluster_roles, access_grants, cluster_access_grants, .. } = &self.stores;
        let mut all = Vec::new();
        self.drifts_of(databases, &mut all);
        self.drifts_of(users, &mut all);
        self.drifts_of(roles, &mut all);
        self.drifts_of(cluster_roles, &mut all);
        self.drifts_of(access_grants, &mut all);
        self.drifts_of(cluster_access_grants, &mut all);
        all
    }

    fn sandbox(&self) -> sandbox::Counters {
        self.sandbox.counters()
    }

    fn engines(&self) -> (usize, usize) {
        self.registry.counts()
    }
}

fn role_labels<K: Managed + Resource>(role: &K, status: Option<&DatabaseRoleStatus>) -> RoleInfoLabels {
    RoleInfoLabels {
        name: role.name_any(),
        role: role.external_name().to_owned(),
        instance: role.instance_id().map(|instance| instance.name).unwrap_or_default(),
        namespace: role.namespace().unwrap_or_default(),
        phase: phase(status.and_then(|status| status.phase)),
    }
}

fn grant_labels<K: Resource>(grant: &K, status: Option<&DatabaseGrantStatus>) -> GrantInfoLabels {
    let target = status.and_then(|status| status.target_info.as_ref());
    GrantInfoLabels {
        name: grant.name_any(),
        namespace: grant.namespace().unwrap_or_default(),
        grantee: target.and_then(|target| target.resolved_username.clone()).unwrap_or_default(),
        phase: phase(status.and_then(|status| status.phase)),
    }
}

impl Sources {
    fn drifts_of<K>(&self, store: &Store<K>, all: &mut Vec<(ObjectLabels, bool)>)
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        for object in store.state() {
            let drifts = object.meta().uid.as_deref().and_then(|uid| self.memory.recall(uid)?.drifts);
            let ObjectKey { kind, namespace, name } = ObjectKey::of(object.as_ref());
            all.extend(drifts.map(|drifts| (ObjectLabels { kind, namespace, name }, drifts)));
        }
    }
}

fn phase(phase: Option<ResourcePhase>) -> String {
    phase.map(|phase| phase.to_string()).unwrap_or_default()
}
