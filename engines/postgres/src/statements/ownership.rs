//! The owner role and the application user of a database.

use crate::quote::{identifier, literal};

use super::Statement;

/// The owner role: it never logs in.
pub(crate) fn create_role(name: &str) -> Statement {
    Statement::of("options.ownership.roleName", format!("CREATE ROLE {} NOLOGIN", identifier(name)))
}

/// The application user. Without a verifier it cannot log in with a password yet.
pub(crate) fn create_user(name: &str, verifier: Option<&str>) -> Statement {
    let password = verifier.map(|text| format!(" PASSWORD {}", literal(text))).unwrap_or_default();
    Statement::of("options.ownership.userName", format!("CREATE ROLE {} LOGIN{password}", identifier(name)))
}

/// Sessions of the user in the database begin as the role, so that what they create is the role's.
pub(crate) fn session_role(user: &str, database: &str, role: &str) -> String {
    format!("ALTER ROLE {} IN DATABASE {} SET role = {}", identifier(user), identifier(database), literal(role))
}

/// Sessions of the user begin as itself again.
pub(crate) fn no_session_role(user: &str, database: &str) -> String {
    format!("ALTER ROLE {} IN DATABASE {} RESET role", identifier(user), identifier(database))
}
