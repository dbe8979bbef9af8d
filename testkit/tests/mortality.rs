//! Whatever a run starts dies with it, even when the run is killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::children::{Identity, Signal};
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::postgres::{Options, PostgresServer, Version};
use testkit::scratch::Scratch;
use testkit::world::eventually;

const VARIABLE: &str = "TESTKIT_VICTIM";

/// The run that is killed: only does something where the other test of this file asks for it.
#[tokio::test]
async fn the_victim_of_the_other_test() {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let control_plane = ControlPlane::start(StartOptions::default()).await.unwrap();
    let postgres = PostgresServer::start(Options::default()).await.unwrap();
    let newer = PostgresServer::start(Options { version: Version::Newer, ..Options::default() }).await.unwrap();
    let paused = PostgresServer::start(Options::default()).await.unwrap();
    paused.pause().unwrap();
    let mut identities = control_plane.identities().unwrap();
    identities.extend([&postgres, &newer, &paused].map(|server| server.identity().unwrap()));
    let folders = [control_plane.folder(), postgres.folder(), newer.folder(), paused.folder()];
    let report = serde_json::json!({ "identities": identities, "folders": folders });
    let partial = Path::new(&path).with_extension("partial");
    std::fs::write(&partial, report.to_string()).unwrap();
    std::fs::rename(&partial, &path).unwrap();
    tokio::time::sleep(Duration::from_mins(10)).await;
}

#[tokio::test]
async fn what_a_killed_run_started_dies_with_it() {
    let scratch = Scratch::new("mortality").unwrap();
    let path = scratch.path().join("report.json");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_victim_of_the_other_test"])
        .env(VARIABLE, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let report =
        eventually("the victim has started everything", Duration::from_mins(2), async || Ok(std::fs::read(&path)?));
    let report: serde_json::Value = serde_json::from_slice(&report.await.unwrap()).unwrap();
    let identities: Vec<Identity> = serde_json::from_value(report["identities"].clone()).unwrap();
    let folders: Vec<PathBuf> = serde_json::from_value(report["folders"].clone()).unwrap();
    assert_eq!(identities.len(), 5);
    assert!(identities.iter().all(Identity::is_running));

    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("everything is gone", Duration::from_secs(15), async || {
        for identity in &identities {
            anyhow::ensure!(!identity.is_running(), "{identity:?} runs");
        }
        for folder in &folders {
            anyhow::ensure!(!folder.exists(), "{} exists", folder.display());
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn a_program_that_ended_is_not_taken_for_another_with_its_number() {
    let identity = Identity { name: "nobody".to_owned(), pid: std::process::id(), started: 1 };
    assert!(!identity.is_running());
    identity.end(Signal::KILL, Duration::from_secs(1)).unwrap();
}
