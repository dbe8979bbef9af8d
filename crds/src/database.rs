//! The kind `Database`: a logical database on an instance's server.

use clickhouse_options::ClickHouseDatabaseConfig;
use kube::CustomResource;
use mysql_options::{MySqlDatabaseConfig, MySqlDatabaseStatus};
use postgres_options::{PostgresDatabaseConfig, PostgresDatabaseStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default_value::on;
use crate::{
    AdoptionPolicy, ClusterInstanceReference, Condition, DeletionConfirmation, DeletionPolicy, DriftPolicy,
    DriftStatus, InitSqlConfig, InitSqlStatus, InstanceReference, Ownership, Parameters, ResourcePhase, Time, Word,
    schema,
};

/// Spec of a `Database`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "Database",
    plural = "databases",
    shortname = "db",
    category = "dbops",
    namespaced,
    status = "DatabaseStatus",
    derive = "PartialEq",
    doc = "A logical database on the server of an instance.",
    printcolumn = r#"{"name":"Instance","type":"string","jsonPath":".spec.instanceRef.name"}"#,
    printcolumn = r#"{"name":"Database","type":"string","jsonPath":".spec.name"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Size","type":"string","jsonPath":".status.database.sizeBytes"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::one_instance_reference()))]
pub struct DatabaseSpec {
    /// The `DatabaseInstance` to use. Exactly one of `instanceRef` and `clusterInstanceRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_ref: Option<InstanceReference>,
    /// The `ClusterDatabaseInstance` to use. Exactly one of `instanceRef` and `clusterInstanceRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_instance_ref: Option<ClusterInstanceReference>,
    /// Name of the database on the server, 1 to 128 characters and within the engine's limit in bytes.
    /// It is taken literally and cannot be changed.
    #[schemars(
        length(min = 1, max = 128),
        extend("x-kubernetes-validations" = [schema::rule("self == oldSelf", "database name is immutable")])
    )]
    pub name: String,
    /// Role that owns the database; the name is a reference and needs consent like any other.
    /// Default: the administrator, or the role of `postgres.ownership`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub owner: Option<String>,
    /// What happens to the database when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Whether deleting this resource is refused.
    #[serde(default = "on")]
    pub deletion_protection: bool,
    /// Whether a database that exists already under this name may be taken over (`Adopt`) or not (`Never`).
    /// Outside the instance's own namespace, adopting also needs the instance's annotation
    /// `dbops.dbprovision.io/adopt-databases` to name the database.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens where the server differs from this spec. Default: the instance's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// Statements that run once in the new database.
    #[serde(rename = "initSQL", skip_serializing_if = "Option::is_none")]
    pub init_sql: Option<Box<InitSqlConfig>>,
    /// PostgreSQL settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresDatabaseConfig>>,
    /// MySQL and MariaDB settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlDatabaseConfig>>,
    /// ClickHouse settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<Box<ClickHouseDatabaseConfig>>,
    /// Settings of any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Parameters>,
}

/// What was observed of a database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// Where the database is in its life.
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
    /// The database as the server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseInfo>,
    /// What PostgreSQL says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresDatabaseStatus>>,
    /// What MySQL says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlDatabaseStatus>>,
    /// How the server differs from the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftStatus>,
    /// What became of the statements in `initSQL`.
    #[serde(rename = "initSQL", skip_serializing_if = "Option::is_none")]
    pub init_sql: Option<Box<InitSqlStatus>>,
    /// What a person must confirm before a forced deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_confirmation: Option<Box<DeletionConfirmation>>,
    /// Accepted, Synced and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A database as the server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseInfo {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its size in bytes, as of the last change of this status; the metric is fresher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// When it was created or adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}
