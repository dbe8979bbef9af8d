//! An object as it was read, and what a test wants of its conditions.

use std::fmt;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen(pub Value);

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One of `crds::names::reason`.
    pub reason: String,
    /// For a person.
    pub message: String,
}

/// What is wanted of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    condition: String,
    status: String,
    reason: Option<String>,
    parts: Vec<String>,
}

/// `Ready=True` for the newest generation.
pub fn ready() -> Wanted {
    Wanted { condition: "Ready".to_owned(), status: "True".to_owned(), reason: None, parts: Vec::new() }
}

/// `condition=status` with a reason, for the newest generation.
pub fn becomes(condition: &str, status: &str, reason: &str) -> Wanted {
    Wanted {
        condition: condition.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        parts: Vec::new(),
    }
}

impl Wanted {
    /// With this in its message.
    #[must_use]
    pub fn saying(mut self, part: &str) -> Self {
        self.parts.push(part.to_owned());
        self
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "has {}={}", self.condition, self.status)?;
        if let Some(reason) = &self.reason {
            write!(formatter, " because {reason}")?;
        }
        for part in &self.parts {
            write!(formatter, ", saying {part:?}")?;
        }
        Ok(())
    }
}

impl Seen {
    /// What is at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Result<&str> {
        let found = self.at(pointer).and_then(Value::as_str);
        found.with_context(|| format!("there is no text at {pointer}: {}", self.summary()))
    }

    /// A condition.
    pub fn condition(&self, name: &str) -> Option<Said> {
        let conditions = self.at("/status/conditions")?.as_array()?;
        let found = conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(name))?;
        let word = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Said { status: word("status"), reason: word("reason"), message: word("message") })
    }

    /// Whether a condition is as wanted, and about the newest generation.
    pub fn check(&self, wanted: &Wanted) -> Result<()> {
        let said = self.condition(&wanted.condition).with_context(|| self.summary())?;
        ensure!(said.status == wanted.status, "{}", self.summary());
        ensure!(wanted.reason.as_ref().is_none_or(|reason| *reason == said.reason), "{}", self.summary());
        for part in &wanted.parts {
            ensure!(said.message.contains(part.as_str()), "{part:?} is not in {}", self.summary());
        }
        let (observed, newest) = (self.at("/status/observedGeneration"), self.at("/metadata/generation"));
        ensure!(observed == newest, "observed generation {observed:?} of {newest:?}");
        Ok(())
    }

    /// Its phase and conditions in one line.
    pub fn summary(&self) -> String {
        let phase = self.at("/status/phase").and_then(Value::as_str).unwrap_or("no phase");
        let mut text = format!("[{phase}]");
        for name in ["Accepted", "Synced", "Ready", "Connected", "Healthy"] {
            if let Some(Said { status, reason, message }) = self.condition(name) {
                text = format!("{text} {name}={status}/{reason}: {message};");
            }
        }
        text
    }
}
