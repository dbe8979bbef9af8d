//! The ceiling: what no resource gets before the instance's owner allows it, whatever its namespace.

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};

/// What is asked for, by a name: the field of the ceiling, the field that asks, and the change that does it.
fn wishes() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let of = |field: &str, value: Value| json!({ "spec": { "postgres": { field: value } } });
    vec![
        ("a_superuser", "superuser", "spec.postgres.superuser", of("superuser", json!(true))),
        ("a_replicator", "replication", "spec.postgres.replication", of("replication", json!(true))),
        ("a_bypasser", "bypassRLS", "spec.postgres.bypassRLS", of("bypassRLS", json!(true))),
        ("a_creator", "createRole", "spec.postgres.createRole", of("createRole", json!(true))),
        ("a_programmer", "dangerousRoles", "inRoles", of("inRoles", json!(["pg_execute_server_program"]))),
        ("a_reader", "dangerousRoles", "inRoles", of("inRoles", json!(["pg_read_server_files"]))),
        ("a_writer", "dangerousRoles", "inRoles", of("inRoles", json!(["pg_write_server_files"]))),
        ("a_member", "dangerousRoles", "spec.roles", json!({ "spec": { "roles": ["powerful"] } })),
        ("an_admin", "dangerousRoles", "spec.roles", json!({ "spec": { "roles": ["landlord"] } })),
    ]
}

#[tokio::test]
async fn every_privilege_is_refused_by_its_path_until_the_ceiling_is_raised() -> Result<()> {
    let stage = Stage::open("ceiling").await?;
    let server = PostgresServer::start(Options::default()).await?;
    // An administrator that could grant it all, so that only the ceiling stands between.
    server
        .query("postgres", "CREATE ROLE landlord SUPERUSER LOGIN PASSWORD 'rent'; CREATE ROLE powerful SUPERUSER")
        .await?;
    let mut landlord: PostgresEndpoint = (*server).clone();
    "landlord".clone_into(&mut landlord.administrator.name);
    "rent".clone_into(&mut landlord.administrator.password);
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", &landlord), instance("main", &landlord)]).await?;
    let named = |name: &str| name.replace('_', "-");
    for (name, _, _, change) in wishes() {
        stage.put(with(user(&named(name), name), change)).await?;
    }
    let script = json!({ "spec": { "initSQL": { "inline": ["CREATE TABLE t (a int)"] } } });
    stage.put(with(database("a-script", "a_script"), script)).await?;
    for (name, field, path, _) in wishes() {
        let wanted = becomes("Accepted", "False", reason::PRIVILEGE_DENIED).saying(field).saying(path);
        stage.until(&operator, &Subject::user(&named(name)), wanted).await?;
    }
    let wanted = becomes("Accepted", "False", reason::PRIVILEGE_DENIED).saying("initSQLAsAdmin");
    stage.until(&operator, &Subject::database("a-script"), wanted).await?;
    for (name, ..) in wishes() {
        let made = Catalogue::read(&server, name).await?;
        ensure!(made.is_empty(), "made in spite of the ceiling: {made:?}");
    }
    let made = Catalogue::read(&server, "a_script").await?;
    ensure!(made.is_empty(), "a database was made for a script that may not run: {made:?}");

    // Each switch opens what it names and nothing else.
    for raised in ["superuser", "replication", "bypassRLS", "createRole"] {
        let ceiling = json!({ "spec": { "privilegeCeiling": { raised: true } } });
        stage.put(with(instance("main", &landlord), ceiling)).await?;
        for (name, field, ..) in wishes() {
            let subject = Subject::user(&named(name));
            if field == raised {
                stage.until(&operator, &subject, ready()).await?;
            }
        }
    }
    let all = json!({ "superuser": true, "replication": true, "bypassRLS": true, "createRole": true,
        "dangerousRoles": true, "initSQLAsAdmin": true });
    stage.put(with(instance("main", &landlord), json!({ "spec": { "privilegeCeiling": all } }))).await?;
    for (name, ..) in wishes() {
        stage.until(&operator, &Subject::user(&named(name)), ready()).await?;
    }
    stage.until(&operator, &Subject::database("a-script"), ready()).await?;
    let member = "SELECT pg_catalog.pg_has_role('a_programmer', 'pg_execute_server_program', 'MEMBER')";
    ensure!(server.query_cell("postgres", member).await?.as_deref() == Some("t"));
    Ok(())
}

#[tokio::test]
async fn the_ceiling_holds_for_the_role_of_the_administrator_and_for_databases_of_the_server() -> Result<()> {
    let stage = Stage::open("ceiling-own").await?;
    let server = PostgresServer::start(Options::default()).await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", &server), instance("main", &server)]).await?;
    let administrator = server.administrator.name.clone();
    let as_member = json!({ "spec": { "roles": [administrator] } });
    stage.put(with(user("member", "member"), as_member)).await?;
    let wanted = becomes("Accepted", "False", reason::PRIVILEGE_DENIED).saying("spec.roles");
    stage.until(&operator, &Subject::user("member"), wanted).await?;

    // The administrator itself, as a user to be managed, and adopted at that.
    let adopted = json!({ "spec": { "adoptionPolicy": "Adopt" } });
    stage.put(with(user("admin", &administrator), adopted.clone())).await?;
    let admin = Subject::user("admin");
    let seen = stage
        .eventually("the administrator is not adopted", dbprovision_tests::stage::PATIENCE, &operator, async || {
            let seen = stage.get(&admin).await?;
            ensure!(seen.condition("Ready").is_some_and(|ready| ready.status == "False"), "{}", seen.summary());
            Ok(seen)
        })
        .await?;
    ensure!(seen.at("/status/ownership").is_none(), "{}", seen.summary());
    let password = &server.administrator.password;
    ensure!(server.try_login(&administrator, password, "postgres").await?.is_accepted(), "it was changed");

    for name in ["template1", "postgres"] {
        stage.put(with(database(name, name), adopted.clone())).await?;
        let seen = stage
            .eventually(
                "the server's own database is not adopted",
                dbprovision_tests::stage::PATIENCE,
                &operator,
                async || {
                    let seen = stage.get(&Subject::database(name)).await?;
                    ensure!(seen.condition("Ready").is_some_and(|ready| ready.status == "False"), "{}", seen.summary());
                    Ok(seen)
                },
            )
            .await?;
        ensure!(seen.at("/status/ownership").is_none(), "{}", seen.summary());
        stage.delete(&Subject::database(name)).await?;
        stage.until_gone(&operator, &Subject::database(name)).await?;
    }
    ensure!(server.query_cell("template1", "SELECT 1").await?.is_some());
    Ok(())
}
