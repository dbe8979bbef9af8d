//! Which privileges each level has, on which version, and which of the named objects a stated privilege is about.
//! Pure.

use postgres_options::PostgresObjectType;

use super::right::Level;

/// `MAINTAIN` on tables came with this version.
const MAINTAIN: i32 = 170_000;
const MAINTAIN_WORD: &str = "MAINTAIN";

/// The privileges of a level, on any version.
pub(crate) fn known(level: Level) -> &'static [&'static str] {
    match level {
        Level::Database => &["CREATE", "CONNECT", "TEMPORARY"],
        Level::Schema => &["USAGE", "CREATE"],
        Level::Table => &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", MAINTAIN_WORD],
        Level::Column => &["SELECT", "INSERT", "UPDATE", "REFERENCES"],
        Level::Sequence => &["USAGE", "SELECT", "UPDATE"],
        Level::Function | Level::Procedure => &["EXECUTE"],
        Level::Type => &["USAGE"],
        // What future objects have is what objects of their kind have; a membership has options instead.
        Level::Default | Level::Membership => &[],
    }
}

/// The privileges of a level, for a message that is not about one server.
pub(crate) fn listed(level: Level) -> String {
    let words = known(level).iter().map(|&word| match word {
        MAINTAIN_WORD => "MAINTAIN (from PostgreSQL 17 on)",
        other => other,
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The privileges that a level has on a server of this version.
pub(crate) fn on(level: Level, version: i32) -> Vec<&'static str> {
    known(level).iter().copied().filter(|word| is_there(word, version)).collect()
}

fn is_there(word: &str, version: i32) -> bool {
    word != MAINTAIN_WORD || version >= MAINTAIN
}

/// The level of the objects of a kind.
pub(crate) fn level_of(kind: PostgresObjectType) -> Level {
    match kind {
        PostgresObjectType::Tables => Level::Table,
        PostgresObjectType::Sequences => Level::Sequence,
        PostgresObjectType::Functions => Level::Function,
        PostgresObjectType::Types => Level::Type,
    }
}

/// The kind under which future objects of a level are kept.
pub(crate) fn kind_of(level: Level) -> Option<PostgresObjectType> {
    match level {
        Level::Table => Some(PostgresObjectType::Tables),
        Level::Sequence => Some(PostgresObjectType::Sequences),
        Level::Function | Level::Procedure => Some(PostgresObjectType::Functions),
        Level::Type => Some(PostgresObjectType::Types),
        Level::Membership | Level::Database | Level::Schema | Level::Column | Level::Default => None,
    }
}

/// One privilege as it is stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stated {
    All,
    One(&'static str),
}

impl Stated {
    /// None where no level has such a privilege.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let every = [Level::Database, Level::Schema, Level::Table, Level::Sequence, Level::Function];
        match word {
            "ALL" | "ALL PRIVILEGES" => Some(Self::All),
            "TEMP" => Some(Self::One("TEMPORARY")),
            other => every.iter().flat_map(|level| known(*level)).find(|one| **one == other).map(|one| Self::One(one)),
        }
    }

    /// Whether a level has it.
    pub(crate) fn fits(&self, level: Level) -> bool {
        match self {
            Self::All => !known(level).is_empty(),
            Self::One(word) => known(level).contains(word),
        }
    }

    /// The privileges it means on a level of this version; none where the version lacks it.
    pub(crate) fn expand(&self, level: Level, version: i32) -> Option<Vec<&'static str>> {
        match self {
            Self::All => Some(on(level, version)),
            Self::One(word) => is_there(word, version).then(|| vec![*word]),
        }
    }
}

/// Which of the named levels a stated privilege is about. `objects` are the levels whose objects are named.
///
/// The schema is named with its objects, but only USAGE and CREATE can be about it, and only where no object takes
/// them. Where nothing but the schema is named, everything else is about all its tables, and ALL about both.
pub(crate) fn recipients(stated: &Stated, has_schema: bool, objects: &[Level]) -> Vec<Level> {
    if !has_schema {
        return [Level::Database].into_iter().filter(|level| stated.fits(*level)).collect();
    }
    if objects.is_empty() {
        return [Level::Schema, Level::Table].into_iter().filter(|level| stated.fits(*level)).collect();
    }
    let taking: Vec<Level> = objects.iter().copied().filter(|level| stated.fits(*level)).collect();
    if taking.is_empty() && stated.fits(Level::Schema) { vec![Level::Schema] } else { taking }
}

/// What an entry may state, for a message.
pub(crate) fn allowed(has_schema: bool, objects: &[Level]) -> String {
    let levels: Vec<Level> = match (has_schema, objects) {
        (false, _) => vec![Level::Database],
        (true, []) => vec![Level::Schema, Level::Table],
        (true, named) => named.iter().copied().chain([Level::Schema]).collect(),
    };
    let parts: Vec<String> = levels.iter().map(|level| format!("{} has {}", level.word(), listed(*level))).collect();
    format!("a {}; or ALL", parts.join("; a "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(word: &str, has_schema: bool, objects: &[Level]) -> Vec<Level> {
        recipients(&Stated::parse(word).unwrap(), has_schema, objects)
    }

    #[test]
    fn a_privilege_goes_to_the_objects_that_have_it() {
        use Level::{Column, Database, Function, Schema, Sequence, Table, Type};
        assert_eq!(about("CONNECT", false, &[]), [Database]);
        assert_eq!(about("TEMP", false, &[]), [Database]);
        assert_eq!(about("SELECT", false, &[]), []);
        assert_eq!(about("SELECT", true, &[]), [Table]);
        assert_eq!(about("USAGE", true, &[]), [Schema]);
        assert_eq!(about("ALL", true, &[]), [Schema, Table]);
        assert_eq!(about("USAGE", true, &[Table]), [Schema]);
        assert_eq!(about("USAGE", true, &[Table, Sequence]), [Sequence]);
        assert_eq!(about("CREATE", true, &[Table, Sequence]), [Schema]);
        assert_eq!(about("SELECT", true, &[Table, Sequence, Column]), [Table, Sequence, Column]);
        assert_eq!(about("DELETE", true, &[Column]), []);
        assert_eq!(about("EXECUTE", true, &[Table]), []);
        assert_eq!(about("EXECUTE", true, &[Table, Function]), [Function]);
        assert_eq!(about("ALL PRIVILEGES", true, &[Table, Type]), [Table, Type]);
        assert_eq!(about("CONNECT", true, &[]), []);
        assert_eq!(Stated::parse("SELEKT"), None);
    }

    #[test]
    fn all_is_what_the_version_has() {
        let count = |version| Stated::All.expand(Level::Table, version).unwrap().len();
        assert_eq!((count(160_004), count(170_000)), (7, 8));
        assert_eq!(Stated::One("MAINTAIN").expand(Level::Table, 160_004), None);
        assert_eq!(Stated::One("MAINTAIN").expand(Level::Table, 170_001), Some(vec!["MAINTAIN"]));
        assert!(allowed(true, &[Level::Table]).contains("TRIGGER, MAINTAIN (from PostgreSQL 17 on)"));
    }
}
