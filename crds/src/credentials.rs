//! References to Secrets and `ConfigMaps`, and the names of the keys in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Secret with a user name and a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialSecretRef {
    /// Name of the Secret.
    pub name: String,
    /// Namespace of the Secret. Default: that of the resource; a cluster-scoped resource must state it.
    /// Another namespace than the resource's own needs a `DatabaseReferenceGrant` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Names of the keys in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<CredentialKeys>,
}

impl CredentialSecretRef {
    /// The key names in effect, stated or default.
    pub fn key_names(&self) -> CredentialKeys {
        self.keys.clone().unwrap_or_default()
    }
}

/// Names of the keys of a credential Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialKeys {
    /// Key of the user name.
    #[serde(default = "username_key")]
    pub username: String,
    /// Key of the password.
    #[serde(default = "password_key")]
    pub password: String,
}

impl Default for CredentialKeys {
    fn default() -> Self {
        Self { username: username_key(), password: password_key() }
    }
}

fn username_key() -> String {
    "username".to_owned()
}

fn password_key() -> String {
    "password".to_owned()
}

/// One key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeySelector {
    /// Name of the Secret.
    pub name: String,
    /// Namespace of the Secret. Default: that of the resource; another one needs a `DatabaseReferenceGrant` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Key in the Secret.
    pub key: String,
}

/// One key of a `ConfigMap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeySelector {
    /// Name of the `ConfigMap`.
    pub name: String,
    /// Namespace of the `ConfigMap`. Default: that of the resource; another one needs a `DatabaseReferenceGrant` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Key in the `ConfigMap`.
    pub key: String,
}
