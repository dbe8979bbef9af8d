//! `spec.postgres` of a database: its settings, extensions, schemas and default privileges.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PostgresOwnershipConfig;

/// PostgreSQL settings of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresDatabaseConfig {
    /// Character set encoding, fixed at creation. Default: UTF8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Collation (`LC_COLLATE`), fixed at creation. Default: the template's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lc_collate: Option<String>,
    /// Character classification (`LC_CTYPE`), fixed at creation. Default: the template's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lc_ctype: Option<String>,
    /// Tablespace of the database. Default: `pg_default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
    /// Template the database is copied from at creation. Default: template0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Most concurrent connections; -1 means no limit, 0 means none. Default: -1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub connection_limit: Option<i32>,
    /// Whether any user with CREATEDB may copy this database. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_template: Option<bool>,
    /// Whether anyone may connect. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_connections: Option<bool>,
    /// Extensions to install, and to update where a version is stated. One removed from this list stays installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<PostgresExtension>>,
    /// Schemas to create. One removed from this list is not dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemas: Option<Vec<PostgresSchema>>,
    /// Privileges on objects that are created later (`ALTER DEFAULT PRIVILEGES`). What is removed from this list stays
    /// as it is; a `DatabaseGrant` takes back what leaves its spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_privileges: Option<Vec<PostgresDefaultPrivilege>>,
    /// An owner role and an application user created together with the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<PostgresOwnershipConfig>,
}

/// An extension of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresExtension {
    /// Name of the extension as the server lists it.
    pub name: String,
    /// Schema to install it into. Default: public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Version to install or update to. Default: the server's default version, and no later update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A schema of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresSchema {
    /// Name of the schema.
    pub name: String,
    /// Role that owns the schema; the name is a reference and needs consent like any other.
    /// Default: the owner of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Privileges that objects get when they are created later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresDefaultPrivilege {
    /// Role whose future objects this is about (`FOR ROLE`).
    pub role: String,
    /// Role that gets the privileges. Default: the same as `role`, which has them on its own objects anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub grantee: Option<String>,
    /// Schema in which the objects are created.
    pub schema: String,
    /// Kind of object this is about.
    pub object_type: PostgresObjectType,
    /// Privileges to grant, in capitals, for example SELECT; 1 to 20 of them.
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[A-Z][A-Z ]*$")))]
    pub privileges: Vec<String>,
}

/// Kinds of objects that have default privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PostgresObjectType {
    /// Tables, views and the like.
    Tables,
    /// Sequences.
    Sequences,
    /// Functions and procedures.
    Functions,
    /// Types and domains.
    Types,
}
