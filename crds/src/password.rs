//! Where a user's password comes from and how it is published.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default_value::on;

/// The generated password and the Secret it is published in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordConfig {
    /// Whether a password is generated. Where it is not, the Secret is somebody else's, and its key `password` is followed.
    #[serde(default = "on")]
    pub generate: bool,
    /// Length of the password in characters, 8 to 128.
    #[serde(default = "length")]
    #[schemars(range(min = 8, max = 128))]
    pub length: u32,
    /// Whether the password contains some of `!@#$%^&*`.
    #[serde(default = "on")]
    pub include_special_chars: bool,
    /// Characters that the password must not contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_chars: Option<String>,
    /// Name of the Secret.
    pub secret_name: String,
    /// Namespace of the Secret. Default: that of the resource; another one needs a `DatabaseReferenceGrant` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_namespace: Option<String>,
    /// Where the credentials are published.
    #[serde(default)]
    pub format: SecretFormat,
    /// What the Secret looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_template: Option<SecretTemplate>,
}

impl PasswordConfig {
    /// What holds where only the Secret's name is known.
    pub fn named(secret_name: impl Into<String>) -> Self {
        Self {
            generate: true,
            length: length(),
            include_special_chars: true,
            exclude_chars: None,
            secret_name: secret_name.into(),
            secret_namespace: None,
            format: SecretFormat::default(),
            secret_template: None,
        }
    }
}

fn length() -> u32 {
    32
}

/// Where credentials are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretFormat {
    /// In a Secret.
    #[default]
    Kubernetes,
    /// In Vault.
    Vault,
    /// Through the External Secrets operator.
    ExternalSecrets,
}

/// What a Secret with credentials looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTemplate {
    /// Type of the Secret.
    #[serde(rename = "type", default = "secret_type")]
    pub type_: String,
    /// Labels of the Secret, beside the operator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations of the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Keys of the Secret with a template each; they replace username, password, host and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<String, String>>,
}

impl Default for SecretTemplate {
    fn default() -> Self {
        Self { type_: secret_type(), labels: None, annotations: None, data: None }
    }
}

fn secret_type() -> String {
    "Opaque".to_owned()
}

/// A Secret whose password the user gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExistingPasswordSecret {
    /// Name of the Secret.
    pub name: String,
    /// Namespace of the Secret. Default: that of the resource; another one needs a `DatabaseReferenceGrant` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Key of the password.
    pub key: String,
}
