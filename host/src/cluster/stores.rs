//! The caches of our own kinds, with the questions that reconcilers ask them.
//!
//! Watched is every object of our own kinds, in all namespaces. Deliberately absent: other people's objects;
//! Secrets and `ConfigMap`s are read by name, when they are needed.

use std::sync::Arc;

use crds::{
    ClusterDatabaseGrant, ClusterDatabaseInstance, ClusterDatabaseRole, ClusterInstanceReference, Database,
    DatabaseGrant, DatabaseInstance, DatabaseReferenceGrant, DatabaseRole, DatabaseRoleSpec, DatabaseSpec,
    DatabaseUser, DatabaseUserSpec, Instance, InstanceId, InstanceKind, InstanceReference, InstanceSpec,
    InstanceStatus, Managed,
};
use kube::runtime::reflector::store::{Writer, WriterDropped};
use kube::runtime::reflector::{Lookup, ObjectRef, Store, store};

/// Either kind of instance.
#[derive(Clone, Debug)]
pub enum AnyInstance {
    /// In a namespace.
    Namespaced(Arc<DatabaseInstance>),
    /// Of the whole cluster.
    Cluster(Arc<ClusterDatabaseInstance>),
}

impl Instance for AnyInstance {
    fn id(&self) -> InstanceId {
        match self {
            Self::Namespaced(instance) => instance.id(),
            Self::Cluster(instance) => instance.id(),
        }
    }

    fn instance_spec(&self) -> &InstanceSpec {
        match self {
            Self::Namespaced(instance) => instance.instance_spec(),
            Self::Cluster(instance) => instance.instance_spec(),
        }
    }

    fn instance_status(&self) -> Option<&InstanceStatus> {
        match self {
            Self::Namespaced(instance) => instance.instance_status(),
            Self::Cluster(instance) => instance.instance_status(),
        }
    }
}

impl AnyInstance {
    /// The metadata of either.
    pub fn metadata(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        match self {
            Self::Namespaced(instance) => &instance.metadata,
            Self::Cluster(instance) => &instance.metadata,
        }
    }
}

/// The caches. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Stores {
    /// All `DatabaseInstance`s.
    pub instances: Store<DatabaseInstance>,
    /// All `ClusterDatabaseInstance`s.
    pub cluster_instances: Store<ClusterDatabaseInstance>,
    /// All `Database`s.
    pub databases: Store<Database>,
    /// All `DatabaseUser`s.
    pub users: Store<DatabaseUser>,
    /// All `DatabaseRole`s.
    pub roles: Store<DatabaseRole>,
    /// All `ClusterDatabaseRole`s.
    pub cluster_roles: Store<ClusterDatabaseRole>,
    /// All `DatabaseGrant`s.
    pub access_grants: Store<DatabaseGrant>,
    /// All `ClusterDatabaseGrant`s.
    pub cluster_access_grants: Store<ClusterDatabaseGrant>,
    /// All `DatabaseReferenceGrant`s.
    pub grants: Store<DatabaseReferenceGrant>,
}

/// The side of the caches that the watches write to.
#[derive(Debug)]
pub struct Writers {
    /// Of [`Stores::instances`].
    pub instances: Writer<DatabaseInstance>,
    /// Of [`Stores::cluster_instances`].
    pub cluster_instances: Writer<ClusterDatabaseInstance>,
    /// Of [`Stores::databases`].
    pub databases: Writer<Database>,
    /// Of [`Stores::users`].
    pub users: Writer<DatabaseUser>,
    /// Of [`Stores::roles`].
    pub roles: Writer<DatabaseRole>,
    /// Of [`Stores::cluster_roles`].
    pub cluster_roles: Writer<ClusterDatabaseRole>,
    /// Of [`Stores::access_grants`].
    pub access_grants: Writer<DatabaseGrant>,
    /// Of [`Stores::cluster_access_grants`].
    pub cluster_access_grants: Writer<ClusterDatabaseGrant>,
    /// Of [`Stores::grants`].
    pub grants: Writer<DatabaseReferenceGrant>,
}

/// A kind whose objects are cached.
pub trait Cached: Lookup<DynamicType = ()> + Clone + 'static {
    /// Its cache.
    fn cache(stores: &Stores) -> &Store<Self>;
}

macro_rules! cached {
    ($($kind:ty => $cache:ident),* $(,)?) => {
        $(impl Cached for $kind {
            fn cache(stores: &Stores) -> &Store<Self> {
                &stores.$cache
            }
        })*
    };
}

cached! {
    Database => databases,
    DatabaseUser => users,
    DatabaseRole => roles,
    ClusterDatabaseRole => cluster_roles,
    DatabaseGrant => access_grants,
    ClusterDatabaseGrant => cluster_access_grants,
}

impl Stores {
    /// The object as it is now; none where it is gone.
    pub fn latest<K: Cached>(&self, object: &K) -> Option<Arc<K>> {
        K::cache(self).get(&ObjectRef::from_obj(object))
    }

    /// Empty caches, and what fills them.
    pub fn new() -> (Self, Writers) {
        let (instances, instances_writer) = store();
        let (cluster_instances, cluster_instances_writer) = store();
        let (databases, databases_writer) = store();
        let (users, users_writer) = store();
        let (roles, roles_writer) = store();
        let (cluster_roles, cluster_roles_writer) = store();
        let (access_grants, access_grants_writer) = store();
        let (cluster_access_grants, cluster_access_grants_writer) = store();
        let (grants, grants_writer) = store();
        (
            Self {
                instances,
                cluster_instances,
                databases,
                users,
                roles,
                cluster_roles,
                access_grants,
                cluster_access_grants,
                grants,
            },
            Writers {
                instances: instances_writer,
                cluster_instances: cluster_instances_writer,
                databases: databases_writer,
                users: users_writer,
                roles: roles_writer,
                cluster_roles: cluster_roles_writer,
                access_grants: access_grants_writer,
                cluster_access_grants: cluster_access_grants_writer,
                grants: grants_writer,
            },
        )
    }

    /// Waits until every cache shows the cluster.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.instances.wait_until_ready().await?;
        self.cluster_instances.wait_until_ready().await?;
        self.databases.wait_until_ready().await?;
        self.users.wait_until_ready().await?;
        self.roles.wait_until_ready().await?;
        self.cluster_roles.wait_until_ready().await?;
        self.access_grants.wait_until_ready().await?;
        self.cluster_access_grants.wait_until_ready().await?;
        self.grants.wait_until_ready().await
    }

    /// The instance with this id.
    pub fn instance(&self, id: &InstanceId) -> Option<AnyInstance> {
        match id.kind {
            InstanceKind::DatabaseInstance => {
                let key = ObjectRef::new(&id.name).within(id.namespace.as_deref()?);
                self.instances.get(&key).map(AnyInstance::Namespaced)
            }
            InstanceKind::ClusterDatabaseInstance => {
                self.cluster_instances.get(&ObjectRef::new(&id.name)).map(AnyInstance::Cluster)
            }
        }
    }

    /// Whether there is such an object; a kind that is none of ours has none. Namespaces of cluster-scoped kinds are empty.
    pub fn exists(&self, kind: &str, namespace: &str, name: &str) -> bool {
        fn has<K>(store: &Store<K>, namespace: &str, name: &str) -> bool
        where
            K: kube::runtime::reflector::Lookup + Clone + 'static,
            K::DynamicType: Default + Eq + std::hash::Hash + Clone,
        {
            let key = ObjectRef::new(name);
            store.get(&if namespace.is_empty() { key } else { key.within(namespace) }).is_some()
        }
        match kind {
            "DatabaseInstance" => has(&self.instances, namespace, name),
            "ClusterDatabaseInstance" => has(&self.cluster_instances, "", name),
            "Database" => has(&self.databases, namespace, name),
            "DatabaseUser" => has(&self.users, namespace, name),
            "DatabaseRole" => has(&self.roles, namespace, name),
            "ClusterDatabaseRole" => has(&self.cluster_roles, "", name),
            "DatabaseGrant" => has(&self.access_grants, namespace, name),
            "ClusterDatabaseGrant" => has(&self.cluster_access_grants, "", name),
            _ => false,
        }
    }

    /// The database of this name.
    pub fn database(&self, namespace: &str, name: &str) -> Option<Arc<Database>> {
        self.databases.get(&ObjectRef::new(name).within(namespace))
    }

    /// The user of this name.
    pub fn user(&self, namespace: &str, name: &str) -> Option<Arc<DatabaseUser>> {
        self.users.get(&ObjectRef::new(name).within(namespace))
    }

    /// All databases that name this instance or are recorded on it, in whatever namespace.
    pub fn databases_of(&self, id: &InstanceId) -> Vec<Arc<Database>> {
        self.databases.state_filter(|database| {
            let DatabaseSpec { instance_ref, cluster_instance_ref, .. } = &database.spec;
            is_of(database, instance_ref.as_ref(), cluster_instance_ref.as_ref(), id)
        })
    }

    /// All users that name this instance or are recorded on it, in whatever namespace.
    pub fn users_of(&self, id: &InstanceId) -> Vec<Arc<DatabaseUser>> {
        self.users.state_filter(|user| {
            let DatabaseUserSpec { instance_ref, cluster_instance_ref, .. } = &user.spec;
            is_of(user, instance_ref.as_ref(), cluster_instance_ref.as_ref(), id)
        })
    }

    /// All roles of namespaces that name this instance or are recorded on it.
    pub fn roles_of(&self, id: &InstanceId) -> Vec<Arc<DatabaseRole>> {
        self.roles.state_filter(|role| {
            let DatabaseRoleSpec { instance_ref, cluster_instance_ref, .. } = &role.spec;
            is_of(role, instance_ref.as_ref(), cluster_instance_ref.as_ref(), id)
        })
    }

    /// All cluster-scoped roles that name this instance or are recorded on it.
    pub fn cluster_roles_of(&self, id: &InstanceId) -> Vec<Arc<ClusterDatabaseRole>> {
        self.cluster_roles.state_filter(|role| is_of(role, None, Some(&role.spec.cluster_instance_ref), id))
    }

    /// The consents that this namespace gives.
    pub fn grants_in(&self, namespace: &str) -> Vec<Arc<DatabaseReferenceGrant>> {
        self.grants.state_filter(|grant| grant.metadata.namespace.as_deref() == Some(namespace))
    }

    /// How many objects there are of each kind.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("DatabaseInstance", self.instances.len()),
            ("ClusterDatabaseInstance", self.cluster_instances.len()),
            ("Database", self.databases.len()),
            ("DatabaseUser", self.users.len()),
            ("DatabaseRole", self.roles.len()),
            ("ClusterDatabaseRole", self.cluster_roles.len()),
            ("DatabaseGrant", self.access_grants.len()),
            ("ClusterDatabaseGrant", self.cluster_access_grants.len()),
            ("DatabaseReferenceGrant", self.grants.len()),
        ]
    }
}

/// Whether the resource names the instance, or has something on its server that was reached through it. The names are
/// looked at before an id is put together for each of a thousand resources.
fn is_of(
    resource: &impl Managed,
    instance: Option<&InstanceReference>,
    cluster_instance: Option<&ClusterInstanceReference>,
    id: &InstanceId,
) -> bool {
    let named = instance.map(|reference| &reference.name).or(cluster_instance.map(|reference| &reference.name));
    (named == Some(&id.name) && resource.instance_id().as_ref() == Some(id))
        || resource.ownership().is_some_and(|ownership| ownership.instance == *id)
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;

    fn database(namespace: &str, name: &str, reference: &serde_json::Value) -> Database {
        serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION,
            "kind": "Database",
            "metadata": { "namespace": namespace, "name": name },
            "spec": { "name": name, "instanceRef": reference },
        }))
        .unwrap()
    }

    #[test]
    fn an_instance_has_its_resources_from_every_namespace() {
        let (stores, mut writers) = Stores::new();
        for (namespace, name, reference) in [
            ("team-a", "one", json!({ "name": "main" })),
            ("team-b", "two", json!({ "name": "main", "namespace": "team-a" })),
            ("team-b", "three", json!({ "name": "main" })),
        ] {
            writers.databases.apply_watcher_event(&Event::Apply(database(namespace, name, &reference)));
        }
        let mut names: Vec<_> = stores
            .databases_of(&InstanceId::namespaced("team-a", "main"))
            .iter()
            .map(|database| database.spec.name.clone())
            .collect();
        names.sort();
        assert_eq!(names, ["one", "two"]);
        assert!(stores.database("team-b", "three").is_some());
        assert!(stores.database("team-a", "three").is_none());
        assert!(stores.instance(&InstanceId::cluster("main")).is_none());
    }
}
