//! Rights and memberships.

use super::Statement;
use crate::observe::database::{Held, Holder};
use crate::quote::{account, identifier, literal};
use crate::server::Dialect;

/// Takes a right on a database away, with the right to grant it on. At database level these are two statements: the
/// server knows no way to revoke both in one without touching every other database.
pub(crate) fn take_away(holder: &Holder, database: &str) -> Vec<Statement> {
    // A role of MariaDB has no host.
    let who = if holder.host.is_empty() { literal(&holder.user) } else { account(&holder.user, &holder.host) };
    let inside = |name: &str| format!("{}.{}", identifier(database), identifier(name));
    let texts = match &holder.held {
        Held::Whole { pattern } => {
            let on = identifier(pattern);
            vec![
                format!("REVOKE ALL PRIVILEGES ON {on}.* FROM {who}"),
                format!("REVOKE GRANT OPTION ON {on}.* FROM {who}"),
            ]
        }
        Held::Table { name } => {
            let on = inside(name);
            vec![
                format!("REVOKE ALL PRIVILEGES ON TABLE {on} FROM {who}"),
                format!("REVOKE GRANT OPTION ON TABLE {on} FROM {who}"),
            ]
        }
        Held::Routine { kind, name } => {
            let on = format!("{} {}", crate::quote::word(&kind.replace(' ', "_")).replace('_', " "), inside(name));
            vec![
                format!("REVOKE ALL PRIVILEGES ON {on} FROM {who}"),
                format!("REVOKE GRANT OPTION ON {on} FROM {who}"),
            ]
        }
    };
    texts.into_iter().map(Statement::own).collect()
}

/// A role, as grants name it.
pub(crate) fn role(name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::MySql => account(name, "%"),
        Dialect::MariaDb => literal(name),
    }
}

/// Makes an account a member of a role.
pub(crate) fn join(name: &str, user: &str, host: &str, dialect: Dialect) -> String {
    format!("GRANT {} TO {}", role(name, dialect), account(user, host))
}

/// Ends a membership.
pub(crate) fn leave(name: &str, user: &str, host: &str, dialect: Dialect) -> String {
    format!("REVOKE {} FROM {}", role(name, dialect), account(user, host))
}

/// Roles that are active from the login on. MariaDB has at most one.
pub(crate) fn default_roles(roles: &[String], user: &str, host: &str, dialect: Dialect) -> String {
    let who = account(user, host);
    let named = || roles.iter().map(|one| role(one, dialect)).collect::<Vec<_>>().join(", ");
    match (dialect, roles) {
        (Dialect::MySql, []) => format!("SET DEFAULT ROLE NONE TO {who}"),
        (Dialect::MySql, _) => format!("SET DEFAULT ROLE {} TO {who}", named()),
        (Dialect::MariaDb, []) => format!("SET DEFAULT ROLE NONE FOR {who}"),
        (Dialect::MariaDb, [first, ..]) => format!("SET DEFAULT ROLE {} FOR {who}", literal(first)),
    }
}

/// Everything inside one database, and nothing beyond.
pub(crate) fn all_in_database(database: &str, patterns: bool, user: &str, host: &str) -> Statement {
    let on = crate::quote::database_in_grant(database, patterns);
    Statement::own(format!("GRANT ALL PRIVILEGES ON {on}.* TO {}", account(user, host)))
}
