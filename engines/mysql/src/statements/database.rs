//! Databases.

use super::Statement;
use crate::quote::{identifier, word};

/// `CREATE DATABASE`. One that is there already is an error: it is somebody's.
pub(crate) fn create(name: &str, charset: Option<&str>, collation: Option<&str>) -> Statement {
    let mut sql = format!("CREATE DATABASE {}", identifier(name));
    clauses(&mut sql, charset, collation);
    Statement::of("options.collation", sql)
}

/// What new tables get; those that are there stay as they are.
pub(crate) fn alter(name: &str, charset: Option<&str>, collation: Option<&str>) -> String {
    let mut sql = format!("ALTER DATABASE {}", identifier(name));
    clauses(&mut sql, charset, collation);
    sql
}

fn clauses(sql: &mut String, charset: Option<&str>, collation: Option<&str>) {
    if let Some(charset) = charset {
        sql.push_str(" CHARACTER SET ");
        sql.push_str(&word(charset));
    }
    if let Some(collation) = collation {
        sql.push_str(" COLLATE ");
        sql.push_str(&word(collation));
    }
}

/// `DROP DATABASE`, with everything in it.
pub(crate) fn drop(name: &str) -> Statement {
    Statement::own(format!("DROP DATABASE IF EXISTS {}", identifier(name)))
}
