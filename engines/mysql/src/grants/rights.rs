//! Between the rights of this engine and the words in which every engine's rights are recorded. Pure.

use dbprovision_sdk::adapter::grants::Granted;

use crate::observe::rights::{Object, Right};

/// The level of a membership, and its one privilege.
pub(crate) const MEMBERSHIP: &str = "membership";
const MEMBER: &str = "MEMBER";

/// As it is recorded. The grantor is not kept: these servers do not look at it.
pub(crate) fn granted(right: &Right) -> Granted {
    let (level, object) = match &right.object {
        Object::Global => ("global".to_owned(), Vec::new()),
        Object::Database(pattern) => ("database".to_owned(), vec![pattern.clone()]),
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

/// What was recorded; none where it is no right of this engine.
pub(crate) fn recorded(granted: &Granted) -> Option<Right> {
    let object = match (granted.level.as_str(), granted.object.as_slice()) {
        ("global", []) => Object::Global,
        ("database", [pattern]) => Object::Database(pattern.clone()),
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
            Object::Table("a".to_owned(), "b.c".to_owned()),
            Object::Column("a".to_owned(), "b".to_owned(), "c".to_owned()),
            Object::Routine("PROCEDURE".to_owned(), "a".to_owned(), "p".to_owned()),
            Object::Routine("PACKAGE BODY".to_owned(), "a".to_owned(), "p".to_owned()),
        ] {
            let right = Right { object, privilege: "SELECT".to_owned(), grantable: true };
            assert_eq!(recorded(&granted(&right)), Some(right));
        }
        assert_eq!(recorded(&membership("r")), None);
        assert_eq!(recorded_role(&membership("r")), Some("r"));
    }
}
