//! `spec.postgres` of a grant: memberships, rights on objects, rights on objects that are created later.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PostgresObjectType;

/// What a user or role is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresGrantConfig {
    /// Server roles to be a member of, with the server's default options; each name is a reference and needs
    /// consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Server roles to be a member of, with options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memberships: Option<Vec<PostgresMembership>>,
    /// Rights on databases and on what is in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<PostgresGrant>>,
    /// Rights on objects that are created later (`ALTER DEFAULT PRIVILEGES`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_privileges: Option<Vec<PostgresDefaultPrivilegeGrant>>,
}

/// A membership in a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresMembership {
    /// The role to be a member of; the name is a reference and needs consent like any other.
    #[schemars(length(min = 1))]
    pub role: String,
    /// Whether the member may make others members. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<bool>,
    /// Whether the member has the role's rights without SET ROLE; PostgreSQL 16 and later.
    /// Default: what `inherit` says of the member itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherit: Option<bool>,
    /// Whether the member may become the role by SET ROLE; PostgreSQL 16 and later. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<bool>,
}

/// Rights in one database.
///
/// Without a schema they are about the database itself: CONNECT, TEMPORARY, CREATE. With a schema and no objects
/// USAGE and CREATE are about the schema, and everything else about all tables in it. With objects each privilege
/// goes to the kinds of objects that have it. ALL is every privilege that the objects have on the server's version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresGrant {
    /// The database; the name is a reference and needs consent like any other.
    #[schemars(length(min = 1))]
    pub database: String,
    /// The schema of the objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Tables, views, materialized views and foreign tables by name; `*` means all that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
    /// Columns, by the table that they are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeMap<String, Vec<String>>>,
    /// Sequences by name; `*` means all that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<Vec<String>>,
    /// Functions and aggregates by name, with the types of the arguments where several have the name:
    /// `total(integer, text)`. Types that are not built in are written with their schema. `*` means all that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<String>>,
    /// Procedures, written as functions are; `*` means all that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedures: Option<Vec<String>>,
    /// Types and domains by name; `*` means all that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Privileges, in capitals, for example SELECT; 1 to 20 of them. One that fits none of the objects is refused.
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[A-Z][A-Z ]*$")))]
    pub privileges: Vec<String>,
    /// Whether the privileges may be granted on to others. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_grant_option: Option<bool>,
    /// Whether `*` is about objects that are created later too: those of the owners of the present objects and of
    /// the schema's owner (`ALTER DEFAULT PRIVILEGES`). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub future: Option<bool>,
    /// Makes this entry about everyone on the server (PUBLIC) instead of the user or role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<PostgresPublic>,
}

/// What an entry about everyone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum PostgresPublic {
    /// Everyone gets the privileges. What the server gives everyone by itself is not taken back with the entry.
    Granted,
    /// They are taken from everyone (`REVOKE ... FROM PUBLIC`). Removing the entry does not give them back.
    Revoked,
}

/// Privileges on objects that a role creates later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresDefaultPrivilegeGrant {
    /// The database; the name is a reference and needs consent like any other.
    #[schemars(length(min = 1))]
    pub database: String,
    /// Schema in which the objects are created. Default: all schemas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Role whose future objects this is about (`FOR ROLE`); the name is a reference and needs consent.
    #[schemars(length(min = 1))]
    pub granted_by: String,
    /// Kind of object this is about.
    pub object_type: PostgresObjectType,
    /// Privileges to grant, in capitals, for example SELECT; 1 to 20 of them.
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[A-Z][A-Z ]*$")))]
    pub privileges: Vec<String>,
    /// Whether the privileges may be granted on to others. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_grant_option: Option<bool>,
}
