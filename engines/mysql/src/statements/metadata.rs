//! The table in which marks are kept that have no place on the object itself.
//!
//! A row is written before its object is created and completed afterwards: an unfinished row says only that a
//! creation began.

use super::Statement;
use crate::connect::Tracking;
use crate::quote::{identifier, literal};

/// What the row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Database,
    User,
    Role,
    /// The server's own identity.
    Server,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::User => "user",
            Self::Role => "role",
            Self::Server => "server",
        }
    }
}

/// The table's full name.
pub(crate) fn table(tracking: &Tracking) -> String {
    format!("{}.{}", identifier(&tracking.database), identifier(&tracking.table))
}

/// Makes the database of the table.
pub(crate) fn create_database(tracking: &Tracking) -> Statement {
    let name = identifier(&tracking.database);
    Statement::own(format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
}

/// Makes the table.
pub(crate) fn create_table(tracking: &Tracking) -> Statement {
    Statement::own(format!(
        "CREATE TABLE IF NOT EXISTS {} (kind VARCHAR(16) NOT NULL, name VARCHAR(128) NOT NULL, \
         host VARCHAR(255) NOT NULL, mark TEXT NOT NULL, details TEXT NOT NULL, finished TINYINT NOT NULL, \
         PRIMARY KEY (kind, name, host)) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        table(tracking)
    ))
}

/// A row, new or instead of the one that is there.
pub(crate) struct RowOf<'known> {
    pub(crate) kind: Kind,
    pub(crate) name: &'known str,
    pub(crate) host: &'known str,
    pub(crate) mark: &'known str,
    pub(crate) details: &'known str,
    pub(crate) finished: bool,
}

/// Writes a row.
pub(crate) fn put(tracking: &Tracking, row: &RowOf<'_>) -> Statement {
    let RowOf { kind, name, host, mark, details, finished } = row;
    Statement::own(format!(
        "REPLACE INTO {} (kind, name, host, mark, details, finished) VALUES ({}, {}, {}, {}, {}, {})",
        table(tracking),
        literal(kind.word()),
        literal(name),
        literal(host),
        literal(mark),
        literal(details),
        u8::from(*finished)
    ))
}

/// Writes a row unless there is one.
pub(crate) fn put_first(tracking: &Tracking, row: &RowOf<'_>) -> Statement {
    let statement = put(tracking, row);
    Statement { sql: statement.sql.replacen("REPLACE INTO", "INSERT IGNORE INTO", 1), ..statement }
}

/// The object is there.
pub(crate) fn finish(tracking: &Tracking, kind: Kind, name: &str) -> Statement {
    Statement::own(format!(
        "UPDATE {} SET finished = 1 WHERE kind = {} AND name = {}",
        table(tracking),
        literal(kind.word()),
        literal(name)
    ))
}

/// Removes the row of one host, or all of the object's.
pub(crate) fn remove(tracking: &Tracking, kind: Kind, name: &str, host: Option<&str>) -> Statement {
    let mut sql =
        format!("DELETE FROM {} WHERE kind = {} AND name = {}", table(tracking), literal(kind.word()), literal(name));
    if let Some(host) = host {
        sql.push_str(" AND host = ");
        sql.push_str(&literal(host));
    }
    Statement::own(sql)
}
