//! Memberships in roles.

use super::Statement;
use crate::quote::identifier;

/// The options of a membership that the administrator granted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnGrant {
    pub(crate) inherit: bool,
    pub(crate) set: bool,
}

/// Makes `member` a member with all that a membership gives.
pub(crate) fn lend(role: &str, member: &str, with_options: bool) -> Statement {
    let options = if with_options { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    Statement::own(format!("GRANT {} TO {}{options}", identifier(role), identifier(member)))
}

/// Takes a loan back. A membership of the same grantor that was there before gets its options again; before
/// memberships had options, one that was there already was not changed by the loan.
pub(crate) fn restore(role: &str, member: &str, with_options: bool, before: Option<OwnGrant>) -> Option<Statement> {
    match before {
        Some(OwnGrant { inherit, set }) if with_options => Some(Statement::own(format!(
            "GRANT {} TO {} WITH INHERIT {}, SET {}",
            identifier(role),
            identifier(member),
            word(inherit),
            word(set)
        ))),
        Some(_) => None,
        None => Some(Statement::own(format!("REVOKE {} FROM {}", identifier(role), identifier(member)))),
    }
}

/// Makes `member` a member, with the server's default options.
pub(crate) fn grant(role: &str, member: &str) -> String {
    format!("GRANT {} TO {}", identifier(role), identifier(member))
}

/// Lets `member` use a role that it may only make others members of so far. Memberships have options since
/// PostgreSQL 16.
pub(crate) fn give_use(role: &str, member: &str, inherit: bool) -> String {
    let inherit = if inherit { "TRUE" } else { "FALSE" };
    format!("GRANT {} TO {} WITH INHERIT {inherit}, SET TRUE", identifier(role), identifier(member))
}

/// Ends a membership. Where grantors are kept apart, the one that granted it is named.
pub(crate) fn revoke(role: &str, member: &str, grantor: Option<&str>) -> String {
    let granted_by = grantor.map(|name| format!(" GRANTED BY {}", identifier(name))).unwrap_or_default();
    format!("REVOKE {} FROM {}{granted_by}", identifier(role), identifier(member))
}

fn word(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}
