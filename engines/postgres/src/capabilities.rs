//! What the adapter says of itself. The blocks' schemas come from the types that parse them, so that what is
//! described is what is accepted.

use dbprovision_sdk::ObjectKind;
use dbprovision_sdk::adapter::{
    BlockOwner, Description, EngineName, FieldList, NameLimit, OperationGroup, OptionBlock, ServerVersion,
};
use postgres_options::{
    PostgresDatabaseConfig, PostgresGrantConfig, PostgresInstanceConfig, PostgresRoleConfig, PostgresUserConfig,
};
use schemars::JsonSchema;

const ENGINE: &str = "postgres";
const BLOCK: &str = "postgres";
/// `NAMEDATALEN - 1`.
const NAME_BYTES: u32 = 63;

/// `template` and a companion's password are not here: nothing on the server tells what they were.
const DATABASE_FIELDS: &[&str] = &[
    "owner",
    "comment",
    "options.encoding",
    "options.lcCollate",
    "options.lcCtype",
    "options.tablespace",
    "options.connectionLimit",
    "options.isTemplate",
    "options.allowConnections",
    "options.extensions",
    "options.schemas",
    "options.defaultPrivileges",
    "options.ownership",
];

const USER_FIELDS: &[&str] = &[
    "roles",
    "comment",
    "options.connectionLimit",
    "options.validUntil",
    "options.superuser",
    "options.createDB",
    "options.createRole",
    "options.inherit",
    "options.login",
    "options.replication",
    "options.bypassRLS",
    "options.inRoles",
    "options.defaultRole",
    "options.configParameters",
];

/// `grants` are read back by the grant operations, which serve them.
const ROLE_FIELDS: &[&str] = &[
    "comment",
    "options.login",
    "options.inherit",
    "options.createDB",
    "options.createRole",
    "options.superuser",
    "options.replication",
    "options.bypassRLS",
    "options.inRoles",
];

const GRANT_FIELDS: &[&str] =
    &["roles", "options.roles", "options.memberships", "options.grants", "options.defaultPrivileges"];

/// See `wit/describe.wit`.
pub(crate) fn describe() -> Description {
    Description {
        engines: vec![EngineName { name: ENGINE.to_owned(), aliases: vec!["postgresql".to_owned()] }],
        adapter_version: env!("CARGO_PKG_VERSION").to_owned(),
        servers: vec![ServerVersion { engine: ENGINE.to_owned(), oldest: "13".to_owned(), newest: "18".to_owned() }],
        groups: vec![
            OperationGroup::Database,
            OperationGroup::User,
            OperationGroup::Role,
            OperationGroup::Grant,
            OperationGroup::Schema,
            OperationGroup::Script,
            OperationGroup::Discovery,
        ],
        blocks: vec![
            block::<PostgresInstanceConfig>(BlockOwner::Instance),
            block::<PostgresDatabaseConfig>(BlockOwner::Database),
            block::<PostgresUserConfig>(BlockOwner::User),
            block::<PostgresRoleConfig>(BlockOwner::Role),
            block::<PostgresGrantConfig>(BlockOwner::Grant),
        ],
        fields: vec![
            fields(BlockOwner::Database, DATABASE_FIELDS),
            fields(BlockOwner::User, USER_FIELDS),
            fields(BlockOwner::Role, ROLE_FIELDS),
            fields(BlockOwner::Grant, GRANT_FIELDS),
        ],
        tools: Vec::new(),
        name_limits: [ObjectKind::Database, ObjectKind::User, ObjectKind::Role]
            .map(|kind| NameLimit { kind, bytes: NAME_BYTES })
            .into(),
    }
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
    fn every_field_of_a_block_is_readable_or_known_not_to_be() {
        for (schema, fields, unreadable) in [
            (schemars::schema_for!(PostgresDatabaseConfig), DATABASE_FIELDS, &["template"][..]),
            (schemars::schema_for!(PostgresUserConfig), USER_FIELDS, &[]),
            (schemars::schema_for!(PostgresRoleConfig), ROLE_FIELDS, &["grants"]),
            (schemars::schema_for!(PostgresGrantConfig), GRANT_FIELDS, &[]),
        ] {
            let properties = schema.as_value()["properties"].as_object().unwrap();
            for name in properties.keys() {
                let readable = fields.contains(&format!("options.{name}").as_str());
                assert_ne!(readable, unreadable.contains(&name.as_str()), "{name}");
            }
        }
    }
}
