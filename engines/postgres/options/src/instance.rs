//! `spec.postgres` of an instance: how sessions with the server are opened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the operator talks to a PostgreSQL server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresInstanceConfig {
    /// TLS mode in libpq's meaning, used where the instance has no `tls` block. Default: prefer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_mode: Option<PostgresSslMode>,
    /// Time limit for opening a connection, in seconds, at least 1 and at most 3600. Default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub connect_timeout: Option<u32>,
    /// Limit for one statement of the operator, as PostgreSQL's `statement_timeout` takes it, for example `30s`: more
    /// than 0, and `1h` at most. Default: `60s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<String>,
    /// `application_name` of the operator's sessions. Default: db-provision-operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// Whether the login is bound to the TLS channel (SCRAM-SHA-256-PLUS), in libpq's meaning. Default: prefer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_binding: Option<PostgresChannelBinding>,
}

/// Channel binding in libpq's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(description = "")]
pub enum PostgresChannelBinding {
    /// Never.
    Disable,
    /// Where the connection is encrypted and the server offers it.
    Prefer,
    /// Always: a server that does not prove it ends the encryption itself is refused.
    Require,
}

/// TLS mode in libpq's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(description = "")]
pub enum PostgresSslMode {
    /// Never TLS.
    Disable,
    /// TLS only where the server refuses a plain connection.
    Allow,
    /// TLS where the server offers it.
    Prefer,
    /// TLS always; the certificate chain is checked only where a CA is given.
    Require,
    /// TLS always, with a certificate chain that leads to the CA.
    VerifyCa,
    /// TLS always, with a chain that leads to the CA and the host's name in the certificate.
    VerifyFull,
}
