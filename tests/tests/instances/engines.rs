//! The folder of engines: one that is missing, one that is broken, and the others that go on; what is put there while
//! the operator runs is used without a restart.

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, instance, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
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
    // Without an engine it works, and is not ready.
    let operator = Operator::launch(with_engines(&stage, &folder))?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    let main = Subject::instance("main");
    let wanted = becomes("Ready", "False", reason::UNKNOWN_ENGINE).saying("`postgres`");
    stage.until(&operator, &main, wanted).await?;
    put(&folder, &postgres()?)?;
    stage.until(&operator, &main, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn a_component_is_replaced_while_the_operator_runs_and_a_broken_one_replaces_nothing() -> Result<()> {
    let stage = Stage::open("engine-replaced").await?;
    let server = stage.postgres().await?;
    let folder = Scratch::new("engines")?;
    put(&folder, b"\0asm, but not really")?;
    let operator = Operator::launch(with_engines(&stage, &folder))?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    let main = Subject::instance("main");
    stage.until(&operator, &main, becomes("Ready", "False", reason::ENGINE_REFUSED)).await?;

    let component = postgres()?;
    put(&folder, &component)?;
    let first = stage.until(&operator, &main, ready()).await?.text("/status/engine/digest")?.to_owned();

    put(&folder, b"\0asm, but broken")?;
    counts(&stage, &operator, 1, 1).await?;
    ensure!(operator.log_text().contains("the one that was loaded before goes on"), "the log does not tell");
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 7 } } });
    stage.put(with(instance("main", server), often)).await?;
    let seen = stage.until(&operator, &main, ready()).await?;
    ensure!(seen.text("/status/engine/digest")? == first, "{}", seen.summary());

    // The same adapter with a section of no meaning has another digest.
    put(&folder, &[component.as_slice(), &[0, 5, 4, b'n', b'o', b't', b'e']].concat())?;
    stage
        .eventually("the new component serves", PATIENCE, &operator, async || {
            let seen = stage.get(&main).await?;
            seen.check(&ready())?;
            ensure!(seen.text("/status/engine/digest")? != first, "the old one does");
            Ok(())
        })
        .await?;
    counts(&stage, &operator, 1, 0).await?;

    std::fs::remove_file(folder.path().join("postgres.wasm")).context("remove the component")?;
    stage.until(&operator, &main, becomes("Ready", "False", reason::UNKNOWN_ENGINE)).await?;
    counts(&stage, &operator, 0, 0).await
}

fn postgres() -> Result<Vec<u8>> {
    std::fs::read(workspace::engines().join("postgres.wasm")).context("read the adapter")
}

/// Puts a component into the folder at once, as whoever replaces a file in use does.
fn put(folder: &Scratch, component: &[u8]) -> Result<()> {
    let unfinished = folder.path().join("postgres.unfinished");
    std::fs::write(&unfinished, component).context("write a component")?;
    std::fs::rename(unfinished, folder.path().join("postgres.wasm")).context("put a component into place")
}

/// Waits until so many engines can be used, and so many cannot.
async fn counts(stage: &Stage, operator: &Operator, available: usize, unavailable: usize) -> Result<()> {
    let wanted =
        [format!("dbops_engines_available {available}\n"), format!("dbops_engines_unavailable {unavailable}\n")];
    stage
        .eventually("the engines are counted", PATIENCE, operator, async || {
            let metrics = operator.metrics().await?;
            ensure!(wanted.iter().all(|line| metrics.contains(line)), "{metrics}");
            Ok(())
        })
        .await
}

fn with_engines(stage: &Stage, folder: &Scratch) -> testkit::world::OperatorOptions {
    let mut options = stage.options();
    folder.path().clone_into(&mut options.engines);
    options
}
