//! Rights and memberships.
//!
//! Each statement names exactly the rights that it is about. Nothing is ever revoked as `ALL`, which would take other
//! rights along, and which an administrator who lacks one of them may not say.

use std::collections::{BTreeMap, BTreeSet};

use super::Statement;
use crate::observe::rights::{GRANT_OPTION, Object, Right};
use crate::quote::{account, database_in_grant, identifier, literal, word};
use crate::server::Dialect;

/// A grantee: an account, or a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grantee {
    pub(crate) user: String,
    /// Empty for a role of MariaDB.
    pub(crate) host: String,
}

impl Grantee {
    fn quoted(&self) -> String {
        if self.host.is_empty() { literal(&self.user) } else { account(&self.user, &self.host) }
    }
}

/// Gives rights, with as few statements as there are objects.
pub(crate) fn give(rights: &BTreeSet<Right>, to: &Grantee) -> Vec<String> {
    phrases(rights)
        .into_iter()
        .map(|(what, on, grantable)| {
            let option = if grantable { " WITH GRANT OPTION" } else { "" };
            format!("GRANT {what} ON {on} TO {}{option}", to.quoted())
        })
        .collect()
}

/// Takes rights away. The right to grant on goes by itself: the server knows no way to revoke it together with
/// others without touching every other object.
pub(crate) fn take(rights: &BTreeSet<Right>, from: &Grantee) -> Vec<String> {
    phrases(rights).into_iter().map(|(what, on, _)| format!("REVOKE {what} ON {on} FROM {}", from.quoted())).collect()
}

/// What is granted, on what, and whether as dynamic privileges that may be granted on.
fn phrases(rights: &BTreeSet<Right>) -> Vec<(String, String, bool)> {
    let mut grouped: BTreeMap<(String, bool, bool), Vec<String>> = BTreeMap::new();
    for right in rights {
        let privilege = spelled(&right.privilege);
        let (on, what) = match &right.object {
            Object::Global => ("*.*".to_owned(), privilege),
            Object::Database(pattern) => (format!("{}.*", identifier(pattern)), privilege),
            Object::Table(database, table) => (format!("TABLE {}", inside(database, table)), privilege),
            Object::Column(database, table, column) => {
                (format!("TABLE {}", inside(database, table)), format!("{privilege} ({})", identifier(column)))
            }
            Object::Routine(kind, database, name) => {
                (format!("{} {}", spelled(kind), inside(database, name)), privilege)
            }
        };
        let alone = right.privilege == GRANT_OPTION;
        grouped.entry((on, alone, right.grantable)).or_default().push(what);
    }
    grouped.into_iter().map(|((on, _, grantable), what)| (what.join(", "), on, grantable)).collect()
}

fn inside(database: &str, name: &str) -> String {
    format!("{}.{}", identifier(database), identifier(name))
}

/// Words of the grammar: nothing but letters, digits, underscores and single spaces.
fn spelled(words: &str) -> String {
    words.split(' ').map(word).filter(|one| !one.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A role, as grants name it.
pub(crate) fn role(name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::MySql => account(name, "%"),
        Dialect::MariaDb => literal(name),
    }
}

/// Makes an account or a role a member of a role.
pub(crate) fn join(name: &str, member: &Grantee, dialect: Dialect) -> String {
    format!("GRANT {} TO {}", role(name, dialect), member.quoted())
}

/// Ends a membership.
pub(crate) fn leave(name: &str, member: &Grantee, dialect: Dialect) -> String {
    format!("REVOKE {} FROM {}", role(name, dialect), member.quoted())
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

/// Everything inside one database that the server knows, and nothing beyond.
pub(crate) fn all_in_database(database: &str, patterns: bool, user: &str, host: &str) -> Statement {
    let on = database_in_grant(database, patterns);
    Statement::own(format!("GRANT ALL PRIVILEGES ON {on}.* TO {}", account(user, host)))
}
