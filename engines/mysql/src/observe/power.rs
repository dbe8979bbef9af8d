//! Who is the administrator's equal, or on the way to it: by what an account or role holds itself, and by the roles
//! that it is a member of, through however many of them.
//!
//! Accounts are rows of the server's own tables, so whoever writes there makes itself anything.
//! Deliberately absent: what a name alone tells, which is `names`'; passwords that somebody could guess.

use std::collections::BTreeSet;

use dbprovision_sdk::Result;

use super::reader::{Question, Reader};
use super::rights::{self, GRANT_OPTION, Object, Right};
use crate::names;
use crate::server::Facts;

/// The database of the server's own tables.
const ACCOUNTS: &str = "mysql";

/// What changes tables, or what is defined beside them. On the whole server it is on the server's own tables too.
const WRITING: &[&str] =
    &["ALTER", "ALTER ROUTINE", "CREATE", "DELETE", "DROP", GRANT_OPTION, "INSERT", "TRIGGER", "UPDATE"];

/// What makes its holder another account, or lets it choose what the server executes or lets in.
const EVERYTHING: &[&str] = &[
    "ALLOW_NONEXISTENT_DEFINER",
    "AUTHENTICATION_POLICY_ADMIN",
    "BINLOG REPLAY",
    "CLONE_ADMIN",
    "CONNECTION ADMIN",
    "CONNECTION_ADMIN",
    "CREATE USER",
    "FEDERATED ADMIN",
    "FILE",
    "GROUP_REPLICATION_ADMIN",
    "PASSWORDLESS_USER_ADMIN",
    "PERSIST_RO_VARIABLES_ADMIN",
    "REPLICATION SLAVE ADMIN",
    "REPLICATION_APPLIER",
    "REPLICATION_SLAVE_ADMIN",
    "ROLE_ADMIN",
    "SET USER",
    "SET_ANY_DEFINER",
    "SET_USER_ID",
    "SUPER",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
];

/// Whether an account or a role is as powerful as the administrator. A role of MariaDB has no host.
pub(crate) fn is_privileged(reader: &mut dyn Reader, facts: &Facts, user: &str, host: &str) -> Result<bool> {
    reaches(reader, facts, user, host, |right| is_power(right, facts.patterns))
}

/// Whether one of the rights that an account holds, itself or by its roles, is such a one.
pub(crate) fn reaches(
    reader: &mut dyn Reader,
    facts: &Facts,
    user: &str,
    host: &str,
    decides: impl Fn(&Right) -> bool,
) -> Result<bool> {
    let mut seen = BTreeSet::new();
    let mut open = vec![(user.to_owned(), host.to_owned())];
    while let Some((user, host)) = open.pop() {
        if !seen.insert((user.clone(), host.clone())) {
            continue;
        }
        if rights::of(reader, facts, &user, &host)?.iter().any(&decides) {
            return Ok(true);
        }
        open.extend(roles_of(reader, facts, &user, &host)?);
    }
    Ok(false)
}

/// The roles of one account or role. On MySQL any account can be one, with whatever host.
fn roles_of(reader: &mut dyn Reader, facts: &Facts, user: &str, host: &str) -> Result<Vec<(String, String)>> {
    let question = if facts.is_mariadb() {
        Question {
            query: "SELECT u.Host, u.Role, '', u.User FROM mysql.roles_mapping u WHERE {subjects}",
            subjects: "BINARY u.User {among}",
            parameters: &[],
        }
    } else {
        Question {
            query: "SELECT TO_HOST, FROM_USER, FROM_HOST, TO_USER FROM mysql.role_edges WHERE {subjects}",
            subjects: "BINARY TO_USER {among}",
            parameters: &[],
        }
    };
    let mut found = Vec::new();
    for row in reader.about(&question, &[user])? {
        if row.get(0)? == host {
            found.push((row.get(1)?, row.get(2)?));
        }
    }
    Ok(found)
}

/// Whether the right makes its holder the administrator's equal.
fn is_power(right: &Right, patterns: bool) -> bool {
    let privilege = right.privilege.as_str();
    match &right.object {
        Object::Global => WRITING.contains(&privilege) || EVERYTHING.contains(&privilege),
        Object::Database(_) | Object::Table(..) | Object::Column(..) | Object::Routine(..) => {
            WRITING.contains(&privilege) && is_on_accounts(right, patterns)
        }
    }
}

/// Whether the right is on the server's own tables.
pub(crate) fn is_on_accounts(right: &Right, patterns: bool) -> bool {
    match &right.object {
        Object::Global => true,
        Object::Database(pattern) if patterns => names::matches_pattern(pattern, ACCOUNTS),
        Object::Database(name) | Object::Table(name, _) | Object::Column(name, ..) | Object::Routine(_, name, _) => {
            name.eq_ignore_ascii_case(ACCOUNTS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_accounts_can_be_everybody() {
        let owned = str::to_owned;
        let right = |object: Object, privilege: &str| Right { object, privilege: owned(privilege), grantable: false };
        let on = |pattern: &str| Object::Database(owned(pattern));
        for (object, privilege) in [
            (Object::Global, "CREATE USER"),
            (Object::Global, "SET USER"),
            (Object::Global, "SET_USER_ID"),
            (Object::Global, "DELETE"),
            (Object::Global, GRANT_OPTION),
            (on("mysql"), "INSERT"),
            (on("my%"), "UPDATE"),
            (on("%"), GRANT_OPTION),
            (Object::Table(owned("mysql"), owned("user")), "UPDATE"),
            (Object::Column(owned("mysql"), owned("user"), owned("Super_priv")), "UPDATE"),
            (Object::Routine(owned("PROCEDURE"), owned("mysql"), owned("p")), "ALTER ROUTINE"),
        ] {
            assert!(is_power(&right(object.clone(), privilege), true), "{object:?} {privilege}");
        }
        for (object, privilege) in [
            (Object::Global, "SELECT"),
            (Object::Global, "PROCESS"),
            (on("mysql"), "SELECT"),
            (on("app\\_db"), "INSERT"),
            (on("app%"), GRANT_OPTION),
            (Object::Table(owned("app"), owned("user")), "UPDATE"),
            (Object::Routine(owned("PROCEDURE"), owned("mysql"), owned("p")), "EXECUTE"),
        ] {
            assert!(!is_power(&right(object.clone(), privilege), true), "{object:?} {privilege}");
        }
        assert!(!is_power(&right(on("my%"), "INSERT"), false), "where the server takes no patterns it is a name");
    }
}
