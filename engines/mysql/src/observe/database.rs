//! Databases: their defaults, sizes and marks.

use dbprovision_sdk::{Page, Result};

use super::marks::{self, Kept};
use super::reader::{Question, Reader};
use crate::connect::{Row, Session, Tracking};
use crate::statements::metadata::Kind;

/// A database as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) charset: String,
    pub(crate) collation: String,
    pub(crate) kept: Kept,
}

const COLUMNS: &str = "\
SELECT schema_name, default_character_set_name, default_collation_name FROM information_schema.schemata";

/// The catalogue's own collation may ignore case.
const ONE: Question<'_> = Question {
    query: "\
SELECT schema_name, default_character_set_name, default_collation_name, schema_name AS subject
  FROM information_schema.schemata WHERE {subjects}",
    subjects: "schema_name {among} AND BINARY schema_name {among}",
    parameters: &[],
};

/// None where there is no such database.
pub(crate) fn find(reader: &mut dyn Reader, tracking: &Tracking, name: &str) -> Result<Option<Database>> {
    let Some(row) = reader.about(&ONE, &[name])?.into_iter().next() else { return Ok(None) };
    let kept = marks::of(reader, tracking, Kind::Database, name)?.remove("").unwrap_or_default();
    let kept = settled(reader, name, kept)?;
    read(&row, kept).map(Some)
}

/// A record that was never completed counts as long as the database holds nothing: then it is what the creation
/// that began would have made, whoever came first.
fn settled(reader: &mut dyn Reader, name: &str, kept: Kept) -> Result<Kept> {
    if kept.finished || kept.mark.is_none() {
        return Ok(kept);
    }
    Ok(if is_empty(reader, name)? { kept } else { Kept::default() })
}

fn is_empty(reader: &mut dyn Reader, name: &str) -> Result<bool> {
    let row = reader.row(
        "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?) + \
         (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = ?)",
        &[name, name],
    )?;
    Ok(row.map_or(Ok(0), |row| row.number(0))? == 0)
}

/// A page of all databases, by name.
pub(crate) fn list(session: &mut Session, tracking: &Tracking, page: &Page) -> Result<Vec<Database>> {
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.size();
    let query = format!("{COLUMNS} WHERE BINARY schema_name > BINARY ? ORDER BY BINARY schema_name LIMIT {limit}");
    let rows = session.rows(&query, &[after])?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    let mut kept = marks::of_all(session, tracking, Kind::Database, &names)?;
    rows.iter()
        .map(|row| {
            let kept = kept.remove(&row.get(0)?).filter(|kept| kept.finished).unwrap_or_default();
            read(row, kept)
        })
        .collect()
}

fn read(row: &Row, kept: Kept) -> Result<Database> {
    Ok(Database { name: row.get(0)?, charset: row.get(1)?, collation: row.get(2)?, kept })
}

/// Data and indexes, as the server last counted them.
pub(crate) fn size(session: &mut Session, name: &str) -> Result<u64> {
    let query = "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS UNSIGNED) \
                 FROM information_schema.tables WHERE table_schema = ?";
    session.row(query, &[name])?.map_or(Ok(0), |row| row.number(0))
}

/// The character set that a collation belongs to; none where the server does not know it.
pub(crate) fn charset_of(reader: &mut dyn Reader, collation: &str) -> Result<Option<String>> {
    let query = "SELECT character_set_name FROM information_schema.collations WHERE collation_name = ?";
    reader.row(query, &[collation])?.map_or(Ok(None), |row| row.text(0))
}
