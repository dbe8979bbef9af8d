//! Making errors: the closed set of kinds that the host acts on, with a public message and a private detail.

use std::fmt;

use crate::types::{Error, ErrorKind, OptionProblem};
use crate::{NetError, Result};

impl Error {
    /// Any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: detail.into() }
    }

    /// The engine cannot do `what` at all.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, format!("this engine does not support {what}"), "")
    }

    /// Something the object needs is not there yet.
    pub fn dependency_missing(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DependencyMissing, message, "")
    }

    /// The object is not the one that was described.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message, "")
    }

    /// The object is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message, "")
    }

    /// The server spoke in a way the adapter does not understand.
    pub fn protocol(message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message, detail)
    }

    /// Stated values that are not acceptable; at least one.
    pub fn invalid(problems: Vec<OptionProblem>) -> Self {
        let message = match problems.as_slice() {
            [one] => format!("{}: {}", one.path, one.problem),
            many => format!("{} values are not acceptable", many.len()),
        };
        Self::new(ErrorKind::InvalidOptions(problems), message, "")
    }
}

impl From<NetError> for Error {
    fn from(error: NetError) -> Self {
        match error {
            // An address, the size of a write, a rule about TLS: the host says which.
            NetError::Denied(rule) => Self::new(ErrorKind::PermissionDenied, rule, ""),
            NetError::TimedOut => Self::new(ErrorKind::TimedOut, "the server did not answer in time", ""),
            NetError::Closed => Self::new(ErrorKind::Transient(None), "the server closed the connection", ""),
            NetError::Tls(reason) => Self::new(ErrorKind::Protocol, format!("TLS: {reason}"), ""),
            NetError::Exhausted => Self::new(ErrorKind::Transient(None), "all sessions of the instance are in use", ""),
            NetError::Io(reason) => Self::new(ErrorKind::Transient(None), "the server cannot be reached", reason),
        }
    }
}

/// Collects what is wrong with a spec, so that a user sees all of it at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<OptionProblem>);

impl Problems {
    /// Notes one problem.
    pub fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.0.push(OptionProblem { path: path.into(), problem: problem.into() });
    }

    /// An error where anything was noted.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_denies_is_told_in_its_words() {
        let error = Error::from(NetError::Denied("one write has at most 1 MiB".to_owned()));
        assert_eq!((error.message.as_str(), error.detail.as_str()), ("one write has at most 1 MiB", ""));
        assert!(matches!(error.kind, ErrorKind::PermissionDenied));
    }
}
