//! What the demo runs on: found where an earlier run left it, started otherwise.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use testkit::children::{Identity, Lifetime, Signal};
use testkit::cluster::Cluster;
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::mysql::{self, MysqlEndpoint, MysqlServer};
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::scratch::write_private;
use testkit::world::{Operator, OperatorOptions};
use testkit::{toolchain, workspace};

use super::State;

/// The cluster: a local control plane, or the one of the named context.
pub(super) async fn cluster(state: &mut State) -> Result<Cluster> {
    if let Some(context) = state.context.clone() {
        state.kubectl = toolchain::control_plane::binaries()?.kubectl;
        let path = State::folder().join("kubeconfig");
        std::fs::create_dir_all(State::folder()).context("create the demo's folder")?;
        write_private(&path, only(&state.kubectl, &context)?)?;
        state.kubeconfig = path;
        state.save()?;
        return Ok(Cluster::new(&state.kubeconfig));
    }
    let runs = !state.control_plane.is_empty() && state.control_plane.iter().all(Identity::is_running);
    if runs {
        eprintln!("the control plane runs already");
        return Ok(Cluster::new(&state.kubeconfig));
    }
    eprintln!("starting a control plane");
    let options = StartOptions { lifetime: Lifetime::Detached, ..StartOptions::default() };
    let control_plane = ControlPlane::start(options).await?;
    control_plane.kubeconfig_path().clone_into(&mut state.kubeconfig);
    control_plane.kubectl().clone_into(&mut state.kubectl);
    state.control_plane = control_plane.identities()?;
    state.folders.push(control_plane.folder().to_owned());
    state.save()?;
    Ok(Cluster::new(&state.kubeconfig))
}

/// A kubeconfig with nothing but the named context in it.
fn only(kubectl: &Path, context: &str) -> Result<Vec<u8>> {
    let output = Command::new(kubectl)
        .args(["config", "view", "--raw", "--flatten", "--minify", "--context", context])
        .output()
        .context("run kubectl")?;
    if !output.status.success() {
        bail!("the context {context} cannot be read: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// The database server.
pub(super) async fn postgres(state: &mut State) -> Result<PostgresEndpoint> {
    if let Some((identity, endpoint)) = &state.postgres
        && identity.is_running()
    {
        eprintln!("PostgreSQL runs already");
        return Ok(endpoint.clone());
    }
    eprintln!("starting PostgreSQL");
    let server = PostgresServer::start(Options { lifetime: Lifetime::Detached, ..Options::default() }).await?;
    state.postgres = Some((server.identity()?, (*server).clone()));
    state.folders.push(server.folder().to_owned());
    state.save()?;
    Ok((*server).clone())
}

/// The other server.
pub(super) async fn mariadb(state: &mut State) -> Result<MysqlEndpoint> {
    if let Some((identity, endpoint)) = &state.mariadb
        && identity.is_running()
    {
        eprintln!("MariaDB runs already");
        return Ok(endpoint.clone());
    }
    eprintln!("starting MariaDB");
    let options = mysql::Options { lifetime: Lifetime::Detached, ..mysql::Options::default() };
    let server = MysqlServer::start(options).await?;
    state.mariadb = Some((server.identity()?, (*server).clone()));
    state.folders.push(server.folder().to_owned());
    state.save()?;
    Ok((*server).clone())
}

/// The operator, with the rights that its deployment has.
pub(super) async fn operator(state: &mut State, cluster: &Cluster, binary: &Path) -> Result<()> {
    let built = binary.metadata().and_then(|metadata| metadata.modified()).context("look at the operator's binary")?;
    if let Some(running) = &state.operator
        && running.is_running()
    {
        if state.operator_built == Some(built) {
            eprintln!("the operator runs already");
            return Ok(());
        }
        eprintln!("the operator has been built anew; the running one is stopped");
        running.end(Signal::TERM, Duration::from_secs(10))?;
    }
    let log = State::folder().join("operator.log");
    eprintln!("starting the operator (log: {})", log.display());
    let rights = workspace::root().join("deploy/rbac");
    let kubeconfig = if rights.is_dir() {
        cluster.deployed_kubeconfig(&rights).await?
    } else {
        eprintln!("deploy/rbac is missing: the operator runs with the rights of an administrator");
        cluster.kubeconfig_path().to_owned()
    };
    let options = OperatorOptions { log: Some(log), lifetime: Lifetime::Detached, ..OperatorOptions::new(kubeconfig) };
    let operator = Operator::launch(OperatorOptions { binary: binary.to_owned(), ..options })?;
    // Recorded before it is ready: one that never gets ready must be stoppable too.
    state.operator = Some(operator.identity()?);
    state.operator_built = Some(built);
    state.save()?;
    operator.wait_until_ready(Duration::from_secs(90)).await
}
