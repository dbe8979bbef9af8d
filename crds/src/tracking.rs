//! How what the operator manages is marked on the server.

use mysql_options::MySqlResourceTrackingConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default_value::on;

/// The text for people that is written beside what the operator manages.
/// The mark for machines, from which ownership is told, is always written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceTrackingConfig {
    /// Whether the text for people is written.
    #[serde(default = "on")]
    pub enabled: bool,
    /// The text, a template over .Operator, .Kind, .Namespace and .Name.
    #[serde(default = "comment_format")]
    pub comment_format: String,
    /// Where MySQL and MariaDB keep the marks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<MySqlResourceTrackingConfig>,
}

impl Default for ResourceTrackingConfig {
    fn default() -> Self {
        Self { enabled: true, comment_format: comment_format(), mysql: None }
    }
}

fn comment_format() -> String {
    "managed-by:{{.Operator}},cr:{{.Namespace}}/{{.Name}}".to_owned()
}
