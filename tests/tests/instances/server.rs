//! Another server behind an instance's address: refused while anything is recorded on the old one.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::signpost::Signpost;
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};

#[tokio::test]
async fn a_host_that_leads_to_another_server_is_refused_while_resources_are_recorded() -> Result<()> {
    let stage = Stage::open("server-changed").await?;
    let old = stage.postgres().await?;
    let new = PostgresServer::start(Options::default()).await?;
    let operator = stage.operator().await?;
    let word = stage.word("moved");
    stage.put_all([credentials("main-admin", old), instance("main", old)]).await?;
    stage.put_all([user("app", &word), database("orders", &word)]).await?;
    let (main, app, orders) = (Subject::instance("main"), Subject::user("app"), Subject::database("orders"));
    stage.until(&operator, &app, ready()).await?;
    stage.until(&operator, &orders, ready()).await?;
    let identity = stage.get(&main).await?.text("/status/serverIdentity")?.to_owned();

    point(&stage, &new).await?;
    let wanted = becomes("Ready", "False", reason::SERVER_CHANGED).saying("1 databases").saying("1 users");
    let seen = stage.until(&operator, &main, wanted).await?;
    ensure!(seen.text("/status/serverIdentity")? == identity, "the new identity was recorded");
    // What is asked of the resources meanwhile reaches neither server.
    stage.change(&app, json!({ "spec": { "postgres": { "connectionLimit": 7 } } })).await?;
    let seen = stage
        .eventually("the user waits", dbprovision_tests::stage::PATIENCE, &operator, async || {
            let seen = stage.get(&app).await?;
            ensure!(seen.condition("Ready").is_some_and(|ready| ready.status == "False"), "{}", seen.summary());
            Ok(seen)
        })
        .await?;
    ensure!(seen.text("/status/ownership/serverIdentity")? == identity);
    ensure!(Catalogue::read(&new, &word).await?.is_empty(), "something was made on the new server");
    let limit = format!("SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = '{word}'");
    ensure!(old.query_cell("postgres", &limit).await?.as_deref() == Some("-1"));

    point(&stage, old).await?;
    stage.until(&operator, &main, ready()).await?;
    stage.until(&operator, &app, ready()).await?;
    ensure!(old.query_cell("postgres", &limit).await?.as_deref() == Some("7"));

    // Without anything recorded, an instance may move.
    for subject in [&orders, &app] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    point(&stage, &new).await?;
    let seen = stage.until(&operator, &main, ready()).await?;
    ensure!(seen.text("/status/serverIdentity")? != identity);
    Ok(())
}

#[tokio::test]
async fn another_server_behind_the_same_address_is_noticed_and_not_touched() -> Result<()> {
    let stage = Stage::open("server-swapped").await?;
    let (old, new) =
        (PostgresServer::start(Options::default()).await?, PostgresServer::start(Options::default()).await?);
    // The same account on both, as after a restore: only the server's identity tells them apart.
    let account = &old.administrator;
    new.query("postgres", &format!("ALTER ROLE {} PASSWORD '{}'", account.name, account.password)).await?;
    let at = |server: &PostgresServer| SocketAddr::from(([127, 0, 0, 1], server.port));
    let signpost = Signpost::start(at(&old)).await?;
    let operator = stage.operator().await?;
    let word = stage.word("swapped");
    let mut through = (*old).clone();
    through.port = signpost.address().port();
    stage.put_all([credentials("main-admin", &through)]).await?;
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } });
    stage.put(with(instance("main", &through), often)).await?;
    let behind = stage.word("behind");
    stage.put_all([user("app", &word), user("left", &behind)]).await?;
    let (main, app, left) = (Subject::instance("main"), Subject::user("app"), Subject::user("left"));
    for user in [&app, &left] {
        stage.until(&operator, user, ready()).await?;
    }

    signpost.turn(at(&new));
    stage.until(&operator, &main, becomes("Ready", "False", reason::SERVER_CHANGED)).await?;
    ensure!(Catalogue::read(&new, &word).await?.is_empty(), "something was made on the other server");

    // Deleting the resource now must not drop a namesake on the other server.
    new.query("postgres", &format!("CREATE ROLE {word}")).await?;
    stage.delete(&app).await?;
    let told = becomes("Ready", "False", reason::SERVER_CHANGED).saying(annotation::FORCE_DELETE);
    stage.until(&operator, &app, told).await?;
    ensure!(Catalogue::read(&new, &word).await?.roles.len() == 1, "a namesake was dropped");
    // Who cannot point it back lets go of what the old server has.
    stage.change(&left, json!({ "metadata": { "annotations": { annotation::FORCE_DELETE: "true" } } })).await?;
    stage.delete(&left).await?;
    stage.until_gone(&operator, &left).await?;
    ensure!(Catalogue::read(&old, &behind).await?.roles.len() == 1, "what was left behind is gone");
    signpost.turn(at(&old));
    stage.until_gone(&operator, &app).await?;
    ensure!(Catalogue::read(&old, &word).await?.is_empty(), "it was left on its own server");
    Ok(())
}

async fn point(stage: &Stage, server: &PostgresEndpoint) -> Result<()> {
    // The Secret first: the same instant must never send one server's password to the other.
    stage.put(credentials("main-admin", server)).await?;
    stage.put(instance("main", server)).await?;
    Ok(())
}
