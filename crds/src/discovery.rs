//! Looking for what exists on a server and belongs to no resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// Whether the server is searched for databases, users and roles that belong to no resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveryConfig {
    /// Whether the server is searched.
    #[serde(default)]
    pub enabled: bool,
    /// Time between two searches, as a duration such as 30m or 8h.
    #[serde(default = "interval")]
    pub interval: String,
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self { enabled: false, interval: interval() }
    }
}

fn interval() -> String {
    "30m".to_owned()
}

/// What a search of the server found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredResourcesStatus {
    /// Databases that belong to no resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<DiscoveredResource>,
    /// Users that belong to no resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<DiscoveredResource>,
    /// Roles that belong to no resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<DiscoveredResource>,
    /// When the server was last searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scan: Option<Time>,
    /// How many more there are, beyond the first 200 of each list.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u32,
    /// Why the last search failed; the lists are those of the search before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Something on the server that belongs to no resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredResource {
    /// Its name on the server.
    pub name: String,
    /// When it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovered: Option<Time>,
    /// True on what a resource has adopted since it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<bool>,
}
