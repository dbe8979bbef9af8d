//! What was dropped and made again has its rights again, under the default drift policy too: they were never applied to
//! what is there now.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{access_grant, database, mysql_credentials, mysql_instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::mysql::{MysqlServer, Options, Version};

use super::{on_tables, owned_by_the_databases_owner, populated, privileges, tables, to_user};

#[tokio::test]
async fn a_table_that_is_made_again_has_its_rights_again() -> Result<()> {
    let stage = Stage::open("grant-table").await?;
    let server = stage.postgres().await?;
    let word = stage.word("table");
    let app = format!("{word}_app");
    let operator = populated(&stage, &word).await?;
    let often = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1s" } } });
    let both = on_tables(&word, json!(["bill", "note"]), json!(["SELECT"]));
    stage.put(with(to_user("reads", both), often)).await?;
    let reads = Subject::access_grant("reads");
    stage.until(&operator, &reads, ready()).await?;

    // A right that somebody took is told and stays away.
    server.query(&word, &format!("REVOKE SELECT ON note FROM {app}")).await?;
    stage.until(&operator, &reads, becomes("Synced", "False", reason::DRIFT_DETECTED)).await?;
    ensure!(privileges(server, &word, &app, "note").await?.is_empty());
    server.query(&word, &format!("GRANT SELECT ON note TO {app}")).await?;
    stage.until(&operator, &reads, becomes("Synced", "True", reason::RECONCILE_SUCCESS)).await?;

    // A right that vanished with its object was not applied to the next one of the name.
    server.query(&word, "DROP TABLE bill").await?;
    stage.until(&operator, &reads, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("bill")).await?;
    owned_by_the_databases_owner(server, &word, "bill").await?;
    stage.until(&operator, &reads, ready()).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "SELECT");
    let seen = stage.until(&operator, &reads, becomes("Synced", "True", reason::RECONCILE_SUCCESS)).await?;
    ensure!(seen.at("/status/drift/detected") == Some(&json!(false)), "{}", seen.0);

    // A migration makes it again so fast that no look sees it missing.
    let owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'bill'";
    let owner = server.query_cell(&word, owner).await?.unwrap_or_default();
    let again = format!("DROP TABLE bill; CREATE TABLE bill (a int, b int); ALTER TABLE bill OWNER TO {owner}");
    server.query(&word, &again).await?;
    stage
        .eventually("the new table is open too", Duration::from_mins(1), &operator, async || {
            let found = privileges(server, &word, &app, "bill").await?;
            ensure!(found == "SELECT", "it has {found}");
            stage.get(&reads).await?.check(&becomes("Synced", "True", reason::RECONCILE_SUCCESS))
        })
        .await
}

#[tokio::test]
async fn a_database_that_is_made_again_has_its_rights_again_at_once() -> Result<()> {
    let stage = Stage::open("grant-database").await?;
    let server = stage.postgres().await?;
    let word = stage.word("database");
    let app = format!("{word}_app");
    let operator = populated(&stage, &word).await?;
    let reads = Subject::access_grant("reads");
    stage.put(to_user("reads", on_tables(&word, json!(["bill"]), json!(["SELECT"])))).await?;
    let seen = stage.until(&operator, &reads, ready()).await?;
    ensure!(seen.at(&format!("/status/databases/{word}")).is_some(), "{}", seen.0);

    // Nothing but the database's resource tells of it: the next look is minutes away.
    let orders = Subject::database("orders");
    stage.delete(&orders).await?;
    stage.until_gone(&operator, &orders).await?;
    stage.until(&operator, &reads, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying(&word)).await?;
    // Kubernetes' garbage collector, which is absent here, would have taken the Secret along.
    for secret in stage.names("Secret").await?.iter().filter(|name| name.starts_with("orders-")) {
        stage.delete(&Subject::secret(secret)).await?;
    }
    stage.put(with(database("orders", &word), tables())).await?;
    stage.until(&operator, &orders, ready()).await?;
    stage.until(&operator, &reads, ready()).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "SELECT");

    // One that vanishes under its resource is made again by it, and nobody has to notice in between.
    let often = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1s" } } });
    stage.change(&orders, often).await?;
    stage.until(&operator, &orders, ready()).await?;
    let whole = json!([{ "database": word, "privileges": ["TEMPORARY"] }]);
    stage.put(to_user("enters", whole)).await?;
    let enters = Subject::access_grant("enters");
    stage.until(&operator, &enters, ready()).await?;
    let has = format!(
        "SELECT count(*) FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = '{word}' \
         AND a.grantee = '{app}'::regrole AND a.privilege_type = 'TEMPORARY'"
    );
    ensure!(server.query_cell("postgres", &has).await?.as_deref() == Some("1"));
    server.query("postgres", &format!("DROP DATABASE {word} WITH (FORCE)")).await?;
    stage
        .eventually("the right is there again", Duration::from_mins(1), &operator, async || {
            let found = server.query_cell("postgres", &has).await?;
            ensure!(found.as_deref() == Some("1"), "{found:?}");
            stage.get(&enters).await?.check(&ready())
        })
        .await
}

#[tokio::test]
async fn a_database_of_mariadb_that_is_made_again_has_its_rights_again() -> Result<()> {
    let stage = Stage::open("grant-mariadb-again").await?;
    let server = MysqlServer::start(Options { version: Version::Distribution, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    stage.put_all([mysql_credentials("main-admin", &server), mysql_instance("main", &server, "mariadb")]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    stage.put_all([database("orders", "order_s"), user("app", "app")]).await?;
    let (orders, reads) = (Subject::database("orders"), Subject::access_grant("reads"));
    for subject in [&orders, &Subject::user("app")] {
        stage.until(&operator, subject, ready()).await?;
    }
    let read = json!([{ "level": "database", "database": "order_s", "privileges": ["SELECT"] }]);
    let spec = json!({ "userRef": { "name": "app" }, "mysql": { "grants": read } });
    stage.put(with(access_grant("reads"), json!({ "spec": spec }))).await?;
    stage.until(&operator, &reads, ready()).await?;
    let count = || server.query("SELECT count(*) FROM mysql.db WHERE User = 'app' AND Select_priv = 'Y'");
    ensure!(count()? == "1");

    stage.delete(&orders).await?;
    stage.until_gone(&operator, &orders).await?;
    ensure!(count()? == "0", "the server would give it to whatever gets the name");
    stage
        .until(&operator, &reads, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("is not there"))
        .await?;
    stage.put(database("orders", "order_s")).await?;
    stage.until(&operator, &orders, ready()).await?;
    stage.until(&operator, &reads, ready()).await?;
    ensure!(count()? == "1");
    Ok(())
}
