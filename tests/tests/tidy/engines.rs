//! The operator knows no engine: no statement, no engine's name, in nothing that is linked into it.
//!
//! What tests say is left out: they talk to real servers.

use crate::source::{Kind, Piece, is_test, pieces, without_tests};
use crate::statements;
use crate::tree::Tree;

/// Where the operator's own code is, the command line of no engine among it.
const FOLDERS: [&str; 3] = ["host/src/", "planning/src/", "sandbox/src/"];

/// Where every engine's catalogue is kept.
const CATALOGUES: &[&str] =
    &["pg_catalog.", "pg_roles", "pg_authid", "pg_database", "information_schema", "mysql.user"];

/// Engines that exist, ours and others.
const ENGINES: &[&str] =
    &["postgres", "postgresql", "mysql", "mariadb", "clickhouse", "cockroachdb", "mongodb", "redis", "mssql", "oracle"];

/// No SQL.
pub(crate) fn no_statements(tree: &Tree) -> Vec<String> {
    literals(tree)
        .into_iter()
        .filter(|(_, piece)| is_statement(&piece.text))
        .map(|(path, piece)| format!("{path}:{}: SQL in the operator: {:?}", piece.line, piece.text))
        .collect()
}

/// No decision by an engine's name.
pub(crate) fn names(tree: &Tree) -> Vec<String> {
    literals(tree)
        .into_iter()
        .filter(|(_, piece)| ENGINES.contains(&piece.text.to_lowercase().as_str()))
        .map(|(path, piece)| format!("{path}:{}: an engine's name in the operator: {:?}", piece.line, piece.text))
        .collect()
}

/// Every engine has the same rooms, so that who knows one finds their way in all.
pub(crate) fn rooms(tree: &Tree) -> Vec<String> {
    const ROOMS: [&str; 5] = ["apply", "errors", "observe", "quote", "statements"];
    tree.under("engines/", "/src/lib.rs")
        .filter_map(|(path, _)| path.strip_suffix("/lib.rs"))
        .filter(|folder| !folder.ends_with("/options/src"))
        .flat_map(|folder| ROOMS.map(|room| format!("{folder}/{room}.rs")))
        .filter(|room| !tree.has(room))
        .map(|room| format!("{room} is missing: every engine has this room"))
        .collect()
}

fn is_statement(text: &str) -> bool {
    let lower = text.to_lowercase();
    statements::holds_one(text) || CATALOGUES.iter().any(|name| lower.contains(name))
}

fn literals(tree: &Tree) -> Vec<(&str, Piece)> {
    FOLDERS
        .iter()
        .flat_map(|folder| tree.under(folder, ".rs"))
        .filter(|(path, _)| !is_test(path))
        .flat_map(|(path, text)| pieces(without_tests(text)).into_iter().map(move |piece| (path, piece)))
        .filter(|(_, piece)| piece.kind == Kind::Literal)
        .collect()
}
