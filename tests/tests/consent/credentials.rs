//! Credentials of an instance that may not be used any more, or are gone: its resources wait, and go on with them.

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, grant, inside, instance, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;
use testkit::world::Operator;

use super::often;

/// An instance whose credentials are in the namespace `vault`.
fn main(server: &PostgresEndpoint, vault: &str) -> Value {
    let reference = json!({ "spec": { "connection": { "secretRef": { "name": "admin", "namespace": vault } } } });
    with(with(instance("main", server), often()), reference)
}

fn consent(stage: &Stage, vault: &str) -> Value {
    let from = json!({ "kind": "DatabaseInstance", "namespace": stage.name() });
    inside(vault, grant("consent", from, json!({ "kind": "Secret", "name": "admin" })))
}

/// Asserts that what is asked of the user now is not done.
async fn waits(stage: &Stage, operator: &Operator, server: &PostgresEndpoint, word: &str, limit: u32) -> Result<()> {
    let app = Subject::user("app");
    let before = connection_limit(server, word).await?;
    stage
        .eventually("the instance is not healthy", PATIENCE, operator, async || {
            let metrics = operator.metrics().await?;
            let line = metrics.lines().find(|line| line.starts_with("dbops_instance_healthy{")).unwrap_or_default();
            ensure!(line.ends_with(" 0"), "{line}");
            Ok(())
        })
        .await?;
    stage.change(&app, json!({ "spec": { "postgres": { "connectionLimit": limit } } })).await?;
    stage.until(operator, &app, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    ensure!(connection_limit(server, word).await? == before, "it was done all the same");
    Ok(())
}

async fn connection_limit(server: &PostgresEndpoint, word: &str) -> Result<Option<String>> {
    let sql = format!("SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = '{word}'");
    server.query_cell("postgres", &sql).await
}

#[tokio::test]
async fn credentials_whose_consent_was_withdrawn_or_that_vanished_are_not_used_any_more() -> Result<()> {
    let mut stage = Stage::open("credentials-back").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("credentials-vault").await?;
    let operator = stage.operator().await?;
    let word = stage.word("app");
    stage.put_all([inside(&vault, credentials("admin", server)), consent(&stage, &vault)]).await?;
    stage.put_all([main(server, &vault), user("app", &word)]).await?;
    let (main, app) = (Subject::instance("main"), Subject::user("app"));
    stage.until(&operator, &app, ready()).await?;

    stage.delete(&Subject::grant("consent").inside(&vault)).await?;
    stage.until(&operator, &main, becomes("Accepted", "False", reason::CONSENT_MISSING)).await?;
    waits(&stage, &operator, server, &word, 5).await?;
    stage.put(consent(&stage, &vault)).await?;
    stage.until(&operator, &app, ready()).await?;
    ensure!(connection_limit(server, &word).await?.as_deref() == Some("5"));

    stage.delete(&Subject::secret("admin").inside(&vault)).await?;
    stage.until(&operator, &main, becomes("Ready", "False", reason::SECRET_NOT_FOUND)).await?;
    waits(&stage, &operator, server, &word, 6).await?;
    stage.put(inside(&vault, credentials("admin", server))).await?;
    stage.until(&operator, &app, ready()).await?;
    ensure!(connection_limit(server, &word).await?.as_deref() == Some("6"));
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await
}

#[tokio::test]
async fn what_goes_together_cleans_up_although_the_credentials_went_first() -> Result<()> {
    let mut stage = Stage::open("credentials-first").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("credentials-vault").await?;
    let operator = stage.operator().await?;
    let word = stage.word("app");
    stage.put_all([inside(&vault, credentials("admin", server)), consent(&stage, &vault)]).await?;
    stage.put_all([main(server, &vault), user("app", &word)]).await?;
    let (main, app) = (Subject::instance("main"), Subject::user("app"));
    stage.until(&operator, &app, ready()).await?;

    stage.delete(&Subject::secret("admin").inside(&vault)).await?;
    stage.until(&operator, &main, becomes("Ready", "False", reason::SECRET_NOT_FOUND)).await?;
    stage.delete(&app).await?;
    stage.until(&operator, &app, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    stage.delete(&main).await?;
    stage.until_gone(&operator, &app).await?;
    stage.until_gone(&operator, &main).await?;
    ensure!(Catalogue::read(server, &word).await?.is_empty(), "it was left behind");
    Ok(())
}
