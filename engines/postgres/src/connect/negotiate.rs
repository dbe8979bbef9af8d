//! Whether the stream is encrypted, settled before any credential is revealed.

use std::rc::Rc;

use dbprovision_sdk::{Deadline, Error, ErrorKind, NetError, Result, Stream, TlsUse, Wire, dial};

use super::guard::Guarded;

/// `SSLRequest`: the length, and a version number no real version has.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Which way the next attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Plain,
    /// Encrypted; with no TLS at the server the same connection goes on plain where that is allowed.
    Encrypted {
        or_plain: bool,
    },
}

/// The attempts an instance allows, in libpq's order: the second is made when the server refuses the first
/// for its encryption.
pub(crate) fn attempts(tls: TlsUse) -> (Attempt, Option<Attempt>) {
    match tls {
        TlsUse::Never => (Attempt::Plain, None),
        TlsUse::Allow => (Attempt::Plain, Some(Attempt::Encrypted { or_plain: false })),
        TlsUse::Prefer => (Attempt::Encrypted { or_plain: true }, Some(Attempt::Plain)),
        TlsUse::Require => (Attempt::Encrypted { or_plain: false }, None),
    }
}

/// A stream whose encryption is settled.
pub(crate) struct Opened {
    pub(crate) wire: Rc<dyn Wire>,
    pub(crate) stream: Guarded,
    pub(crate) encrypted: bool,
}

impl Opened {
    fn plain(wire: Rc<dyn Wire>) -> Self {
        Self { stream: Guarded::plain(Stream::new(wire.clone())), wire, encrypted: false }
    }
}

/// Asks the server for TLS and upgrades the stream. A failed handshake is answered by one more dial where
/// plain is allowed.
pub(crate) fn upgrade(wire: Rc<dyn Wire>, attempt: Attempt, deadline: Deadline) -> Result<Opened> {
    let Attempt::Encrypted { or_plain } = attempt else { return Ok(Opened::plain(wire)) };
    wire.write(&SSL_REQUEST)?;
    match one_byte(wire.as_ref(), deadline)? {
        b'S' => match wire.start_tls() {
            Ok(binding) => {
                Ok(Opened { stream: Guarded::encrypted(Stream::new(wire.clone()), binding), wire, encrypted: true })
            }
            Err(NetError::Tls(_) | NetError::Closed) if or_plain => {
                drop(wire);
                Ok(Opened::plain(dial()?))
            }
            Err(error) => Err(error.into()),
        },
        b'N' if or_plain => Ok(Opened::plain(wire)),
        b'N' => Err(Error::new(
            ErrorKind::PermissionDenied,
            "the server does not offer TLS, and the instance asks for it",
            "the answer to SSLRequest was N",
        )),
        // An error message instead of an answer: a server that is overloaded, or none of this kind.
        other => Err(Error::protocol(
            "the server does not answer like PostgreSQL",
            format!("the answer to SSLRequest was {other:#04x}"),
        )),
    }
}

/// Exactly one byte: more of them would be read outside of the encryption.
fn one_byte(wire: &dyn Wire, deadline: Deadline) -> Result<u8> {
    loop {
        if let Some(bytes) = wire.try_read(1)? {
            return bytes.first().copied().ok_or_else(|| NetError::Closed.into());
        }
        let left = deadline.left().ok_or(NetError::TimedOut)?;
        wire.wait_readable(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))?;
    }
}
