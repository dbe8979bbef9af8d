//! The option blocks of ClickHouse: what `spec.clickhouse` of an instance, a database, a user, a role and a grant
//! may say.
//!
//! One definition serves the CRD schema and an adapter, so both accept the same fields.
//! Every optional field is an `Option`: the defaults named in the comments are the adapter's,
//! because only a value that somebody stated may be refused.
//! Deliberately absent: validation beyond shape, and anything that needs a server or Kubernetes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the operator talks to a ClickHouse server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClickHouseInstanceConfig {
    /// Port of the HTTP interface, 1 to 65535. Default: the instance's `connection.port` is used alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub http_port: Option<u16>,
    /// Whether connections use TLS, where the instance has no `tls` block. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
}

/// ClickHouse settings of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClickHouseDatabaseConfig {
    /// Database engine, fixed at creation. Default: Atomic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// ClickHouse attributes of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClickHouseUserConfig {
    /// Hosts or networks the user may connect from. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Database a session starts in. Default: the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_database: Option<String>,
}

/// ClickHouse settings of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClickHouseRoleConfig {
    /// Settings that sessions of the role's members start with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, String>>,
}

/// What a user or role is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClickHouseGrantConfig {
    /// Roles to be a member of; each name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<ClickHouseGrant>>,
}

/// Rights on one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClickHouseGrant {
    /// Level of the rights.
    pub level: ClickHouseGrantLevel,
    /// The database, for the levels database and table; the name is a reference and needs consent like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The table, for the level table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Privileges, in capitals, for example SELECT; 1 to 20 of them.
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[A-Z][A-Z ]*$")))]
    pub privileges: Vec<String>,
    /// Whether the privileges may be granted on to others. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_grant_option: Option<bool>,
}

/// Levels at which ClickHouse grants rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClickHouseGrantLevel {
    /// The server.
    Global,
    /// All of a database.
    Database,
    /// A table.
    Table,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ClickHouseDatabaseConfig, ClickHouseInstanceConfig};

    #[test]
    fn false_survives_a_round_trip() {
        let stated = json!({"secure": false});
        let parsed: ClickHouseInstanceConfig = serde_json::from_value(stated.clone()).unwrap();
        assert_eq!(serde_json::to_value(parsed).unwrap(), stated);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_value::<ClickHouseDatabaseConfig>(json!({"Engine": "Atomic"})).is_err());
    }
}
