//! Databases, as the whole server sees them.

use std::collections::BTreeMap;

use dbprovision_sdk::{Error, Page, Result, Standing};

use super::Comment;
use super::reader::{Question, Reader};
use crate::connect::{Row, Session};
use crate::names;

/// A database as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Database {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) encoding: String,
    pub(crate) collate: String,
    pub(crate) ctype: String,
    pub(crate) tablespace: String,
    /// -2 where a drop was interrupted: such a database can only be dropped.
    pub(crate) connection_limit: i32,
    pub(crate) is_template: bool,
    pub(crate) allows_connections: bool,
    pub(crate) comment: Comment,
    pub(crate) standing: Standing,
}

/// A database of the server, as far as rights need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reachable {
    pub(crate) owner: String,
    /// The owner is a superuser, whose rights nobody else may use.
    pub(crate) superusers: bool,
    pub(crate) accepts_sessions: bool,
}

impl Database {
    /// An interrupted drop left it unusable.
    pub(crate) fn is_invalid(&self) -> bool {
        self.connection_limit == -2
    }
}

/// The database is the last column too, for a sweep.
const COLUMNS: &str = "\
SELECT d.oid::pg_catalog.text, d.datname::pg_catalog.text, pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text,
       pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text,
       d.datcollate::pg_catalog.text, d.datctype::pg_catalog.text,
       (SELECT t.spcname::pg_catalog.text FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace),
       d.datconnlimit, d.datistemplate, d.datallowconn, pg_catalog.shobj_description(d.oid, 'pg_database'),
       d.oid < 16384, d.datname::pg_catalog.text
  FROM pg_catalog.pg_database d";

/// None where there is no such database.
pub(crate) fn find(reader: &mut dyn Reader, name: &str) -> Result<Option<Database>> {
    let query = format!("{COLUMNS} WHERE {{subjects}}");
    let question = Question { query: &query, subjects: "d.datname = ANY ($1::pg_catalog.name[])", parameters: &[] };
    reader.about(&question, &[name])?.first().map(read).transpose()
}

/// Databases by name; templates of the engine are among them.
pub(crate) fn list(session: &mut Session, page: &Page) -> Result<Vec<Database>> {
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.size().to_string();
    let query = format!(
        "{COLUMNS} WHERE d.datname::pg_catalog.text COLLATE \"C\" > $1
         ORDER BY d.datname::pg_catalog.text COLLATE \"C\" LIMIT $2::pg_catalog.int8"
    );
    session.rows(&query, &[after, &limit])?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Database> {
    let name: String = row.get(1)?;
    let standing = match names::database_standing(&name) {
        // The engine's own may have been renamed.
        Standing::Ordinary if row.get::<bool>(11)? => Standing::Protected,
        by_name @ (Standing::Ordinary | Standing::Predefined | Standing::Dangerous | Standing::Protected) => by_name,
    };
    Ok(Database {
        id: row.get(0)?,
        owner: row.get(2)?,
        encoding: row.get(3)?,
        collate: row.get(4)?,
        ctype: row.get(5)?,
        tablespace: row.text(6)?.unwrap_or_default(),
        connection_limit: row.get(7)?,
        is_template: row.get(8)?,
        allows_connections: row.get(9)?,
        comment: Comment::parse(row.text(10)?.as_deref()),
        standing,
        name,
    })
}

/// The owner of a database.
pub(crate) fn owner(session: &mut Session, name: &str) -> Result<String> {
    Ok(find(session, name)?.ok_or_else(|| Error::not_found(format!("the database {name} is not there")))?.owner)
}

/// Every database, with its owner and whether it can be entered.
pub(crate) fn owners(reader: &mut dyn Reader) -> Result<BTreeMap<String, Reachable>> {
    let rows = reader.rows(
        "SELECT d.datname::pg_catalog.text, r.rolname::pg_catalog.text, r.rolsuper,
                d.datallowconn AND d.datconnlimit <> -2
           FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba",
        &[],
    )?;
    let read = |row: &Row| -> Result<(String, Reachable)> {
        Ok((row.get(0)?, Reachable { owner: row.get(1)?, superusers: row.get(2)?, accepts_sessions: row.get(3)? }))
    };
    rows.iter().map(read).collect()
}

/// Its size on disk; none where the administrator may not see it.
pub(crate) fn size(session: &mut Session, id: &str) -> Result<Option<u64>> {
    let row = session.row(
        "SELECT CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END
           FROM pg_catalog.pg_database d WHERE d.oid = $1::pg_catalog.oid",
        &[id],
    )?;
    let size = row.map_or(Ok(None), |row| row.get::<Option<i64>>(0))?;
    Ok(size.and_then(|bytes| u64::try_from(bytes).ok()))
}

/// The server's own name of an encoding; none where it knows none by this name.
pub(crate) fn encoding_name(reader: &mut dyn Reader, stated: &str) -> Result<Option<String>> {
    let row = reader.row(
        "SELECT NULLIF(pg_catalog.pg_encoding_to_char(pg_catalog.pg_char_to_encoding($1::pg_catalog.name)), '')::pg_catalog.text",
        &[stated],
    )?;
    row.map_or(Ok(None), |row| row.text(0))
}

/// A companion user's own `role` setting in a database.
pub(crate) fn session_role(reader: &mut dyn Reader, database_id: &str, user: &str) -> Result<Option<String>> {
    let question = Question {
        query: "\
SELECT pg_catalog.substr(setting, 6), s.setdatabase::pg_catalog.text || ' ' || r.rolname::pg_catalog.text
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) AS setting
 WHERE pg_catalog.starts_with(setting, 'role=') AND {subjects}",
        subjects: "s.setdatabase::pg_catalog.text || ' ' || r.rolname::pg_catalog.text = ANY ($1::pg_catalog.text[])",
        parameters: &[],
    };
    let rows = reader.about(&question, &[&format!("{database_id} {user}")])?;
    rows.first().map_or(Ok(None), |row| row.text(0))
}

/// How many sessions use a database, this one not counted.
pub(crate) fn sessions(session: &mut Session, name: &str) -> Result<i64> {
    let row = session.row(
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a
          WHERE a.datname = $1::pg_catalog.name AND a.usename IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()",
        &[name],
    )?;
    row.map_or(Ok(0), |row| row.get(0))
}
