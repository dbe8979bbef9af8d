//! The main job, for a person to see: an operator, a PostgreSQL and a MariaDB, sample resources, and what became of
//! them.
//!
//! Everything that it starts is detached and recorded, so that a second run finds it and `stop` ends it.
//! A cluster of the person's own is used only by the name of its context, never because it happens to be current.

mod environment;
mod samples;
mod show;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::api::{GroupVersionKind, TypeMeta};
use serde::{Deserialize, Serialize};
use testkit::children::{Identity, Signal};
use testkit::cluster::Cluster;
use testkit::mysql::MysqlEndpoint;
use testkit::postgres::PostgresEndpoint;
use testkit::scratch::write_private;
use testkit::{toolchain, workspace};

use crate::build;

/// What runs, for a later process.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The named context, if the cluster is the person's own.
    context: Option<String>,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    control_plane: Vec<Identity>,
    postgres: Option<(Identity, PostgresEndpoint)>,
    #[serde(default)]
    mariadb: Option<(Identity, MysqlEndpoint)>,
    operator: Option<Identity>,
    /// When the running operator's binary was built.
    operator_built: Option<std::time::SystemTime>,
    /// What was applied: apiVersion, kind, namespace and name.
    #[serde(default)]
    applied: Vec<[String; 4]>,
    /// Folders that go when the demo is stopped.
    folders: Vec<PathBuf>,
}

impl State {
    fn folder() -> PathBuf {
        workspace::target().join("demo")
    }

    fn path() -> PathBuf {
        Self::folder().join("state.json")
    }

    fn load() -> Result<Self> {
        match std::fs::read_to_string(Self::path()) {
            Ok(text) => serde_json::from_str(&text).context("read what the demo has started"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context("read what the demo has started"),
        }
    }

    /// Written after each start, so that nothing runs that `stop` would not know.
    fn save(&self) -> Result<()> {
        std::fs::create_dir_all(Self::folder()).context("create the demo's folder")?;
        write_private(&Self::path(), serde_json::to_string_pretty(self).context("write the demo's state")?)
    }

    /// What lives and dies together: resources know their server by its identity, not by its address.
    fn foundations(&self) -> impl Iterator<Item = &Identity> {
        let servers = self.postgres.iter().map(|(identity, _)| identity);
        let servers = servers.chain(self.mariadb.iter().map(|(identity, _)| identity));
        self.control_plane.iter().chain(servers)
    }

    fn is_whole(&self) -> bool {
        self.postgres.is_some() && self.mariadb.is_some() && self.foundations().all(Identity::is_running)
    }

    fn runs(&self) -> bool {
        self.foundations().chain(&self.operator).any(Identity::is_running)
    }
}

/// The servers that the samples are on.
#[derive(Debug, Clone)]
struct Servers {
    postgres: PostgresEndpoint,
    mariadb: MysqlEndpoint,
}

/// Runs the demo.
pub(crate) async fn run(context: Option<String>) -> Result<()> {
    let mut state = State::load()?;
    if state.runs() && state.context != context {
        let name = state.context.as_deref().unwrap_or("its own control plane");
        bail!("the demo already runs with {name}; stop it first: cargo xtask demo stop");
    }
    if !state.is_whole() && State::path().exists() {
        eprintln!("an earlier demo has lost a part; what is left of it is stopped");
        stop_all(&state).await?;
        state = State::default();
    }
    state.context = context;

    let binary = tokio::task::spawn_blocking(|| -> Result<PathBuf> {
        toolchain::control_plane::binaries()?;
        toolchain::postgres::binaries(toolchain::postgres::Version::Distribution)?;
        toolchain::mysql::binaries(toolchain::mysql::Version::Distribution)?;
        toolchain::mysql::client()?;
        build::components(build::ENGINES)?;
        build::operator()
    });
    let binary = binary.await.context("build the operator")??;

    let cluster = environment::cluster(&mut state).await?;
    let postgres = environment::postgres(&mut state).await?;
    let mariadb = environment::mariadb(&mut state).await?;
    let servers = Servers { postgres, mariadb };
    cluster.apply_crds(&crds::all_crds()).await?;
    environment::operator(&mut state, &cluster, &binary).await?;

    let samples = samples::apply(&mut state, &cluster, &servers).await?;
    samples::wait_until_ready(&cluster, &samples).await?;
    show::resources(&state, &samples)?;
    show::logins(&cluster, &servers, &samples).await?;
    show::what_next(&state, &samples);
    Ok(())
}

/// Stops what a demo left running, and removes its data.
pub(crate) async fn stop() -> Result<()> {
    if !State::path().exists() {
        eprintln!("no demo is running");
        return Ok(());
    }
    stop_all(&State::load()?).await?;
    eprintln!("the demo is stopped");
    Ok(())
}

async fn stop_all(state: &State) -> Result<()> {
    // The operator first: it would complain about everything else going.
    if let Some(operator) = &state.operator {
        operator.end(Signal::TERM, Duration::from_secs(10))?;
    }
    if let Some(context) = &state.context {
        // Their databases go with the server, so there is nothing for a finalizer to wait for.
        match discard(state).await {
            Ok(()) => eprintln!("the samples are gone from {context}; the definitions and the namespace stay"),
            Err(error) => eprintln!("the samples could not be removed from {context}: {error:#}"),
        }
    }
    for program in &state.control_plane {
        program.end(Signal::KILL, Duration::from_secs(2))?;
    }
    if let Some((postgres, _)) = &state.postgres {
        postgres.end(Signal::INT, Duration::from_secs(10))?;
    }
    if let Some((mariadb, _)) = &state.mariadb {
        mariadb.end(Signal::TERM, Duration::from_secs(10))?;
    }
    for folder in &state.folders {
        match std::fs::remove_dir_all(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("remove {}", folder.display())),
        }
    }
    std::fs::remove_file(State::path()).context("forget what the demo had started")
}

async fn discard(state: &State) -> Result<()> {
    let cluster = Cluster::new(&state.kubeconfig);
    // In the opposite order, so that nothing loses what it refers to.
    for [version, kind, namespace, name] in state.applied.iter().rev() {
        let types = TypeMeta { api_version: version.clone(), kind: kind.clone() };
        let kind = GroupVersionKind::try_from(&types).context("read a sample's apiVersion")?;
        tokio::time::timeout(Duration::from_secs(10), cluster.discard(&kind, namespace, name))
            .await
            .context("wait for the cluster")??;
    }
    Ok(())
}
