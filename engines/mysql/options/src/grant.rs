//! `spec.mysql` of a role and of a grant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// MySQL settings of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlRoleConfig {
    /// Whether the role is made as one of the server's own, which every server that is served has. False makes it an
    /// account that nobody can log in to, with the role's rights and members; MariaDB's accounts cannot have members,
    /// so it is refused there. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_native_roles: Option<bool>,
    /// Rights of the role. Where they are stated, they are all that the role's own resource gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<MySqlGrant>>,
}

/// MySQL rights of a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlGrantConfig {
    /// Roles to be a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Rights to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<MySqlGrant>>,
}

/// Rights on one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlGrant {
    /// What the rights are on.
    pub level: MySqlGrantLevel,
    /// Name of the database, on every level but `global`. It is a name and no pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Pattern for names of databases, on the level `database` instead of a name: `_` is one character, `%` any number
    /// of them, and a backslash takes a wildcard literally. The instance's ceiling must allow superusers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub database_pattern: Option<String>,
    /// Name of the table, on the levels `table` and `column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Names of columns, on the level `column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Name of the procedure, on the level `procedure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
    /// Name of the function, on the level `function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Privileges, as the server names them, in capitals; `ALL` for all of the level.
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[A-Z][A-Z_ ]*$")))]
    pub privileges: Vec<String>,
    /// Whether the rights may be granted on. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_grant_option: Option<bool>,
}

/// What a right is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(description = "")]
pub enum MySqlGrantLevel {
    /// The whole server.
    Global,
    /// Everything in a database.
    Database,
    /// A table or view.
    Table,
    /// Columns of a table or view.
    Column,
    /// A procedure.
    Procedure,
    /// A function.
    Function,
}
