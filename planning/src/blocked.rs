//! Why something does not go on: at which gate, for which reason, what a person can do, and how it is retried.

use std::fmt;

use crds::names::reason;

/// A status holds a message up to four times, and the cluster keeps no object of more than 1.5 MB.
const LONGEST: usize = 8 << 10;

/// In one line of so many bytes: the names in it are other people's.
fn within(bytes: usize, message: String) -> String {
    let mut message = if message.contains(char::is_control) {
        message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
    } else {
        message
    };
    if message.len() > bytes {
        let end = (0..=bytes).rev().find(|&end| message.is_char_boundary(end)).unwrap_or_default();
        message.truncate(end);
        message.push_str(" ...");
    }
    message
}

/// What the controller does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The spec is wrong: waits until it changes.
    Invalid,
    /// Something it needs is not there: watched where it can be, and looked at again slowly.
    Waiting,
    /// Worth another try soon.
    Transient,
    /// A policy says no: waits until something changes.
    Refused,
    /// The adapter broke: tried again with growing pauses.
    Guest,
    /// Something that cannot be happened.
    Bug,
}

impl Class {
    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Waiting => "waiting",
            Self::Transient => "transient",
            Self::Refused => "refused",
            Self::Guest => "guest",
            Self::Bug => "bug",
        }
    }
}

/// How far the resource came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Whether it may be served at all: `Accepted=False`, nothing of it is applied.
    Accepted,
    /// Whether the server could be brought to it: `Synced=False`.
    Synced,
}

/// The reason a reconcile stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The condition that says so.
    pub gate: Gate,
    /// One of `crds::names::reason`.
    pub reason: &'static str,
    /// What, where, and what to do: for the resource's owner. No secrets.
    pub message: String,
    /// What happens next.
    pub class: Class,
    /// The cause is the instance, whose own conditions tell of it.
    pub about_the_instance: bool,
}

impl Blocked {
    fn new(gate: Gate, reason: &'static str, message: impl Into<String>, class: Class) -> Self {
        Self { gate, reason, message: within(LONGEST, message.into()), class, about_the_instance: false }
    }

    /// Whether something failed, rather than is not there yet, whatever is done about it.
    pub fn is_failure(&self) -> bool {
        const FAILURES: [&str; 5] = [
            reason::AUTHENTICATION_FAILED,
            reason::INIT_SQLFAILED,
            reason::PERMISSION_DENIED,
            reason::RECONCILE_FAILED,
            reason::TLS_FAILED,
        ];
        FAILURES.contains(&self.reason) || !matches!(self.class, Class::Waiting | Class::Transient)
    }

    /// The same, caused by the instance.
    #[must_use]
    pub fn of_the_instance(self) -> Self {
        Self { about_the_instance: true, ..self }
    }

    /// The spec cannot be served.
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Gate::Accepted, reason, message, Class::Invalid)
    }

    /// The spec cannot be served for now: what it asks for is not there, and is watched.
    pub fn unserved(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Gate::Accepted, reason, message, Class::Waiting)
    }

    /// A policy or a missing consent forbids it.
    pub fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Gate::Accepted, reason, message, Class::Refused)
    }

    /// Something it needs is not there yet.
    pub fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Gate::Synced, reason, message, Class::Waiting)
    }

    /// The object on the server is somebody else's: nothing is touched.
    pub fn conflict(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Gate::Synced, reason, message, Class::Refused)
    }

    /// An attempt failed.
    pub fn failed(reason: &'static str, message: impl Into<String>, class: Class) -> Self {
        Self::new(Gate::Synced, reason, message, class)
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Blocked {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_an_end_and_says_so() {
        let blocked = Blocked::invalid(reason::INVALID_SPEC, "ä".repeat(LONGEST));
        assert!(
            blocked.message.len() <= LONGEST + 4 && blocked.message.ends_with("ä ..."),
            "{}",
            blocked.message.len()
        );
        assert_eq!(Blocked::invalid(reason::INVALID_SPEC, "a\nshort\u{1b}[31m").message, "a short [31m");
    }

    #[test]
    fn what_the_server_refuses_is_a_failure_although_it_is_tried_again() {
        assert!(Blocked::failed(reason::AUTHENTICATION_FAILED, "", Class::Waiting).is_failure());
        assert!(Blocked::failed(reason::CONFLICT, "", Class::Refused).is_failure());
        assert!(!Blocked::waiting(reason::INSTANCE_NOT_READY, "").is_failure());
        assert!(!Blocked::failed(reason::RECONCILING, "", Class::Transient).is_failure());
    }
}
