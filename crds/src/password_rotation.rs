//! Whether and how a user's password is replaced from time to time.

use mysql_options::MySqlRotationConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default_value::on;

/// Whether and how the password is replaced from time to time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordRotationConfig {
    /// Whether the password is rotated. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// When to rotate, as a cron expression of five fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Greatest age of a password, as a duration such as 720h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
    /// `role-inheritance` creates a new user for each rotation, `dual-password` keeps two passwords valid for a time.
    #[serde(default)]
    pub strategy: RotationStrategy,
    /// The role that all generations of the user are members of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_role: Option<ServiceRoleConfig>,
    /// Name of each new user, a template over .Username and .Date.
    #[serde(default = "user_naming")]
    pub user_naming: String,
    /// What becomes of the user that was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_user_policy: Option<OldUserPolicy>,
    /// The MySQL part of the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<MySqlRotationConfig>,
}

fn user_naming() -> String {
    "{{.Username}}_{{.Date}}".to_owned()
}

/// How a password is rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(description = "")]
pub enum RotationStrategy {
    /// A new user for each rotation, member of one service role.
    #[default]
    RoleInheritance,
    /// One user with two valid passwords for a time.
    DualPassword,
}

/// The role that all generations of a user are members of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRoleConfig {
    /// Name of the role. Default: `svc_<username>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the role is created where it is missing.
    #[serde(default = "on")]
    pub auto_create: bool,
}

impl Default for ServiceRoleConfig {
    fn default() -> Self {
        Self { name: None, auto_create: true }
    }
}

/// What becomes of a user that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OldUserPolicy {
    /// Whether it is kept, disabled or deleted.
    #[serde(default)]
    pub action: OldUserAction,
    /// Days until that happens.
    #[serde(default = "grace_period_days")]
    pub grace_period_days: u32,
    /// Whether a user that owns objects is left alone.
    #[serde(default = "on")]
    pub ownership_check: bool,
}

impl Default for OldUserPolicy {
    fn default() -> Self {
        Self { action: OldUserAction::default(), grace_period_days: grace_period_days(), ownership_check: true }
    }
}

fn grace_period_days() -> u32 {
    7
}

/// What becomes of a user that was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OldUserAction {
    /// It stays as it is.
    Retain,
    /// It can no longer log in.
    Disable,
    /// It is dropped.
    #[default]
    Delete,
}
