//! Who is connected, and ending it.
//!
//! A managed service may keep the right to end others' sessions for itself: what cannot be ended is told, and nothing
//! that goes on without it stops.

use std::time::Duration;

use dbprovision_sdk::{Deadline, Error, ErrorKind, Result, log};

use crate::connect::Session;
use crate::statements::Statement;
use crate::{errors, names, statements};

const IN_DATABASE: &str = "\
SELECT id FROM information_schema.processlist WHERE db = ? AND BINARY db = ? AND id <> CONNECTION_ID()";
const OF_USER: &str = "\
SELECT id, host FROM information_schema.processlist WHERE user = ? AND BINARY user = ? AND id <> CONNECTION_ID()";
/// The procedure by which RDS ends sessions: it gives nobody the right to.
const SERVICES_OWN: &str = "\
SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = 'mysql' AND routine_name = 'rds_kill'";

/// The sessions whose current database it is, but this one.
pub(crate) fn in_database(session: &mut Session, name: &str) -> Result<Vec<u64>> {
    session.rows(IN_DATABASE, &[name, name])?.iter().map(|row| row.number(0)).collect()
}

/// The sessions of a user, from wherever, but this one.
pub(crate) fn of_user(session: &mut Session, name: &str) -> Result<Vec<u64>> {
    session.rows(OF_USER, &[name, name])?.iter().map(|row| row.number(0)).collect()
}

/// The sessions of a user that may be one account's. The server tells where a session comes from, and not as which of
/// the accounts that match it was let in.
pub(crate) fn of_account(session: &mut Session, name: &str, host: &str) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for row in session.rows(OF_USER, &[name, name])? {
        if may_come_by(host, &row.text(1)?.unwrap_or_default()) {
            found.push(row.number(0)?);
        }
    }
    Ok(found)
}

/// Whether a session from there, as the server shows it, may be of the account with this host. What cannot be compared
/// may be.
fn may_come_by(host: &str, shown: &str) -> bool {
    let numeric = |text: &str| text.chars().all(|one| one.is_ascii_digit() || matches!(one, '.' | '%' | '_'));
    let client = shown.rsplit_once(':').map_or(shown, |(client, _)| client);
    if host.contains('/') {
        return true;
    }
    if client == "localhost" {
        return ["localhost", "127.0.0.1", "::1"].iter().any(|client| names::matches_pattern(host, client));
    }
    numeric(host) != numeric(client) || names::matches_pattern(host, client)
}

/// Sessions that were told to end need a moment.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Ends sessions, and waits until they are gone. One that ended by itself is fine; one that takes long to undo its
/// work is not waited for.
pub(crate) fn end(session: &mut Session, ids: &[u64]) -> Result<u32> {
    let (told, refused) = tell(session, ids)?;
    wait(session, &told)?;
    refused.map_or_else(|| Ok(u32::try_from(told.len()).unwrap_or(u32::MAX)), Err)
}

/// The same where the administrator may; where it may not, the operator's log says so.
pub(crate) fn end_where_allowed(session: &mut Session, ids: &[u64], of: &str) -> Result<()> {
    let (told, refused) = tell(session, ids)?;
    if let Some(error) = refused {
        let left = ids.len().saturating_sub(told.len());
        log::write(log::Level::Warn, &format!("{left} sessions of {of} could not be ended: {}", error.message));
    }
    wait(session, &told)
}

/// Tells sessions to end; those that were told, and why others were not.
fn tell(session: &mut Session, ids: &[u64]) -> Result<(Vec<u64>, Option<Error>)> {
    let (mut told, mut refused) = (Vec::new(), None);
    let mut services_own = None;
    for id in ids {
        let mut outcome = session.run(&statements::kill(*id));
        if outcome.as_ref().is_err_and(is_refused) {
            let there = match services_own {
                Some(there) => there,
                None => session.row(SERVICES_OWN, &[])?.map_or(Ok(0), |row| row.number(0))? > 0,
            };
            services_own = Some(there);
            if there {
                outcome = session.run(&Statement::own(format!("CALL mysql.rds_kill({id})")));
            }
        }
        match outcome {
            Ok(()) => told.push(*id),
            Err(error) if errors::code(&error) == Some(errors::NO_SESSION) => {}
            Err(error) if is_refused(&error) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Ok((told, refused))
}

fn is_refused(error: &Error) -> bool {
    error.kind == ErrorKind::PermissionDenied
}

fn wait(session: &mut Session, told: &[u64]) -> Result<()> {
    if told.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = told.iter().map(u64::to_string).collect();
    let left = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id IN ({})", told.join(", "));
    let deadline = Deadline::after(END_WITHIN);
    while deadline.left().is_some() && session.row(&left, &[])?.map_or(Ok(0), |row| row.number(0))? > 0 {
        session.rows("SELECT SLEEP(0.02)", &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_an_accounts_unless_it_cannot_be() {
        for (host, shown) in [
            ("%", "10.1.2.3:5000"),
            ("10.%", "10.1.2.3:5000"),
            ("localhost", "localhost"),
            ("127.%", "localhost:5000"),
            ("10.%", "db.example.com:5000"),
            ("db.example.com", "10.1.2.3:5000"),
            ("10.0.0.0/255.0.0.0", "10.1.2.3:5000"),
            ("::1", "::1:5000"),
        ] {
            assert!(may_come_by(host, shown), "{host} {shown}");
        }
        for (host, shown) in [("10.%", "192.168.1.1:5000"), ("10.1.2.4", "10.1.2.3:5000"), ("10.%", "localhost:5000")] {
            assert!(!may_come_by(host, shown), "{host} {shown}");
        }
    }
}
