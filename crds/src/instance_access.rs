//! Who may use an instance, and what its resources may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LabelSelector;

/// Namespaces whose resources may use the instance: those named, and those the selector matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNamespaces {
    /// Names of namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Selects namespaces by their labels; an empty selector matches all. Absent: only `names` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// What resources of the instance may ask for. Everything is off unless it is allowed here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a permission of its own in the API")]
pub struct PrivilegeCeiling {
    /// Whether users may be superusers.
    #[serde(default)]
    pub superuser: bool,
    /// Whether users may start replication.
    #[serde(default)]
    pub replication: bool,
    /// Whether users may bypass row-level security.
    #[serde(default, rename = "bypassRLS")]
    pub bypass_rls: bool,
    /// Whether users may create roles.
    #[serde(default)]
    pub create_role: bool,
    /// Whether initSQL may run with the administrator's rights instead of the owner's.
    #[serde(default, rename = "initSQLAsAdmin")]
    pub init_sql_as_admin: bool,
    /// Whether predefined roles that open the server's files or programs may be named.
    #[serde(default)]
    pub dangerous_roles: bool,
    /// Harmless predefined roles that resources outside the instance's own namespace may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predefined_roles: Vec<String>,
    /// Roles and databases that no resource manages and that resources outside the instance's own namespace may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged_names: Vec<String>,
}
