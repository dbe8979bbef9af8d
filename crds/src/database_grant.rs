//! The kinds `DatabaseGrant` and `ClusterDatabaseGrant`: what a user or a role may do, and which roles it is a member of.

use std::collections::BTreeMap;

use clickhouse_options::ClickHouseGrantConfig;
use kube::CustomResource;
use mysql_options::MySqlGrantConfig;
use postgres_options::PostgresGrantConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    ClusterInstanceReference, Condition, DriftPolicy, DriftStatus, HeldRight, Ownership, Parameters, ResourcePhase,
    Time, Word, default_value, schema,
};

/// Spec of a `DatabaseGrant`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "DatabaseGrant",
    plural = "databasegrants",
    shortname = "dbg",
    category = "dbops",
    namespaced,
    status = "DatabaseGrantStatus",
    derive = "PartialEq",
    doc = "Rights of a user or role on a server.",
    printcolumn = r#"{"name":"User","type":"string","jsonPath":".spec.userRef.name"}"#,
    printcolumn = r#"{"name":"Role","type":"string","jsonPath":".spec.roleRef.name"}"#,
    printcolumn = r#"{"name":"Database","type":"string","jsonPath":".spec.databaseRef.name"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = one_target()))]
pub struct DatabaseGrantSpec {
    /// The `DatabaseUser` that is given the rights. Exactly one of `userRef` and `roleRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<UserReference>,
    /// The role that is given the rights. Exactly one of `userRef` and `roleRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_ref: Option<RoleReference>,
    /// The `Database` that this is about: it is not deleted while the grant is there. One that does not exist keeps
    /// nothing from being given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_ref: Option<DatabaseReference>,
    /// PostgreSQL rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresGrantConfig>>,
    /// MySQL and MariaDB rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlGrantConfig>>,
    /// ClickHouse rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<Box<ClickHouseGrantConfig>>,
    /// Rights on any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Parameters>,
    /// What happens to rights of the user or role that no resource states.
    #[serde(default)]
    pub mode: GrantMode,
    /// What happens where the server differs from this spec. Default: the instance's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// Whether deleting this resource is refused.
    #[serde(default = "default_value::on")]
    pub deletion_protection: bool,
}

/// Spec of a `ClusterDatabaseGrant`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "ClusterDatabaseGrant",
    plural = "clusterdatabasegrants",
    shortname = "cdbg",
    category = "dbops",
    status = "DatabaseGrantStatus",
    derive = "PartialEq",
    doc = "Rights of a user or role on the server of a cluster-scoped instance.",
    printcolumn = r#"{"name":"Target","type":"string","jsonPath":".status.targetInfo.name"}"#,
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".status.targetInfo.type"}"#,
    printcolumn = r#"{"name":"Applied","type":"integer","jsonPath":".status.appliedGrants.applied"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = one_target()))]
pub struct ClusterDatabaseGrantSpec {
    /// The `ClusterDatabaseInstance` that the user or role is on.
    pub cluster_instance_ref: ClusterInstanceReference,
    /// The `DatabaseUser` that is given the rights. Exactly one of `userRef` and `roleRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<NamespacedUserReference>,
    /// The role that is given the rights. Exactly one of `userRef` and `roleRef` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_ref: Option<NamespacedRoleReference>,
    /// PostgreSQL rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Box<PostgresGrantConfig>>,
    /// MySQL and MariaDB rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<Box<MySqlGrantConfig>>,
    /// Rights on any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Parameters>,
    /// What happens to rights of the user or role that no resource states.
    #[serde(default)]
    pub mode: GrantMode,
    /// What happens where the server differs from this spec. Default: the instance's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// Whether deleting this resource is refused.
    #[serde(default = "default_value::on")]
    pub deletion_protection: bool,
}

fn one_target() -> serde_json::Value {
    json!([
        schema::rule("has(self.userRef) || has(self.roleRef)", "either userRef or roleRef must be specified"),
        schema::rule("!(has(self.userRef) && has(self.roleRef))", "userRef and roleRef are mutually exclusive"),
    ])
}

/// What happens to rights that no resource states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum GrantMode {
    /// They stay.
    #[default]
    Additive,
    /// They are taken away, as a destructive difference of the drift policy.
    Authoritative,
}

/// Names a `DatabaseUser`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserReference {
    /// Name of the `DatabaseUser`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Namespace of the `DatabaseUser`. Default: that of the resource.
    /// Another namespace must consent by a `DatabaseReferenceGrant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Names a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleReference {
    /// Whether a `DatabaseRole` or a `ClusterDatabaseRole` is named.
    #[serde(default)]
    pub kind: RoleKind,
    /// Name of the role's resource.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Namespace of the `DatabaseRole`. Default: that of the resource.
    /// Another namespace must consent by a `DatabaseReferenceGrant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// The two kinds of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum RoleKind {
    /// In a namespace.
    #[default]
    DatabaseRole,
    /// Of the whole cluster; the instance must list it in `privilegeCeiling.unmanagedNames`.
    ClusterDatabaseRole,
}

/// Names a `Database`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReference {
    /// Name of the `Database`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Namespace of the `Database`. Default: that of the resource.
    /// Another namespace must consent by a `DatabaseReferenceGrant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl DatabaseReference {
    /// The namespace of what a resource in the namespace `own` names; the empty word is none.
    pub fn namespace_or<'word>(&'word self, own: &'word str) -> &'word str {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(own)
    }
}

/// Names a `DatabaseUser` of any namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedUserReference {
    /// Name of the `DatabaseUser`.
    pub name: String,
    /// Namespace of the `DatabaseUser`.
    pub namespace: String,
}

/// Names a role of any namespace, or of the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedRoleReference {
    /// Name of the role's resource.
    pub name: String,
    /// Namespace of the `DatabaseRole`; without one a `ClusterDatabaseRole` is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What was observed of a grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseGrantStatus {
    /// Where the grant is in its life.
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
    /// The account on the server that was given the rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    /// Whom the grant is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_info: Option<GrantTargetInfo>,
    /// What was applied, in numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_grants: Option<AppliedGrantsInfo>,
    /// What was applied, object by object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldRight>,
    /// The databases of other resources that the rights are on, each with a word for the very one: on one that was made
    /// again they are given again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// How the server differs from the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftStatus>,
    /// Accepted, Synced and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Whom a grant is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantTargetInfo {
    /// `user` or `role`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Name of the target's resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the target's resource; none for one of the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name on the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_username: Option<String>,
}

/// What a grant applied, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedGrantsInfo {
    /// Objects on which something was granted, memberships and default privileges included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<i32>,
    /// Differences that remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
    /// Roles of which the target was made a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Objects on which rights were granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_grants: Option<i32>,
    /// Default privileges that were changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_privileges: Option<i32>,
    /// Rights, one entry for each object, up to 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<GrantDetail>,
    /// So many more objects than `details` has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details_left_out: Option<i32>,
}

/// Rights on one object of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantDetail {
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The privileges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<String>,
    /// When they were granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Time>,
    /// `Applied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// More, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
