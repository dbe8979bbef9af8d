//! The marks that are kept in the operator's table, and what is kept beside them.

use std::collections::BTreeMap;

use dbprovision_sdk::{Error, ErrorKind, Mark, Result};
use serde_json::Value;

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
    /// Of a user's account: it was there before the resource was.
    pub(crate) adopted: bool,
    /// Its creation is complete, as far as this record knows.
    pub(crate) finished: bool,
}

impl Kept {
    /// From the text of a mark, and the details as JSON.
    pub(crate) fn parse(text: &str, details: Option<&str>, finished: bool) -> Self {
        let (words, mark) = dbprovision_sdk::mark::read(text);
        let details: Value = details.and_then(|details| serde_json::from_str(details).ok()).unwrap_or_default();
        let roles = details.get(ROLES).unwrap_or(&details).as_array().cloned().unwrap_or_default();
        let roles = roles.iter().filter_map(|role| role.as_str().map(str::to_owned)).collect();
        let says = |key: &str| details.get(key).and_then(Value::as_bool).unwrap_or_default();
        let finished = finished && !says(UNFINISHED);
        Self { words: words.map(str::to_owned), mark, roles, adopted: says(ADOPTED), finished }
    }

    /// Both as they are kept.
    pub(crate) fn text(&self) -> (String, String) {
        let text = match &self.mark {
            Some(mark) => dbprovision_sdk::mark::write(self.words.as_deref(), mark),
            None => self.words.clone().unwrap_or_default(),
        };
        // Whether it is finished has a column of its own.
        (text, Self { finished: true, ..self.clone() }.details())
    }

    /// What is kept beside the mark, as JSON: a list of roles, or where there is more an object.
    pub(crate) fn details(&self) -> String {
        if !self.adopted && self.finished {
            return Value::from(self.roles.clone()).to_string();
        }
        let mut details = serde_json::Map::from_iter([(ROLES.to_owned(), Value::from(self.roles.clone()))]);
        if self.adopted {
            details.insert(ADOPTED.to_owned(), Value::from(true));
        }
        if !self.finished {
            details.insert(UNFINISHED.to_owned(), Value::from(true));
        }
        Value::from(details).to_string()
    }
}

const ROLES: &str = "roles";
const ADOPTED: &str = "adopted";
const UNFINISHED: &str = "unfinished";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_beside_a_mark_is_read_back_whether_it_is_a_list_or_more() {
        let plain = Kept { roles: vec!["a".to_owned()], finished: true, ..Kept::default() };
        assert_eq!(plain.details(), r#"["a"]"#);
        for (adopted, finished) in [(false, true), (true, true), (false, false), (true, false)] {
            let kept = Kept { adopted, finished, ..plain.clone() };
            assert_eq!(Kept::parse("", Some(&kept.details()), true), kept);
            // The table has a column for it.
            let (text, details) = kept.text();
            assert_eq!(Kept::parse(&text, Some(&details), finished), kept);
        }
        for nothing in ["", "null", "{}", "[1]"] {
            assert_eq!(Kept::parse("", Some(nothing), true), Kept { finished: true, ..Kept::default() }, "{nothing}");
        }
    }
}
