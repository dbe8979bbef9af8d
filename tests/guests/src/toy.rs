//! The toy protocol, from the client's side: a line is sent, a line comes back.
//!
//! `TLS?` is answered by one letter, `S` or `N`, before everything else. `LOGIN user password` is answered `OK` and the
//! server's identity, or `ERR` and why not: `encryption` where the server wants TLS.

use dbprovision_sdk::bindings::dbprovision::adapter::net::{self, Connection};
use dbprovision_sdk::bindings::dbprovision::adapter::secrets;
use dbprovision_sdk::{Error, ErrorKind, NetError, Result, TlsUse};

const READ_AT_MOST: u32 = 4096;
const TIMEOUT_MS: u32 = 10_000;

/// A session with a toy server.
pub(crate) struct Session {
    connection: Connection,
    unread: Vec<u8>,
    pub(crate) password: Vec<u8>,
    pub(crate) identity: String,
}

/// What keeps a session from being opened, where another try may help.
enum Refusal {
    NoTls,
    Handshake(NetError),
    WantsTls,
    Final(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoTls => Error::protocol("the server has no TLS", ""),
            Refusal::Handshake(error) => error.into(),
            Refusal::WantsTls => Error::protocol("the server wants TLS", ""),
            Refusal::Final(error) => error,
        }
    }
}

impl From<NetError> for Refusal {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Tls(_) => Self::Handshake(error),
            NetError::Denied(_) | NetError::TimedOut | NetError::Closed | NetError::Exhausted | NetError::Io(_) => {
                Self::Final(error.into())
            }
        }
    }
}

impl Session {
    /// Dials and logs in, in the order of plain and encrypted tries that libpq has.
    pub(crate) fn open() -> Result<Self> {
        let connection = net::connect("primary")?;
        match connection.tls() {
            TlsUse::Never => Ok(Self::log_in(connection)?),
            TlsUse::Require => Ok(Self::encrypted(connection)?),
            TlsUse::Allow => match Self::log_in(connection) {
                Err(Refusal::WantsTls) => Ok(Self::encrypted(net::connect("primary")?)?),
                other => Ok(other?),
            },
            TlsUse::Prefer => match Self::encrypted(connection) {
                Err(Refusal::NoTls | Refusal::Handshake(_)) => Ok(Self::log_in(net::connect("primary")?)?),
                other => Ok(other?),
            },
        }
    }

    fn encrypted(connection: Connection) -> std::result::Result<Self, Refusal> {
        connection.write(b"TLS?\n")?;
        if connection.read(1, TIMEOUT_MS)? != b"S" {
            return Err(Refusal::NoTls);
        }
        connection.start_tls()?;
        Self::log_in(connection)
    }

    fn log_in(connection: Connection) -> std::result::Result<Self, Refusal> {
        let missing = |error| Refusal::Final(Error::dependency_missing(format!("{error:?}")));
        let found = secrets::instance_credentials().map_err(missing)?;
        let password = found.password.reveal(&connection).map_err(missing)?;
        let mut session = Self { connection, unread: Vec::new(), password, identity: String::new() };
        let mut request = format!("LOGIN {} ", found.username).into_bytes();
        request.extend_from_slice(&session.password);
        let answer = session.ask_net(&request)?;
        match answer.split_once(' ') {
            Some(("OK", identity)) => identity.clone_into(&mut session.identity),
            Some(("ERR", "encryption")) => return Err(Refusal::WantsTls),
            _ => return Err(Refusal::Final(Error::new(ErrorKind::Authentication, "the server said no", answer))),
        }
        Ok(session)
    }

    /// Sends a line and reads one.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<String> {
        Ok(self.ask_net(request)?)
    }

    fn ask_net(&mut self, request: &[u8]) -> std::result::Result<String, NetError> {
        self.connection.write(&[request, b"\n"].concat())?;
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(end);
                let line = std::mem::replace(&mut self.unread, rest.get(1..).unwrap_or_default().to_vec());
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            let more = self.connection.read(READ_AT_MOST, TIMEOUT_MS)?;
            if more.is_empty() {
                return Err(NetError::Closed);
            }
            self.unread.extend_from_slice(&more);
        }
    }

    /// Says good-bye; nobody waits for an answer.
    pub(crate) fn quit(self) {
        // The session ends either way.
        _ = self.connection.write(b"QUIT\n");
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}
