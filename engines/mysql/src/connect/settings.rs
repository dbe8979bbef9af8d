//! The instance's settings, read and checked once: what every session needs of them.

use std::time::Duration;

use dbprovision_sdk::adapter::{InstanceExamination, Settings, TlsMode};
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{LONGEST_WAIT, Result, options};
use mysql_options::{MySqlInstanceConfig, MySqlResourceTrackingConfig, MySqlTlsMode};

use crate::names;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
const COLLATION: &str = "utf8mb4_unicode_ci";
/// The server answers that a statement took too long; the adapter gives up only when not even that comes.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);
/// Waiting for a lock holds up everything else of the instance, so it ends well before the statement would.
const LONGEST_LOCK_WAIT_S: u64 = 10;

/// What every session is opened and used with.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The session's default database; none where the instance names none.
    pub(crate) database: Option<String>,
    pub(crate) collation: String,
    pub(crate) connect: Duration,
    pub(crate) send: Duration,
    /// How long an answer is waited for.
    pub(crate) statement: Duration,
    /// What the server is told.
    pub(crate) statement_ms: u64,
    pub(crate) tracking: Tracking,
}

/// Where marks are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracking {
    pub(crate) database: String,
    pub(crate) table: String,
    /// Whether users are marked by attributes: where the server can, unless this is false.
    pub(crate) attributes: Option<bool>,
}

const TABLE: &str = "_dbops_metadata";

impl Limits {
    /// Reads the settings.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let block: MySqlInstanceConfig = options::parse(settings.options.as_deref())?;
        let mut problems = Problems::default();
        let database = Some(settings.database.clone()).filter(|name| !name.is_empty());
        if let Some(database) = &database {
            names::check_database_name(database, "database", &mut problems);
        }
        if block.charset.as_deref().is_some_and(|charset| !charset.eq_ignore_ascii_case("utf8mb4")) {
            problems
                .add("options.charset", "the operator's sessions speak utf8mb4: any other could not carry every name");
        }
        let collation = block.collation.unwrap_or_else(|| COLLATION.to_owned());
        if !collation.to_ascii_lowercase().starts_with("utf8mb4_") || !names::is_word(&collation) {
            problems.add("options.collation", "a collation of utf8mb4, for example utf8mb4_unicode_ci");
        }
        if block.parse_time == Some(false) {
            problems.add("options.parseTime", "the operator always reads times as times: leave this out");
        }
        let mut duration = |stated: Option<&str>, path: &str, default: Duration| match stated.map(parse_duration) {
            Some(Some(stated)) if !stated.is_zero() => stated,
            Some(_) => {
                problems.add(path, "a duration of more than nothing and at most an hour: `10s`, `500ms`, `1m30s`");
                default
            }
            None => default,
        };
        let statement_default = Duration::from_millis(u64::from(settings.statement_timeout_ms));
        let connect = duration(block.timeout.as_deref(), "options.timeout", CONNECT_TIMEOUT);
        let statement = duration(block.read_timeout.as_deref(), "options.readTimeout", statement_default);
        let send = duration(block.write_timeout.as_deref(), "options.writeTimeout", SEND_TIMEOUT);
        let tracking = Tracking::read(settings, &mut problems)?;
        problems.finish()?;
        Ok(Self {
            database,
            collation,
            connect,
            send,
            statement: statement + ANSWER_MARGIN,
            statement_ms: u64::try_from(statement.as_millis()).unwrap_or(u64::MAX),
            tracking,
        })
    }

    /// Shorter than a statement may take, in the server's unit.
    pub(crate) fn lock_seconds(&self) -> u64 {
        (self.statement_ms / 2000).clamp(1, LONGEST_LOCK_WAIT_S)
    }
}

impl Tracking {
    fn read(settings: &Settings, problems: &mut Problems) -> Result<Self> {
        let whole: serde_json::Value = options::parse(settings.tracking.as_deref())?;
        let block = whole.get("mysql").filter(|block| !block.is_null()).map(ToString::to_string);
        let block: MySqlResourceTrackingConfig = options::parse(block.as_deref())?;
        // The schemas of the server are no place for tables of others.
        let own = Some(settings.database.as_str())
            .filter(|name| !name.is_empty() && !names::is_servers_own_database(name))
            .unwrap_or(names::METADATA_DATABASE);
        let database = block.metadata_database.unwrap_or_else(|| own.to_owned());
        let table = block.metadata_table_name.unwrap_or_else(|| TABLE.to_owned());
        names::check_database_name(&database, "tracking.mysql.metadataDatabase", problems);
        names::check_database_name(&table, "tracking.mysql.metadataTableName", problems);
        if names::is_servers_own_database(&database) {
            problems.add("tracking.mysql.metadataDatabase", "this database is the server's own: name another");
        }
        Ok(Self { database, table, attributes: block.use_user_attributes })
    }
}

/// What the host must know of the settings.
pub(crate) fn examine(settings: &Settings) -> Result<InstanceExamination> {
    let limits = Limits::read(settings)?;
    let block: MySqlInstanceConfig = options::parse(settings.options.as_deref())?;
    Ok(InstanceExamination {
        tls: block.tls.map(|mode| match mode {
            MySqlTlsMode::Disabled => TlsMode::Disable,
            MySqlTlsMode::Preferred => TlsMode::Prefer,
            MySqlTlsMode::Required => TlsMode::VerifyFull,
            MySqlTlsMode::SkipVerify => TlsMode::Require,
        }),
        connect_timeout_ms: Some(u32::try_from(limits.connect.as_millis()).unwrap_or(u32::MAX)),
        // A statement is sent before it is answered.
        statement_timeout_ms: Some(
            u32::try_from(limits.statement_ms)
                .unwrap_or(u32::MAX)
                .max(u32::try_from(limits.send.as_millis()).unwrap_or(u32::MAX)),
        ),
    })
}

/// A duration as Go writes it: numbers with units, one after another. At most what the host waits for.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let number: f64 = number.parse().ok()?;
        let end = after.find(|one: char| one.is_ascii_digit()).unwrap_or(after.len());
        let (unit, remaining) = after.split_at_checked(end)?;
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = remaining;
    }
    (seconds <= LONGEST_WAIT.as_secs_f64()).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(options: &str, tracking: Option<&str>) -> Settings {
        Settings {
            engine: "mysql".to_owned(),
            database: "mysql".to_owned(),
            options: Some(options.to_owned()),
            tracking: tracking.map(str::to_owned),
            statement_timeout_ms: 30_000,
        }
    }

    #[test]
    fn a_duration_is_read_as_the_predecessor_wrote_it() {
        for (text, expected) in [
            ("10s", Some(10_000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("0.5h", Some(1_800_000)),
            ("1h", Some(3_600_000)),
            ("1h1s", None),
            ("10", None),
            ("", None),
            ("-1s", None),
            ("s", None),
        ] {
            assert_eq!(parse_duration(text).map(|one| one.as_millis()), expected, "{text:?}");
        }
    }

    #[test]
    fn every_instance_option_acts() {
        let stated = r#"{"charset": "utf8mb4", "collation": "utf8mb4_bin", "parseTime": true, "timeout": "3s",
                         "readTimeout": "4s", "writeTimeout": "5s"}"#;
        let limits = Limits::read(&settings(stated, None)).unwrap();
        assert_eq!((limits.connect, limits.send), (Duration::from_secs(3), Duration::from_secs(5)));
        assert_eq!((limits.statement_ms, limits.lock_seconds()), (4000, 2));
        assert_eq!(limits.collation, "utf8mb4_bin");
        for (mode, expected) in [
            ("disabled", TlsMode::Disable),
            ("preferred", TlsMode::Prefer),
            ("required", TlsMode::VerifyFull),
            ("skip-verify", TlsMode::Require),
        ] {
            let examined = examine(&settings(&format!(r#"{{"tls": "{mode}"}}"#), None)).unwrap();
            assert_eq!(examined.tls, Some(expected));
        }
        let examined = examine(&settings(stated, None)).unwrap();
        assert_eq!((examined.connect_timeout_ms, examined.statement_timeout_ms), (Some(3000), Some(5000)));
    }

    #[test]
    fn the_marks_have_a_place_of_their_own() {
        let place = |database: &str, tracking: &str| {
            let mut settings = settings("{}", Some(tracking));
            database.clone_into(&mut settings.database);
            Limits::read(&settings).map(|limits| (limits.tracking.database, limits.tracking.table))
        };
        let own = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(place("mysql", "{}").unwrap(), own("_dbops", "_dbops_metadata"));
        assert_eq!(place("", r#"{"enabled": true, "mysql": null}"#).unwrap(), own("_dbops", "_dbops_metadata"));
        assert_eq!(place("ops", "{}").unwrap(), own("ops", "_dbops_metadata"));
        let stated = r#"{"mysql": {"metadataDatabase": "m", "metadataTableName": "t"}}"#;
        assert_eq!(place("ops", stated).unwrap(), own("m", "t"));
        let error = place("ops", r#"{"mysql": {"metadataDatabase": "sys"}}"#).unwrap_err();
        assert!(error.message.starts_with("tracking.mysql.metadataDatabase"), "{error:?}");
    }

    #[test]
    fn a_wrong_option_is_named() {
        for (options, path) in [
            (r#"{"timeout": "soon"}"#, "options.timeout"),
            (r#"{"readTimeout": "0s"}"#, "options.readTimeout"),
            (r#"{"writeTimeout": "5"}"#, "options.writeTimeout"),
            (r#"{"charset": "latin1"}"#, "options.charset"),
            (r#"{"collation": "latin1_bin"}"#, "options.collation"),
            (r#"{"collation": "utf8mb4_bin' x"}"#, "options.collation"),
            (r#"{"parseTime": false}"#, "options.parseTime"),
        ] {
            let error = Limits::read(&settings(options, None)).unwrap_err();
            assert!(error.message.starts_with(path), "{error:?}");
        }
    }

    #[test]
    fn attributes_are_asked_for_where_the_server_can() {
        let mut mariadb = settings("{}", Some(r#"{"mysql": {"useUserAttributes": true}}"#));
        assert!(Limits::read(&mariadb).is_ok());
        "mariadb".clone_into(&mut mariadb.engine);
        assert_eq!(Limits::read(&mariadb).unwrap().tracking.attributes, Some(true));
    }
}
