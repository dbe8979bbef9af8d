//! The kinds `DatabaseRole` and `ClusterDatabaseRole`: a named set of rights that users and other roles are members of.

use clickhouse_options::ClickHouseRoleConfig;
use kube::CustomResource;
use mysql_options::MySqlRoleConfig;
use postgres_options::PostgresRoleConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AdoptionPolicy, ClusterInstanceReference, Condition, DeletionConfirmation, DriftPolicy, DriftStatus, HeldRight,
    InstanceReference, Ownership, Parameters, ResourcePhase, Time, Word, schema,
};

/// Spec of a `DatabaseRole`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "DatabaseRole",
    plural = "databaseroles",
    shortname = "dbr",
    category = "dbops",
    namespaced,
    status = "DatabaseRoleStatus",
    derive = "PartialEq",
    doc = "A role of the server of an instance: rights that its members have.",
    printcolumn = r#"{"name":"Instance","type":"string","jsonPath":".spec.instanceRef.name"}"#,
    printcolumn = r#"{"name":"Role","type":"string","jsonPath":".spec.roleName"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::one_instance_reference()))]
pub struct DatabaseRoleSpec {
    /// The `DatabaseInstance` to use. Exactly one of `instanceRef` and `clusterInstanceRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_ref: Option<InstanceReference>,
    /// The `ClusterDatabaseInstance` to use. Exactly one of `instanceRef` and `clusterInstanceRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_instance_ref: Option<ClusterInstanceReference>,
    /// Name of the role on the server, 1 to 128 characters and within the engine's limit in bytes.
    /// It is taken literally and cannot be changed.
    #[schemars(
        length(min = 1, max = 128),
        extend("x-kubernetes-validations" = [schema::rule("self == oldSelf", "roleName is immutable")])
    )]
    pub role_name: String,
    /// PostgreSQL attributes and rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresRoleConfig>>,
    /// MySQL and MariaDB rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlRoleConfig>>,
    /// ClickHouse settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<Box<ClickHouseRoleConfig>>,
    /// Attributes of any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Parameters>,
    /// Whether a role that exists already under this name may be taken over (`Adopt`) or not (`Never`).
    /// Outside the instance's own namespace, adopting also needs the instance's annotation
    /// `dbops.dbprovision.io/adopt-roles` to name the role.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens where the server differs from this spec. Default: the instance's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
}

/// Spec of a `ClusterDatabaseRole`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "ClusterDatabaseRole",
    plural = "clusterdatabaseroles",
    shortname = "cdbr",
    category = "dbops",
    status = "DatabaseRoleStatus",
    derive = "PartialEq",
    doc = "A role of the server of a cluster-scoped instance: rights that its members have.",
    printcolumn = r#"{"name":"Instance","type":"string","jsonPath":".spec.clusterInstanceRef.name"}"#,
    printcolumn = r#"{"name":"Role","type":"string","jsonPath":".spec.roleName"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDatabaseRoleSpec {
    /// The `ClusterDatabaseInstance` to use.
    pub cluster_instance_ref: ClusterInstanceReference,
    /// Name of the role on the server, 1 to 128 characters and within the engine's limit in bytes.
    /// It is taken literally and cannot be changed.
    #[schemars(
        length(min = 1, max = 128),
        extend("x-kubernetes-validations" = [schema::rule("self == oldSelf", "roleName is immutable")])
    )]
    pub role_name: String,
    /// PostgreSQL attributes and rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresRoleConfig>>,
    /// MySQL and MariaDB rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlRoleConfig>>,
    /// Attributes of any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Parameters>,
    /// Whether a role that exists already under this name may be taken over (`Adopt`) or not (`Never`).
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens where the server differs from this spec. Default: the instance's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// The comment that the role gets on the server, before the mark of ownership.
    /// Default: the instance's `resourceTracking.commentFormat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub managed_resource_comment: Option<String>,
}

/// What was observed of a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseRoleStatus {
    /// Where the role is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<ResourcePhase>,
    /// Generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Id of the reconcile that wrote this status, as in the logs.
    #[serde(rename = "reconcileID", skip_serializing_if = "Option::is_none")]
    pub reconcile_id: Option<String>,
    /// When this status was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reconcile_time: Option<Time>,
    /// What is going on, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Word>,
    /// What this resource owns on the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    /// The role as the server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleInfo>,
    /// The rights that the role was given by this resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldRight>,
    /// How the server differs from the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftStatus>,
    /// What a person must confirm before a forced deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_confirmation: Option<Box<DeletionConfirmation>>,
    /// Accepted, Synced and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A role as the server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleInfo {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was created or adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}
