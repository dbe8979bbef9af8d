//! The metrics, prefix `dbops_`, each with a method that records it.
//!
//! The names are the predecessor's where they mean something here; what is read at each scrape (counts of
//! resources, what each of them is and how it was seen last, the sandbox's counters) comes from [`Readings`], so that an
//! object costs nothing here. Label sets about an object go with the object:
//! [`Metrics::forget`]. Deliberately absent: any use of a metric for a decision.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crds::{InstanceId, InstanceKind};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::object_key::ObjectKey;
use crate::telemetry::labels::{
    AttemptLabels, CorrectionLabels, Ending, EngineLabels, InstanceInfoLabels, InstanceLabels, KindLabels,
    ObjectLabels, Operation, OperationDurationLabels, OperationLabels, OrphanLabels, ReconcileLabels, SweptLabels,
};
use crate::telemetry::readings::{Readings, ReadingsCollector};
use crate::telemetry::tracked::{AboutObjects, Tracked};

/// What the operator counts and measures.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    readings: Arc<dyn Readings>,
    connection_attempts: Tracked<AttemptLabels, Counter>,
    connection_latency: Tracked<InstanceLabels, Histogram>,
    instance_healthy: Tracked<InstanceLabels, Gauge>,
    instance_last_health_check: Tracked<InstanceLabels, Gauge<f64, AtomicU64>>,
    instance_info: Tracked<InstanceInfoLabels, Gauge>,
    discovery_scans: Tracked<AttemptLabels, Counter>,
    discovered_orphans: Tracked<OrphanLabels, Gauge>,
    adoptions: Family<KindLabels, Counter>,
    database_operations: Tracked<OperationLabels, Counter>,
    database_operation_duration: Family<OperationDurationLabels, Histogram, fn() -> Histogram>,
    user_operations: Tracked<OperationLabels, Counter>,
    user_operation_duration: Family<OperationDurationLabels, Histogram, fn() -> Histogram>,
    role_operations: Tracked<OperationLabels, Counter>,
    grant_operations: Tracked<OperationLabels, Counter>,
    role_operation_duration: Family<OperationDurationLabels, Histogram, fn() -> Histogram>,
    drift: Drift,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_duration: Family<KindLabels, Histogram, fn() -> Histogram>,
}

/// What is counted about drift.
#[derive(Debug)]
struct Drift {
    detections: Tracked<ObjectLabels, Counter>,
    corrections: Tracked<CorrectionLabels, Counter>,
    sweeps: Tracked<InstanceLabels, Counter>,
    swept: Tracked<SweptLabels, Counter>,
    sweep_duration: Family<EngineLabels, Histogram, fn() -> Histogram>,
}

impl Drift {
    fn register(of: &mut Registry) -> Self {
        Self {
            detections: Tracked::register(of, "drift_detections", "Looks that found drift", Counter::default),
            corrections: Tracked::register(of, "drift_corrections", "Corrections of drift", Counter::default),
            sweeps: Tracked::register(
                of,
                "drift_sweeps",
                "Looks at many objects of an instance together",
                Counter::default,
            ),
            swept: Tracked::register(of, "drift_swept_objects", "Objects looked at in sweeps", Counter::default),
            sweep_duration: family(of, "drift_sweep_duration_seconds", "Time of sweeps"),
        }
    }
}

impl Metrics {
    /// All metrics, none recorded yet.
    pub fn new(readings: Arc<dyn Readings>) -> Self {
        let mut registry = Registry::with_prefix("dbops");
        let of = &mut registry;
        let metrics = (
            Tracked::register(
                of,
                "connection_attempts",
                "Attempts to connect to instances",
                Counter::default as fn() -> _,
            ),
            Tracked::register(of, "connection_latency_seconds", "Time to connect to instances", seconds as fn() -> _),
            Tracked::register(
                of,
                "instance_healthy",
                "Whether the instance answered its last check",
                Gauge::default as fn() -> _,
            ),
            Tracked::register(
                of,
                "instance_last_health_check_timestamp_seconds",
                "When the instance was last checked",
                Gauge::<f64, AtomicU64>::default as fn() -> _,
            ),
            Tracked::register(of, "instance_info", "Instances", Gauge::default as fn() -> _),
            Tracked::register(of, "database_operations", "Operations on databases", Counter::default as fn() -> _),
            family(of, "database_operation_duration_seconds", "Time of operations on databases"),
        );
        let (
            connection_attempts,
            connection_latency,
            instance_healthy,
            instance_last_health_check,
            instance_info,
            database_operations,
            database_operation_duration,
        ) = metrics;
        let user_operations =
            Tracked::register(of, "user_operations", "Operations on users", Counter::default as fn() -> _);
        let user_operation_duration = family(of, "user_operation_duration_seconds", "Time of operations on users");
        let role_operations =
            Tracked::register(of, "role_operations", "Operations on roles", Counter::default as fn() -> _);
        let role_operation_duration = family(of, "role_operation_duration_seconds", "Time of operations on roles");
        let grant_operations =
            Tracked::register(of, "grant_operations", "Operations on grants", Counter::default as fn() -> _);
        let drift = Drift::register(of);
        let discovery_scans =
            Tracked::register(of, "discovery_scans", "Searches of servers", Counter::default as fn() -> _);
        let discovered_orphans = Tracked::register(
            of,
            "discovered_orphans",
            "What the last search found that belongs to no resource",
            Gauge::default as fn() -> _,
        );
        let adoptions = Family::default();
        of.register("adoptions", "Objects of servers that resources took over", Clone::clone(&adoptions));
        let reconciles = Family::default();
        of.register("reconcile", "Reconciles by what came of them", Clone::clone(&reconciles));
        let reconcile_duration = family(of, "reconcile_duration_seconds", "Time of reconciles");
        of.register_collector(Box::new(ReadingsCollector(Arc::clone(&readings))));
        Self {
            registry,
            readings,
            connection_attempts,
            connection_latency,
            instance_healthy,
            instance_last_health_check,
            instance_info,
            discovery_scans,
            discovered_orphans,
            adoptions,
            database_operations,
            database_operation_duration,
            user_operations,
            user_operation_duration,
            role_operations,
            grant_operations,
            role_operation_duration,
            drift,
            reconciles,
            reconcile_duration,
        }
    }

    /// An attempt to connect to an instance ended.
    pub fn connection_attempt(&self, instance: &InstanceId, engine: &str, status: Ending, latency: Duration) {
        let key = ObjectKey::from(instance);
        let labels = instance_labels(instance, engine);
        self.connection_attempts
            .of(
                &key,
                &AttemptLabels {
                    instance: labels.instance.clone(),
                    namespace: labels.namespace.clone(),
                    engine: labels.engine.clone(),
                    status,
                },
            )
            .inc();
        // A failure's time is that of a timeout, which would drown what the histogram is for.
        if status == Ending::Success {
            self.connection_latency.of(&key, &labels).observe(latency.as_secs_f64());
        }
    }

    /// An instance was checked.
    pub fn instance_checked(&self, instance: &InstanceId, engine: &str, healthy: bool, at: Timestamp) {
        let key = ObjectKey::from(instance);
        let labels = instance_labels(instance, engine);
        self.instance_healthy.of(&key, &labels).set(i64::from(healthy));
        self.instance_last_health_check.of(&key, &labels).set(at.as_duration().as_secs_f64());
    }

    /// What an instance needs to be asked is missing or not allowed.
    pub fn instance_unusable(&self, instance: &InstanceId, engine: &str) {
        self.instance_healthy.of(&ObjectKey::from(instance), &instance_labels(instance, engine)).set(0);
    }

    /// A server was searched for what belongs to no resource.
    pub fn searched(&self, instance: &InstanceId, engine: &str, status: Ending) {
        let InstanceLabels { instance: name, namespace, engine } = instance_labels(instance, engine);
        let labels = AttemptLabels { instance: name, namespace, engine, status };
        self.discovery_scans.of(&ObjectKey::from(instance), &labels).inc();
    }

    /// How many databases, users or roles (`object`) the last search found that belong to no resource.
    pub fn orphans(&self, instance: &InstanceId, engine: &str, object: &'static str, count: usize) {
        let InstanceLabels { instance: name, namespace, engine } = instance_labels(instance, engine);
        let labels = OrphanLabels { instance: name, namespace, engine, object };
        self.discovered_orphans.of(&ObjectKey::from(instance), &labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A resource of this kind took over what existed.
    pub fn adopted(&self, kind: &'static str) {
        self.adoptions.get_or_create(&KindLabels { kind }).inc();
    }

    /// What an instance is now.
    pub fn instance_info(&self, instance: &InstanceId, info: &InstanceInfoLabels) {
        self.instance_info.only(&ObjectKey::from(instance), info).set(1);
    }

    /// An operation on a database ended.
    pub fn database_operation(
        &self,
        instance: &InstanceId,
        engine: &str,
        operation: Operation,
        status: Ending,
        duration: Duration,
    ) {
        self.database_operations
            .of(&ObjectKey::from(instance), &operation_labels(instance, engine, operation, status))
            .inc();
        self.database_operation_duration
            .get_or_create(&OperationDurationLabels { operation, engine: engine.to_owned() })
            .observe(duration.as_secs_f64());
    }

    /// An operation on a user ended.
    pub fn user_operation(
        &self,
        instance: &InstanceId,
        engine: &str,
        operation: Operation,
        status: Ending,
        duration: Duration,
    ) {
        self.user_operations
            .of(&ObjectKey::from(instance), &operation_labels(instance, engine, operation, status))
            .inc();
        self.user_operation_duration
            .get_or_create(&OperationDurationLabels { operation, engine: engine.to_owned() })
            .observe(duration.as_secs_f64());
    }

    /// An operation on a role ended.
    pub fn role_operation(
        &self,
        instance: &InstanceId,
        engine: &str,
        operation: Operation,
        status: Ending,
        duration: Duration,
    ) {
        self.role_operations
            .of(&ObjectKey::from(instance), &operation_labels(instance, engine, operation, status))
            .inc();
        self.role_operation_duration
            .get_or_create(&OperationDurationLabels { operation, engine: engine.to_owned() })
            .observe(duration.as_secs_f64());
    }

    /// An operation on a grant ended.
    pub fn grant_operation(&self, instance: &InstanceId, engine: &str, operation: Operation, status: Ending) {
        self.grant_operations
            .of(&ObjectKey::from(instance), &operation_labels(instance, engine, operation, status))
            .inc();
    }

    /// A look found drift.
    pub fn drift_found(&self, key: &ObjectKey) {
        self.drift.detections.of(key, &object_labels(key)).inc();
    }

    /// A correction of drift ended.
    pub fn drift_corrected(&self, key: &ObjectKey, status: Ending) {
        let ObjectLabels { kind, namespace, name } = object_labels(key);
        self.drift.corrections.of(key, &CorrectionLabels { kind, namespace, name, status }).inc();
    }

    /// A sweep over so many objects of the instance, by their kinds, ended.
    pub fn swept(
        &self,
        instance: &InstanceId,
        engine: &str,
        objects: &BTreeMap<&'static str, u64>,
        duration: Duration,
    ) {
        let (key, labels) = (ObjectKey::from(instance), instance_labels(instance, engine));
        self.drift.sweeps.of(&key, &labels).inc();
        for (&kind, &count) in objects {
            let InstanceLabels { instance, namespace, engine } = labels.clone();
            self.drift.swept.of(&key, &SweptLabels { instance, namespace, engine, kind }).inc_by(count);
        }
        let labels = EngineLabels { engine: engine.to_owned() };
        self.drift.sweep_duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// A reconcile ended. `outcome` is `changed`, `unchanged`, or the class of what stopped it.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str, duration: Duration) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.reconcile_duration.get_or_create(&KindLabels { kind }).observe(duration.as_secs_f64());
    }

    /// The object is gone, and what was recorded about it goes too.
    pub fn forget(&self, key: &ObjectKey) {
        self.about_objects().into_iter().for_each(|family| family.forget(key));
    }

    fn about_objects(&self) -> [&dyn AboutObjects; 15] {
        [
            &self.connection_attempts,
            &self.connection_latency,
            &self.instance_healthy,
            &self.instance_last_health_check,
            &self.instance_info,
            &self.discovery_scans,
            &self.discovered_orphans,
            &self.database_operations,
            &self.user_operations,
            &self.role_operations,
            &self.grant_operations,
            &self.drift.detections,
            &self.drift.corrections,
            &self.drift.sweeps,
            &self.drift.swept,
        ]
    }

    /// Everything about what is there, in the text format of `OpenMetrics`.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let is_there = |key: &ObjectKey| self.readings.is_there(key);
        self.about_objects().into_iter().for_each(|family| family.keep(&is_there));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// From a local round trip to a CREATE DATABASE that copies files: 1 ms to half a minute.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

fn family<L: crate::telemetry::tracked::Labels>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> Family<L, Histogram, fn() -> Histogram> {
    let family = Family::new_with_constructor(seconds as fn() -> Histogram);
    registry.register(name, help, family.clone());
    family
}

fn instance_labels(instance: &InstanceId, engine: &str) -> InstanceLabels {
    InstanceLabels {
        instance: instance.name.clone(),
        namespace: match instance.kind {
            InstanceKind::DatabaseInstance => instance.namespace.clone().unwrap_or_default(),
            InstanceKind::ClusterDatabaseInstance => String::new(),
        },
        engine: engine.to_owned(),
    }
}

fn operation_labels(instance: &InstanceId, engine: &str, operation: Operation, status: Ending) -> OperationLabels {
    let InstanceLabels { instance, namespace, engine } = instance_labels(instance, engine);
    OperationLabels { operation, instance, namespace, engine, status }
}

fn object_labels(key: &ObjectKey) -> ObjectLabels {
    ObjectLabels { kind: key.kind.clone(), namespace: key.namespace.clone(), name: key.name.clone() }
}

#[cfg(test)]
mod tests;
