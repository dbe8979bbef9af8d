//! TLS between the operator and a server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names;

/// TLS between the operator and the server. Once this block is set, it decides; only where it states neither `enabled`
/// nor a mode, the engine's options may still demand TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsConfig {
    /// Whether TLS is used at all. Default: true where a mode other than `disable` is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How strictly the server is checked, in libpq's meaning.
    #[serde(default)]
    pub mode: TlsMode,
    /// Secret with the CA and, for mutual TLS, the client's certificate and key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<TlsSecretRef>,
}

/// How strictly the server is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// No TLS.
    #[default]
    Disable,
    /// TLS always; the certificate chain is checked only where a CA is given.
    Require,
    /// TLS always, with a certificate chain that leads to the CA.
    VerifyCa,
    /// TLS always, with a chain that leads to the CA and the host's name in the certificate.
    VerifyFull,
}

/// A Secret with TLS material in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsSecretRef {
    /// Name of the Secret.
    pub name: String,
    /// Namespace of the Secret. Default: that of the instance, or of the credentials of one that is cluster-scoped.
    /// Another namespace than the instance's own needs a `DatabaseReferenceGrant` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Names of the keys in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<TlsKeys>,
}

impl TlsSecretRef {
    /// The key names in effect, stated or default.
    pub fn key_names(&self) -> TlsKeys {
        self.keys.clone().unwrap_or_default()
    }
}

/// Names of the keys of a TLS Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsKeys {
    /// Key of the CA certificates.
    #[serde(default = "ca_key")]
    pub ca: String,
    /// Key of the client's certificate chain. Absent: no client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// Key of the client's private key. Absent: no client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Default for TlsKeys {
    fn default() -> Self {
        Self { ca: ca_key(), cert: None, key: None }
    }
}

fn ca_key() -> String {
    names::DEFAULT_CA_KEY.to_owned()
}
