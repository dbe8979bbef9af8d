//! The byte stream to the server, as one trait: the host's in a guest, a script or a socket natively.

use std::rc::Rc;

use crate::bindings::dbprovision::adapter::net as host;
use crate::{NetError, Secret, SecretError, TlsUse};

/// One open connection. See `wit/net.wit` for what each function promises.
pub trait Wire {
    /// What this instance asks for.
    fn tls(&self) -> TlsUse;
    /// Bytes that are there; none where a read would wait; empty at the end of the stream.
    fn try_read(&self, max: u32) -> Result<Option<Vec<u8>>, NetError>;
    /// Suspends until a read would not wait, or the time is over.
    fn wait_readable(&self, timeout_ms: u32) -> Result<(), NetError>;
    /// Sends all bytes.
    fn write(&self, bytes: &[u8]) -> Result<(), NetError>;
    /// Encrypts the stream; answers the channel binding `tls-server-end-point`.
    fn start_tls(&self) -> Result<Option<Vec<u8>>, NetError>;
    /// The value of a secret, if this connection is safe enough for it.
    fn reveal(&self, secret: &Secret) -> Result<Vec<u8>, SecretError>;
}

impl Wire for host::Connection {
    fn tls(&self) -> TlsUse {
        host::Connection::tls(self)
    }

    fn try_read(&self, max: u32) -> Result<Option<Vec<u8>>, NetError> {
        host::Connection::try_read(self, max)
    }

    fn wait_readable(&self, timeout_ms: u32) -> Result<(), NetError> {
        host::Connection::wait_readable(self, timeout_ms)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), NetError> {
        host::Connection::write(self, bytes)
    }

    fn start_tls(&self) -> Result<Option<Vec<u8>>, NetError> {
        host::Connection::start_tls(self)
    }

    fn reveal(&self, secret: &Secret) -> Result<Vec<u8>, SecretError> {
        match secret {
            Secret::Host(handle) => handle.reveal(self),
            Secret::Known(value) => Ok(value.clone()),
        }
    }
}

/// Dials the bound instance.
pub fn dial() -> crate::Result<Rc<dyn Wire>> {
    #[cfg(target_arch = "wasm32")]
    return Ok(Rc::new(host::connect("primary")?));
    #[cfg(not(target_arch = "wasm32"))]
    return Ok(crate::native::dial()?);
}
