//! How often an instance's server is asked whether it is well.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default_value::on;

/// How often the server is asked whether it is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckConfig {
    /// Whether the server is checked periodically.
    #[serde(default = "on")]
    pub enabled: bool,
    /// Time between two checks, in seconds, at least 5.
    #[serde(default = "interval_seconds")]
    #[schemars(range(min = 5))]
    pub interval_seconds: u32,
    /// Time limit for one check, in seconds, at least 1.
    #[serde(default = "timeout_seconds")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: u32,
}

impl HealthCheckConfig {
    /// What holds for an instance without the block: a check every 60 seconds, the predecessor's rhythm.
    pub fn of_an_absent_block() -> Self {
        Self { interval_seconds: 60, ..Self::default() }
    }
}

impl Default for HealthCheckConfig {
    fn default() -> Self {
        Self { enabled: true, interval_seconds: interval_seconds(), timeout_seconds: timeout_seconds() }
    }
}

fn interval_seconds() -> u32 {
    30
}

fn timeout_seconds() -> u32 {
    5
}
