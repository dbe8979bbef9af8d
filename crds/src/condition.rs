//! What holds of a resource, in the shape of `metav1.Condition`.
//!
//! An operator keeps the conditions of all resources in memory, and nearly all say the same in the same words: these are
//! the program's own text, and no copy of it for each resource.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::Time;
use crate::names::{condition, message, reason};

/// What holds of a resource, does not, or is not known (Kubernetes API conventions, "Typical status properties").
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about: `Ready`, for example.
    #[serde(rename = "type")]
    pub type_: Word,
    /// `True`, `False` or `Unknown`.
    pub status: Word,
    /// The generation of the spec that it is said of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the status of the condition changed last.
    pub last_transition_time: Time,
    /// Why, in a word of a closed list.
    pub reason: Word,
    /// Why, for a person.
    pub message: Word,
}

/// A text of a condition or a status.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(Text);

#[derive(Clone, PartialEq, Eq)]
enum Text {
    /// By its place in [`KNOWN`].
    Known(u8),
    Other(Box<str>),
}

/// What is said most.
const KNOWN: &[&str] = &[
    "True",
    "False",
    "Unknown",
    condition::ACCEPTED,
    condition::SYNCED,
    condition::READY,
    condition::CONNECTED,
    condition::HEALTHY,
    reason::RECONCILE_SUCCESS,
    reason::DRIFT_DETECTED,
    reason::DEPENDENCY_MISSING,
    reason::INSTANCE_NOT_READY,
    reason::RECONCILING,
    reason::CREATING,
    message::IN_ORDER,
    message::SERVED,
];

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        let known = KNOWN.iter().position(|known| *known == text).and_then(|place| u8::try_from(place).ok());
        Self(known.map_or_else(|| Text::Other(text.into()), Text::Known))
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Known(place) => KNOWN.get(usize::from(*place)).copied().unwrap_or_default(),
            Text::Other(text) => text,
        }
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Word;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Word, E> {
                Ok(Word::from(text))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_have_no_memory_of_their_own_and_others_are_as_they_came() {
        assert_eq!(size_of::<Word>(), 2 * size_of::<usize>());
        for known in KNOWN {
            let word = Word::from(*known);
            assert!(matches!(&word, Word(Text::Known(_))) && word == *known);
        }
        let text = r#"{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z","reason":"Own","message":""}"#;
        let condition: Condition = serde_json::from_str(text).unwrap();
        assert!(matches!(&condition.status, Word(Text::Known(_))) && condition.status == "True");
        assert!(condition.reason == "Own" && condition.message.is_empty());
        assert_eq!(serde_json::to_string(&condition).unwrap(), text);
    }
}
