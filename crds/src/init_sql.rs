//! Statements that run once in a new database, and what became of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigMapKeySelector, SecretKeySelector, Time, schema};

/// Statements that run in the database with the rights of its owner, once until their text changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [schema::rule(
    "(has(self.inline) ? 1 : 0) + (has(self.configMapRef) ? 1 : 0) + (has(self.secretRef) ? 1 : 0) == 1",
    "exactly one of inline, configMapRef, or secretRef must be specified",
)]))]
pub struct InitSqlConfig {
    /// The statements themselves, at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub inline: Option<Vec<String>>,
    /// Key of a `ConfigMap` that holds the statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapKeySelector>,
    /// Key of a Secret that holds the statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
    /// Whether a failed statement keeps the database from becoming Ready (`Block`) or is only reported (`Continue`).
    #[serde(default)]
    pub failure_policy: InitSqlFailurePolicy,
}

/// What a failed statement means for the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InitSqlFailurePolicy {
    /// It is reported, and the database becomes Ready.
    Continue,
    /// The database does not become Ready.
    #[default]
    Block,
}

/// What became of the statements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitSqlStatus {
    /// Whether the statements with this hash ran to the end.
    #[serde(default)]
    pub applied: bool,
    /// When they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Time>,
    /// SHA-256 of the statements; they run again only when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Why they failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many statements ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements_executed: Option<i32>,
}
