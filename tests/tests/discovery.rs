//! Discovery: what a server holds and no resource manages is listed on its instance, and is adopted only by name.

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, database, instance, instance_at, role, secret, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{PATIENCE, Seen, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::mysql::{MysqlServer, Options as MysqlOptions, Version};
use testkit::postgres::{Options, PostgresServer};

/// Whether the list names it, and if so, whether as adopted.
fn listed(seen: &Seen, list: &str, name: &str) -> Option<bool> {
    let all = seen.0.pointer(&format!("/status/discoveredResources/{list}"))?.as_array()?;
    let one = all.iter().find(|one| one["name"] == name)?;
    Some(one["adopted"] == json!(true))
}

fn searching(every: &str) -> Value {
    json!({ "spec": { "discovery": { "enabled": true, "interval": every }, "healthCheck": { "intervalSeconds": 5 } } })
}

#[tokio::test]
async fn what_no_resource_manages_is_listed_and_adopted_only_by_name() -> Result<()> {
    let stage = Stage::open("discovery").await?;
    let server = PostgresServer::start(Options::default()).await?;
    let administrator = server.administrator.name.clone();
    let legacy = format!("CREATE DATABASE legacy OWNER {administrator}");
    for sql in [legacy.as_str(), "CREATE ROLE old_app LOGIN", "CREATE ROLE old_team"] {
        server.query("postgres", sql).await?;
    }
    let operator = stage.operator().await?;
    stage.put(credentials("main-admin", &server)).await?;
    stage.put(database("orders", "orders")).await?;
    stage.put(with(instance("main", &server), searching("10s"))).await?;
    let main = Subject::instance("main");
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let seen = stage.until(&operator, &main, becomes("Discovered", "True", reason::SEARCHED)).await?;
    ensure!(listed(&seen, "databases", "legacy") == Some(false), "{}", seen.0);
    ensure!(listed(&seen, "users", "old_app") == Some(false), "{}", seen.0);
    ensure!(listed(&seen, "roles", "old_team") == Some(false), "{}", seen.0);
    // Neither what is managed, nor the engine's own, nor the operator's login.
    for (list, name) in [("databases", "orders"), ("databases", "postgres"), ("databases", "template1")] {
        ensure!(listed(&seen, list, name).is_none(), "{name}: {}", seen.0);
    }
    for (list, name) in
        [("users", administrator.as_str()), ("users", server.superuser.name.as_str()), ("roles", "pg_monitor")]
    {
        ensure!(listed(&seen, list, name).is_none(), "{name}: {}", seen.0);
    }

    let own = format!("namespace=\"{}\"", stage.name());
    let counted =
        async |name: &str, label: &str| Ok::<_, anyhow::Error>(total(&operator.metrics().await?, name, &[label]));
    ensure!(counted("dbops_discovery_scans_total", &own).await? >= 1.0, "the search is not counted");
    let orphans = "dbops_discovered_orphans";
    for object in ["database", "user", "role"] {
        let found = counted(orphans, &format!("object=\"{object}\"")).await?;
        ensure!((found - 1.0).abs() < f64::EPSILON, "{found} of kind {object}");
    }

    // Being listed is not being adopted; being named is.
    stage.put(database("legacy", "legacy")).await?;
    let legacy = Subject::database("legacy");
    stage.until(&operator, &legacy, becomes("Ready", "False", reason::ADOPTION_REQUIRED)).await?;
    stage.put(role("team", "old_team")).await?;
    let team = Subject::role("team");
    stage.until(&operator, &team, becomes("Ready", "False", reason::ADOPTION_REQUIRED)).await?;
    stage.change(&legacy, json!({ "spec": { "adoptionPolicy": "Adopt" } })).await?;
    stage.until(&operator, &legacy, ready()).await?;
    let told = stage
        .eventually("the list says that legacy was adopted", PATIENCE, &operator, async || {
            let seen = stage.get(&main).await?;
            ensure!(listed(&seen, "databases", "legacy") == Some(true), "{}", seen.summary());
            Ok(seen)
        })
        .await?;
    ensure!(listed(&told, "roles", "old_team") == Some(false), "{}", told.0);
    ensure!(counted(orphans, "object=\"database\"").await? == 0.0, "what was adopted is counted as an orphan");
    ensure!(counted("dbops_adoptions_total", "kind=\"Database\"").await? >= 1.0, "the adoption is not counted");
    stage.change(&team, json!({ "spec": { "adoptionPolicy": "Adopt" } })).await?;
    stage.until(&operator, &team, ready()).await?;
    stage
        .eventually("the list says that old_team was adopted", PATIENCE, &operator, async || {
            let seen = stage.get(&main).await?;
            ensure!(listed(&seen, "roles", "old_team") == Some(true), "{}", seen.summary());
            Ok(())
        })
        .await?;
    ensure!(counted("dbops_adoptions_total", "kind=\"DatabaseRole\"").await? >= 1.0, "the adoption is not counted");

    // What its resource left behind belongs to nobody again.
    stage.change(&Subject::database("orders"), json!({ "spec": { "deletionPolicy": "Retain" } })).await?;
    stage.delete(&Subject::database("orders")).await?;
    stage.until_gone(&operator, &Subject::database("orders")).await?;
    stage
        .eventually("orders is listed", PATIENCE, &operator, async || {
            let seen = stage.get(&main).await?;
            ensure!(listed(&seen, "databases", "orders") == Some(false), "{}", seen.summary());
            ensure!(counted(orphans, "object=\"database\"").await? > 0.0, "it is not counted");
            Ok(())
        })
        .await?;

    // Switched off, it says nothing any more.
    stage.change(&main, json!({ "spec": { "discovery": { "enabled": false } } })).await?;
    stage
        .eventually("the list is gone", PATIENCE, &operator, async || {
            let seen = stage.get(&main).await?;
            ensure!(seen.0.pointer("/status/discoveredResources").is_none(), "{}", seen.summary());
            Ok(())
        })
        .await?;
    stage.change(&main, json!({ "spec": { "discovery": { "enabled": true, "interval": "1s" } } })).await?;
    let refused = becomes("Accepted", "False", reason::INVALID_SPEC).saying("spec.discovery.interval");
    stage.until(&operator, &main, refused).await?;
    Ok(())
}

#[tokio::test]
async fn accounts_and_databases_of_mariadb_are_listed_too() -> Result<()> {
    let stage = Stage::open("discovery-maria").await?;
    let server = MysqlServer::start(MysqlOptions { version: Version::NewerMariaDb, ..MysqlOptions::default() }).await?;
    server.query("CREATE DATABASE legacy; CREATE USER old_app@'%' IDENTIFIED BY 'x'; CREATE ROLE old_team")?;
    let operator = stage.operator().await?;
    let administrator = &server.administrator;
    let key = json!({ "username": administrator.name, "password": administrator.password });
    let of_engine = json!({ "spec": { "engine": "mariadb", "connection": { "database": "mysql" } } });
    let offered = with(with(instance_at("main", &server.host, server.port), of_engine), searching("10s"));
    stage.put_all([secret("main-admin", key), offered, user("app", "app")]).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    let main = Subject::instance("main");
    let seen = stage.until(&operator, &main, becomes("Discovered", "True", reason::SEARCHED)).await?;
    ensure!(listed(&seen, "databases", "legacy") == Some(false), "{}", seen.0);
    ensure!(listed(&seen, "users", "old_app") == Some(false), "{}", seen.0);
    ensure!(listed(&seen, "roles", "old_team") == Some(false), "{}", seen.0);
    for (list, name) in [
        ("users", "app"),
        ("users", "root"),
        ("users", "mariadb.sys"),
        ("users", administrator.name.as_str()),
        ("users", "old_team"),
        ("databases", "mysql"),
        ("databases", "information_schema"),
    ] {
        ensure!(listed(&seen, list, name).is_none(), "{name}: {}", seen.0);
    }
    Ok(())
}
