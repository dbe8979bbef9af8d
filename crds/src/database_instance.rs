//! The kind `DatabaseInstance`: a server that serves its own namespace, and others it names.
//!
//! Its spec and status are those of every instance, in `instance.rs`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{InstanceSpec, InstanceStatus};

/// Spec of a `DatabaseInstance`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "DatabaseInstance",
    plural = "databaseinstances",
    shortname = "dbi",
    category = "dbops",
    namespaced,
    status = "InstanceStatus",
    derive = "PartialEq",
    doc = "A database server that exists already, offered to its own namespace and to those it names.",
    printcolumn = r#"{"name":"Engine","type":"string","jsonPath":".spec.engine"}"#,
    printcolumn = r#"{"name":"Host","type":"string","jsonPath":".spec.connection.host"}"#,
    printcolumn = r#"{"name":"Port","type":"integer","jsonPath":".spec.connection.port"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct DatabaseInstanceSpec(pub InstanceSpec);
