//! What a resource gave to a role or user, as its status records it: what is to be taken back one day.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rights on one object, or on several in one place, in the engine's canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldRight {
    /// What kind of object, in the engine's word: database, schema, table, membership.
    pub level: String,
    /// The object's path, outermost name first; where `names` are stated, only what they have in common.
    pub object: Vec<String>,
    /// The last names of the objects' paths, where several objects have the same rights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The privileges.
    pub privileges: Vec<String>,
    /// Whether they may be granted on to others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grantable: bool,
    /// Who granted them, where the engine keeps that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantor: Option<String>,
}
