//! `spec.postgres.ownership` of a database: the owner role and the application user that come with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role without login that owns the database, and a login user that is a member of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresOwnershipConfig {
    /// Whether the owner role and the application user are created. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_ownership: Option<bool>,
    /// Name of the owner role, 1 to 128 characters. Default: `db_<database>_owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub role_name: Option<String>,
    /// Name of the application user, 1 to 128 characters. Default: `db_<database>_app`.
    /// It gets a generated password and the Secret `<database>-<userName>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub user_name: Option<String>,
    /// Whether the owner role and the application user are dropped together with the database. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_on_delete: Option<bool>,
    /// Whether the application user gets default privileges on what the owner role creates later,
    /// and the owner role on what the application user creates. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_default_privileges: Option<bool>,
}
