//! `spec.mysql` and `status.mysql` of a database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// MySQL settings of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlDatabaseConfig {
    /// Default character set of new tables. Default: utf8mb4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9_]+$"))]
    pub charset: Option<String>,
    /// Default collation of new tables. Default: `utf8mb4_unicode_ci`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9_]+$"))]
    pub collation: Option<String>,
    /// SQL mode for this database, where the server can keep one per database. Default: the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_mode: Option<String>,
    /// Storage engine of new tables, where the server can keep one per database. Default: the server's, usually `InnoDB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_storage_engine: Option<String>,
}

/// What MySQL says about a database.
///
/// Unknown fields are tolerated here: a newer operator may have written more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MySqlDatabaseStatus {
    /// Default character set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Default collation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}
