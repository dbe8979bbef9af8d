//! What the two kinds of instances share: one spec, one status, one view of both.

use clickhouse_options::ClickHouseInstanceConfig;
use kube::ResourceExt as _;
use mysql_options::MySqlInstanceConfig;
use postgres_options::PostgresInstanceConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default_value::on;
use crate::managed::block;
use crate::{
    AllowedNamespaces, ClusterDatabaseInstance, Condition, ConnectionConfig, DatabaseInstance, DeletionConfirmation,
    DiscoveredResourcesStatus, DiscoveryConfig, DriftPolicy, HealthCheckConfig, InstanceId, InstancePhase,
    OptionBlocks, Parameters, PrivilegeCeiling, ResourceTrackingConfig, Time, TlsConfig, Word, schema,
};

/// A database server that exists already, and who may use it for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSpec {
    /// Name of the engine, such as postgres or mysql: any that an installed adapter answers to. It cannot be changed.
    #[schemars(
        length(min = 1, max = 63),
        extend("x-kubernetes-validations" = [schema::rule("self == oldSelf", "engine is immutable")])
    )]
    pub engine: String,
    /// Where the server is and with which credentials it is reached.
    pub connection: ConnectionConfig,
    /// TLS between the operator and the server.
    /// Absent: what the engine's block says, otherwise TLS where the server offers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// How often the server is asked whether it is well. Absent: every 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckConfig>,
    /// What happens where the server differs from the specs, for resources of this instance that do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// Whether the server is searched for what belongs to no resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryConfig>,
    /// PostgreSQL settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresInstanceConfig>,
    /// MySQL and MariaDB settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<MySqlInstanceConfig>,
    /// ClickHouse settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<ClickHouseInstanceConfig>,
    /// Settings of any other engine, checked by its adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub parameters: Option<Parameters>,
    /// The text for people that is written beside what the operator manages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_tracking: Option<ResourceTrackingConfig>,
    /// Whether deleting this resource is refused.
    #[serde(default = "on")]
    pub deletion_protection: bool,
    /// Namespaces whose resources may use this instance.
    /// Absent: a `DatabaseInstance` serves its own namespace only, a `ClusterDatabaseInstance` serves all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// What resources of this instance may ask for. Absent: nothing beyond the ordinary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privilege_ceiling: Option<PrivilegeCeiling>,
}

impl InstanceSpec {
    /// The health check in effect, stated or not.
    pub fn health_check_in_effect(&self) -> HealthCheckConfig {
        self.health_check.clone().unwrap_or_else(HealthCheckConfig::of_an_absent_block)
    }

    /// The option blocks that are stated, by their key in the spec.
    pub fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        let mut blocks = OptionBlocks::new();
        block(&mut blocks, "postgres", self.postgres.as_ref())?;
        block(&mut blocks, "mysql", self.mysql.as_ref())?;
        block(&mut blocks, "clickhouse", self.clickhouse.as_ref())?;
        block(&mut blocks, "parameters", self.parameters.as_ref())?;
        Ok(blocks)
    }
}

/// What was observed of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Where the instance is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<InstancePhase>,
    /// Version of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is going on, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Word>,
    /// When the server was checked, as of the last change of this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checked_at: Option<Time>,
    /// Generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Id of the reconcile that wrote this status, as in the logs.
    #[serde(rename = "reconcileID", skip_serializing_if = "Option::is_none")]
    pub reconcile_id: Option<String>,
    /// When this status was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reconcile_time: Option<Time>,
    /// Identity of the server, from which another server behind the same address is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_identity: Option<String>,
    /// The adapter that serves this instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<InstanceEngineStatus>,
    /// What exists on the server and belongs to no resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovered_resources: Option<DiscoveredResourcesStatus>,
    /// What a person must confirm before a forced deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_confirmation: Option<DeletionConfirmation>,
    /// Accepted, Synced, Ready, Connected and Healthy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The adapter that serves an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceEngineStatus {
    /// The adapter's own name of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version of the adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter_version: Option<String>,
    /// SHA-256 digest of the adapter's component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Either kind of instance, seen the same way.
pub trait Instance {
    /// Which instance it is.
    fn id(&self) -> InstanceId;
    /// What is asked for.
    fn instance_spec(&self) -> &InstanceSpec;
    /// What was observed, if anything was.
    fn instance_status(&self) -> Option<&InstanceStatus>;

    /// The conditions of the status; none where there is no status.
    fn conditions(&self) -> &[Condition] {
        self.instance_status().map_or(&[], |status| status.conditions.as_slice())
    }
}

impl Instance for DatabaseInstance {
    fn id(&self) -> InstanceId {
        InstanceId::namespaced(self.namespace().unwrap_or_default(), self.name_any())
    }

    fn instance_spec(&self) -> &InstanceSpec {
        &self.spec.0
    }

    fn instance_status(&self) -> Option<&InstanceStatus> {
        self.status.as_ref()
    }
}

impl Instance for ClusterDatabaseInstance {
    fn id(&self) -> InstanceId {
        InstanceId::cluster(self.name_any())
    }

    fn instance_spec(&self) -> &InstanceSpec {
        &self.spec.0
    }

    fn instance_status(&self) -> Option<&InstanceStatus> {
        self.status.as_ref()
    }
}
