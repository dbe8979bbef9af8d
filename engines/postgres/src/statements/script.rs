//! The temporary role of a script: it may log in once, for a short time, and has its owner's rights and no others.

use super::Statement;
use crate::quote::{identifier, literal};

/// Creates it. The verifier's password is known to nobody but this call.
pub(crate) fn create_role(name: &str, verifier: &str, until: &str) -> Statement {
    Statement::own(format!(
        "CREATE ROLE {} LOGIN CONNECTION LIMIT 1 PASSWORD {} VALID UNTIL {}",
        identifier(name),
        literal(verifier),
        literal(until)
    ))
}

/// What the script creates belongs to the owner.
pub(crate) fn become_owner(owner: &str) -> String {
    format!("SET ROLE {}", identifier(owner))
}
