//! Between the rights of this engine and the words in which every engine's rights are recorded. Pure.

use dbprovision_sdk::adapter::grants::Granted;

use crate::observe::rights::{Object, Right};
use crate::quote::{escaped_pattern, plain_name};

/// The level of a membership, and its one privilege.
pub(crate) const MEMBERSHIP: &str = "membership";
const MEMBER: &str = "MEMBER";

/// The level of a right on a database, by its name.
const DATABASE: &str = "database";
/// The level of a right on whatever has a name like this.
const PATTERN: &str = "database pattern";

/// As it is recorded. The grantor is not kept: these servers do not look at it. `patterns` is whether the database in a
/// grant is one to this server.
pub(crate) fn granted(right: &Right, patterns: bool) -> Granted {
    let (level, object) = match &right.object {
        Object::Global => ("global".to_owned(), Vec::new()),
        Object::Database(name) if !patterns => (DATABASE.to_owned(), vec![name.clone()]),
        Object::Database(pattern) => match plain_name(pattern).filter(|name| !is_like_a_pattern(name)) {
            Some(name) => (DATABASE.to_owned(), vec![name]),
            None => (PATTERN.to_owned(), vec![pattern.clone()]),
        },
        Object::Table(database, table) => ("table".to_owned(), vec![database.clone(), table.clone()]),
        Object::Column(database, table, column) => {
            ("column".to_owned(), vec![database.clone(), table.clone(), column.clone()])
        }
        Object::Routine(kind, database, name) => (kind.to_lowercase(), vec![database.clone(), name.clone()]),
    };
    Granted { level, object, privilege: right.privilege.clone(), grantable: right.grantable, grantor: None }
}

/// A membership, as it is recorded.
pub(crate) fn membership(role: &str) -> Granted {
    Granted {
        level: MEMBERSHIP.to_owned(),
        object: vec![role.to_owned()],
        privilege: MEMBER.to_owned(),
        grantable: false,
        grantor: None,
    }
}

/// A name that is recorded as the pattern that matches nothing else: once, patterns were recorded as names are.
fn is_like_a_pattern(name: &str) -> bool {
    name.contains(['%', '\\'])
}

/// What was recorded; none where it is no right of this engine.
pub(crate) fn recorded(granted: &Granted, patterns: bool) -> Option<Right> {
    let object = match (granted.level.as_str(), granted.object.as_slice()) {
        ("global", []) => Object::Global,
        (DATABASE, [name]) if patterns && !is_like_a_pattern(name) => Object::Database(escaped_pattern(name)),
        (DATABASE | PATTERN, [name]) => Object::Database(name.clone()),
        ("table", [database, table]) => Object::Table(database.clone(), table.clone()),
        ("column", [database, table, column]) => Object::Column(database.clone(), table.clone(), column.clone()),
        (MEMBERSHIP, _) => return None,
        (kind, [database, name]) => Object::Routine(kind.to_uppercase(), database.clone(), name.clone()),
        _ => return None,
    };
    Some(Right { object, privilege: granted.privilege.clone(), grantable: granted.grantable })
}

/// The role of a recorded membership.
pub(crate) fn recorded_role(granted: &Granted) -> Option<&str> {
    match (granted.level.as_str(), granted.object.as_slice()) {
        (MEMBERSHIP, [role]) => Some(role),
        _ => None,
    }
}

/// A name for a right that stays the same for the same right.
pub(crate) fn id(granted: &Granted) -> String {
    let option = if granted.grantable { ":grantable" } else { "" };
    format!("{}:{}:{}{option}", granted.level, granted.object.join("."), granted.privilege)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_read_back() {
        for object in [
            Object::Global,
            Object::Database("a\\_b".to_owned()),
            Object::Database("a_b".to_owned()),
            Object::Database("a%".to_owned()),
            Object::Database("a\\%\\_".to_owned()),
            Object::Database("a\\\\\\_b".to_owned()),
            Object::Table("a".to_owned(), "b.c".to_owned()),
            Object::Column("a".to_owned(), "b".to_owned(), "c".to_owned()),
            Object::Routine("PROCEDURE".to_owned(), "a".to_owned(), "p".to_owned()),
            Object::Routine("PACKAGE BODY".to_owned(), "a".to_owned(), "p".to_owned()),
        ] {
            let right = Right { object, privilege: "SELECT".to_owned(), grantable: true };
            for patterns in [true, false] {
                assert_eq!(recorded(&granted(&right, patterns), patterns).as_ref(), Some(&right));
            }
        }
        assert_eq!(recorded(&membership("r"), true), None);
        assert_eq!(recorded_role(&membership("r")), Some("r"));
    }

    #[test]
    fn a_right_on_a_database_is_recorded_by_its_name_and_read_in_the_form_that_was() {
        let right = |pattern: &str| Right {
            object: Object::Database(pattern.to_owned()),
            privilege: "SELECT".to_owned(),
            grantable: false,
        };
        let shown = |pattern: &str, patterns| {
            let Granted { level, object, privilege: _, grantable: _, grantor: _ } = granted(&right(pattern), patterns);
            (level, object)
        };
        let expected = |level: &str, name: &str| (level.to_owned(), vec![name.to_owned()]);
        assert_eq!(shown("shop\\_a", true), expected("database", "shop_a"));
        assert_eq!(shown("shop_a", false), expected("database", "shop_a"));
        for pattern in ["shop_a", "shop%", "shop\\_%"] {
            assert_eq!(shown(pattern, true), expected("database pattern", pattern));
        }
        let former = |name: &str| Granted { object: vec![name.to_owned()], ..granted(&right("x"), true) };
        for pattern in ["shop\\_a", "shop%"] {
            assert_eq!(recorded(&former(pattern), true), Some(right(pattern)));
        }
    }
}
