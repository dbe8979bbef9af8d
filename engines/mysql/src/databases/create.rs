//! Creating a database: its mark is recorded first, so that whoever finds the database finds the mark; the record is
//! completed when the database is there.

use dbprovision_sdk::adapter::databases::DatabaseInfo;
use dbprovision_sdk::{Error, ErrorKind, Mark, OptionProblem, Result};

use crate::connect::{Session, Tracking};
use crate::errors;
use crate::observe::database::{self, Database};
use crate::observe::marks::Kept;
use crate::server::{Connected, Facts};
use crate::statements::database as statements;
use crate::statements::metadata::{self, Kind, RowOf};

use super::wanted::Wanted;
use super::{absent, gone, info, keep};

const NO_CHARSET: &str = "1115";

/// Creates it, or takes up what an earlier try left.
pub(crate) fn create(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    wanted: &Wanted,
    mark: &Mark,
) -> Result<DatabaseInfo> {
    let name = wanted.name.as_str();
    if let Some(found) = database::find(session, tracking, name)? {
        return finished(session, tracking, found, wanted, mark);
    }
    // Whoever had rights on a former database of this name has nothing to do with this one.
    gone::close(session, facts, name)?;
    let kept = Kept {
        mark: Some(mark.clone()),
        words: wanted.comment.clone(),
        roles: Vec::new(),
        adopted: false,
        finished: false,
    };
    let (text, details) = kept.text();
    let row = RowOf { kind: Kind::Database, name, host: "", mark: &text, details: &details, finished: false };
    session.run(&metadata::put(tracking, &row))?;
    let (charset, collation) = wanted.defaults();
    if let Err(error) = session.run(&statements::create(name, charset, collation)) {
        // Nothing was created: a record of it would claim whatever gets this name next.
        if session.is_usable() {
            session.run(&metadata::remove(tracking, Kind::Database, name, None))?;
        }
        return Err(explained(error, name));
    }
    session.run(&metadata::finish(tracking, Kind::Database, name))?;
    let found = database::find(session, tracking, name)?.ok_or_else(|| absent(name))?;
    Ok(info(Some(database::size(session, name)?), tracking, found))
}

/// A database of this name: ours, from a call whose answer was lost, or somebody's.
fn finished(
    session: &mut Session,
    tracking: &Tracking,
    found: Database,
    wanted: &Wanted,
    mark: &Mark,
) -> Result<DatabaseInfo> {
    if found.kept.mark.as_ref() != Some(mark) {
        return Err(taken(&found.name));
    }
    if !found.kept.finished {
        keep(session, tracking, &found.name, wanted.comment.as_deref(), mark)?;
    }
    Ok(info(Some(database::size(session, &found.name)?), tracking, found))
}

fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a database with the name {name} is there already"),
        "it carries another mark or none",
    )
}

fn explained(error: Error, name: &str) -> Error {
    match (&error.kind, errors::code(&error)) {
        (ErrorKind::AlreadyExists, _) => Error { detail: error.detail, ..taken(name) },
        (_, Some(NO_CHARSET)) => {
            let problem = "the server knows no character set of this name".to_owned();
            let error_of = Error::invalid(vec![OptionProblem { path: "options.charset".to_owned(), problem }]);
            Error { detail: error.detail, ..error_of }
        }
        _ => error,
    }
}

/// Removes records of this mark whose database was never created.
pub(crate) fn clean_up(connected: &mut Connected, mark: &Mark) -> Result<()> {
    let (session, _, tracking) = connected.parts()?;
    let query = format!("SELECT name, mark FROM {} WHERE kind = ? AND finished = 0", metadata::table(tracking));
    let mut begun = Vec::new();
    for row in session.rows(&query, &[Kind::Database.word()])? {
        if Kept::parse(&row.get(1)?, None, false).mark.as_ref() == Some(mark) {
            begun.push(row.get(0)?);
        }
    }
    for name in begun {
        connected.locked(&super::lock(&name), |session, _, tracking| {
            if database::find(session, tracking, &name)?.is_none() {
                session.run(&metadata::remove(tracking, Kind::Database, &name, None))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}
