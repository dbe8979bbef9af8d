//! The log: JSON lines on standard error, or text for people.
//!
//! Every line of a reconcile carries its id and its object, because both are fields of the span around it.
//! Deliberately absent: secrets; what may be printed has no secret in it by its type or was scrubbed.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::LogFormat;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum StartLogsError {
    /// The filter cannot be read.
    #[error("cannot read the log level `{filter}`")]
    ReadFilter {
        /// The filter as it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Another log was started before.
    #[error("cannot start the log: {0}")]
    Install(Box<dyn std::error::Error + Send + Sync>),
}

/// Starts the log of the process.
pub fn start(filter: &str, format: LogFormat) -> Result<(), StartLogsError> {
    let parsed = EnvFilter::try_new(with_defaults(filter))
        .map_err(|source| StartLogsError::ReadFilter { filter: filter.to_owned(), source })?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr).with_span_events(FmtSpan::NONE);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    }
    .map_err(StartLogsError::Install)
}

/// The client of the API server logs every failed request as an error of its own, without saying which; whoever
/// asked for the request logs it too, with its meaning. A filter that speaks of the client decides for itself.
fn with_defaults(filter: &str) -> String {
    if filter.contains("kube_client") {
        filter.to_owned()
    } else {
        format!("{filter},kube_client::client::builder=off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_own_errors_are_off_unless_asked_for() {
        assert_eq!(with_defaults("info"), "info,kube_client::client::builder=off");
        assert_eq!(with_defaults("info,kube_client=debug"), "info,kube_client=debug");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let refused = start("info,[", LogFormat::Json).unwrap_err();
        assert_eq!(refused.to_string(), "cannot read the log level `info,[`");
    }
}
