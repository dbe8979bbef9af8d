//! Sessions with the server: how they are opened, and what every one of them is pinned to.
//!
//! What a literal means depends on a session's `sql_mode`, and which account a name means on its character set. So
//! every administrator's session sets both before anything else, whatever the server's own settings are.
//! Deliberately absent: certificates, which the host checks; pools; compression; files of this side, which a server
//! may ask for in the protocol and never gets; passwords in clear text on a stream that is not encrypted.

mod authentication;
mod handshake;
mod packets;
mod rows;
mod rsa;
mod session;
mod settings;

#[cfg(test)]
mod tests;

use dbprovision_sdk::{Credentials, Deadline, Error, ErrorKind, NetError, Result, Secret, TlsUse};

use crate::errors;
pub(crate) use authentication::Password;
pub(crate) use rows::Row;
pub(crate) use session::Session;
pub(crate) use settings::{Limits, Tracking, examine};

/// What a session is for, and so what it is pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The adapter's own statements.
    Administration,
    /// A user's script: the server's own settings hold, as they would for any other client, and one text may have
    /// several statements.
    Script,
    /// Nothing but the login.
    Probe,
}

/// Who logs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'known> {
    pub(crate) name: &'known str,
    pub(crate) password: &'known Secret,
}

impl<'known> From<&'known Credentials> for Account<'known> {
    fn from(credentials: &'known Credentials) -> Self {
        Self { name: &credentials.username, password: &credentials.password }
    }
}

/// How one attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Plain,
    Encrypted { or_plain: bool },
}

/// Opens a session of `who`, in `database` where one is named.
pub(crate) fn log_in(limits: &Limits, who: Account<'_>, database: Option<&str>, purpose: Purpose) -> Result<Session> {
    let deadline = Deadline::after(limits.connect);
    // What the instance asks for is known only of an open connection.
    let wire = dbprovision_sdk::dial()?;
    let (attempt, other) = match wire.tls() {
        TlsUse::Never => (Attempt::Plain, None),
        TlsUse::Allow => (Attempt::Plain, Some(Attempt::Encrypted { or_plain: false })),
        TlsUse::Prefer => (Attempt::Encrypted { or_plain: true }, None),
        TlsUse::Require => (Attempt::Encrypted { or_plain: false }, None),
    };
    let begin = |wire, attempt| handshake::begin(wire, attempt, limits, who, database, purpose, deadline);
    let mut session = match (begin(wire, attempt), other) {
        // The server says that it wants encryption, or refuses an account that must use it without saying why.
        (Err(handshake::Failure::Answer(answer)), Some(other)) if errors::may_want_tls(&answer) => {
            let second = begin(dbprovision_sdk::dial()?, other);
            second.map_err(|failure| match failure {
                // The first answer says more than that there is no encryption either.
                handshake::Failure::NoTls => errors::of_login(&answer),
                failure @ (handshake::Failure::Answer(_)
                | handshake::Failure::Handshake(_)
                | handshake::Failure::Other(_)) => failure.into_error(),
            })?
        }
        (Err(handshake::Failure::Handshake(NetError::Tls(_) | NetError::Closed)), _)
            if attempt == (Attempt::Encrypted { or_plain: true }) =>
        {
            begin(dbprovision_sdk::dial()?, Attempt::Plain).map_err(handshake::Failure::into_error)?
        }
        (outcome, _) => outcome.map_err(handshake::Failure::into_error)?,
    };
    for setting in pinned(purpose, limits, session.is_mariadb()) {
        session.simple(&setting, "")?;
    }
    Ok(session)
}

/// What the session is set to before its first use.
fn pinned(purpose: Purpose, limits: &Limits, is_mariadb: bool) -> Vec<String> {
    match purpose {
        Purpose::Administration => {
            // The server ends a statement that takes too long; only where it does not, the adapter gives up.
            // MySQL has such a limit for SELECT alone.
            let limit = match (limits.statement_ms, is_mariadb) {
                (0, _) => String::new(),
                (limit, true) => format!(", max_statement_time = {}.{:03}", limit / 1000, limit % 1000),
                (limit, false) => format!(", max_execution_time = {limit}"),
            };
            let lock = limits.lock_seconds();
            vec![
                format!("SET NAMES utf8mb4 COLLATE {}", crate::quote::word(&limits.collation)),
                format!(
                    "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', \
                     autocommit = 1, sql_safe_updates = 0, group_concat_max_len = 1048576, time_zone = '+00:00', \
                     lock_wait_timeout = {lock}, innodb_lock_wait_timeout = {lock}{limit}"
                ),
            ]
        }
        Purpose::Script => vec!["SET NAMES utf8mb4".to_owned()],
        Purpose::Probe => Vec::new(),
    }
}

/// The server offers no encryption where the instance asks for it.
fn no_tls() -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        "the server does not offer TLS, and the instance asks for it",
        "the greeting has no CLIENT_SSL",
    )
}
