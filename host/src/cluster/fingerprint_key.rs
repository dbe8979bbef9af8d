//! The key of the password fingerprints: 32 random bytes in a Secret of the operator's own namespace.
//!
//! With it, a fingerprint in status tells nothing to whoever reads status. It is made once and kept: a new key
//! would make every password look changed. Read when it is first needed, then held until the process ends.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use rand::TryRng as _;
use rand::rngs::SysRng;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::cluster::absence::present_or_absent;
use crate::cluster::secrets::FIELD_MANAGER;
use crate::errors::{Class, Classified, class_of_kube};

/// Name of the Secret.
pub const SECRET_NAME: &str = "db-provision-operator-fingerprint-key";
/// The key in its data.
const DATA_KEY: &str = "key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum FingerprintKeyError {
    /// The Secret cannot be read.
    #[error("cannot read the Secret {SECRET_NAME}")]
    Read(#[source] kube::Error),
    /// The Secret cannot be created.
    #[error("cannot create the Secret {SECRET_NAME}")]
    Create(#[source] kube::Error),
    /// The Secret holds something else.
    #[error("the Secret {SECRET_NAME} holds no key of 32 bytes; it is not overwritten")]
    Malformed,
    /// The machine has no randomness.
    #[error("cannot get random bytes: {0}")]
    Generate(String),
}

impl Classified for FingerprintKeyError {
    fn class(&self) -> Class {
        match self {
            Self::Read(source) | Self::Create(source) => class_of_kube(source),
            Self::Malformed => Class::Refused,
            Self::Generate(_) => Class::Transient,
        }
    }
}

/// The key, read when first asked for.
pub struct FingerprintKey {
    api: Api<Secret>,
    read: OnceCell<Zeroizing<[u8; 32]>>,
}

impl FingerprintKey {
    /// The key in this namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), read: OnceCell::new() }
    }

    /// The key; made and stored where there is none.
    pub async fn get(&self) -> Result<&[u8; 32], FingerprintKeyError> {
        self.read.get_or_try_init(|| self.read_or_create()).await.map(|key| &**key)
    }

    async fn read_or_create(&self) -> Result<Zeroizing<[u8; 32]>, FingerprintKeyError> {
        if let Some(found) = self.read().await? {
            return key_of(found);
        }
        let mut key = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *key).map_err(|error| FingerprintKeyError::Generate(error.to_string()))?;
        let secret = Secret {
            metadata: ObjectMeta { name: Some(SECRET_NAME.to_owned()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(DATA_KEY.to_owned(), ByteString(key.to_vec()))])),
            // Nobody has a reason to change it, and a change would look like one of every password.
            immutable: Some(true),
            ..Secret::default()
        };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.api.create(&parameters, &secret).await {
            Ok(_) => Ok(key),
            // Another replica was first; its key is the key.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let found = self.read().await?;
                found.map_or(Err(FingerprintKeyError::Create(kube::Error::Api(status))), key_of)
            }
            Err(source) => Err(FingerprintKeyError::Create(source)),
        }
    }

    async fn read(&self) -> Result<Option<Secret>, FingerprintKeyError> {
        present_or_absent(self.api.get(SECRET_NAME).await, SECRET_NAME).map_err(FingerprintKeyError::Read)
    }
}

fn key_of(secret: Secret) -> Result<Zeroizing<[u8; 32]>, FingerprintKeyError> {
    let value = secret.data.and_then(|mut data| data.remove(DATA_KEY)).map(|ByteString(value)| Zeroizing::new(value));
    let value = value.ok_or(FingerprintKeyError::Malformed)?;
    let key = <[u8; 32]>::try_from(value.as_slice()).map_err(|_length| FingerprintKeyError::Malformed)?;
    Ok(Zeroizing::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: Option<&[u8]>) -> Secret {
        let data = value.map(|value| BTreeMap::from([(DATA_KEY.to_owned(), ByteString(value.to_vec()))]));
        Secret { data, ..Secret::default() }
    }

    #[test]
    fn only_32_bytes_are_a_key() {
        assert_eq!(**key_of(secret(Some(&[7; 32]))).as_ref().unwrap(), [7; 32]);
        assert!(matches!(key_of(secret(Some(&[7; 31]))), Err(FingerprintKeyError::Malformed)));
        assert!(matches!(key_of(secret(None)), Err(FingerprintKeyError::Malformed)));
    }
}
