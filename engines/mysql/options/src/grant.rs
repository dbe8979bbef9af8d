//! `spec.mysql` of a grant: memberships, and rights on each of the server's levels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a user or role is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlGrantConfig {
    /// Roles to be a member of; each name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<MySqlGrant>>,
}

/// Rights on one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlGrant {
    /// Level of the rights.
    pub level: MySqlGrantLevel,
    /// The database, for every level but global; `_` and `%` stand for themselves.
    /// The name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The table, for the levels table and column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The columns, for the level column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The procedure, for the level procedure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
    /// The function, for the level function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Privileges, in capitals, for example SELECT or `BACKUP_ADMIN`; 1 to 20 of them.
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[A-Z][A-Z_ ]*$")))]
    pub privileges: Vec<String>,
    /// Whether the privileges may be granted on to others. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_grant_option: Option<bool>,
}

/// Levels at which MySQL grants rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MySqlGrantLevel {
    /// The server.
    Global,
    /// All of a database.
    Database,
    /// A table or view.
    Table,
    /// Columns of a table.
    Column,
    /// A stored procedure.
    Procedure,
    /// A stored function.
    Function,
}
