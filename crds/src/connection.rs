//! Where an instance's server is and with which credentials it is reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CredentialSecretRef;

/// Where the server is and with which credentials it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionConfig {
    /// Host name or IP address of the server.
    #[schemars(length(min = 1))]
    pub host: String,
    /// TCP port of the server, 1 to 65535.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Database that administrative sessions connect to.
    pub database: String,
    /// Secret with the administrator's credentials. Exactly one of `secretRef` and `existingSecret` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<CredentialSecretRef>,
    /// Secret with the administrator's credentials that something else maintains.
    /// Exactly one of `secretRef` and `existingSecret` must be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_secret: Option<CredentialSecretRef>,
}

impl ConnectionConfig {
    /// The Secret that holds the credentials; `None` where none or two are named.
    pub fn credentials(&self) -> Option<&CredentialSecretRef> {
        match (&self.secret_ref, &self.existing_secret) {
            (Some(secret), None) | (None, Some(secret)) => Some(secret),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}
