//! `spec.postgres` of a user: attributes, memberships and settings of its login role.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// PostgreSQL attributes of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresUserConfig {
    /// Most concurrent connections of this user; -1 means no limit, 0 means none. Default: -1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub connection_limit: Option<i32>,
    /// Time after which the password is no longer valid, as PostgreSQL takes it in `VALID UNTIL`. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Whether the user bypasses every check; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superuser: Option<bool>,
    /// Whether the user may create databases. Default: false.
    #[serde(rename = "createDB", skip_serializing_if = "Option::is_none")]
    pub create_db: Option<bool>,
    /// Whether the user may create roles; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_role: Option<bool>,
    /// Whether the user has the rights of the roles it is a member of without SET ROLE. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherit: Option<bool>,
    /// Whether the user may log in. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<bool>,
    /// Whether the user may start replication; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<bool>,
    /// Whether row-level security is bypassed; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(rename = "bypassRLS", skip_serializing_if = "Option::is_none")]
    pub bypass_rls: Option<bool>,
    /// Server roles this user is a member of; each name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_roles: Option<Vec<String>>,
    /// Role that a session of this user takes on at login (the setting `role`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_role: Option<String>,
    /// Settings that sessions of this user start with (`ALTER ROLE ... SET`), by parameter name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_parameters: Option<BTreeMap<String, String>>,
}
