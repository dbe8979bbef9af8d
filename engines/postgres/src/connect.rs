//! Sessions with the server: how they are opened, and what every one of them is pinned to.
//!
//! A session's `search_path` decides which tables, types and functions a statement means, and in a tenant's
//! database that is the tenant's choice. So every administrator's session starts, by its start-up packet, with
//! nothing but `pg_catalog` in the path: before any statement, and over whatever the role or the database set.
//! Operators and functions are never looked up in `pg_temp`, which therefore comes last.
//! Deliberately absent: certificates, which the host checks, and pools.

pub(crate) mod guard;
mod negotiate;
mod session;
mod settings;

#[cfg(test)]
mod tests;

use dbprovision_sdk::{Credentials, Deadline, Error, ErrorKind, Result, Secret};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};

use crate::errors;
pub(crate) use session::{Row, Session};
pub(crate) use settings::{Limits, examine};

/// What a session is for, and so what it is pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The administrator's own statements.
    Administration,
    /// A user's script with the administrator's rights: its unqualified names mean what they mean by default.
    AdministratorScript,
    /// A user's script in a session of its temporary role: the database's own settings hold.
    OwnerScript,
    /// Nothing but the login.
    Probe,
}

impl Purpose {
    /// Settings of the start-up packet. It goes over what the role and the database set.
    fn pinned(self) -> &'static [&'static str] {
        match self {
            Self::Administration => &[
                "search_path=pg_catalog,pg_temp",
                // An owner may set `role` for a database: the administrator would wake up as a tenant.
                "role=none",
                "standard_conforming_strings=on",
                // Types of arguments are compared as the server writes them.
                "quote_all_identifiers=off",
                "default_transaction_isolation=read committed",
                "default_transaction_read_only=off",
                "default_transaction_deferrable=off",
                "idle_in_transaction_session_timeout=0",
                "DateStyle=ISO",
                "TimeZone=UTC",
                "client_min_messages=warning",
            ],
            Self::AdministratorScript => {
                &["search_path=\"$user\",public,pg_temp", "role=none", "standard_conforming_strings=on"]
            }
            Self::OwnerScript => &["role=none", "standard_conforming_strings=on"],
            Self::Probe => &[],
        }
    }

    /// The administrator's sessions end when it ends them; a script of the owner's has the owner's settings.
    fn lasts(self) -> bool {
        match self {
            Self::Administration | Self::AdministratorScript => true,
            Self::OwnerScript | Self::Probe => false,
        }
    }
}

/// Limits that an owner may set for a database, by the version they came with: an older server would refuse the login
/// over them. The first session, which tells the version, is in the instance's own database.
const TIMEOUTS: &[(i32, &str)] = &[(140_000, "idle_session_timeout=0"), (170_000, "transaction_timeout=0")];

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

/// Opens a session of `who` in `database`.
pub(crate) fn log_in(limits: &Limits, who: Account<'_>, database: &str, purpose: Purpose) -> Result<Session> {
    let deadline = Deadline::after(limits.connect);
    // What the instance asks for is known only of an open connection.
    let first = dbprovision_sdk::dial()?;
    let (attempt, other) = negotiate::attempts(first.tls());
    let outcome = negotiate::upgrade(first, attempt, deadline)
        .and_then(|opened| start(opened, limits, who, database, purpose, deadline));
    match (outcome, other) {
        // 28000 before a password was asked for is the server's host rules: it refuses this encryption, or all.
        (Err(error), Some(other)) if errors::code(&error) == Some("28000") => {
            let opened = negotiate::upgrade(dbprovision_sdk::dial()?, other, deadline)
                .and_then(|opened| start(opened, limits, who, database, purpose, deadline));
            // The first answer says more than that the second way is closed too.
            opened.map_err(|second| if errors::code(&second) == Some("28000") { error } else { second })
        }
        (outcome, _) => outcome,
    }
}

fn start(
    opened: negotiate::Opened,
    limits: &Limits,
    who: Account<'_>,
    database: &str,
    purpose: Purpose,
    deadline: Deadline,
) -> Result<Session> {
    let negotiate::Opened { wire, stream, encrypted } = opened;
    let mut config = Config::new();
    config.user(who.name).dbname(database).application_name(&limits.application_name);
    config.password(who.password.reveal(wire.as_ref())?);
    config.options(options(purpose, limits));
    if encrypted {
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    } else {
        config.ssl_mode(SslMode::Disable);
    }
    config.channel_binding(limits.channel_binding);
    if !encrypted && limits.channel_binding == ChannelBinding::Require {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "the instance asks for channel binding, which needs an encrypted connection",
            "the stream is plain",
        ));
    }
    let login = config.connect_raw(stream, guard::Upgraded);
    let (client, link) = dbprovision_sdk::executor::drive(wire.as_ref(), deadline, login)?
        .map_err(|error| errors::of_statement(&error, "the login", ""))?;
    Ok(Session::new(wire, client, link, limits.statement))
}

/// The start-up packet's `options`: a backslash goes before what would end a value.
fn options(purpose: Purpose, limits: &Limits) -> String {
    let mut settings: Vec<String> = purpose.pinned().iter().map(|&setting| setting.to_owned()).collect();
    let timeouts = TIMEOUTS.iter().filter(|(since, _)| purpose.lasts() && limits.version >= *since);
    settings.extend(timeouts.map(|&(_, setting)| setting.to_owned()));
    settings.push(format!("statement_timeout={}", limits.statement_ms));
    settings.push(format!("lock_timeout={}", limits.lock_ms()));
    settings
        .iter()
        .map(|setting| format!("-c {}", setting.replace('\\', "\\\\").replace(' ', "\\ ")))
        .collect::<Vec<_>>()
        .join(" ")
}
