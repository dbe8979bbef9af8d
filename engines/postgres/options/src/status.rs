//! `status.postgres` of a database: what was observed on the server.
//!
//! Unknown fields are tolerated here: a newer operator may have written more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What PostgreSQL says about a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresDatabaseStatus {
    /// Character set encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Collation (`LC_COLLATE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Installed extensions with their versions, where the spec says something of what is inside the database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub installed_extensions: Vec<PostgresExtensionStatus>,
    /// Names of the schemas, without the system's and at most 500, where the spec says something of what is inside the
    /// database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// The owner role and the application user, where `ownership.autoOwnership` asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<PostgresOwnershipStatus>,
}

/// An installed extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresExtensionStatus {
    /// Name of the extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Installed version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The owner role and the application user of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresOwnershipStatus {
    /// Name of the owner role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// Name of the application user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// How far the two are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PostgresOwnershipPhase>,
    /// What is missing, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How far the owner role and the application user of a database are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum PostgresOwnershipPhase {
    /// Not all is there yet.
    Pending,
    /// All is there as asked.
    Ready,
    /// Something failed; the message says what.
    Failed,
}
