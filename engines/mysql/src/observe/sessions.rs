//! Who is connected.

use dbprovision_sdk::Result;

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

/// Ends sessions. One that ended by itself is fine.
pub(crate) fn end(session: &mut Session, ids: &[u64]) -> Result<u32> {
    let mut ended = 0;
    for id in ids {
        match session.run(&statements::kill(*id)) {
            Ok(()) => ended += 1,
            Err(error) if errors::code(&error) == Some(errors::NO_SESSION) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}
