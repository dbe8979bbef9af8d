//! Secrets: handles that become values only on a connection that is safe enough.

use std::fmt;

use crate::Wire;
use crate::bindings::dbprovision::adapter::secrets as host;
use crate::{Error, SecretError};

/// A value the host keeps. Dropping it forgets the handle.
pub enum Secret {
    /// In a guest: the host's handle.
    Host(host::Secret),
    /// In native tests and benchmarks: the value itself.
    Known(Vec<u8>),
}

impl Secret {
    /// The value, to be used on `wire` and nowhere else.
    pub fn reveal(&self, wire: &dyn Wire) -> crate::Result<Vec<u8>> {
        wire.reveal(self).map_err(|error| match error {
            SecretError::InsecureConnection => Error::new(
                crate::ErrorKind::PermissionDenied,
                "the connection is not encrypted as the instance demands: no credential is sent on it",
                "reveal was refused",
            ),
            SecretError::Missing(name) => Error::dependency_missing(format!("the Secret is missing: {name}")),
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

impl From<host::Secret> for Secret {
    fn from(handle: host::Secret) -> Self {
        Self::Host(handle)
    }
}

/// The administrator's account.
#[derive(Debug)]
pub struct Credentials {
    /// The account's name.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// The administrator's credentials of the bound instance.
pub fn instance_credentials() -> crate::Result<Credentials> {
    #[cfg(target_arch = "wasm32")]
    return host::instance_credentials()
        .map(|found| Credentials { username: found.username, password: found.password.into() })
        .map_err(|error| Error::dependency_missing(format!("the instance's credentials are missing: {error:?}")));
    #[cfg(not(target_arch = "wasm32"))]
    return crate::native::credentials();
}
