//! The one way in which the code speaks of a Kubernetes object: kind, namespace, name.

use std::fmt;

use kube::{Resource, ResourceExt as _};

/// Which object. A cluster-scoped one has an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its parts.
    pub fn new(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self::new(K::kind(&()), object.namespace().unwrap_or_default(), object.name_any())
    }
}

impl From<&crds::InstanceId> for ObjectKey {
    fn from(id: &crds::InstanceId) -> Self {
        Self::new(id.kind.as_str(), id.namespace.clone().unwrap_or_default(), id.name.clone())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(formatter, "{} {}", self.kind, self.name)
        } else {
            write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_with_its_namespace_where_it_has_one() {
        assert_eq!(ObjectKey::new("Database", "team-a", "orders").to_string(), "Database team-a/orders");
        assert_eq!(ObjectKey::from(&crds::InstanceId::cluster("main")).to_string(), "ClusterDatabaseInstance main");
    }
}
