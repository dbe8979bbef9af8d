//! Whom a grant is for: the resource that it names, and what that resource is on the server.

use std::sync::Arc;

use crds::{
    ClusterDatabaseGrantSpec, ClusterDatabaseRole, DatabaseGrantSpec, DatabaseRole, DatabaseUser, InstanceId, Managed,
    OptionBlocks, Ownership, RoleKind,
};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use sandbox::contract::{BlockOwner, Grantee, ObjectKind};

use crate::cluster::stores::Stores;
use crate::engines::Engine;

/// The resource that a grant names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// `DatabaseUser`, `DatabaseRole` or `ClusterDatabaseRole`.
    pub(crate) kind: &'static str,
    /// Its namespace; empty for one of the whole cluster.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Where the spec names it.
    pub(crate) path: &'static str,
}

const USER: &str = "DatabaseUser";
const ROLE: &str = "DatabaseRole";
const CLUSTER_ROLE: &str = "ClusterDatabaseRole";
const USER_PATH: &str = "spec.userRef";
const ROLE_PATH: &str = "spec.roleRef";

impl Named {
    /// By a grant in a namespace; none where it names nobody or two.
    pub(super) fn of(spec: &DatabaseGrantSpec, own: &str) -> Option<Self> {
        let namespace = |namespace: Option<&String>| stated(namespace).unwrap_or(own).to_owned();
        match (&spec.user_ref, &spec.role_ref) {
            (Some(user), None) => Some(Self {
                kind: USER,
                namespace: namespace(user.namespace.as_ref()),
                name: user.name.clone(),
                path: USER_PATH,
            }),
            (None, Some(role)) => Some(match role.kind {
                RoleKind::DatabaseRole => Self {
                    kind: ROLE,
                    namespace: namespace(role.namespace.as_ref()),
                    name: role.name.clone(),
                    path: ROLE_PATH,
                },
                RoleKind::ClusterDatabaseRole => {
                    Self { kind: CLUSTER_ROLE, namespace: String::new(), name: role.name.clone(), path: ROLE_PATH }
                }
            }),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// By a grant of the whole cluster; none where it names nobody or two.
    pub(super) fn of_cluster(spec: &ClusterDatabaseGrantSpec) -> Option<Self> {
        match (&spec.user_ref, &spec.role_ref) {
            (Some(user), None) => {
                Some(Self { kind: USER, namespace: user.namespace.clone(), name: user.name.clone(), path: USER_PATH })
            }
            (None, Some(role)) => {
                let namespace = stated(role.namespace.as_ref());
                Some(Self {
                    kind: if namespace.is_some() { ROLE } else { CLUSTER_ROLE },
                    namespace: namespace.unwrap_or_default().to_owned(),
                    name: role.name.clone(),
                    path: ROLE_PATH,
                })
            }
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Whether this resource is named.
    pub(crate) fn is(&self, kind: &str, namespace: Option<&str>, name: &str) -> bool {
        self.kind == kind && self.namespace == namespace.unwrap_or_default() && self.name == name
    }
}

/// A namespace that is the empty word is not stated: so it is read everywhere in Kubernetes.
fn stated(namespace: Option<&String>) -> Option<&str> {
    namespace.map(String::as_str).filter(|namespace| !namespace.is_empty())
}

/// The resource, as far as a grant is concerned.
pub(crate) struct Target {
    /// The instance it is on.
    pub(crate) instance: InstanceId,
    /// User or role.
    pub(crate) kind: ObjectKind,
    /// Its name on the server.
    pub(crate) external_name: String,
    /// What it owns there, once it is there.
    pub(crate) ownership: Option<Ownership>,
    /// It is being deleted.
    pub(crate) is_going: bool,
    /// For its options: most who ask for a target do not need them.
    resource: Found,
}

/// The kinds of targets.
enum Found {
    User(Arc<DatabaseUser>),
    Role(Arc<DatabaseRole>),
    ClusterRole(Arc<ClusterDatabaseRole>),
}

impl Found {
    fn look_up(stores: &Stores, named: &Named) -> Option<Self> {
        let Named { kind, namespace, name, path: _ } = named;
        match *kind {
            USER => stores.user(namespace, name).map(Self::User),
            ROLE => stores.roles.get(&ObjectRef::new(name).within(namespace)).map(Self::Role),
            _ => stores.cluster_roles.get(&ObjectRef::new(name)).map(Self::ClusterRole),
        }
    }
}

impl Target {
    /// Finds it in the caches.
    pub(crate) fn find(stores: &Stores, named: &Named) -> Option<Self> {
        match Found::look_up(stores, named)? {
            Found::User(user) => Self::of(ObjectKind::User, user, Found::User),
            Found::Role(role) => Self::of(ObjectKind::Role, role, Found::Role),
            Found::ClusterRole(role) => Self::of(ObjectKind::Role, role, Found::ClusterRole),
        }
    }

    fn of<K>(kind: ObjectKind, object: Arc<K>, found: fn(Arc<K>) -> Found) -> Option<Self>
    where
        K: Managed + Resource<DynamicType = ()>,
    {
        Some(Self {
            instance: object.instance_id()?,
            kind,
            external_name: object.external_name().to_owned(),
            ownership: object.ownership().filter(|ownership| ownership.created_at.is_some()).cloned(),
            is_going: object.meta().deletion_timestamp.is_some(),
            resource: found(object),
        })
    }

    /// The instance that the named resource is on, and nothing else of it: it is asked for with every grant.
    pub(super) fn instance_of(stores: &Stores, named: &Named) -> Option<InstanceId> {
        match Found::look_up(stores, named)? {
            Found::User(user) => user.instance_id(),
            Found::Role(role) => role.instance_id(),
            Found::ClusterRole(role) => role.instance_id(),
        }
    }

    fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        match &self.resource {
            Found::User(user) => user.option_blocks(),
            Found::Role(role) => role.option_blocks(),
            Found::ClusterRole(role) => role.option_blocks(),
        }
    }

    /// In the adapter's words: with the block that the engine reads of such a resource.
    pub(super) fn grantee(&self, engine: &Engine) -> Grantee {
        let owner = match self.kind {
            ObjectKind::Role => BlockOwner::Role,
            ObjectKind::User | ObjectKind::Database => BlockOwner::User,
        };
        let key = engine.block_key(owner).unwrap_or("parameters");
        let options = self.option_blocks().ok().and_then(|blocks| blocks.get(key).map(ToString::to_string));
        Grantee { kind: self.kind, name: self.external_name.clone(), options }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(spec: &serde_json::Value) -> Option<Named> {
        Named::of(&serde_json::from_value(spec.clone()).unwrap(), "own")
    }

    #[test]
    fn a_target_is_of_the_grants_namespace_unless_it_says_otherwise() {
        let user = named(&json!({ "userRef": { "name": "app" } })).unwrap();
        assert!(user.is("DatabaseUser", Some("own"), "app"));
        let role = named(&json!({ "roleRef": { "name": "app", "namespace": "other" } })).unwrap();
        assert!(role.is("DatabaseRole", Some("other"), "app"));
        let role = named(&json!({ "roleRef": { "kind": "ClusterDatabaseRole", "name": "app" } })).unwrap();
        assert!(role.is("ClusterDatabaseRole", None, "app"));
        // An empty word names no namespace.
        let user = named(&json!({ "userRef": { "name": "app", "namespace": "" } })).unwrap();
        assert!(user.is("DatabaseUser", Some("own"), "app"));
        let role = named(&json!({ "roleRef": { "name": "app", "namespace": "" } })).unwrap();
        assert!(role.is("DatabaseRole", Some("own"), "app"));
        let role = json!({ "clusterInstanceRef": { "name": "main" }, "roleRef": { "name": "app", "namespace": "" } });
        let role = Named::of_cluster(&serde_json::from_value(role).unwrap()).unwrap();
        assert!(role.is("ClusterDatabaseRole", None, "app"));
        assert_eq!(named(&json!({})), None);
        assert_eq!(named(&json!({ "userRef": { "name": "a" }, "roleRef": { "name": "b" } })), None);
    }
}
