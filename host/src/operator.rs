//! The life of the process: what is started in which order, and how it ends.
//!
//! Engines and caches come first, on every replica, so that one that takes over works at once. Then the Lease,
//! then the controllers. A signal ends the controllers when what they run has ended, closes the sessions and
//! gives the Lease back; the loss of the Lease ends everything at once. Periodic looks come from the reconcilers'
//! own wishes; the one ticker is that of the folder of engines.

mod controllers;
mod output_secrets;
mod relations;
mod sources;
mod sweeps;
mod triggers;

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::watcher;
use rand::RngExt as _;
use sandbox::{AddressPolicy, Sandbox, SandboxConfig, SandboxError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::clock::SystemClock;
use crate::cluster::client::{Clients, ConnectError, configuration};
use crate::cluster::config_maps::ConfigMaps;
use crate::cluster::events::Events;
use crate::cluster::fingerprint_key::FingerprintKey;
use crate::cluster::namespaces::{Namespaces, ReadClusterIdError};
use crate::cluster::patches::Patches;
use crate::cluster::pump::pump;
use crate::cluster::secrets::Secrets;
use crate::cluster::stores::{Stores, Writers};
use crate::config::Config;
use crate::context::Context;
use crate::controllers::first_look::Populous;
use crate::controllers::ledger::Ledger;
use crate::controllers::memory::Memory;
use crate::controllers::sweep::Clockless;
use crate::controllers::turns::Turns;
use crate::engines::Registry;
use crate::engines::folder::{Folder, ReadFolderError};
use crate::leadership::{Candidate, LostLeadership, Term, Timing};
use crate::object_key::ObjectKey;
use crate::servers::Servers;
use crate::telemetry::http::{self, ListenError, Readiness};
use crate::telemetry::metrics::Metrics;

use relations::{Forget, Relations};
use sources::Sources;
use triggers::{Queues, Triggers};

/// How long running reconciles may take to end after a signal; a Pod is given 30 seconds.
const DRAIN: Duration = Duration::from_secs(20);

/// Why the operator ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no way to the API server.
    #[error("cannot set up the access to the cluster")]
    Connect(#[source] ConnectError),
    /// There is no sandbox.
    #[error("cannot set up the sandbox")]
    Sandbox(#[source] SandboxError),
    /// There are no engines to load.
    #[error("cannot load the engines")]
    LoadEngines(#[source] ReadFolderError),
    /// A port is taken.
    #[error("cannot serve")]
    Listen(#[source] ListenError),
    /// A watch ended.
    #[error("cannot keep the caches")]
    Cache(#[source] WriterDropped),
    /// The cluster has no identity.
    #[error("cannot tell which cluster this is")]
    IdentifyCluster(#[source] ReadClusterIdError),
    /// Another replica works now.
    #[error("lost the lease")]
    LoseLease(#[source] LostLeadership),
}

/// A token that is cancelled by SIGTERM or SIGINT.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
        token.cancel();
    });
    Ok(stop)
}

/// Runs the operator until it is told to stop.
pub async fn run(config: Config, stop: CancellationToken) -> Result<(), RunError> {
    let cluster = configuration().await.map_err(RunError::Connect)?;
    run_on(&cluster, config, stop).await
}

/// The same on a given cluster.
pub async fn run_on(cluster: &kube::Config, config: Config, stop: CancellationToken) -> Result<(), RunError> {
    let replica = replica_name();
    let mut election = Election::new(cluster, &config, &replica)?;
    let clients = Clients::new(cluster, &election.term()).map_err(RunError::Connect)?;
    let sandbox =
        Sandbox::new(&SandboxConfig { cache_directory: config.compilation_cache.clone(), ..SandboxConfig::default() })
            .map_err(RunError::Sandbox)?;
    let (registry, servers) = (Arc::new(Registry::default()), Servers::default());
    let (stores, writers) = Stores::new();
    let (backoff, memory) = (Arc::new(Backoff::default()), Arc::new(Memory::default()));
    let metrics = Arc::new(Metrics::new(Arc::new(Sources {
        sandbox: sandbox.clone(),
        registry: Arc::clone(&registry),
        stores: stores.clone(),
        memory: Arc::clone(&memory),
    })));

    // The probes answer until the very end, whatever else stops before.
    let serving = CancellationToken::new();
    let _serving_ends_with_us = serving.clone().drop_guard();
    let readiness = Arc::new(Readiness::default());
    let listen = async |what, address, routes| {
        http::serve(what, address, routes, serving.clone()).await.map_err(RunError::Listen)
    };
    listen("probes", config.health_probe_bind_address, http::probes(Arc::clone(&readiness))).await?;
    listen("metrics", config.metrics_bind_address, http::metrics(Arc::clone(&metrics))).await?;

    let (triggers, queues) = Triggers::new(config.instance_id.clone());
    let forget = forgetting(Arc::clone(&metrics), Arc::clone(&backoff), Arc::clone(&memory));
    let relations = Relations { stores: stores.clone(), triggers: triggers.clone(), forget };
    let mut background = watches(&clients, writers, &relations);
    if config.watch_output_secrets {
        let relations = relations.clone();
        let client = clients.watches.clone();
        background.spawn(output_secrets::watch(client, move |secret| relations.output_secret(secret)));
    }

    let folder =
        Folder::open(&config.engines, config.compilation_cache.as_deref(), sandbox.clone(), Arc::clone(&registry));
    let folder = tokio::select! {
        opened = folder => opened.map_err(RunError::LoadEngines)?,
        () = stop.cancelled() => return Ok(()),
    };
    background.spawn(folder.follow());
    let known = Arc::clone(&registry);
    readiness.engines_loaded(move || known.counts().0);
    tokio::select! {
        ready = stores.ready() => ready.map_err(RunError::Cache)?,
        () = stop.cancelled() => return Ok(()),
    }
    readiness.caches_synced();
    tracing::info!("caches are synced and engines loaded");

    let namespaces = Namespaces::new(clients.requests.clone());
    let cluster_id = namespaces.cluster_id().await.map_err(RunError::IdentifyCluster)?;
    let operator_namespace = config.operator_namespace.clone().unwrap_or_else(|| clients.namespace.clone());
    let ctx = Arc::new(Context {
        cluster_id,
        fingerprint_key: FingerprintKey::new(clients.requests.clone(), &operator_namespace),
        operator_namespace,
        stores,
        secrets: Secrets::new(clients.requests.clone()),
        config_maps: ConfigMaps::new(clients.requests.clone()),
        namespaces,
        patches: Patches::new(clients.requests.clone()),
        events: Events::new(clients.requests.clone(), replica),
        client: clients.requests,
        registry: Arc::clone(&registry),
        sandbox,
        addresses: Arc::new(AddressPolicy::new(config.allow_endpoint_cidr.clone())),
        servers: servers.clone(),
        metrics,
        backoff,
        populous: Populous::default(),
        clockless: Clockless::default(),
        memory,
        ledger: Ledger::default(),
        turns: Turns::new(config.max_concurrent_reconciles),
        clock: Arc::new(SystemClock),
        term: election.term(),
        config,
    });

    if !election.win(&stop).await {
        return Ok(());
    }
    triggers.open();
    relations.all();
    background.spawn(follow_servers(servers.clone(), relations.clone()));
    background.spawn(follow_engines(registry, relations.clone()));
    background.spawn(sweeps::follow(Arc::clone(&ctx), relations));
    let ended = tokio::select! {
        lost = election.keep() => Err(RunError::LoseLease(lost)),
        () = work(Arc::clone(&ctx), queues, stop) => Ok(()),
    };
    // The controllers are gone by now, and with them every reconcile; what follows writes nothing but the Lease. The
    // sessions say good-bye first, which is a word that only a term allows; one that was lost is over already.
    drop(background);
    servers.close_all().await;
    ctx.term.end();
    if ended.is_ok() {
        election.release().await;
    }
    ended
}

/// Works until told to stop, and then for a while longer.
async fn work(ctx: Arc<Context>, queues: Queues, stop: CancellationToken) {
    let too_long = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = controllers::work(ctx, queues, stop.clone()) => tracing::info!("all reconciles have ended"),
        () = too_long => tracing::warn!("some reconciles did not end in time and are broken off"),
    }
}

/// With an election, or without.
enum Election {
    Held(Box<Candidate>),
    None(Term),
}

impl Election {
    fn new(cluster: &kube::Config, config: &Config, replica: &str) -> Result<Self, RunError> {
        let endless = Term::endless();
        if !config.leader_elect {
            return Ok(Self::None(endless));
        }
        let clients = Clients::new(cluster, &endless).map_err(RunError::Connect)?;
        let namespace =
            config.leader_elect_namespace.as_ref().or(config.operator_namespace.as_ref()).unwrap_or(&clients.namespace);
        // A container that is started again has the same name; it must not take the Lease for its own.
        let identity = format!("{replica}_{:016x}", rand::rng().random::<u64>());
        let name = config.lease_name();
        tracing::info!(namespace, name, "the Lease of the operators of this id");
        let candidate = Candidate::new(clients.leases.clone(), namespace, &name, identity, Timing::default());
        Ok(Self::Held(Box::new(candidate)))
    }

    fn term(&self) -> Term {
        match self {
            Self::Held(candidate) => candidate.term(),
            Self::None(term) => term.clone(),
        }
    }

    async fn win(&mut self, stop: &CancellationToken) -> bool {
        match self {
            Self::Held(candidate) => candidate.win(stop).await,
            Self::None(_) => true,
        }
    }

    async fn keep(&mut self) -> LostLeadership {
        match self {
            Self::Held(candidate) => candidate.keep().await,
            Self::None(_) => pending().await,
        }
    }

    async fn release(&mut self) {
        if let Self::Held(candidate) = self {
            candidate.release().await;
        }
    }
}

/// Starts the watches of our own kinds. They end when the set is dropped.
fn watches(clients: &Clients, writers: Writers, relations: &Relations) -> JoinSet<()> {
    let Writers {
        instances,
        cluster_instances,
        databases,
        users,
        roles,
        cluster_roles,
        access_grants,
        cluster_access_grants,
        grants,
    } = writers;
    let client = || clients.watches.clone();
    let config = watcher::Config::default;
    let mut set = JoinSet::new();
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), instances, move |change| of.instance(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), cluster_instances, move |change| of.cluster_instance(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), databases, move |change| of.database(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), users, move |change| of.user(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), roles, move |change| of.role(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), cluster_roles, move |change| of.cluster_role(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), access_grants, move |change| of.access_grant(&change)));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), cluster_access_grants, move |change| {
        of.cluster_access_grant(&change);
    }));
    let of = relations.clone();
    set.spawn(pump(Api::all(client()), config(), grants, move |change| of.grant(&change)));
    set
}

/// Who waits for an instance is looked at when it is connected.
async fn follow_servers(servers: Servers, relations: Relations) {
    let mut changes = servers.changes();
    loop {
        match changes.recv().await {
            Ok(id) => relations.of_instance(&id),
            // More changes at once than fit: look at all.
            Err(RecvError::Lagged(_)) => relations.all(),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Instances are looked at when engines change.
async fn follow_engines(registry: Arc<Registry>, relations: Relations) {
    let mut changes = registry.changes();
    while changes.changed().await.is_ok() {
        relations.all();
    }
}

fn forgetting(metrics: Arc<Metrics>, backoff: Arc<Backoff>, memory: Arc<Memory>) -> Forget {
    Arc::new(move |key: &ObjectKey, uid: &str| {
        metrics.forget(key);
        backoff.forget(key);
        memory.forget(uid);
    })
}

/// The Pod's name, which is the name of its host.
fn replica_name() -> String {
    let named = std::env::var("POD_NAME").or_else(|_absent| std::env::var("HOSTNAME"));
    named.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "db-provision-operator".to_owned())
}
