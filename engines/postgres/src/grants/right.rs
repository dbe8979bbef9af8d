//! A right in its canonical form: what is compared, reported and recorded.
//!
//! A membership is up to three rights of its own (MEMBER, INHERIT, SET), so that the options of several resources
//! form a union like everything else; ADMIN is the grantable form of MEMBER.
//! Rights of everyone are told from the grantee's own by the level: `public table` beside `table`.

use std::fmt;

use dbprovision_sdk::adapter::grants::Granted;
use postgres_options::PostgresObjectType;

/// What kind of thing a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Membership,
    Database,
    Schema,
    Table,
    Column,
    Sequence,
    Function,
    Procedure,
    Type,
    Default,
}

const LEVELS: &[(Level, &str)] = &[
    (Level::Membership, "membership"),
    (Level::Database, "database"),
    (Level::Schema, "schema"),
    (Level::Table, "table"),
    (Level::Column, "column"),
    (Level::Sequence, "sequence"),
    (Level::Function, "function"),
    (Level::Procedure, "procedure"),
    (Level::Type, "type"),
    (Level::Default, "default"),
];

impl Level {
    /// The word in reports.
    pub(crate) fn word(self) -> &'static str {
        LEVELS.iter().find(|(level, _)| *level == self).map_or("", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        LEVELS.iter().find(|(_, known)| *known == word).map(|(level, _)| *level)
    }

    /// It is read and changed in the main session; everything else inside its database.
    pub(crate) fn is_shared(self) -> bool {
        matches!(self, Self::Membership | Self::Database)
    }
}

/// Before the level of what everyone holds.
const PUBLIC: &str = "public ";

/// The privileges of a membership.
pub(crate) const MEMBER: &str = "MEMBER";
pub(crate) const INHERIT: &str = "INHERIT";
pub(crate) const SET: &str = "SET";

/// One right of the grantee, or of everyone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) level: Level,
    /// Outermost name first. A default right is about database, owner, kind and, where it is about one, the schema.
    pub(crate) object: Vec<String>,
    pub(crate) everyone: bool,
    pub(crate) privilege: String,
}

impl Right {
    /// The object without its database, for a person.
    fn place(&self) -> String {
        let parts: Vec<&str> = self.object.iter().map(String::as_str).collect();
        match (self.level, parts.as_slice()) {
            (Level::Default, [database, owner, kind]) => format!("future {kind} of {owner} in {database}"),
            (Level::Default, [database, owner, kind, schema]) => {
                format!("future {kind} of {owner} in {database}.{schema}")
            }
            (level, parts) => format!("the {} {}", level.word(), parts.join(".")),
        }
    }

    /// The database that it is in; none for memberships.
    pub(crate) fn database(&self) -> Option<&str> {
        self.object.first().filter(|_| self.level != Level::Membership).map(String::as_str)
    }

    /// Rights that one statement gives or takes have the same text here.
    pub(crate) fn target(&self) -> (Level, Vec<String>, bool) {
        (self.level, self.object.clone(), self.everyone)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.everyone { " for everyone" } else { "" };
        write!(formatter, "{} on {}{who}", self.privilege, self.place())
    }
}

/// A right as the host knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) right: Right,
    pub(crate) grantable: bool,
    pub(crate) grantor: Option<String>,
}

impl Known {
    /// None for a level that this adapter does not know.
    pub(crate) fn read(granted: &Granted) -> Option<Self> {
        let (everyone, word) = match granted.level.strip_prefix(PUBLIC) {
            Some(word) => (true, word),
            None => (false, granted.level.as_str()),
        };
        let right = Right {
            level: Level::parse(word)?,
            object: granted.object.clone(),
            everyone,
            privilege: granted.privilege.clone(),
        };
        Some(Self { right, grantable: granted.grantable, grantor: granted.grantor.clone() })
    }

    pub(crate) fn write(&self) -> Granted {
        let Self { right, grantable, grantor } = self;
        Granted {
            level: format!("{}{}", if right.everyone { PUBLIC } else { "" }, right.level.word()),
            object: right.object.clone(),
            privilege: right.privilege.clone(),
            grantable: *grantable,
            grantor: grantor.clone(),
        }
    }
}

/// A right as the catalogue has it; the same right may be there once for each grantor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) right: Right,
    pub(crate) grantable: bool,
    pub(crate) grantor: String,
    /// Who owns the object; of a membership, the role itself.
    pub(crate) owner: String,
    /// Nobody gave it: the owner's own right, a creator's hold on its role, and what the server gives everyone. Of
    /// that the list does not tell whether it was taken and given again, which only a record does.
    pub(crate) implicit: bool,
    /// A membership that the administrator granted.
    pub(crate) ours: bool,
    /// The types of a function's arguments.
    pub(crate) arguments: Option<String>,
    /// Who owns the schema that it is in: the object's owner may have no way in.
    pub(crate) schema_owner: Option<String>,
}

impl Held {
    pub(crate) fn known(&self) -> Known {
        Known { right: self.right.clone(), grantable: self.grantable, grantor: Some(self.grantor.clone()) }
    }
}

/// The word for a kind of future objects.
pub(crate) fn kind_word(kind: PostgresObjectType) -> &'static str {
    match kind {
        PostgresObjectType::Tables => "tables",
        PostgresObjectType::Sequences => "sequences",
        PostgresObjectType::Functions => "functions",
        PostgresObjectType::Types => "types",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_survives_a_round_trip_through_the_hosts_record() {
        for (level, _) in LEVELS {
            for everyone in [false, true] {
                let right = Right {
                    level: *level,
                    object: vec!["d".to_owned(), "public table".to_owned()],
                    everyone,
                    privilege: "SELECT".to_owned(),
                };
                let known = Known { right, grantable: true, grantor: Some("o".to_owned()) };
                assert_eq!(Known::read(&known.write()), Some(known));
            }
        }
        let strange = Granted {
            level: "galaxy".to_owned(),
            object: Vec::new(),
            privilege: "SELECT".to_owned(),
            grantable: false,
            grantor: None,
        };
        assert_eq!(Known::read(&strange), None);
    }
}
