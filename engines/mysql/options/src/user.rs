//! `spec.mysql` and `spec.passwordRotation.mysql` of a user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// MySQL attributes of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlUserConfig {
    /// Most queries an hour; 0 means no limit of its own. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queries_per_hour: Option<u32>,
    /// Most updates an hour; 0 means no limit of its own. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_updates_per_hour: Option<u32>,
    /// Most new connections an hour; 0 means no limit of its own. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections_per_hour: Option<u32>,
    /// Most concurrent connections; 0 means the server's own limit. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_user_connections: Option<u32>,
    /// How the user authenticates. Default: `caching_sha2_password` where the server has it, otherwise the server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_plugin: Option<MySqlAuthPlugin>,
    /// Whether the user must connect by TLS. Default: false.
    #[serde(rename = "requireSSL", skip_serializing_if = "Option::is_none")]
    pub require_ssl: Option<bool>,
    /// Whether the user must present a valid client certificate. Default: false.
    #[serde(rename = "requireX509", skip_serializing_if = "Option::is_none")]
    pub require_x509: Option<bool>,
    /// Hosts the user may connect from; each is an account of its own. Default: `%`, which is every host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Whether the account is locked. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_locked: Option<bool>,
    /// Failed logins in a row after which the account is locked for a time; 0 means never. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_login_attempts: Option<u32>,
    /// How long such a lock lasts, in days. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_lock_time: Option<u32>,
    /// Days after which the password expires; 0 means never. Default: the server's `default_password_lifetime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_lifetime: Option<u32>,
}

/// Authentication plugins of MySQL and MariaDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "")]
pub enum MySqlAuthPlugin {
    /// The method of old clients; MySQL 9 no longer has it.
    MysqlNativePassword,
    /// MySQL's default since 8.0; MariaDB does not have it by default.
    #[serde(rename = "caching_sha2_password")]
    CachingSha2Password,
    /// SHA-256 without a cache.
    Sha256Password,
    /// MariaDB's Ed25519 signatures, where the server has the plugin.
    Ed25519,
    /// MariaDB's Ed25519 signatures with a salted key, from 11.6 on, where the server has the plugin.
    Parsec,
}

/// The MySQL part of a password rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlRotationConfig {
    /// Days after which the old one of two valid passwords is discarded, at least 1. Default: 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub discard_old_password_after_days: Option<u32>,
}
