//! What happens on the server when a resource is deleted, and what a person must confirm first.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the object on the server when its resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays.
    Retain,
    /// It is dropped.
    #[default]
    Delete,
    /// A backup is taken, then it is dropped.
    Snapshot,
}

impl DeletionPolicy {
    /// The word of the API for this policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
            Self::Snapshot => "Snapshot",
        }
    }
}

impl fmt::Display for DeletionPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for DeletionPolicy {
    type Err = ReadDeletionPolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Retain, Self::Delete, Self::Snapshot]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| ReadDeletionPolicyError { text: text.to_owned() })
    }
}

/// A deletion policy in an annotation that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading the deletion policy: {text:?} is not Delete or Retain")]
pub struct ReadDeletionPolicyError {
    /// What the annotation says.
    pub text: String,
}

/// What a person must confirm before a forced deletion takes dependents along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionConfirmation {
    /// Whether a confirmation is awaited.
    pub required: bool,
    /// Value that the annotation `dbops.dbprovision.io/confirm-force-delete` must have.
    pub hash: String,
    /// The dependents, as Kind/Name.
    pub children: Vec<String>,
    /// How many dependents are left.
    pub remaining_count: i64,
    /// What to do, in one sentence.
    pub message: String,
}
