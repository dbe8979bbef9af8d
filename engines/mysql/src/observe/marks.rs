//! The marks that are kept in the operator's table, and what is kept beside them.

use std::collections::BTreeMap;

use dbprovision_sdk::{Error, ErrorKind, Mark, Result};

use super::reader::{Question, Reader};
use crate::connect::{Session, Tracking};
use crate::errors;
use crate::statements::metadata::{self, Kind};

/// What is known of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) mark: Option<Mark>,
    /// The user's own words.
    pub(crate) words: Option<String>,
    /// Of a user: the roles that its resource gave it.
    pub(crate) roles: Vec<String>,
    /// Its creation is complete, as far as this record knows.
    pub(crate) finished: bool,
}

impl Kept {
    /// From the text of a mark, and the list of roles as JSON.
    pub(crate) fn parse(text: &str, roles: Option<&str>, finished: bool) -> Self {
        let (words, mark) = dbprovision_sdk::mark::read(text);
        let roles = roles.and_then(|roles| serde_json::from_str(roles).ok()).unwrap_or_default();
        Self { words: words.map(str::to_owned), mark, roles, finished }
    }

    /// Both as they are kept.
    pub(crate) fn text(&self) -> (String, String) {
        let text = match &self.mark {
            Some(mark) => dbprovision_sdk::mark::write(self.words.as_deref(), mark),
            None => self.words.clone().unwrap_or_default(),
        };
        (text, roles_text(&self.roles))
    }
}

/// A list of roles as JSON.
pub(crate) fn roles_text(roles: &[String]) -> String {
    serde_json::Value::from(roles.to_vec()).to_string()
}

/// Every row of one object, by host.
pub(crate) fn of(
    reader: &mut dyn Reader,
    tracking: &Tracking,
    kind: Kind,
    name: &str,
) -> Result<BTreeMap<String, Kept>> {
    let table = metadata::table(tracking);
    let query = format!("SELECT host, mark, details, finished, name FROM {table} WHERE kind = ? AND {{subjects}}");
    let question = Question { query: &query, subjects: "name {among}", parameters: &[kind.word()] };
    let rows = reader.about(&question, &[name]).map_err(explained)?;
    rows.iter().map(|row| Ok((row.get(0)?, Kept::parse(&row.get(1)?, Some(&row.get(2)?), row.flag(3)?)))).collect()
}

/// The marks of many objects of a kind, by name: of each the first one.
pub(crate) fn of_all(
    session: &mut Session,
    tracking: &Tracking,
    kind: Kind,
    names: &[String],
) -> Result<BTreeMap<String, Kept>> {
    let (Some(first), Some(last)) = (names.iter().min(), names.iter().max()) else { return Ok(BTreeMap::new()) };
    let query = format!(
        "SELECT name, mark, details, finished FROM {} WHERE kind = ? AND name BETWEEN ? AND ? ORDER BY name, host DESC",
        metadata::table(tracking)
    );
    let rows = session.rows(&query, &[kind.word(), first, last]).map_err(explained)?;
    rows.iter().map(|row| Ok((row.get(0)?, Kept::parse(&row.get(1)?, Some(&row.get(2)?), row.flag(3)?)))).collect()
}

/// Makes sure that the table is there, and answers what tells this server from others: a random word that lives with
/// the server's data. The server's own identifiers do not: a replica that takes over has another.
pub(crate) fn prepare(session: &mut Session, tracking: &Tracking) -> Result<String> {
    let there = session.row(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
        &[&tracking.database, &tracking.table],
    )?;
    if there.map_or(Ok(0), |row| row.number(0))? == 0 {
        let schema = session
            .row("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?", &[&tracking.database])?;
        if schema.map_or(Ok(0), |row| row.number(0))? == 0 {
            session.run(&metadata::create_database(tracking)).map_err(explained)?;
        }
        session.run(&metadata::create_table(tracking)).map_err(explained)?;
    }
    if let Some(known) = identity(session, tracking)? {
        return Ok(known);
    }
    let made = dbprovision_sdk::random::hex(16)?;
    let row = metadata::RowOf { kind: Kind::Server, name: "", host: "", mark: &made, details: "", finished: true };
    session.run(&metadata::put_first(tracking, &row)).map_err(explained)?;
    identity(session, tracking)?.ok_or_else(|| Error::protocol("the server did not keep what was written", ""))
}

fn identity(session: &mut Session, tracking: &Tracking) -> Result<Option<String>> {
    let query = format!("SELECT mark FROM {} WHERE kind = ? AND name = '' AND host = ''", metadata::table(tracking));
    let row = session.row(&query, &[Kind::Server.word()]).map_err(explained)?;
    row.map(|row| row.get(0)).transpose()
}

/// Says which right is missing for what.
fn explained(error: Error) -> Error {
    if error.kind == ErrorKind::PermissionDenied || errors::code(&error) == Some("1044") {
        return Error::new(
            ErrorKind::PermissionDenied,
            "the administrator may not keep the operator's marks: grant CREATE, SELECT, INSERT, UPDATE and DELETE on \
             the database of `resourceTracking.mysql.metadataDatabase`",
            error.detail,
        );
    }
    error
}
