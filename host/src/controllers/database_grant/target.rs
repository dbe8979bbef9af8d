//! Whom a grant is for: the resource that it names, and what that resource is on the server.

use crds::{ClusterDatabaseGrantSpec, DatabaseGrantSpec, InstanceId, Managed, OptionBlocks, Ownership, RoleKind};
use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;
use sandbox::contract::ObjectKind;

use crate::cluster::stores::Stores;

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
        let namespace = |stated: Option<&String>| stated.map_or(own, String::as_str).to_owned();
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
            (None, Some(role)) => Some(Self {
                kind: if role.namespace.is_some() { ROLE } else { CLUSTER_ROLE },
                namespace: role.namespace.clone().unwrap_or_default(),
                name: role.name.clone(),
                path: ROLE_PATH,
            }),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Whether this resource is named.
    pub(crate) fn is(&self, kind: &str, namespace: Option<&str>, name: &str) -> bool {
        self.kind == kind && self.namespace == namespace.unwrap_or_default() && self.name == name
    }
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
    /// The option blocks it states.
    pub(crate) blocks: serde_json::Result<OptionBlocks>,
}

impl Target {
    /// Finds it in the caches.
    pub(crate) fn find(stores: &Stores, named: &Named) -> Option<Self> {
        let Named { kind, namespace, name, path: _ } = named;
        match *kind {
            USER => Self::of(ObjectKind::User, stores.user(namespace, name)?.as_ref()),
            ROLE => Self::of(ObjectKind::Role, stores.roles.get(&ObjectRef::new(name).within(namespace))?.as_ref()),
            _ => Self::of(ObjectKind::Role, stores.cluster_roles.get(&ObjectRef::new(name))?.as_ref()),
        }
    }

    fn of<K: Managed + kube::Resource<DynamicType = ()>>(kind: ObjectKind, resource: &K) -> Option<Self> {
        // One that is going gets nothing any more.
        if resource.meta().deletion_timestamp.is_some() {
            tracing::debug!(name = resource.name_any(), "the target is being deleted");
        }
        Some(Self {
            instance: resource.instance_id()?,
            kind,
            external_name: resource.external_name().to_owned(),
            ownership: resource.ownership().filter(|ownership| ownership.created_at.is_some()).cloned(),
            blocks: resource.option_blocks(),
        })
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
        assert_eq!(named(&json!({})), None);
        assert_eq!(named(&json!({ "userRef": { "name": "a" }, "roleRef": { "name": "b" } })), None);
    }
}
