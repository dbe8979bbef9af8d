//! Starts what all tests share, runs them, and stops it again.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::postgres::{Options, PostgresServer, Version};
use testkit::scratch::Scratch;
use testkit::toolchain;
use testkit::world::{Addresses, VARIABLE};

use crate::build;

/// Runs the tests and passes their verdict on.
pub(crate) async fn run(arguments: &[String]) -> Result<ExitCode> {
    let prepared = tokio::task::spawn_blocking(|| -> Result<()> {
        toolchain::everything()?;
        build::components(build::ENGINES)?;
        build::components(build::GUESTS)?;
        build::operator()?;
        Ok(())
    });
    prepared.await.context("prepare the tests")??;

    let newer = Options { version: Version::Newer, max_connections: 300, ..Options::default() };
    let (control_plane, postgres, newer_postgres) = tokio::try_join!(
        ControlPlane::start(StartOptions::default()),
        PostgresServer::start(Options { max_connections: 300, ..Options::default() }),
        PostgresServer::start(newer),
    )?;
    control_plane.apply_crds(&crds::all_crds()).await?;

    let scratch = Scratch::new("world")?;
    let path = scratch.path().join("addresses.json");
    let addresses = Addresses {
        kubeconfig: control_plane.kubeconfig_path().to_owned(),
        postgres: (*postgres).clone(),
        newer_postgres: (*newer_postgres).clone(),
    };
    addresses.write(&path)?;

    let mut command: Command = build::cargo();
    command.args(["nextest", "run"]).args(scope(arguments)).args(arguments).env(VARIABLE, &path);
    let status = tokio::task::spawn_blocking(move || command.status())
        .await
        .context("wait for the tests")?
        .context("run cargo nextest")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The part of the conformance suite that an ordinary run leaves out. It starts its servers itself.
const MATRIX: &str = "binary(conformance) and test(/^matrix::/)";

/// Runs the conformance suite against the servers that are not the distribution's own.
pub(crate) fn matrix(arguments: &[String]) -> Result<ExitCode> {
    toolchain::matrix()?;
    build::components(build::ENGINES)?;
    let mut command = build::cargo();
    command.args(["nextest", "run", "--workspace", "--test", "conformance"]);
    command.args(["--ignore-default-filter", "--filterset", MATRIX]).args(arguments);
    let status = command.status().context("run cargo nextest")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All of the workspace, unless somebody chose packages.
fn scope(arguments: &[String]) -> &'static [&'static str] {
    let chosen = arguments
        .iter()
        .any(|argument| argument == "--workspace" || argument.starts_with("-p") || argument.starts_with("--package"));
    if chosen { &[] } else { &["--workspace"] }
}
