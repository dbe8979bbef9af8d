//! `spec.mysql` and `spec.resourceTracking.mysql` of an instance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the operator talks to a MySQL or MariaDB server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlInstanceConfig {
    /// Character set of the operator's sessions. Default: utf8mb4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Collation of the operator's sessions. Default: `utf8mb4_unicode_ci`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Whether times are read as times. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parse_time: Option<bool>,
    /// Time limit for opening a connection, as a duration of at most 1h. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Time limit for one answer of the server, as a duration of at most 1h. Default: 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<String>,
    /// Time limit for sending one request, as a duration of at most 1h. Default: 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_timeout: Option<String>,
    /// TLS mode, used where the instance has no `tls` block. Default: preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<MySqlTlsMode>,
}

/// TLS mode of a MySQL connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(description = "")]
pub enum MySqlTlsMode {
    /// Never TLS.
    Disabled,
    /// TLS where the server offers it.
    Preferred,
    /// TLS always, with a verified certificate.
    Required,
    /// TLS always, without a check of the certificate.
    SkipVerify,
}

/// Where MySQL keeps the marks of what the operator manages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlResourceTrackingConfig {
    /// Whether users are also marked by user attributes, which MySQL 8.0.21 and later have and MariaDB has not.
    /// Default: true where the server can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_user_attributes: Option<bool>,
    /// Name of the metadata table. Default: `_dbops_metadata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_table_name: Option<String>,
    /// Database of the metadata table. Default: the instance's `connection.database`, or `_dbops` where that is one of
    /// the server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_database: Option<String>,
}
