//! Who is connected.

use std::time::Duration;

use dbprovision_sdk::{Deadline, Result};

use crate::connect::Session;
use crate::{errors, statements};

const IN_DATABASE: &str = "\
SELECT id FROM information_schema.processlist WHERE db = ? AND BINARY db = ? AND id <> CONNECTION_ID()";
const OF_USER: &str = "\
SELECT id FROM information_schema.processlist WHERE user = ? AND BINARY user = ? AND id <> CONNECTION_ID()";

/// The sessions whose current database it is, but this one.
pub(crate) fn in_database(session: &mut Session, name: &str) -> Result<Vec<u64>> {
    ids(session, IN_DATABASE, name)
}

/// The sessions of an account, from wherever, but this one.
pub(crate) fn of_user(session: &mut Session, name: &str) -> Result<Vec<u64>> {
    ids(session, OF_USER, name)
}

fn ids(session: &mut Session, query: &str, name: &str) -> Result<Vec<u64>> {
    session.rows(query, &[name, name])?.iter().map(|row| row.number(0)).collect()
}

/// Sessions that were told to end need a moment.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Ends sessions, and waits until they are gone. One that ended by itself is fine; one that takes long to undo its
/// work is not waited for.
pub(crate) fn end(session: &mut Session, ids: &[u64]) -> Result<u32> {
    let mut told = Vec::new();
    for id in ids {
        match session.run(&statements::kill(*id)) {
            Ok(()) => told.push(id.to_string()),
            Err(error) if errors::code(&error) == Some(errors::NO_SESSION) => {}
            Err(error) => return Err(error),
        }
    }
    if told.is_empty() {
        return Ok(0);
    }
    let left = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id IN ({})", told.join(", "));
    let deadline = Deadline::after(END_WITHIN);
    while deadline.left().is_some() && session.row(&left, &[])?.map_or(Ok(0), |row| row.number(0))? > 0 {
        session.rows("SELECT SLEEP(0.02)", &[])?;
    }
    Ok(u32::try_from(told.len()).unwrap_or(u32::MAX))
}
