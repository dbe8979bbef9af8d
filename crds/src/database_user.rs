//! The kind `DatabaseUser`: a user of an instance's server, and the Secret it logs in with.

use clickhouse_options::ClickHouseUserConfig;
use kube::CustomResource;
use mysql_options::MySqlUserConfig;
use postgres_options::PostgresUserConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AdoptionPolicy, ClusterInstanceReference, Condition, DeletionConfirmation, DriftPolicy, DriftStatus,
    ExistingPasswordSecret, InstanceReference, OwnedSecret, Ownership, OwnershipBlockStatus, Parameters,
    PasswordConfig, PasswordRotationConfig, ResourcePhase, RotationStatus, SecretInfo, Time, UserInfo, Word, schema,
};

/// Spec of a `DatabaseUser`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "DatabaseUser",
    plural = "databaseusers",
    shortname = "dbu",
    category = "dbops",
    namespaced,
    status = "DatabaseUserStatus",
    derive = "PartialEq",
    doc = "A user of the server of an instance, and the Secret it logs in with.",
    printcolumn = r#"{"name":"Instance","type":"string","jsonPath":".spec.instanceRef.name"}"#,
    printcolumn = r#"{"name":"Username","type":"string","jsonPath":".spec.username"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Secret","type":"string","jsonPath":".status.secret.name"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::one_instance_reference()))]
pub struct DatabaseUserSpec {
    /// The `DatabaseInstance` to use. Exactly one of `instanceRef` and `clusterInstanceRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_ref: Option<InstanceReference>,
    /// The `ClusterDatabaseInstance` to use. Exactly one of `instanceRef` and `clusterInstanceRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_instance_ref: Option<ClusterInstanceReference>,
    /// Name of the user on the server, 1 to 128 characters and within the engine's limit in bytes.
    /// It is taken literally and cannot be changed.
    #[schemars(
        length(min = 1, max = 128),
        extend("x-kubernetes-validations" = [schema::rule("self == oldSelf", "username is immutable")])
    )]
    pub username: String,
    /// The generated password and the Secret it is published in. Absent: the Secret `<username>-credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<Box<PasswordConfig>>,
    /// A Secret whose password the user gets; it is followed when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_password_secret: Option<Box<ExistingPasswordSecret>>,
    /// Whether and how the password is replaced from time to time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_rotation: Option<Box<PasswordRotationConfig>>,
    /// Server roles this user is a member of; each name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// PostgreSQL attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresUserConfig>>,
    /// MySQL and MariaDB attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlUserConfig>>,
    /// ClickHouse attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<Box<ClickHouseUserConfig>>,
    /// Attributes of any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Box<Parameters>>,
    /// Whether a user that exists already under this name may be taken over (`Adopt`) or not (`Never`).
    /// Outside the instance's own namespace, adopting also needs the instance's annotation
    /// `dbops.dbprovision.io/adopt-users` to name the user.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens where the server differs from this spec. Default: the instance's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<Box<DriftPolicy>>,
}

/// What was observed of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseUserStatus {
    /// Where the user is in its life.
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
    /// Keyed fingerprint of the password that was last set. It does not reveal the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_fingerprint: Option<String>,
    /// The user as the server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserInfo>,
    /// The Secret with the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretInfo>,
    /// The Secrets that are made for this user, each recorded before it is: what is deleted with the user.
    /// More than one only while the Secret moves to another name or namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned_secrets: Vec<OwnedSecret>,
    /// How far the rotation of the password is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Box<RotationStatus>>,
    /// What the user owns on the server, where that blocks its deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership_block: Option<Box<OwnershipBlockStatus>>,
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
