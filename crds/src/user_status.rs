//! The parts of a user's status: its Secret, its rotation, and what it owns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RotationStrategy, Time};

/// A user as the server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserInfo {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// When it was created or adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}

/// The Secret with a user's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretInfo {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// When its password was last replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotated_at: Option<Time>,
}

/// Where a Secret is that was made for a user, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnedSecret {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// How far the rotation of a password is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationStatus {
    /// Whether the password is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How it is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RotationStrategy>,
    /// When it was last rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotated_at: Option<Time>,
    /// When it is rotated next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation_at: Option<Time>,
    /// The user that applications log in as now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_user: Option<String>,
    /// The role that all generations of the user are members of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_role: Option<String>,
    /// Former users that are still to be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_deletion: Vec<PendingDeletionInfo>,
}

/// A former user that is still to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingDeletionInfo {
    /// Its name.
    pub user: String,
    /// When it was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<Time>,
    /// When it is removed at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Time>,
    /// How far the removal is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PendingDeletionState>,
    /// What blocks the removal, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
    /// What the user owns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned_objects: Vec<OwnedObject>,
    /// How to unblock the removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Id of the reconcile that found this, as in the logs.
    #[serde(rename = "reconcileID", skip_serializing_if = "Option::is_none")]
    pub reconcile_id: Option<String>,
}

/// How far the removal of a former user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(description = "")]
pub enum PendingDeletionState {
    /// It waits for its time.
    Pending,
    /// Something blocks it.
    Blocked,
    /// It is done.
    Deleted,
}

/// What a user owns on the server, where that blocks its deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnershipBlockStatus {
    /// Whether the deletion is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
    /// When the present findings were first made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checked_at: Option<Time>,
    /// What the user owns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned_objects: Vec<OwnedObject>,
    /// How to unblock the deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// What is going on, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Something a user owns on the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnedObject {
    /// Database it is in; absent for objects of the whole server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Schema it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The engine's word for its kind, such as table.
    #[serde(rename = "type")]
    pub type_: String,
}
