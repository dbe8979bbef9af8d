//! Rights on objects, on future objects, and memberships with options.
//!
//! Privileges are words of the language: the adapter's own, or the catalogue's. So are the argument types of a
//! function, which the server writes with all the quotation marks they need.

use super::Statement;
use crate::grants::right::{INHERIT, Level, MEMBER, Right, SET};
use crate::quote::identifier;

/// What a statement is about: rights of one level, object and receiver.
#[derive(Clone, Debug)]
pub(crate) struct Target<'known> {
    pub(crate) level: Level,
    pub(crate) object: &'known [String],
    pub(crate) arguments: Option<&'known str>,
    /// None: everyone.
    pub(crate) receiver: Option<&'known str>,
}

impl<'known> Target<'known> {
    pub(crate) fn of(right: &'known Right, arguments: Option<&'known str>, grantee: &'known str) -> Self {
        let receiver = (!right.everyone).then_some(grantee);
        Self { level: right.level, object: &right.object, arguments, receiver }
    }

    fn receiver(&self) -> String {
        self.receiver.map_or_else(|| "PUBLIC".to_owned(), identifier)
    }

    fn name(&self, at: usize) -> String {
        identifier(self.object.get(at).map(String::as_str).unwrap_or_default())
    }

    /// The object as `ON` takes it.
    fn place(&self) -> String {
        let inside = format!("{}.{}", self.name(1), self.name(2));
        match self.level {
            Level::Database => format!("DATABASE {}", self.name(0)),
            Level::Schema => format!("SCHEMA {}", self.name(1)),
            Level::Table | Level::Column => format!("TABLE {inside}"),
            Level::Sequence => format!("SEQUENCE {inside}"),
            Level::Function => format!("FUNCTION {}", self.routine()),
            Level::Procedure => format!("PROCEDURE {}", self.routine()),
            Level::Type => format!("TYPE {inside}"),
            Level::Default => match self.object.get(2).map(String::as_str) {
                Some("sequences") => "SEQUENCES".to_owned(),
                Some("functions") => "FUNCTIONS".to_owned(),
                Some("types") => "TYPES".to_owned(),
                Some("schemas") => "SCHEMAS".to_owned(),
                Some("large objects") => "LARGE OBJECTS".to_owned(),
                _ => "TABLES".to_owned(),
            },
            Level::Membership => String::new(),
        }
    }

    fn routine(&self) -> String {
        let arguments = self.arguments.unwrap_or_default();
        let signed = self.object.get(2).map(String::as_str).unwrap_or_default();
        let name = signed.strip_suffix(&format!("({arguments})")).unwrap_or(signed);
        format!("{}.{}({arguments})", self.name(1), identifier(name))
    }

    fn privileges(&self, privileges: &[&str]) -> String {
        if self.level != Level::Column {
            return privileges.join(", ");
        }
        let column = self.name(3);
        privileges.iter().map(|word| format!("{word} ({column})")).collect::<Vec<_>>().join(", ")
    }

    /// Goes before the statements about future objects.
    fn prefix(&self) -> String {
        if self.level != Level::Default {
            return String::new();
        }
        let schema = if self.object.len() > 3 { format!(" IN SCHEMA {}", self.name(3)) } else { String::new() };
        format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}{schema} ", self.name(1))
    }

    /// Gives the privileges.
    pub(crate) fn grant(&self, privileges: &[&str], grantable: bool) -> String {
        let option = if grantable { " WITH GRANT OPTION" } else { "" };
        let (prefix, words, place) = (self.prefix(), self.privileges(privileges), self.place());
        format!("{prefix}GRANT {words} ON {place} TO {}{option}", self.receiver())
    }

    /// Takes the privileges, or only the right to grant them on.
    pub(crate) fn revoke(&self, privileges: &[&str], only_option: bool) -> String {
        let option = if only_option { "GRANT OPTION FOR " } else { "" };
        let (prefix, words, place) = (self.prefix(), self.privileges(privileges), self.place());
        format!("{prefix}REVOKE {option}{words} ON {place} FROM {}", self.receiver())
    }

    /// Takes a privilege, and what the receiver gave on of it: the receiver is about to go.
    pub(crate) fn revoke_for_good(&self, privilege: &str) -> String {
        format!("{} CASCADE", self.revoke(&[privilege], false))
    }
}

/// The options of a membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) admin: bool,
    pub(crate) inherit: bool,
    pub(crate) set: bool,
}

/// Makes `member` a member with exactly these options; before memberships had options, ADMIN is all there is.
pub(crate) fn admit(role: &str, member: &str, options: Options, with_options: bool) -> String {
    let word = |value: bool| if value { "TRUE" } else { "FALSE" };
    let Options { admin, inherit, set } = options;
    let options = match (with_options, admin) {
        (true, _) => format!(" WITH ADMIN {}, INHERIT {}, SET {}", word(admin), word(inherit), word(set)),
        (false, true) => " WITH ADMIN OPTION".to_owned(),
        (false, false) => String::new(),
    };
    format!("GRANT {} TO {}{options}", identifier(role), identifier(member))
}

/// Ends a membership, or takes one of its options.
pub(crate) fn dismiss(role: &str, member: &str, privilege: &str, only_admin: bool, grantor: Option<&str>) -> String {
    let option = match privilege {
        MEMBER if only_admin => "ADMIN OPTION FOR ",
        INHERIT => "INHERIT OPTION FOR ",
        SET => "SET OPTION FOR ",
        _ => "",
    };
    let granted_by = grantor.map(|name| format!(" GRANTED BY {}", identifier(name))).unwrap_or_default();
    format!("REVOKE {option}{} FROM {}{granted_by}", identifier(role), identifier(member))
}

/// What follows is done as the role, until `as_oneself`.
pub(crate) fn as_role(role: &str) -> Statement {
    Statement::own(format!("SET LOCAL ROLE {}", identifier(role)))
}

/// What follows is done as the administrator again.
pub(crate) fn as_oneself() -> Statement {
    Statement::own("SET LOCAL ROLE NONE")
}
