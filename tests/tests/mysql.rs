//! The same kinds on MariaDB and MySQL: a database, a user with its Secret, a role and a grant, and their end.

#[path = "mysql/accounts.rs"]
mod accounts;

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{access_grant, database, mysql_credentials, mysql_instance, role, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::mysql::{MysqlServer, Options, Version};

/// Creates, grants, logs in, changes and deletes on one version.
async fn served(purpose: &str, version: Version, engine: &str) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let server = MysqlServer::start(Options { version, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    let offered = mysql_instance("main", &server, engine);
    stage.put_all([mysql_credentials("main-admin", &server), offered]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;

    let made = json!({ "spec": { "mysql": { "charset": "utf8mb4" }, "initSQL": { "inline": ["CREATE TABLE made (a int)"] } } });
    stage.put(with(database("orders", "order_s"), made)).await?;
    // A script has rights on its own database, whatever the ceiling says of administrators.
    let greedy = json!({ "spec": { "initSQL": { "inline": ["CREATE TABLE own (a int)", "CREATE DATABASE sneaky"] } } });
    stage.put(with(database("greedy", "greedy"), greedy)).await?;
    let failed = becomes("Synced", "False", reason::INIT_SQLFAILED).saying("statement 2 of spec.initSQL");
    stage.until(&operator, &Subject::database("greedy"), failed).await?;
    stage.put(user("app", "app")).await?;
    stage.put(role("readers", "readers")).await?;
    let (orders, app, readers) = (Subject::database("orders"), Subject::user("app"), Subject::role("readers"));
    for subject in [&orders, &app, &readers] {
        stage.until(&operator, subject, ready()).await?;
    }
    server.query("SELECT a FROM order_s.made")?;
    ensure!(server.query("SHOW DATABASES LIKE 'sneaky'")?.is_empty(), "the script made a database");
    stage.delete(&Subject::database("greedy")).await?;
    stage.until_gone(&operator, &Subject::database("greedy")).await?;
    server.query("CREATE TABLE order_s.bill (a int); CREATE DATABASE orderXs; CREATE TABLE orderXs.bill (a int)")?;
    let read = json!([{ "level": "database", "database": "order_s", "privileges": ["SELECT"] }]);
    let insert = json!([{ "level": "table", "database": "order_s", "table": "bill", "privileges": ["INSERT"] }]);
    stage.change(&readers, json!({ "spec": { "mysql": { "grants": read } } })).await?;
    stage.until(&operator, &readers, ready()).await?;
    let to_app = json!({ "spec": { "userRef": { "name": "app" }, "deletionProtection": false,
        "mysql": { "roles": ["readers"], "grants": insert } } });
    stage.put(with(access_grant("writes"), to_app)).await?;
    let writes = Subject::access_grant("writes");
    stage.until(&operator, &writes, ready()).await?;

    let password = stage.secret_value(&Subject::secret("app"), "password").await?;
    let as_app = |sql: &str| server.query_as("app", &password, None, sql);
    as_app("INSERT INTO order_s.bill VALUES (7)")?;
    ensure!(as_app("SET ROLE readers; SELECT a FROM order_s.bill")?.trim() == "7", "the role does not let it read");
    ensure!(as_app("SET ROLE readers; SELECT a FROM orderXs.bill").is_err(), "a right on order_s opens orderXs");
    ensure!(as_app("DELETE FROM order_s.bill").is_err());

    // An account that is made again has its rights again, although nobody's spec changed.
    let often = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1s" } } });
    stage.change(&app, often).await?;
    stage.until(&operator, &app, ready()).await?;
    server.query("DROP USER 'app'@'%'")?;
    stage
        .eventually("its rights are back", PATIENCE, &operator, async || {
            as_app("INSERT INTO order_s.bill VALUES (9)")?;
            as_app("SET ROLE readers; SELECT a FROM order_s.bill").map(drop)
        })
        .await?;

    // Another text beside the objects is no drift of theirs, and the marks stay.
    let quiet = json!({ "spec": { "resourceTracking": { "enabled": false } } });
    stage.change(&Subject::instance("main"), quiet).await?;
    for subject in [&orders, &app, &readers] {
        stage
            .eventually("the text is taken away", PATIENCE, &operator, async || {
                let seen = stage.get(subject).await?;
                ensure!(seen.at("/status/ownership/comment") == Some(&json!("")), "{subject}: {}", seen.summary());
                ensure!(seen.at("/status/drift/detected") == Some(&json!(false)), "{subject}: {}", seen.0);
                seen.check(&ready())
            })
            .await?;
    }

    // What leaves the spec goes; the password is followed by the Secret of the user alone.
    stage.change(&writes, json!({ "spec": { "mysql": { "grants": [] } } })).await?;
    stage.until(&operator, &writes, ready()).await?;
    ensure!(as_app("INSERT INTO order_s.bill VALUES (8)").is_err());
    let wrong = json!({ "spec": { "mysql": { "grants": [{ "level": "table", "database": "order_s", "privileges": ["SELECT"] }] } } });
    stage.change(&writes, wrong).await?;
    let refused = becomes("Accepted", "False", reason::INVALID_OPTIONS).saying("spec.mysql.grants[0]");
    stage.until(&operator, &writes, refused).await?;

    for subject in [&writes, &app, &readers, &orders] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    let left = server.query(
        "SELECT concat(user, ' ', host) FROM mysql.user WHERE user IN ('app', 'readers') \
         UNION SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'order_s'",
    )?;
    ensure!(left.trim().is_empty(), "left behind: {left}");
    stage.delete(&Subject::instance("main")).await?;
    stage.until_gone(&operator, &Subject::instance("main")).await.context("the instance")
}

#[tokio::test]
async fn mariadb_is_served_like_any_other_engine() -> Result<()> {
    served("mariadb", Version::NewerMariaDb, "mariadb").await
}

#[tokio::test]
async fn mysql_is_served_like_any_other_engine() -> Result<()> {
    served("mysql", Version::MySql, "mysql").await
}
