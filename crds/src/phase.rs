//! The phases in status: every word the code may write, and no other.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum InstancePhase {
    /// Waiting for something that is named in the conditions.
    Pending,
    /// The server answers.
    Ready,
    /// The server does not answer or refuses us.
    Failed,
    /// Deletion waits for a confirmation or for dependents.
    PendingDeletion,
    /// Being deleted.
    Deleting,
}

impl InstancePhase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Ready, Self::Failed, Self::PendingDeletion, Self::Deleting];

    /// The word in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Ready => "Ready",
            Self::Failed => "Failed",
            Self::PendingDeletion => "PendingDeletion",
            Self::Deleting => "Deleting",
        }
    }
}

impl fmt::Display for InstancePhase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Where a database or user is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum ResourcePhase {
    /// Waiting for something that is named in the conditions.
    Pending,
    /// Being created on the server.
    Creating,
    /// As asked.
    Ready,
    /// Something failed; the conditions say what.
    Failed,
    /// Deletion waits for a confirmation or for dependents.
    PendingDeletion,
    /// Being deleted.
    Deleting,
}

impl ResourcePhase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Creating, Self::Ready, Self::Failed, Self::PendingDeletion, Self::Deleting];

    /// The word in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Creating => "Creating",
            Self::Ready => "Ready",
            Self::Failed => "Failed",
            Self::PendingDeletion => "PendingDeletion",
            Self::Deleting => "Deleting",
        }
    }
}

impl fmt::Display for ResourcePhase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
