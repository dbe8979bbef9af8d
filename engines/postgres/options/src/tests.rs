//! What the blocks promise: stated values survive, unknown fields are refused, nothing has a schema default.

use serde_json::{Value, json};

use crate::{
    PostgresDatabaseConfig, PostgresGrantConfig, PostgresInstanceConfig, PostgresRoleConfig, PostgresUserConfig,
};

#[test]
fn false_zero_and_empty_survive_a_round_trip() {
    let stated = json!({
        "connectionLimit": 0, "superuser": false, "createDB": false, "createRole": false, "inherit": false,
        "login": false, "replication": false, "bypassRLS": false, "inRoles": [], "configParameters": {}
    });
    let parsed: PostgresUserConfig = serde_json::from_value(stated.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
    let stated = json!({
        "connectionLimit": 0, "isTemplate": false, "allowConnections": false, "extensions": [], "schemas": [],
        "ownership": {"autoOwnership": false, "dropOnDelete": false, "setDefaultPrivileges": false}
    });
    let parsed: PostgresDatabaseConfig = serde_json::from_value(stated.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
    let stated = json!({
        "login": false, "inherit": false, "createDB": false, "createRole": false, "superuser": false,
        "replication": false, "bypassRLS": false, "inRoles": [], "grants": []
    });
    let parsed: PostgresRoleConfig = serde_json::from_value(stated.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
    let stated = json!({
        "roles": [], "memberships": [{"role": "r", "admin": false, "inherit": false, "set": false}],
        "grants": [{
            "database": "d", "schema": "s", "tables": [], "columns": {"t": []}, "sequences": [], "functions": [],
            "procedures": [], "types": [], "privileges": ["ALL"], "withGrantOption": false, "future": false,
            "public": "Revoked"
        }],
        "defaultPrivileges": [{
            "database": "d", "schema": "s", "grantedBy": "o", "objectType": "tables", "privileges": ["SELECT"],
            "withGrantOption": false
        }]
    });
    let parsed: PostgresGrantConfig = serde_json::from_value(stated.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
}

#[test]
fn an_empty_block_states_nothing() {
    assert_eq!(serde_json::to_value(PostgresInstanceConfig::default()).unwrap(), json!({}));
    assert_eq!(serde_json::to_value(PostgresDatabaseConfig::default()).unwrap(), json!({}));
    assert_eq!(serde_json::to_value(PostgresUserConfig::default()).unwrap(), json!({}));
    assert_eq!(serde_json::to_value(PostgresRoleConfig::default()).unwrap(), json!({}));
    assert_eq!(serde_json::to_value(PostgresGrantConfig::default()).unwrap(), json!({}));
}

#[test]
fn an_unknown_field_is_refused_at_every_level() {
    for unknown in [
        json!({"conectionLimit": 1}),
        json!({"extensions": [{"name": "x", "versoin": "1"}]}),
        json!({"schemas": [{"name": "x", "ower": "y"}]}),
        json!({"ownership": {"autoOwner": true}}),
        json!({"defaultPrivileges": [{"role": "r", "schema": "s", "objectType": "tables", "privileges": ["SELECT"], "to": "g"}]}),
    ] {
        assert!(serde_json::from_value::<PostgresDatabaseConfig>(unknown.clone()).is_err(), "{unknown}");
    }
    for unknown in [
        json!({"role": ["x"]}),
        json!({"memberships": [{"role": "x", "option": true}]}),
        json!({"grants": [{"database": "d", "privileges": ["SELECT"], "table": ["x"]}]}),
        json!({"defaultPrivileges": [{"database": "d", "grantedBy": "o", "objectType": "tables", "privileges": [], "to": "x"}]}),
    ] {
        assert!(serde_json::from_value::<PostgresGrantConfig>(unknown.clone()).is_err(), "{unknown}");
    }
}

#[test]
fn no_field_has_a_schema_default() {
    for schema in [
        schemars::schema_for!(PostgresInstanceConfig),
        schemars::schema_for!(PostgresDatabaseConfig),
        schemars::schema_for!(PostgresUserConfig),
        schemars::schema_for!(PostgresRoleConfig),
        schemars::schema_for!(PostgresGrantConfig),
    ] {
        assert_no_default(schema.as_value());
    }
}

fn assert_no_default(schema: &Value) {
    match schema {
        Value::Object(fields) => {
            assert!(!fields.contains_key("default"), "{schema}");
            fields.values().for_each(assert_no_default);
        }
        Value::Array(items) => items.iter().for_each(assert_no_default),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
