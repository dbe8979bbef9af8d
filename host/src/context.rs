//! What every reconcile may use: one value, made at start, shared by all.

use std::sync::Arc;

use kube::Client;
use sandbox::{AddressPolicy, Sandbox};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::cluster::config_maps::ConfigMaps;
use crate::cluster::events::Events;
use crate::cluster::fingerprint_key::FingerprintKey;
use crate::cluster::namespaces::Namespaces;
use crate::cluster::patches::Patches;
use crate::cluster::secrets::Secrets;
use crate::cluster::stores::Stores;
use crate::config::Config;
use crate::controllers::first_look::Populous;
use crate::controllers::ledger::Ledger;
use crate::controllers::memory::Memory;
use crate::controllers::sweep::Clockless;
use crate::controllers::turns::Turns;
use crate::engines::Registry;
use crate::leadership::Term;
use crate::servers::Servers;
use crate::telemetry::metrics::Metrics;

/// The shared parts.
pub struct Context {
    /// What the operator was told at its start.
    pub config: Config,
    /// What stands for this cluster in marks.
    pub cluster_id: String,
    /// The namespace of the operator's own objects.
    pub operator_namespace: String,
    /// Requests to the API server that nothing below has.
    pub client: Client,
    /// Our own kinds, as the cluster has them.
    pub stores: Stores,
    /// Secrets by name.
    pub secrets: Secrets,
    /// `ConfigMap`s by name.
    pub config_maps: ConfigMaps,
    /// Namespaces by name.
    pub namespaces: Namespaces,
    /// Finalizers and status of our own kinds.
    pub patches: Patches,
    /// Events.
    pub events: Events,
    /// The key of the password fingerprints.
    pub fingerprint_key: FingerprintKey,
    /// The engines.
    pub registry: Arc<Registry>,
    /// Where adapters run.
    pub sandbox: Sandbox,
    /// Which addresses instances may name.
    pub addresses: Arc<AddressPolicy>,
    /// The database servers that are bound.
    pub servers: Servers,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Failures in a row.
    pub backoff: Arc<Backoff>,
    /// The instances that had many objects at the start.
    pub populous: Populous,
    /// The instances whose objects need no timer of their own.
    pub clockless: Clockless,
    /// What was seen of each object.
    pub memory: Arc<Memory>,
    /// Whose turn it is at each account, and what resources gave there.
    pub ledger: Ledger,
    /// Whose turn it is at each instance.
    pub turns: Turns,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Whether this process may write. Requests to the API server ask by themselves; effects on database
    /// servers ask here.
    pub term: Term,
}
