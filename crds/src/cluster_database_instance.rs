//! The kind `ClusterDatabaseInstance`: a server that serves the whole cluster, unless it narrows that.
//!
//! Its spec and status are those of every instance, in `instance.rs`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{InstanceSpec, InstanceStatus};

/// Spec of a `ClusterDatabaseInstance`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dbops.dbprovision.io",
    version = "v1alpha1",
    kind = "ClusterDatabaseInstance",
    plural = "clusterdatabaseinstances",
    shortname = "cdbi",
    category = "dbops",
    status = "InstanceStatus",
    derive = "PartialEq",
    doc = "A database server that exists already, offered to all namespaces or to those it names.",
    printcolumn = r#"{"name":"Engine","type":"string","jsonPath":".spec.engine"}"#,
    printcolumn = r#"{"name":"Host","type":"string","jsonPath":".spec.connection.host"}"#,
    printcolumn = r#"{"name":"Port","type":"integer","jsonPath":".spec.connection.port"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct ClusterDatabaseInstanceSpec(pub InstanceSpec);
