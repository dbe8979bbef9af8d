//! Databases: creation under an unfinished name, settings, removal.

use std::fmt::Write as _;

use dbprovision_sdk::Mark;
use postgres_options::PostgresDatabaseConfig;

use super::Statement;
use crate::quote::{identifier, literal};

/// The template that needs no peace to be copied, and allows every encoding and locale.
pub(crate) const TEMPLATE: &str = "template0";
/// The encoding where none is stated.
pub(crate) const ENCODING: &str = "UTF8";

/// Where the default template is, and so its copies.
pub(crate) const DEFAULT_TABLESPACE: &str = "pg_default";

/// `CREATE DATABASE` with what cannot be changed later. Its field is the block: the server names the option.
pub(crate) fn create(name: &str, block: &PostgresDatabaseConfig) -> Statement {
    let template = block.template.as_deref().unwrap_or(TEMPLATE);
    let mut sql = format!("CREATE DATABASE {} TEMPLATE {}", identifier(name), identifier(template));
    let mut option = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            _ = write!(sql, " {word} {value}");
        }
    };
    // A copy of any other template has its encoding, and may have no other.
    let encoding = block.encoding.as_deref().or((template == TEMPLATE).then_some(ENCODING));
    option("ENCODING", encoding.map(literal));
    option("LC_COLLATE", block.lc_collate.as_deref().map(literal));
    option("LC_CTYPE", block.lc_ctype.as_deref().map(literal));
    // Naming a tablespace needs a right on it, which an administrator need not have on the default one.
    let is_default = template == TEMPLATE && block.tablespace.as_deref() == Some(DEFAULT_TABLESPACE);
    option("TABLESPACE", block.tablespace.as_deref().filter(|_| !is_default).map(identifier));
    Statement::of("options", sql)
}

/// The comment that carries the mark.
pub(crate) fn comment(name: &str, words: Option<&str>, mark: &Mark) -> Statement {
    let text = literal(&dbprovision_sdk::mark::write(words, mark));
    Statement::of("comment", format!("COMMENT ON DATABASE {} IS {text}", identifier(name)))
}

/// Gives an unfinished database its name.
pub(crate) fn rename(from: &str, to: &str) -> Statement {
    Statement::of("name", format!("ALTER DATABASE {} RENAME TO {}", identifier(from), identifier(to)))
}

/// `ALTER DATABASE` with one clause.
pub(crate) fn alter(name: &str, clause: &str) -> String {
    format!("ALTER DATABASE {} {clause}", identifier(name))
}

/// Who has sessions in a database.
pub(crate) const USERS: &str = "\
SELECT DISTINCT a.usename::pg_catalog.text FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = $1::pg_catalog.name AND a.usename IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()";

/// Ends the sessions in a database but this one. Autovacuum has no user, may be ended by superusers only, and gives way
/// to DROP DATABASE by itself.
pub(crate) const TERMINATE: &str = "\
SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
 WHERE a.datname = $1::pg_catalog.name AND a.pid <> pg_catalog.pg_backend_pid()
   AND (NOT r.rolsuper OR (SELECT own.rolsuper FROM pg_catalog.pg_roles own WHERE own.rolname = SESSION_USER))";

/// Ends the administrator's own other sessions in a database: another instance of the adapter may have left one.
pub(crate) const TERMINATE_OWN: &str = "\
SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = $1::pg_catalog.name AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.usename = SESSION_USER AND a.application_name = $2";

/// `DROP DATABASE`. `FORCE` ends sessions that came in between.
pub(crate) fn drop(name: &str, force: bool) -> Statement {
    Statement::own(format!("DROP DATABASE IF EXISTS {}{}", identifier(name), if force { " WITH (FORCE)" } else { "" }))
}
