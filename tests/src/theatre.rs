//! What a test of a feature stands on: an operator of its own, a namespace of its own, and one instance for each
//! PostgreSQL server of the world, on each of which the same scenario is played.
//!
//! Operators of tests that run at the same time are told apart by their partition label, and names on the shared
//! servers by a tag; nothing here waits for a time.

mod objects;
mod site;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::join_all;
use kube::Client;
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;
use testkit::workspace;
use testkit::world::{Operator, OperatorOptions, TestNamespace, World};
use tokio::sync::RwLock;

pub use objects::{Resource, kind};
pub use site::{Site, literal};

/// How long anything may take. Two cores carry the control plane, the servers and other tests beside.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What a test wants to be different from the ordinary.
#[derive(Clone, Debug)]
pub struct Setting {
    /// More of the instances' spec.
    pub instance: Value,
    /// Whether the operator logs in as the superuser instead of as a managed service's administrator.
    pub as_superuser: bool,
    /// More arguments of the operator.
    pub arguments: Vec<String>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { instance: json!({}), as_superuser: false, arguments: Vec::new() }
    }
}

impl Setting {
    /// With this in the instances' spec.
    pub fn instance(spec: Value) -> Self {
        Self { instance: spec, ..Self::default() }
    }

    /// With this in the instances' spec, and the superuser's rights.
    pub fn superuser(spec: Value) -> Self {
        Self { instance: spec, as_superuser: true, ..Self::default() }
    }
}

/// What the sites of one test share.
pub struct Shared {
    /// The namespace.
    pub namespace: TestNamespace,
    /// The operator; a scenario that stops or restarts it is played on one site after the other.
    pub operator: RwLock<Operator>,
    /// The value of the partition label.
    pub partition: String,
    /// A client of the administrator.
    pub client: Client,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Plays a scenario on every server of the world, in the ordinary setting.
///
/// # Panics
/// Where the scenario fails on one of them.
pub async fn perform(purpose: &str, scenario: impl AsyncFn(&Site) -> Result<()>) {
    perform_in(purpose, Setting::default(), scenario).await;
}

/// Plays a scenario on every server of the world, at the same time.
///
/// # Panics
/// Where the scenario fails on one of them.
#[expect(clippy::panic, reason = "this is where a scenario's failure becomes its test's")]
pub async fn perform_in(purpose: &str, setting: Setting, scenario: impl AsyncFn(&Site) -> Result<()>) {
    let sites = match open(purpose, &setting).await {
        Ok(sites) => sites,
        Err(error) => panic!("the theatre of {purpose} could not be built: {error:#}"),
    };
    let played = join_all(sites.iter().map(async |site| (site.label, scenario(site).await))).await;
    let failures: Vec<String> = played
        .into_iter()
        .filter_map(|(label, outcome)| outcome.err().map(|error| format!("on PostgreSQL {label}: {error:?}")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Plays a scenario on one server after the other, for those that stop the operator.
///
/// # Panics
/// Where the scenario fails on one of them.
#[expect(clippy::panic, reason = "this is where a scenario's failure becomes its test's")]
pub async fn perform_in_turn(purpose: &str, setting: Setting, scenario: impl AsyncFn(&Site) -> Result<()>) {
    let sites = match open(purpose, &setting).await {
        Ok(sites) => sites,
        Err(error) => panic!("the theatre of {purpose} could not be built: {error:#}"),
    };
    for site in &sites {
        if let Err(error) = scenario(site).await {
            panic!("on PostgreSQL {}: {error:?}", site.label);
        }
    }
}

async fn open(purpose: &str, setting: &Setting) -> Result<Vec<Site>> {
    let world = World::get().await?;
    let servers: [(&'static str, &PostgresEndpoint); 2] =
        [("15", world.postgres().await?), ("17", world.newer_postgres().await?)];
    let cluster = world.cluster().await?;
    cluster.apply_crds(&crds::all_crds()).await.context("install the kinds")?;
    let namespace = world.namespace(purpose).await?;
    let partition = namespace.name().to_owned();
    // With exactly the rights of the deployment, where that is there.
    let rights = workspace::root().join("deploy/rbac");
    let kubeconfig = if rights.is_dir() {
        cluster.deployed_kubeconfig(&rights).await.context("give the operator its rights")?
    } else {
        cluster.kubeconfig_path().to_owned()
    };
    let operator = Operator::start(OperatorOptions {
        instance_id: Some(partition.clone()),
        arguments: setting.arguments.clone(),
        ..OperatorOptions::new(kubeconfig)
    })
    .await?;
    let client = namespace.client().await?;
    let shared = Arc::new(Shared { namespace, operator: RwLock::new(operator), partition, client });
    let mut sites = Vec::new();
    for (label, server) in servers {
        sites.push(Site::open(&shared, label, server.clone(), setting).await?);
    }
    for site in &sites {
        site.instance.ready().await.with_context(|| format!("connect to PostgreSQL {}", site.label))?;
    }
    Ok(sites)
}
