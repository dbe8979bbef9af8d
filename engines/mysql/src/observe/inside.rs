//! What is inside of databases, as far as rights are on it.

use dbprovision_sdk::Result;

use super::reader::Reader;
use super::rights::Object;

/// Words for a table, column or routine that is not there. The server would give some rights on it all the same, and
/// whatever gets the name would have them.
pub(crate) fn absent(reader: &mut dyn Reader, object: &Object) -> Result<Option<String>> {
    let (query, names, what) = match object {
        Object::Global | Object::Database(_) => return Ok(None),
        Object::Table(database, table) => (
            "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ? LIMIT 1",
            vec![database.as_str(), table],
            format!("the table {database}.{table} is not there"),
        ),
        Object::Column(database, table, column) => (
            "SELECT 1 FROM information_schema.columns \
              WHERE table_schema = ? AND table_name = ? AND column_name = ? LIMIT 1",
            vec![database.as_str(), table, column],
            format!("the column {column} of {database}.{table} is not there"),
        ),
        Object::Routine(kind, database, name) => (
            "SELECT 1 FROM information_schema.routines \
              WHERE routine_type = ? AND routine_schema = ? AND routine_name = ? LIMIT 1",
            vec![kind.as_str(), database, name],
            format!("the {} {database}.{name} is not there", kind.to_lowercase()),
        ),
    };
    Ok(reader.row(query, &names)?.is_none().then_some(what))
}
