//! Grants on MySQL and MariaDB: what several on one object come to, what they wait for, and what is taken.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::manifests::{access_grant, database, mysql_credentials, mysql_instance, role, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::mysql::{MysqlServer, Options, Version};
use testkit::world::Operator;

/// An operator, an instance, and a database with the table `bill`, all ready.
async fn populated(stage: &Stage, version: Version, engine: &str) -> Result<(MysqlServer, Operator)> {
    let server = MysqlServer::start(Options { version, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    stage.put_all([mysql_credentials("main-admin", &server), mysql_instance("main", &server, engine)]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    let made = json!({ "spec": { "initSQL": { "inline": ["CREATE TABLE bill (a int)"] } } });
    stage.put(with(database("orders", "order_s"), made)).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    Ok((server, operator))
}

fn on_bill(name: &str, to: &str, more: Value) -> Value {
    let entry = with(json!({ "level": "table", "database": "order_s", "table": "bill" }), more);
    let spec = json!({ "userRef": { "name": to }, "deletionProtection": false, "mysql": { "grants": [entry] } });
    with(access_grant(name), json!({ "spec": spec }))
}

/// What the account has on the table, by the server's own word.
fn privileges(server: &MysqlServer, account: &str) -> Result<String> {
    let of_account = format!("User = '{account}' AND Db = 'order_s' AND Table_name = 'bill'");
    server.query(&format!("SELECT coalesce(max(Table_priv), '') FROM mysql.tables_priv WHERE {of_account}"))
}

#[tokio::test]
async fn twenty_grants_on_one_object_of_mariadb_at_once_all_hold_and_each_takes_only_its_own() -> Result<()> {
    const GRANTS: usize = 20;
    let stage = Stage::open("mariadb-twenty").await?;
    let (server, operator) = populated(&stage, Version::Distribution, "mariadb").await?;
    stage.put_all((0..GRANTS).map(|number| user(&format!("u{number}"), &format!("u{number}")))).await?;
    let rights = |number: usize| if number.is_multiple_of(2) { json!(["SELECT"]) } else { json!(["SELECT", "INSERT"]) };
    for number in 0..GRANTS {
        let stated = json!({ "privileges": rights(number) });
        stage.put(on_bill(&format!("g{number}"), &format!("u{number}"), stated)).await?;
    }
    for number in 0..GRANTS {
        stage.until(&operator, &Subject::access_grant(&format!("g{number}")), ready()).await?;
        let expected = if number.is_multiple_of(2) { "Select" } else { "Select,Insert" };
        let found = privileges(&server, &format!("u{number}"))?;
        ensure!(found == expected, "u{number} has {found}");
    }
    // Half of them go at once.
    let (gone, kept): (Vec<_>, Vec<_>) = (0..GRANTS).partition(|number| number % 4 < 2);
    for number in &gone {
        stage.delete(&Subject::access_grant(&format!("g{number}"))).await?;
    }
    for number in &gone {
        stage.until_gone(&operator, &Subject::access_grant(&format!("g{number}"))).await?;
        let found = privileges(&server, &format!("u{number}"))?;
        ensure!(found.is_empty(), "u{number} still has {found}");
    }
    for number in &kept {
        ensure!(!privileges(&server, &format!("u{number}"))?.is_empty(), "u{number} lost its rights with another's");
    }
    Ok(())
}

#[tokio::test]
async fn what_two_grants_of_mariadb_share_stays_until_the_second_goes() -> Result<()> {
    let stage = Stage::open("mariadb-shared").await?;
    let (server, operator) = populated(&stage, Version::Distribution, "mariadb").await?;
    stage.put_all([user("app", "app"), user("other", "other")]).await?;
    for name in ["app", "other"] {
        stage.until(&operator, &Subject::user(name), ready()).await?;
    }
    stage.put(on_bill("one", "app", json!({ "privileges": ["SELECT", "INSERT"] }))).await?;
    stage.put(on_bill("two", "app", json!({ "privileges": ["SELECT", "UPDATE"] }))).await?;
    let (one, two) = (Subject::access_grant("one"), Subject::access_grant("two"));
    for subject in [&one, &two] {
        stage.until(&operator, subject, ready()).await?;
    }
    ensure!(privileges(&server, "app")? == "Select,Insert,Update", "{}", privileges(&server, "app")?);
    stage.delete(&one).await?;
    stage.until_gone(&operator, &one).await?;
    ensure!(privileges(&server, "app")? == "Select,Update", "{}", privileges(&server, "app")?);
    stage.delete(&two).await?;
    stage.until_gone(&operator, &two).await?;
    ensure!(privileges(&server, "app")?.is_empty(), "{}", privileges(&server, "app")?);

    // ALL, and the right to grant it on, together.
    stage.put(on_bill("whole", "app", json!({ "privileges": ["ALL"], "withGrantOption": true }))).await?;
    let whole = Subject::access_grant("whole");
    let seen = stage.until(&operator, &whole, ready()).await?;
    ensure!(seen.at("/status/drift/detected") != Some(&json!(true)), "{}", seen.0);
    let password = stage.secret_value(&Subject::secret("app"), "password").await?;
    let as_app = |sql: &str| server.query_as("app", &password, None, sql);
    as_app("INSERT INTO order_s.bill VALUES (1); DELETE FROM order_s.bill").context("ALL is not all")?;
    as_app("GRANT DELETE ON order_s.bill TO 'other'@'%'").context("it may not be granted on")?;
    ensure!(privileges(&server, "other")? == "Delete");
    // The block of another engine, which nobody reads, keeps nothing from being taken back.
    stage.change(&Subject::user("app"), json!({ "spec": { "clickhouse": { "defaultDatabase": "x" } } })).await?;
    let refused = becomes("Accepted", "False", reason::UNSUPPORTED).saying("spec.clickhouse");
    stage.until(&operator, &Subject::user("app"), refused).await?;
    stage.delete(&whole).await?;
    stage.until_gone(&operator, &whole).await?;
    ensure!(privileges(&server, "app")?.is_empty(), "{}", privileges(&server, "app")?);
    ensure!(as_app("GRANT DELETE ON order_s.bill TO 'other'@'%'").is_err());
    Ok(())
}

async fn waits_for_what_is_missing(purpose: &str, version: Version, engine: &str) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let (server, operator) = populated(&stage, version, engine).await?;
    stage.put(user("app", "app")).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    let password = stage.secret_value(&Subject::secret("app"), "password").await?;
    let may = |sql: &str| server.query_as("app", &password, None, sql).map(drop);
    let of_app = |name: &str, block: Value| {
        let spec = json!({ "userRef": { "name": "app" }, "deletionProtection": false, "mysql": block });
        with(access_grant(name), json!({ "spec": spec }))
    };
    let right = |more: Value| {
        let entry = with(json!({ "database": "order_s", "privileges": ["EXECUTE"] }), more);
        json!({ "grants": [entry] })
    };
    // Each with what it waits for, what brings that, and what may be done then.
    let waiting = [
        (
            "table",
            right(json!({ "level": "table", "table": "soon", "privileges": ["SELECT"] })),
            "soon",
            "CREATE TABLE order_s.soon (a int)",
            "SELECT a FROM order_s.soon",
        ),
        (
            "column",
            right(json!({ "level": "column", "table": "bill", "columns": ["b"], "privileges": ["SELECT"] })),
            "column b",
            "ALTER TABLE order_s.bill ADD b int",
            "SELECT b FROM order_s.bill",
        ),
        (
            "procedure",
            right(json!({ "level": "procedure", "procedure": "close_month" })),
            "close_month",
            "CREATE PROCEDURE order_s.close_month() SELECT 1",
            "CALL order_s.close_month()",
        ),
        (
            "database",
            json!({ "grants": [{ "level": "database", "database": "later_s", "privileges": ["CREATE"] }] }),
            "later_s",
            "CREATE DATABASE later_s",
            "CREATE TABLE later_s.mine (a int)",
        ),
    ];
    for (name, block, missing, brings, allowed) in waiting {
        let grant = Subject::access_grant(name);
        stage.put(of_app(name, block)).await?;
        stage.until(&operator, &grant, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying(missing)).await?;
        ensure!(may(allowed).is_err(), "{name}: {allowed} is allowed too early");
        server.query(brings)?;
        stage.until(&operator, &grant, ready()).await?;
        may(allowed).with_context(|| format!("{name}: {allowed} is refused"))?;
    }
    // What leaves the spec does not wait for what comes.
    let table = |name: &str, privileges: Value| json!({ "level": "table", "database": "order_s", "table": name, "privileges": privileges });
    let narrowing = Subject::access_grant("narrowing");
    stage.put(of_app("narrowing", json!({ "grants": [table("bill", json!(["SELECT", "INSERT"]))] }))).await?;
    stage.until(&operator, &narrowing, ready()).await?;
    may("SELECT a FROM order_s.bill; INSERT INTO order_s.bill (a) VALUES (7)")?;
    let one = json!({ "level": "column", "database": "order_s", "table": "bill", "columns": ["a"], "privileges": ["SELECT"] });
    let narrowed = json!({ "grants": [one, table("late", json!(["SELECT"]))] });
    stage.change(&narrowing, json!({ "spec": { "mysql": narrowed } })).await?;
    let waits = becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("late");
    stage.until(&operator, &narrowing, waits).await?;
    may("SELECT a FROM order_s.bill").context("what stays went")?;
    ensure!(may("INSERT INTO order_s.bill (a) VALUES (8)").is_err(), "what left the spec is still there");
    server.query("CREATE TABLE order_s.late (a int)")?;
    stage.until(&operator, &narrowing, ready()).await?;
    may("SELECT a FROM order_s.late")?;
    // A role that comes with its own resource.
    stage.put(of_app("role", json!({ "roles": ["readers"] }))).await?;
    let grant = Subject::access_grant("role");
    stage.until(&operator, &grant, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("readers")).await?;
    let reads = json!({ "level": "table", "database": "order_s", "table": "bill", "privileges": ["SELECT"] });
    stage.put(with(role("readers", "readers"), json!({ "spec": { "mysql": { "grants": [reads] } } }))).await?;
    stage.until(&operator, &grant, ready()).await?;
    may("SET ROLE readers; SELECT a FROM order_s.bill").context("the role is not given")
}

#[tokio::test]
async fn what_is_missing_on_mariadb_is_waited_for() -> Result<()> {
    waits_for_what_is_missing("mariadb-waits", Version::Distribution, "mariadb").await
}

#[tokio::test]
async fn what_is_missing_on_mysql_is_waited_for() -> Result<()> {
    waits_for_what_is_missing("mysql-waits", Version::MySql, "mysql").await
}

async fn modes(purpose: &str, version: Version, engine: &str) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let (server, operator) = populated(&stage, version, engine).await?;
    stage.put(user("app", "app")).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    let only = Subject::access_grant("only");
    let corrected = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "1s" } } });
    stage.put(with(on_bill("only", "app", json!({ "privileges": ["SELECT"] })), corrected)).await?;
    stage.until(&operator, &only, ready()).await?;
    let becomes_of_bill = async |expected: &str| {
        stage
            .eventually(&format!("bill has {expected}"), Duration::from_secs(40), &operator, async || {
                let found = privileges(&server, "app")?;
                ensure!(found == expected, "it has {found}");
                Ok(())
            })
            .await
    };
    // Foreign rights stay, and what is stated comes back.
    server.query("GRANT DELETE ON order_s.bill TO app; REVOKE SELECT ON order_s.bill FROM app")?;
    becomes_of_bill("Select,Delete").await?;

    // The change of the spec itself is applied as a whole; what comes by hand later is drift, and destructive to take.
    stage.change(&only, json!({ "spec": { "mode": "Authoritative" } })).await?;
    becomes_of_bill("Select").await?;
    stage.until(&operator, &only, ready()).await?;
    server.query("GRANT INSERT ON order_s.bill TO app")?;
    stage.until(&operator, &only, becomes("Synced", "False", reason::DRIFT_DETECTED)).await?;
    ensure!(privileges(&server, "app")? == "Select,Insert", "{}", privileges(&server, "app")?);
    stage.annotate(&only, json!({ annotation::ALLOW_DESTRUCTIVE_DRIFT: annotation::TRUE })).await?;
    becomes_of_bill("Select").await?;
    stage.until(&operator, &only, ready()).await.map(drop)
}

#[tokio::test]
async fn an_authoritative_grant_of_mariadb_takes_what_nobody_states() -> Result<()> {
    modes("mariadb-modes", Version::Distribution, "mariadb").await
}

#[tokio::test]
async fn an_authoritative_grant_of_mysql_takes_what_nobody_states() -> Result<()> {
    modes("mysql-modes", Version::MySql, "mysql").await
}
