//! The instance's settings, read and checked once: what every session needs of them.

use std::time::Duration;

use dbprovision_sdk::adapter::{InstanceExamination, Settings, TlsMode};
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{LONGEST_WAIT, Result, options};
use postgres_options::{PostgresChannelBinding, PostgresInstanceConfig, PostgresSslMode};
use tokio_postgres::config::ChannelBinding;

use crate::names;

const CONNECT_TIMEOUT_S: u32 = 10;
const APPLICATION_NAME: &str = "db-provision-operator";
/// The server answers that a statement took too long; the adapter gives up only when not even that comes.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);
/// Waiting for a lock holds up everything else of the instance, so it ends well before the statement would.
const LONGEST_LOCK_WAIT_MS: u64 = 10_000;

/// What every session is opened and used with.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) database: String,
    pub(crate) application_name: String,
    pub(crate) connect: Duration,
    /// How long an answer is waited for.
    pub(crate) statement: Duration,
    /// What the server is told.
    pub(crate) statement_ms: u64,
    pub(crate) channel_binding: ChannelBinding,
    /// The server's version, once a session has told it; 0 before.
    pub(crate) version: i32,
}

impl Limits {
    /// Reads the settings.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let block: PostgresInstanceConfig = options::parse(settings.options.as_deref())?;
        let mut problems = Problems::default();
        names::check(&settings.database, "database", &mut problems);
        let connect = Duration::from_secs(u64::from(block.connect_timeout.unwrap_or(CONNECT_TIMEOUT_S)));
        if connect.is_zero() || connect > LONGEST_WAIT {
            problems.add("options.connectTimeout", "it is at least 1 second, and 3600 at most");
        }
        let statement_ms = match block.statement_timeout.as_deref().map(milliseconds) {
            // For the server, 0 is no limit; a session that waits without an end would be lost for everything else.
            Some(Some(stated)) if stated == 0 || Duration::from_millis(stated) > LONGEST_WAIT => {
                problems
                    .add("options.statementTimeout", "it is more than 0, which would be no limit, and `1h` at most");
                stated
            }
            Some(Some(stated)) => stated,
            Some(None) => {
                problems.add("options.statementTimeout", "a number of milliseconds, or one with a unit: `30s`, `5min`");
                0
            }
            None => u64::from(settings.statement_timeout_ms),
        };
        let tracking: serde_json::Value = options::parse(settings.tracking.as_deref())?;
        if tracking.get("mysql").is_some_and(|block| !block.is_null()) {
            problems.add(
                "tracking.mysql",
                "marks are comments in PostgreSQL, and there is nothing to choose: leave it out",
            );
        }
        let application_name = block.application_name.unwrap_or_else(|| APPLICATION_NAME.to_owned());
        if application_name.contains('\0') || application_name.len() > names::LONGEST {
            problems.add("options.applicationName", "at most 63 bytes, without NUL");
        }
        problems.finish()?;
        Ok(Self {
            database: settings.database.clone(),
            application_name,
            connect,
            statement: Duration::from_millis(statement_ms) + ANSWER_MARGIN,
            statement_ms,
            channel_binding: match block.channel_binding {
                Some(PostgresChannelBinding::Disable) => ChannelBinding::Disable,
                Some(PostgresChannelBinding::Prefer) | None => ChannelBinding::Prefer,
                Some(PostgresChannelBinding::Require) => ChannelBinding::Require,
            },
            version: 0,
        })
    }

    /// Shorter than a statement may take.
    pub(crate) fn lock_ms(&self) -> u64 {
        (self.statement_ms / 2).clamp(1, LONGEST_LOCK_WAIT_MS)
    }
}

/// What the host must know of the settings.
pub(crate) fn examine(settings: &Settings) -> Result<InstanceExamination> {
    let limits = Limits::read(settings)?;
    let block: PostgresInstanceConfig = options::parse(settings.options.as_deref())?;
    Ok(InstanceExamination {
        tls: block.ssl_mode.map(|mode| match mode {
            PostgresSslMode::Disable => TlsMode::Disable,
            PostgresSslMode::Allow => TlsMode::Allow,
            PostgresSslMode::Prefer => TlsMode::Prefer,
            PostgresSslMode::Require => TlsMode::Require,
            PostgresSslMode::VerifyCa => TlsMode::VerifyCa,
            PostgresSslMode::VerifyFull => TlsMode::VerifyFull,
        }),
        connect_timeout_ms: Some(u32::try_from(limits.connect.as_millis()).unwrap_or(u32::MAX)),
        statement_timeout_ms: Some(u32::try_from(limits.statement_ms).unwrap_or(u32::MAX)),
    })
}

/// A duration as the server writes it: a whole number, with a unit or in milliseconds; at most what it can hold.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|one: char| !one.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let value = match unit.trim_start() {
        "us" => Some(number.div_ceil(1000)),
        "" | "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "min" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => None,
    }?;
    i32::try_from(value).is_ok().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(options: &str) -> Settings {
        Settings {
            engine: "postgres".to_owned(),
            database: "postgres".to_owned(),
            options: Some(options.to_owned()),
            tracking: None,
            statement_timeout_ms: 30_000,
        }
    }

    #[test]
    fn a_duration_is_read_as_the_server_reads_it() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("30s", Some(30_000)),
            ("5 min", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("24d", Some(2_073_600_000)),
            ("25d", None),
            ("-1", None),
            ("5 m", None),
            ("", None),
            ("s", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_instance_option_is_read() {
        let limits = Limits::read(&settings(
            r#"{"connectTimeout": 3, "statementTimeout": "2s", "applicationName": "mine", "channelBinding": "require"}"#,
        ))
        .unwrap();
        assert_eq!(limits.connect, Duration::from_secs(3));
        assert_eq!((limits.statement_ms, limits.lock_ms()), (2000, 1000));
        assert_eq!(limits.application_name, "mine");
        assert_eq!(limits.channel_binding, ChannelBinding::Require);
        let examined = examine(&settings(r#"{"sslMode": "verify-ca"}"#)).unwrap();
        assert_eq!(examined.tls, Some(TlsMode::VerifyCa));
        assert_eq!((examined.connect_timeout_ms, examined.statement_timeout_ms), (Some(10_000), Some(30_000)));
        let examined = examine(&settings(r#"{"statementTimeout": "1h"}"#)).unwrap();
        assert_eq!(examined.statement_timeout_ms, Some(3_600_000));
    }

    #[test]
    fn a_wrong_option_is_named() {
        for (options, path) in [
            (r#"{"statementTimeout": "soon"}"#, "options.statementTimeout"),
            (r#"{"statementTimeout": "0"}"#, "options.statementTimeout"),
            (r#"{"statementTimeout": "61min"}"#, "options.statementTimeout"),
            (r#"{"connectTimeout": 0}"#, "options.connectTimeout"),
            (r#"{"connectTimeout": 3601}"#, "options.connectTimeout"),
            (r#"{"applicationName": "a\u0000b"}"#, "options.applicationName"),
        ] {
            let error = Limits::read(&settings(options)).unwrap_err();
            assert!(error.message.starts_with(path), "{error:?}");
        }
    }
}
