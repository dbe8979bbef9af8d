//! Which object a test speaks of: its kind, its place and its name.

use std::fmt;

use anyhow::{Context, Result};
use crds::names;
use kube::api::{ApiResource, GroupVersionKind};

/// Kinds, their plural, whether they are this project's, and whether they live in a namespace.
const KINDS: [(&str, &str, bool, bool); 12] = [
    ("DatabaseInstance", "databaseinstances", true, true),
    ("ClusterDatabaseInstance", "clusterdatabaseinstances", true, false),
    ("Database", "databases", true, true),
    ("DatabaseUser", "databaseusers", true, true),
    ("DatabaseReferenceGrant", "databasereferencegrants", true, true),
    ("Secret", "secrets", false, true),
    ("ConfigMap", "configmaps", false, true),
    ("Namespace", "namespaces", false, false),
    ("DatabaseRole", "databaseroles", true, true),
    ("ClusterDatabaseRole", "clusterdatabaseroles", true, false),
    ("DatabaseGrant", "databasegrants", true, true),
    ("ClusterDatabaseGrant", "clusterdatabasegrants", true, false),
];

/// An object, there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    row: usize,
    /// Where it is; none for the stage's own namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Subject {
    /// An object of the stage's own namespace, or of the cluster.
    pub fn new(kind: &str, name: &str) -> Result<Self> {
        let row = KINDS.iter().position(|(known, ..)| *known == kind);
        Ok(Self {
            row: row.with_context(|| format!("no test knows the kind {kind}"))?,
            namespace: None,
            name: name.to_owned(),
        })
    }

    fn of(row: usize, name: &str) -> Self {
        Self { row, namespace: None, name: name.to_owned() }
    }

    /// A `DatabaseInstance`.
    pub fn instance(name: &str) -> Self {
        Self::of(0, name)
    }

    /// A `ClusterDatabaseInstance`.
    pub fn cluster_instance(name: &str) -> Self {
        Self::of(1, name)
    }

    /// A `Database`.
    pub fn database(name: &str) -> Self {
        Self::of(2, name)
    }

    /// A `DatabaseUser`.
    pub fn user(name: &str) -> Self {
        Self::of(3, name)
    }

    /// A `DatabaseReferenceGrant`.
    pub fn grant(name: &str) -> Self {
        Self::of(4, name)
    }

    /// A Secret.
    pub fn secret(name: &str) -> Self {
        Self::of(5, name)
    }

    /// A Namespace.
    pub fn namespace(name: &str) -> Self {
        Self::of(7, name)
    }

    /// A `DatabaseRole`.
    pub fn role(name: &str) -> Self {
        Self::of(8, name)
    }

    /// A `ClusterDatabaseRole`.
    pub fn cluster_role(name: &str) -> Self {
        Self::of(9, name)
    }

    /// A `DatabaseGrant`.
    pub fn access_grant(name: &str) -> Self {
        Self::of(10, name)
    }

    /// A `ClusterDatabaseGrant`.
    pub fn cluster_access_grant(name: &str) -> Self {
        Self::of(11, name)
    }

    /// The same in another namespace.
    #[must_use]
    pub fn inside(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Its kind.
    pub fn kind(&self) -> &'static str {
        self.row().0
    }

    /// Whether its kind is one of this project's.
    pub fn is_ours(&self) -> bool {
        self.row().2
    }

    /// Whether its kind lives in a namespace.
    pub fn is_namespaced(&self) -> bool {
        self.row().3
    }

    /// As `apiVersion` spells it.
    pub fn api_version(&self) -> &'static str {
        if self.is_ours() { names::API_VERSION } else { "v1" }
    }

    pub(super) fn group_version_kind(&self) -> GroupVersionKind {
        if self.is_ours() {
            GroupVersionKind::gvk(names::GROUP, names::VERSION, self.kind())
        } else {
            GroupVersionKind::gvk("", "v1", self.kind())
        }
    }

    pub(super) fn resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&self.group_version_kind(), self.row().1)
    }

    fn row(&self) -> &'static (&'static str, &'static str, bool, bool) {
        KINDS.get(self.row).unwrap_or(&KINDS[0])
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind(), self.name),
            None => write!(formatter, "{} {}", self.kind(), self.name),
        }
    }
}
