//! Why something does not go on: at which gate, for which reason, what a person can do, and how it is retried.

use std::fmt;

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
        Self { gate, reason, message: message.into(), class, about_the_instance: false }
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
