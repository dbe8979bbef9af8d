//! What happens where a server differs from a spec, and what was found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// What happens where the server differs from an unchanged spec. A change of the spec is always applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftPolicy {
    /// `ignore` changes nothing and says only what the spec asks for in vain, `detect` reports in the status, `correct`
    /// also repairs. Repairs that can lose data need the annotation
    /// `dbops.dbprovision.io/allow-destructive-drift: "true"`.
    #[serde(default)]
    pub mode: DriftMode,
    /// Time between two looks, as a duration such as 30m or 8h.
    #[serde(default = "interval")]
    pub interval: String,
}

impl Default for DriftPolicy {
    fn default() -> Self {
        Self { mode: DriftMode::default(), interval: interval() }
    }
}

fn interval() -> String {
    "8h".to_owned()
}

/// What to do about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftMode {
    /// Change nothing, and say nothing but what the spec asks for and can never be made.
    Ignore,
    /// Report it.
    #[default]
    Detect,
    /// Report and repair it.
    Correct,
}

/// How the server differs from the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// Whether the last look found a difference.
    #[serde(default)]
    pub detected: bool,
    /// When the present findings were first made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<Time>,
    /// The differences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diffs: Vec<DriftDiff>,
}

/// One difference between spec and server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftDiff {
    /// Path of the field.
    pub field: String,
    /// What the spec asks for.
    pub expected: String,
    /// What the server has.
    pub actual: String,
    /// Whether repairing it can lose data, rights or availability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Whether it cannot be changed in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
}
