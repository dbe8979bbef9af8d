//! The folder of engines: one that is missing, one that is broken, and the others that go on.

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, instance, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::scratch::Scratch;
use testkit::workspace;
use testkit::world::Operator;

#[tokio::test]
async fn a_broken_component_is_reported_and_the_others_go_on() -> Result<()> {
    let stage = Stage::open("engine-broken").await?;
    let server = stage.postgres().await?;
    let folder = Scratch::new("engines")?;
    std::fs::copy(workspace::engines().join("postgres.wasm"), folder.path().join("postgres.wasm"))
        .context("copy the adapter")?;
    std::fs::write(folder.path().join("mysql.wasm"), b"\0asm, but not really").context("write a broken component")?;
    let operator = Operator::start(with_engines(&stage, &folder)).await?;
    let mysql = json!({ "spec": { "engine": "mysql" } });
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.put_all([credentials("broken-admin", server), with(instance("broken", server), mysql)]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    let wanted = becomes("Ready", "False", reason::ENGINE_REFUSED).saying("mysql");
    stage.until(&operator, &Subject::instance("broken"), wanted).await?;
    let metrics = operator.metrics().await?;
    ensure!(
        metrics.contains("dbops_engines_available 1") && metrics.contains("dbops_engines_unavailable 1"),
        "{metrics}"
    );
    ensure!(operator.log_text().contains("mysql.wasm"), "the log does not name the broken component");
    Ok(())
}

#[tokio::test]
async fn an_unknown_engine_is_named_and_served_once_its_adapter_is_installed() -> Result<()> {
    let stage = Stage::open("engine-unknown").await?;
    let server = stage.postgres().await?;
    let folder = Scratch::new("engines")?;
    let mut operator = Operator::start(with_engines(&stage, &folder)).await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    let main = Subject::instance("main");
    let wanted = becomes("Ready", "False", reason::UNKNOWN_ENGINE).saying("`postgres`");
    stage.until(&operator, &main, wanted).await?;

    std::fs::copy(workspace::engines().join("postgres.wasm"), folder.path().join("postgres.wasm"))
        .context("copy the adapter")?;
    operator.restart().await?;
    stage.until(&operator, &main, ready()).await?;
    Ok(())
}

fn with_engines(stage: &Stage, folder: &Scratch) -> testkit::world::OperatorOptions {
    let mut options = stage.options();
    folder.path().clone_into(&mut options.engines);
    options
}
