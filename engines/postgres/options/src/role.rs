//! `spec.postgres` of a role: attributes, memberships and rights of a role that is no user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PostgresGrant;

/// PostgreSQL attributes of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresRoleConfig {
    /// Whether the role may log in; it has no password. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<bool>,
    /// Whether the role has the rights of the roles it is a member of without SET ROLE. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherit: Option<bool>,
    /// Whether the role may create databases. Default: false.
    #[serde(rename = "createDB", skip_serializing_if = "Option::is_none")]
    pub create_db: Option<bool>,
    /// Whether the role may create roles; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_role: Option<bool>,
    /// Whether the role bypasses every check; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superuser: Option<bool>,
    /// Whether the role may start replication; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<bool>,
    /// Whether row-level security is bypassed; the instance's `privilegeCeiling` must allow it. Default: false.
    #[serde(rename = "bypassRLS", skip_serializing_if = "Option::is_none")]
    pub bypass_rls: Option<bool>,
    /// Server roles this role is a member of; each name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_roles: Option<Vec<String>>,
    /// Rights of the role, as a grant resource would give them to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<PostgresGrant>>,
}
