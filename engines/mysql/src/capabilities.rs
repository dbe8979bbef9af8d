//! What the adapter says of itself. The blocks' schemas come from the types that parse them, so that what is
//! described is what is accepted.

use dbprovision_sdk::ObjectKind;
use dbprovision_sdk::adapter::{
    BlockOwner, Description, EngineName, FieldList, NameLimit, OperationGroup, OptionBlock, ServerVersion,
};
use mysql_options::{MySqlDatabaseConfig, MySqlGrantConfig, MySqlInstanceConfig, MySqlRoleConfig, MySqlUserConfig};
use schemars::JsonSchema;

use crate::names;

pub(crate) const MYSQL: &str = "mysql";
pub(crate) const MARIADB: &str = "mariadb";
/// Both engines share it.
const BLOCK: &str = "mysql";
/// The server keeps names in three-byte UTF-8, and counts characters.
const BYTES_PER_CHARACTER: usize = 3;

const DATABASE_FIELDS: &[&str] =
    &["comment", "options.charset", "options.collation", "options.sqlMode", "options.defaultStorageEngine"];

const USER_FIELDS: &[&str] = &[
    "roles",
    "comment",
    "options.maxQueriesPerHour",
    "options.maxUpdatesPerHour",
    "options.maxConnectionsPerHour",
    "options.maxUserConnections",
    "options.authPlugin",
    "options.requireSSL",
    "options.requireX509",
    "options.allowedHosts",
    "options.accountLocked",
    "options.failedLoginAttempts",
    "options.passwordLockTime",
    "options.passwordLifetime",
];

const ROLE_FIELDS: &[&str] = &["comment", "options.useNativeRoles", "options.grants"];

const GRANT_FIELDS: &[&str] = &["roles", "options.roles", "options.grants"];

/// See `wit/describe.wit`.
pub(crate) fn describe() -> Description {
    let server = |engine: &str, oldest: &str, newest: &str| ServerVersion {
        engine: engine.to_owned(),
        oldest: oldest.to_owned(),
        newest: newest.to_owned(),
    };
    let engine = |name: &str| EngineName { name: name.to_owned(), aliases: Vec::new() };
    Description {
        engines: vec![engine(MYSQL), engine(MARIADB)],
        adapter_version: env!("CARGO_PKG_VERSION").to_owned(),
        servers: vec![server(MYSQL, "8.0.21", "9.7"), server(MARIADB, "10.5", "11.8")],
        groups: vec![
            OperationGroup::Database,
            OperationGroup::User,
            OperationGroup::Role,
            OperationGroup::Grant,
            OperationGroup::Script,
            OperationGroup::Discovery,
        ],
        blocks: vec![
            block::<MySqlInstanceConfig>(BlockOwner::Instance),
            block::<MySqlDatabaseConfig>(BlockOwner::Database),
            block::<MySqlUserConfig>(BlockOwner::User),
            block::<MySqlRoleConfig>(BlockOwner::Role),
            block::<MySqlGrantConfig>(BlockOwner::Grant),
        ],
        fields: vec![
            fields(BlockOwner::Database, DATABASE_FIELDS),
            fields(BlockOwner::User, USER_FIELDS),
            fields(BlockOwner::Role, ROLE_FIELDS),
            fields(BlockOwner::Grant, GRANT_FIELDS),
        ],
        tools: Vec::new(),
        name_limits: vec![
            limit(ObjectKind::Database, names::LONGEST_DATABASE),
            limit(ObjectKind::User, names::LONGEST_USER),
            limit(ObjectKind::Role, names::LONGEST_USER),
        ],
    }
}

fn limit(kind: ObjectKind, characters: usize) -> NameLimit {
    NameLimit { kind, bytes: u32::try_from(characters * BYTES_PER_CHARACTER).unwrap_or(u32::MAX) }
}

fn block<T: JsonSchema>(owner: BlockOwner) -> OptionBlock {
    OptionBlock { owner, block: BLOCK.to_owned(), schema: schemars::schema_for!(T).to_value().to_string() }
}

fn fields(owner: BlockOwner, names: &[&str]) -> FieldList {
    FieldList { owner, readable: names.iter().map(|&name| name.to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_refuses_unknown_fields() {
        for block in describe().blocks {
            let schema: serde_json::Value = serde_json::from_str(&block.schema).unwrap();
            assert_eq!(schema["additionalProperties"], serde_json::Value::Bool(false), "{:?}", block.owner);
        }
    }

    #[test]
    fn every_field_of_a_block_is_readable() {
        for (schema, fields) in [
            (schemars::schema_for!(MySqlDatabaseConfig), DATABASE_FIELDS),
            (schemars::schema_for!(MySqlUserConfig), USER_FIELDS),
            (schemars::schema_for!(MySqlRoleConfig), ROLE_FIELDS),
            (schemars::schema_for!(MySqlGrantConfig), GRANT_FIELDS),
        ] {
            for name in schema.as_value()["properties"].as_object().unwrap().keys() {
                assert!(fields.contains(&format!("options.{name}").as_str()), "{name}");
            }
        }
    }
}
