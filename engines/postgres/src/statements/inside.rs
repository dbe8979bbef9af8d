//! What is inside a database: extensions, schemas, default privileges.

use postgres_options::PostgresObjectType;

use crate::quote::{grantee, identifier, literal};

/// Installs an extension. Never with CASCADE: what else is installed is the spec's to say.
pub(crate) fn create_extension(name: &str, schema: Option<&str>, version: Option<&str>) -> String {
    let mut sql = format!("CREATE EXTENSION IF NOT EXISTS {}", identifier(name));
    if let Some(schema) = schema {
        sql.push_str(" SCHEMA ");
        sql.push_str(&identifier(schema));
    }
    if let Some(version) = version {
        sql.push_str(" VERSION ");
        sql.push_str(&literal(version));
    }
    sql
}

/// Brings an extension to a version.
pub(crate) fn update_extension(name: &str, version: &str) -> String {
    format!("ALTER EXTENSION {} UPDATE TO {}", identifier(name), literal(version))
}

/// Moves an extension.
pub(crate) fn move_extension(name: &str, schema: &str) -> String {
    format!("ALTER EXTENSION {} SET SCHEMA {}", identifier(name), identifier(schema))
}

/// Removes an extension nothing depends on.
pub(crate) fn drop_extension(name: &str) -> String {
    format!("DROP EXTENSION IF EXISTS {}", identifier(name))
}

/// Creates a schema; without an owner it belongs to whoever runs this.
pub(crate) fn create_schema(name: &str, owner: Option<&str>) -> String {
    let owner = owner.map(|role| format!(" AUTHORIZATION {}", identifier(role))).unwrap_or_default();
    format!("CREATE SCHEMA IF NOT EXISTS {}{owner}", identifier(name))
}

/// Gives a schema to another role.
pub(crate) fn schema_owner(name: &str, owner: &str) -> String {
    format!("ALTER SCHEMA {} OWNER TO {}", identifier(name), identifier(owner))
}

/// Drops an empty schema.
pub(crate) fn drop_schema(name: &str) -> String {
    format!("DROP SCHEMA IF EXISTS {}", identifier(name))
}

/// Rights on objects that `role` creates later; without a schema, in all of them.
pub(crate) fn default_privileges(
    role: &str,
    schema: Option<&str>,
    privileges: &str,
    kind: PostgresObjectType,
    to: &str,
) -> String {
    let place = schema.map(|schema| format!(" IN SCHEMA {}", identifier(schema))).unwrap_or_default();
    format!(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {}{place} GRANT {privileges} ON {} TO {}",
        identifier(role),
        word(kind),
        grantee(to)
    )
}

fn word(kind: PostgresObjectType) -> &'static str {
    match kind {
        PostgresObjectType::Tables => "TABLES",
        PostgresObjectType::Sequences => "SEQUENCES",
        PostgresObjectType::Functions => "FUNCTIONS",
        PostgresObjectType::Types => "TYPES",
    }
}

/// The catalogue's letter for a kind.
pub(crate) fn letter(kind: PostgresObjectType) -> &'static str {
    match kind {
        PostgresObjectType::Tables => "r",
        PostgresObjectType::Sequences => "S",
        PostgresObjectType::Functions => "f",
        PostgresObjectType::Types => "T",
    }
}
