//! What the blocks promise: stated values survive, unknown fields are refused.

use serde_json::json;

use crate::{MySqlAuthPlugin, MySqlDatabaseConfig, MySqlInstanceConfig, MySqlUserConfig};

#[test]
fn false_zero_and_empty_survive_a_round_trip() {
    let stated = json!({
        "maxQueriesPerHour": 0, "maxUpdatesPerHour": 0, "maxConnectionsPerHour": 0, "maxUserConnections": 0,
        "requireSSL": false, "requireX509": false, "allowedHosts": [], "accountLocked": false,
        "failedLoginAttempts": 0, "passwordLockTime": 0
    });
    let parsed: MySqlUserConfig = serde_json::from_value(stated.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
    let stated = json!({"parseTime": false});
    let parsed: MySqlInstanceConfig = serde_json::from_value(stated.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
}

#[test]
fn plugins_have_the_names_of_the_server() {
    for (plugin, name) in [
        (MySqlAuthPlugin::MysqlNativePassword, "mysql_native_password"),
        (MySqlAuthPlugin::CachingSha2Password, "caching_sha2_password"),
        (MySqlAuthPlugin::Sha256Password, "sha256_password"),
        (MySqlAuthPlugin::Ed25519, "ed25519"),
        (MySqlAuthPlugin::Parsec, "parsec"),
    ] {
        assert_eq!(serde_json::to_value(plugin).unwrap(), name);
    }
}

#[test]
fn an_unknown_field_is_refused() {
    assert!(serde_json::from_value::<MySqlDatabaseConfig>(json!({"charSet": "utf8mb4"})).is_err());
    assert!(serde_json::from_value::<MySqlUserConfig>(json!({"requireSsl": true})).is_err());
}
