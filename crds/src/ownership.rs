//! The recorded half of ownership: what a resource intended to create or adopt, and on which server.
//!
//! It is written before the first side effect. Deletion is built from it, never from the spec;
//! only the deletion policy is the resource's present word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{InstanceId, Time};

/// Whether a resource may take over what already exists on the server under its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// Never; the resource reports a conflict.
    #[default]
    Never,
    /// It may, where the instance allows it.
    Adopt,
}

/// What this resource owns on the server, recorded before the first side effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// Name of the object on the server.
    pub name: String,
    /// Identity of the server, so that another server behind the same address is noticed.
    pub server_identity: String,
    /// Random word that the mark on the server repeats.
    pub nonce: String,
    /// Instance the object was created through.
    pub instance: InstanceId,
    /// Engine name the object was created with.
    pub engine: String,
    /// The server's own immutable identity of the object, once known.
    #[serde(rename = "objectID", skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Generation of the spec that was last applied as a whole: what differs at this generation is drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,
    /// The text for people that was last written beside the object, where it is not the default one; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the object existed before and was adopted.
    #[serde(default)]
    pub adopted: bool,
    /// When the object was created or adopted; absent while that is only intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// Further objects that were created together with this one and carry the same mark.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<OwnedCompanion>,
}

/// An object that was created together with the one in the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnedCompanion {
    /// Kind of the object on the server.
    pub kind: CompanionKind,
    /// Name of the object on the server.
    pub name: String,
    /// Whether it was seen on the server with this resource's mark; until then it is only intended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub established: bool,
    /// Keyed fingerprint of the password that was last set, where the object logs in. It does not reveal the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_fingerprint: Option<String>,
}

/// Kinds of objects on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompanionKind {
    /// A database.
    Database,
    /// A user.
    User,
    /// A role.
    Role,
}
