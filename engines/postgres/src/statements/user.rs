//! Login roles: attributes, settings, passwords.

use dbprovision_sdk::Mark;

use super::Statement;
use crate::note::{self, Given};
use crate::quote::{identifier, literal, setting};

/// Settings whose value is a list: each element is quoted by itself, or the server takes the whole as one.
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// `CREATE ROLE` with the attributes that differ from the server's own defaults.
pub(crate) fn create(name: &str, attributes: &[String], verifier: Option<&str>) -> Statement {
    let mut sql = format!("CREATE ROLE {}", identifier(name));
    for attribute in attributes {
        sql.push(' ');
        sql.push_str(attribute);
    }
    if let Some(verifier) = verifier {
        sql.push_str(" PASSWORD ");
        sql.push_str(&literal(verifier));
    }
    Statement::of("options", sql)
}

/// The comment that carries the notes and the mark.
pub(crate) fn comment(name: &str, words: Option<&str>, given: &Given, mark: Option<&Mark>) -> Statement {
    let text = match (note::write(words, given), mark) {
        (words, Some(mark)) => literal(&dbprovision_sdk::mark::write(words.as_deref(), mark)),
        (Some(words), None) => literal(&words),
        (None, None) => "NULL".to_owned(),
    };
    Statement::of("comment", format!("COMMENT ON ROLE {} IS {text}", identifier(name)))
}

/// `ALTER ROLE` with one attribute.
pub(crate) fn alter(name: &str, attribute: &str) -> String {
    format!("ALTER ROLE {} {attribute}", identifier(name))
}

/// `VALID UNTIL`; none: for ever.
pub(crate) fn valid_until(time: Option<&str>) -> String {
    format!("VALID UNTIL {}", literal(time.unwrap_or("infinity")))
}

/// `PASSWORD` with the verifier.
pub(crate) fn password(verifier: &str) -> String {
    format!("PASSWORD {}", literal(verifier))
}

/// A setting that sessions start with, in every database.
pub(crate) fn set(name: &str, parameter: &str, value: &str) -> String {
    let value = if is_list(parameter) {
        elements(value).iter().map(|one| literal(one)).collect::<Vec<_>>().join(", ")
    } else {
        literal(value)
    };
    alter(name, &format!("SET {} = {value}", setting(parameter)))
}

/// Takes a setting back.
pub(crate) fn reset(name: &str, parameter: &str) -> String {
    alter(name, &format!("RESET {}", setting(parameter)))
}

/// Whether two values of a setting mean the same.
pub(crate) fn same_value(parameter: &str, one: &str, other: &str) -> bool {
    if is_list(parameter) { elements(one) == elements(other) } else { one == other }
}

fn is_list(parameter: &str) -> bool {
    LISTS.iter().any(|list| list.eq_ignore_ascii_case(parameter))
}

/// The elements of a list, as the server reads it: quoted ones as they are, others in lower case.
fn elements(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut characters = value.chars().peekable();
    while let Some(one) = characters.next() {
        match one {
            '"' if quoted && characters.peek() == Some(&'"') => {
                current.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(std::mem::take(&mut current)),
            white if !quoted && white.is_ascii_whitespace() => {}
            other if quoted => current.push(other),
            other => current.push(other.to_ascii_lowercase()),
        }
    }
    // The server keeps an empty value as one empty element.
    found.push(current);
    found
}

/// Ends the sessions of an account but this one.
pub(crate) const TERMINATE: &str = "\
SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
 WHERE a.usesysid = $1::pg_catalog.oid AND a.pid <> pg_catalog.pg_backend_pid()";

/// Takes every right of a role away, in this database and on what all share. What it owned would go too.
pub(crate) fn drop_owned(name: &str) -> Statement {
    Statement::own(format!("DROP OWNED BY {}", identifier(name)))
}

/// Gives what a role owns to another, in this database and of what all share.
pub(crate) fn reassign(name: &str, to: &str) -> Statement {
    Statement::of("to", format!("REASSIGN OWNED BY {} TO {}", identifier(name), identifier(to)))
}

/// Drops a role nothing depends on.
pub(crate) fn drop(name: &str) -> Statement {
    Statement::own(format!("DROP ROLE {}", identifier(name)))
}
