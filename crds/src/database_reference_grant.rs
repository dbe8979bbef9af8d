//! The kind `DatabaseReferenceGrant`: a namespace's consent that resources elsewhere refer to what is in it.
//!
//! Its shape is that of the Gateway API's `ReferenceGrant`; in addition `from` can name a cluster-scoped kind.
//! It has no status: it grants what it says, as long as it exists.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{names, schema};

/// Spec of a `DatabaseReferenceGrant`: everything in `from` may refer to everything in `to`.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "DatabaseReferenceGrant",
    plural = "databasereferencegrants",
    shortname = "dbrefgrant",
    category = "dbops",
    namespaced,
    derive = "PartialEq",
    doc = "The consent of this namespace that resources elsewhere refer to what is in it."
)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReferenceGrantSpec {
    /// Who may refer, 1 to 64 entries.
    #[schemars(length(min = 1, max = 64))]
    pub from: Vec<ReferenceGrantFrom>,
    /// What in this namespace may be referred to, 1 to 64 entries.
    #[schemars(length(min = 1, max = 64))]
    pub to: Vec<ReferenceGrantTo>,
}

/// Resources that may refer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [schema::rule(
    "self.kind.startsWith('Cluster') ? !has(self.__namespace__) : has(self.__namespace__)",
    "namespace is required for a namespaced kind and must be absent for a cluster-scoped one",
)]))]
pub struct ReferenceGrantFrom {
    /// API group of the kind.
    #[serde(default = "own_group")]
    #[schemars(length(max = 253))]
    pub group: String,
    /// Kind, such as `DatabaseInstance` or `ClusterDatabaseInstance`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Namespace of the resources; absent for a cluster-scoped kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// What may be referred to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [schema::rule(
    "self.group == '' ? self.kind in ['Secret', 'ConfigMap'] : \
     self.group == 'dbops.dbprovision.io' && self.kind in ['Database', 'DatabaseUser', 'DatabaseRole']",
    "kind must be Secret or ConfigMap with group \"\", \
     or Database, DatabaseUser or DatabaseRole with group dbops.dbprovision.io",
)]))]
pub struct ReferenceGrantTo {
    /// API group of the kind; empty for Secret and `ConfigMap`.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub group: String,
    /// Secret, `ConfigMap`, Database, `DatabaseUser` or `DatabaseRole`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Name of the one object. Absent: all objects of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

fn own_group() -> String {
    names::GROUP.to_owned()
}
