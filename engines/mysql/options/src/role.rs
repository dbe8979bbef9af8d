//! `spec.mysql` of a role.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MySqlGrant;

/// MySQL and MariaDB attributes of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlRoleConfig {
    /// Whether the role is one of the server's own (`CREATE ROLE`); otherwise it is an account that cannot log in.
    /// Default: true where the server has roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_native_roles: Option<bool>,
    /// Rights of the role, as a grant resource would give them to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<MySqlGrant>>,
}
