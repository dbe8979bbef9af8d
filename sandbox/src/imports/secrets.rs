//! `secrets`: handles that a guest turns into values only on a connection as safe as the instance demands.

use wasmtime::component::Resource;

use super::net::Connection;
use crate::contract::imported::secrets::{Credentials, Host, HostSecret, SecretError};
use crate::secret_value::SecretValue;
use crate::state::{GuestState, Reach};

/// A secret that a guest may ask for. It is in the guest's scrubber from the moment the handle exists.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Secret(pub(crate) SecretValue);

impl Host for GuestState {
    async fn instance_credentials(&mut self) -> wasmtime::Result<Result<Credentials, SecretError>> {
        self.allow_import("secrets.instance-credentials")?;
        let Reach::Server(context) = &self.reach else {
            return Ok(Err(SecretError::Missing("an examination has no credentials".to_owned())));
        };
        let (username, value) = (context.credentials.username.clone(), context.credentials.password.clone());
        let password = self.lend_secret(&value)?;
        Ok(Ok(Credentials { username, password }))
    }
}

impl HostSecret for GuestState {
    async fn reveal(
        &mut self,
        secret: Resource<Secret>,
        on: Resource<Connection>,
    ) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        self.allow_import("secrets.reveal")?;
        if !self.table.get(&on)?.may_carry_secrets() {
            return Ok(Err(SecretError::InsecureConnection));
        }
        let value = self.table.get(&secret)?.0.expose().to_vec();
        if let Reach::Server(context) = &self.reach {
            context.tally.revealed();
        }
        Ok(Ok(value))
    }

    async fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}
