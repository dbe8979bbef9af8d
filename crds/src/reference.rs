//! How a resource names its instance, and the one form in which the code speaks of an instance.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names a `DatabaseInstance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceReference {
    /// Name of the `DatabaseInstance`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Namespace of the `DatabaseInstance`. Default: that of the resource.
    /// An instance elsewhere must list the resource's namespace in `allowedNamespaces`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Names a `ClusterDatabaseInstance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterInstanceReference {
    /// Name of the `ClusterDatabaseInstance`.
    #[schemars(length(min = 1))]
    pub name: String,
}

/// The two kinds of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum InstanceKind {
    /// In a namespace.
    DatabaseInstance,
    /// Of the whole cluster.
    ClusterDatabaseInstance,
}

impl InstanceKind {
    /// The kind's name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseInstance => "DatabaseInstance",
            Self::ClusterDatabaseInstance => "ClusterDatabaseInstance",
        }
    }
}

impl fmt::Display for InstanceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Which instance, told in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceId {
    /// Kind of the instance.
    pub kind: InstanceKind,
    /// Namespace of the instance; absent for a cluster-scoped one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the instance.
    pub name: String,
}

impl InstanceId {
    /// A `DatabaseInstance`.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: InstanceKind::DatabaseInstance, namespace: Some(namespace.into()), name: name.into() }
    }

    /// A `ClusterDatabaseInstance`.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { kind: InstanceKind::ClusterDatabaseInstance, namespace: None, name: name.into() }
    }

    /// The instance that a resource in `own_namespace` names.
    /// `None` where it names none or two, which the API server refuses but an old object may hold.
    pub(crate) fn named_by(
        instance: Option<&InstanceReference>,
        cluster_instance: Option<&ClusterInstanceReference>,
        own_namespace: &str,
    ) -> Option<Self> {
        match (instance, cluster_instance) {
            (Some(reference), None) => {
                let namespace = reference.namespace.as_deref().filter(|namespace| !namespace.is_empty());
                Some(Self::namespaced(namespace.unwrap_or(own_namespace), reference.name.as_str()))
            }
            (None, Some(reference)) => Some(Self::cluster(reference.name.as_str())),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}
