//! What is read at each scrape instead of being recorded: counts that somebody else keeps.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::object_key::ObjectKey;
use crate::telemetry::labels::{
    DatabaseInfoLabels, DatabaseLabels, GrantInfoLabels, KindLabels, ObjectLabels, RoleInfoLabels, UserInfoLabels,
};

/// Counts as they are now.
pub trait Readings: Send + Sync {
    /// Whether the object is there: what was recorded about one that is gone is not shown.
    fn is_there(&self, key: &ObjectKey) -> bool;
    /// How many resources of each kind there are.
    fn resources(&self) -> Vec<(&'static str, usize)>;
    /// What the sandbox counted.
    fn sandbox(&self) -> sandbox::Counters;
    /// What every database is.
    fn databases(&self) -> Vec<DatabaseInfoLabels>;
    /// What every user is.
    fn users(&self) -> Vec<UserInfoLabels>;
    /// What every role is, of either scope.
    fn roles(&self) -> Vec<RoleInfoLabels>;
    /// What every grant is, of either scope.
    fn grants(&self) -> Vec<GrantInfoLabels>;
    /// How large, in bytes, the databases were when they were looked at last.
    fn sizes(&self) -> Vec<(DatabaseLabels, u64)>;
    /// Whether the last look found drift, of every object that was looked at.
    fn drifts(&self) -> Vec<(ObjectLabels, bool)>;
    /// How many engines can be used, and how many were refused or are broken.
    fn engines(&self) -> (usize, usize);
}

impl std::fmt::Debug for dyn Readings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Readings")
    }
}

/// Writes the readings into the answer to a scrape.
#[derive(Debug)]
pub(crate) struct ReadingsCollector(pub(crate) Arc<dyn Readings>);

impl Collector for ReadingsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut resources =
            encoder.encode_descriptor("resource_count", "Resources in the cluster", None, MetricType::Gauge)?;
        for (kind, count) in self.0.resources() {
            ConstGauge::new(whole(count)).encode(resources.encode_family(&KindLabels { kind })?)?;
        }
        let mut databases = encoder.encode_descriptor("database_info", "Databases", None, MetricType::Gauge)?;
        for labels in self.0.databases() {
            ConstGauge::new(1i64).encode(databases.encode_family(&labels)?)?;
        }
        let mut users = encoder.encode_descriptor("user_info", "Users", None, MetricType::Gauge)?;
        for labels in self.0.users() {
            ConstGauge::new(1i64).encode(users.encode_family(&labels)?)?;
        }
        let mut roles = encoder.encode_descriptor("role_info", "Roles", None, MetricType::Gauge)?;
        for labels in self.0.roles() {
            ConstGauge::new(1i64).encode(roles.encode_family(&labels)?)?;
        }
        let mut grants = encoder.encode_descriptor("grant_info", "Grants", None, MetricType::Gauge)?;
        for labels in self.0.grants() {
            ConstGauge::new(1i64).encode(grants.encode_family(&labels)?)?;
        }
        let mut sizes =
            encoder.encode_descriptor("database_size_bytes", "Size of databases", None, MetricType::Gauge)?;
        for (labels, bytes) in self.0.sizes() {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            ConstGauge::new(bytes).encode(sizes.encode_family(&labels)?)?;
        }
        let mut drifts = encoder.encode_descriptor(
            "drift_detected",
            "Whether the last look found drift",
            None,
            MetricType::Gauge,
        )?;
        for (labels, found) in self.0.drifts() {
            ConstGauge::new(i64::from(found)).encode(drifts.encode_family(&labels)?)?;
        }
        let counters = self.0.sandbox();
        for (name, help, count) in [
            ("sessions_opened", "Streams to database servers opened", counters.sessions_opened),
            ("secret_reveals", "Secret values that adapters asked for and got", counters.reveals),
            ("guest_traps", "Calls of adapters that ended in a trap or against a limit", counters.traps),
            ("guest_deadlines", "Calls of adapters that ran into their deadline", counters.deadlines),
            ("guests_instantiated", "Adapters instantiated", counters.guests_started),
        ] {
            let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(descriptor)?;
        }
        let (usable, unusable) = self.0.engines();
        let sessions = usize::try_from(counters.sessions_open).unwrap_or(usize::MAX);
        for (name, help, count) in [
            ("sessions_open", "Streams to database servers open now", sessions),
            ("engines_available", "Adapters that can be used", usable),
            ("engines_unavailable", "Adapters that were refused or are broken", unusable),
        ] {
            let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(whole(count)).encode(descriptor)?;
        }
        Ok(())
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
