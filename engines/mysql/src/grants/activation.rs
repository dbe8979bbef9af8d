//! Which of a user's roles are active from the login on: a membership is of no use before its role is. Pure.
//!
//! MySQL activates any number of them. MariaDB activates one, so what a grant states is active only where nothing else
//! is; and its administrator must be able to write accounts to choose one for somebody else.
//! Deliberately absent: what the user's own resource states, which is `users`' to compare.

use std::collections::{BTreeMap, BTreeSet};

use crate::difference::Difference;
use crate::server::{Dialect, Facts};
use crate::statements::Statement;
use crate::statements::grant::{self, Grantee};

use super::differences::Holding;

/// How the ids of the differences begin.
const ID: &str = "active:";

/// Whether making a change of this id may have changed what should be active.
pub(crate) fn is_touched_by(id: &str) -> bool {
    id.starts_with(ID) || id.starts_with("grant:membership:") || id.starts_with("revoke:membership:")
}

/// Roles that are stated, held, and not active. They have no statements: what they need depends on the memberships
/// that are made with them.
pub(crate) fn differences(
    roles: &BTreeMap<String, String>,
    now: &BTreeMap<Grantee, Holding>,
    facts: &Facts,
) -> Vec<Difference> {
    let mut sleeping: BTreeSet<&String> = BTreeSet::new();
    for held in now.values() {
        let wanted = wanted(roles, held, facts.dialect);
        sleeping.extend(roles.keys().filter(|role| wanted.contains(*role) && !held.active.contains(*role)));
    }
    let actual = if facts.activates {
        "not active"
    } else {
        "not active: the administrator may not change that without UPDATE on `mysql`.*"
    };
    let of = |role: &String| {
        let path = roles.get(role).cloned().unwrap_or_default();
        let difference = Difference::new(format!("{ID}{role}"), path, "active from the login on", actual);
        difference.impossible_if(!facts.activates)
    };
    sleeping.into_iter().map(of).collect()
}

/// What makes the roles active that should be, after memberships changed.
pub(crate) fn statements(
    roles: &BTreeMap<String, String>,
    before: &BTreeMap<Grantee, Holding>,
    after: &BTreeMap<Grantee, Holding>,
    dialect: Dialect,
) -> Vec<Statement> {
    let mut found = Vec::new();
    for (grantee, held) in after {
        let wanted = wanted(roles, held, dialect);
        // MariaDB keeps the name of a default role that was taken away.
        let is_stale =
            before.get(grantee).is_some_and(|before| before.active.difference(&held.active).next().is_some());
        if wanted != held.active || (is_stale && dialect == Dialect::MariaDb) {
            let wanted: Vec<String> = wanted.into_iter().collect();
            found.push(Statement::of(
                "options.roles",
                grant::default_roles(&wanted, &grantee.user, &grantee.host, dialect),
            ));
        }
    }
    found
}

fn wanted(roles: &BTreeMap<String, String>, held: &Holding, dialect: Dialect) -> BTreeSet<String> {
    let mut stated = roles.keys().filter(|role| held.roles.contains(*role)).cloned();
    let mut wanted = held.active.clone();
    match dialect {
        Dialect::MySql => wanted.extend(stated),
        Dialect::MariaDb if wanted.is_empty() => wanted.extend(stated.next()),
        Dialect::MariaDb => {}
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn holding(roles: &[&str], active: &[&str]) -> BTreeMap<Grantee, Holding> {
        let grantee = Grantee { user: "u".to_owned(), host: "%".to_owned() };
        BTreeMap::from([(grantee, Holding { rights: BTreeSet::new(), roles: names(roles), active: names(active) })])
    }

    fn sql(
        stated: &[&str],
        before: &BTreeMap<Grantee, Holding>,
        after: &BTreeMap<Grantee, Holding>,
        dialect: Dialect,
    ) -> Vec<String> {
        let stated = names(stated).into_iter().map(|role| (role, "roles[0]".to_owned())).collect();
        statements(&stated, before, after, dialect).into_iter().map(|one| one.sql).collect()
    }

    #[test]
    fn mysql_activates_all_that_are_stated_beside_what_is_active() {
        let now = holding(&["a", "b", "theirs"], &["theirs"]);
        let expected = ["SET DEFAULT ROLE 'a'@'%', 'b'@'%', 'theirs'@'%' TO 'u'@'%'"];
        assert_eq!(sql(&["a", "b", "later"], &now, &now, Dialect::MySql), expected);
        let now = holding(&["a"], &["a"]);
        assert_eq!(sql(&["a"], &now, &now, Dialect::MySql), [""; 0]);
    }

    #[test]
    fn mariadb_activates_one_where_none_is_and_none_where_it_was_taken() {
        let none = holding(&["a", "b"], &[]);
        assert_eq!(sql(&["a", "b"], &none, &none, Dialect::MariaDb), ["SET DEFAULT ROLE 'a' FOR 'u'@'%'"]);
        let full = holding(&["a", "theirs"], &["theirs"]);
        assert_eq!(sql(&["a"], &full, &full, Dialect::MariaDb), [""; 0]);
        let (before, after) = (holding(&["a", "b"], &["a"]), holding(&["b"], &[]));
        assert_eq!(sql(&[], &before, &after, Dialect::MariaDb), ["SET DEFAULT ROLE NONE FOR 'u'@'%'"]);
        assert_eq!(sql(&["b"], &before, &after, Dialect::MariaDb), ["SET DEFAULT ROLE 'b' FOR 'u'@'%'"]);
    }
}
