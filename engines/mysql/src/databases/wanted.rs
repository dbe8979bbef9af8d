//! A database's spec, read and checked. Pure.

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{Error, Examination, OptionProblem, Result, options};
use mysql_options::MySqlDatabaseConfig;

use crate::connect::Tracking;
use crate::names;
use crate::server::Facts;

const CHARSET: &str = "utf8mb4";
const COLLATION: &str = "utf8mb4_unicode_ci";

/// The place of the marks is the instance's own database unless another is named.
pub(crate) const HOLDS_MARKS: &str = "this database holds the operator's marks and is never managed: name another for \
     them in the instance's `resourceTracking.mysql.metadataDatabase`, or choose another name";

/// What a database should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
    pub(crate) block: MySqlDatabaseConfig,
}

impl Wanted {
    /// Reads the spec; every problem is named at once.
    pub(crate) fn read(spec: &DatabaseSpec) -> Result<Self> {
        let block: MySqlDatabaseConfig = options::parse(spec.options.as_deref())?;
        let mut problems = Problems::default();
        names::check_database(&spec.name, "name", &mut problems);
        if spec.owner.is_some() {
            problems.add("owner", "databases of MySQL and MariaDB have no owner: grant rights to a user instead");
        }
        if spec.comment.as_deref().is_some_and(|comment| comment.contains('\0')) {
            problems.add("comment", "a comment must not contain a NUL byte");
        }
        for (value, path) in [(&block.charset, "options.charset"), (&block.collation, "options.collation")] {
            if value.as_deref().is_some_and(|value| !names::is_word(value)) {
                problems.add(path, "letters, digits and underscores");
            }
        }
        problems.finish()?;
        let comment = spec.comment.clone().filter(|text| !text.is_empty());
        Ok(Self { name: spec.name.clone(), comment, block })
    }

    /// A database names nothing and asks for nothing.
    pub(crate) fn examination() -> Examination {
        Examination { privileges: Vec::new(), references: Vec::new(), companions: Vec::new() }
    }

    /// The defaults of new tables, with what creation chooses where nothing is stated. A collation alone brings its
    /// character set along, and a character set alone its own collation.
    pub(crate) fn defaults(&self) -> (Option<&str>, Option<&str>) {
        match (self.block.charset.as_deref(), self.block.collation.as_deref()) {
            (None, None) => (Some(CHARSET), Some(COLLATION)),
            (Some(charset), None) if charset.eq_ignore_ascii_case(CHARSET) => (Some(CHARSET), Some(COLLATION)),
            stated => stated,
        }
    }

    /// What only the server knows to refuse: it keeps neither a mode nor a storage engine for each database, so the
    /// stated one must be what every database has.
    pub(crate) fn check_against(&self, facts: &Facts, tracking: &Tracking) -> Result<()> {
        let mut problems = Vec::new();
        let mut add = |path: &str, problem: String| {
            problems.push(OptionProblem { path: path.to_owned(), problem });
        };
        if let Some(mode) = &self.block.sql_mode
            && modes(mode) != modes(&facts.sql_mode)
        {
            add(
                "options.sqlMode",
                format!(
                    "the server keeps no mode for a database: leave this out, or state what it has: `{}`",
                    facts.sql_mode
                ),
            );
        }
        if let Some(engine) = &self.block.default_storage_engine
            && !engine.eq_ignore_ascii_case(&facts.storage_engine)
        {
            add(
                "options.defaultStorageEngine",
                format!(
                    "the server keeps no storage engine for a database: leave this out, or state what it has: `{}`",
                    facts.storage_engine
                ),
            );
        }
        if facts.folds_names && self.name != self.name.to_lowercase() {
            add("name", "this server keeps names of databases in lower case: state it so".to_owned());
        }
        if self.name == tracking.database {
            add("name", HOLDS_MARKS.to_owned());
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::invalid(problems)) }
    }
}

/// The words of a mode, in whatever order and case.
fn modes(text: &str) -> std::collections::BTreeSet<String> {
    text.split(',').map(|word| word.trim().to_ascii_uppercase()).filter(|word| !word.is_empty()).collect()
}
