//! The health check: its interval, its time limit, its switch, and a server that hangs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::world::Operator;

/// Interval 5 s, time limit 1 s; the rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(15);

/// Two intervals of 5 s, and what a check may take; the rest is for a busy machine.
const TOLD: Duration = Duration::from_secs(75);

/// After a failure the pause grows up to 30 s, and a check may just have begun.
const RECOVERED: Duration = Duration::from_secs(40);

#[tokio::test]
async fn a_server_that_hangs_is_unhealthy_in_time_and_healthy_again_when_it_answers() -> Result<()> {
    let stage = Stage::open("health-hang").await?;
    let server = PostgresServer::start(Options::default()).await?;
    let operator = stage.operator().await?;
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5, "timeoutSeconds": 1 } } });
    stage.put_all([credentials("main-admin", &server), with(instance("main", &server), often)]).await?;
    let main = Subject::instance("main");
    stage.until(&operator, &main, becomes("Healthy", "True", reason::HEALTH_CHECK_PASSED)).await?;

    server.pause()?;
    let wanted = becomes("Healthy", "False", reason::HEALTH_CHECK_FAILED);
    let seen = stage.until_within(NOTICED, &operator, &main, wanted).await?;
    ensure!(seen.text("/status/phase")? == "Failed", "{}", seen.summary());
    let metrics = operator.metrics().await?;
    ensure!(metric(&metrics, "dbops_instance_healthy", stage.name()) == Some(0.0), "{metrics}");

    server.resume()?;
    let wanted = becomes("Healthy", "True", reason::HEALTH_CHECK_PASSED);
    stage.until_within(RECOVERED, &operator, &main, wanted).await?;
    ensure!(metric(&operator.metrics().await?, "dbops_instance_healthy", stage.name()) == Some(1.0));
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_stopped_is_not_connected_until_it_is_back() -> Result<()> {
    let stage = Stage::open("health-stop").await?;
    let server = PostgresServer::start(Options::default()).await?;
    server.stop().await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", &server), instance("main", &server)]).await?;
    let main = Subject::instance("main");
    let wanted = becomes("Connected", "False", reason::CONNECTION_FAILED);
    let seen = stage.until(&operator, &main, wanted).await?;
    ensure!(!seen.text("/status/message")?.is_empty());
    server.restart().await?;
    stage.until_within(RECOVERED, &operator, &main, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn without_a_health_check_the_server_is_asked_once_and_its_health_is_unknown() -> Result<()> {
    let stage = Stage::open("health-off").await?;
    let server = PostgresServer::start(Options::default()).await?;
    let operator = stage.operator().await?;
    let off = json!({ "spec": { "healthCheck": { "enabled": false, "intervalSeconds": 5 } } });
    stage.put_all([credentials("main-admin", &server), with(instance("main", &server), off)]).await?;
    let main = Subject::instance("main");
    let seen = stage.until(&operator, &main, ready()).await?;
    let healthy = seen.condition("Healthy").context("find the condition Healthy")?;
    ensure!(healthy.status == "Unknown" && healthy.message.contains("healthCheck"), "{}", seen.summary());

    // It stays Ready over two intervals with the server hanging: nobody asks.
    server.pause()?;
    let version = seen.at("/metadata/resourceVersion").cloned();
    stage
        .holds_for(Duration::from_secs(11), "nothing is asked", async || {
            let now = stage.get(&main).await?;
            ensure!(now.at("/metadata/resourceVersion") == version.as_ref(), "{}", now.summary());
            Ok(())
        })
        .await?;
    server.resume()?;

    // What such an instance does not notice, its resources tell themselves.
    let word = stage.word("untold");
    let often = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1s" } } });
    stage.put(with(user("app", &word), often)).await?;
    let app = Subject::user("app");
    stage.until(&operator, &app, ready()).await?;
    server.stop().await?;
    stage.until_within(TOLD, &operator, &app, becomes("Ready", "False", reason::CONNECTION_FAILED)).await?;
    ensure!(stage.get(&main).await?.condition("Ready").is_some_and(|ready| ready.status == "True"));
    server.restart().await?;
    stage.until_within(RECOVERED, &operator, &app, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn a_healthy_server_is_asked_at_the_stated_interval() -> Result<()> {
    let stage = Stage::open("health-interval").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } });
    let seldom = json!({ "spec": { "healthCheck": { "intervalSeconds": 3600 } } });
    stage.put_all([credentials("often-admin", server), credentials("seldom-admin", server)]).await?;
    stage.put_all([with(instance("often", server), often), with(instance("seldom", server), seldom)]).await?;
    for name in ["often", "seldom"] {
        stage.until(&operator, &Subject::instance(name), ready()).await?;
    }
    let checked = async |name: &str| {
        let line = format!("instance=\"{name}\"");
        let metrics = operator.metrics().await?;
        metric(&metrics, "dbops_instance_last_health_check_timestamp_seconds", &line).context("find the metric")
    };
    let (first, other) = (checked("often").await?, checked("seldom").await?);
    let began = Instant::now();
    stage
        .eventually("the next check", NOTICED, &operator, async || {
            let now = checked("often").await?;
            ensure!(now > first, "last checked at {now}");
            // It is the interval that is kept, whatever the machine adds.
            ensure!(now - first >= 4.5, "checked again after {} seconds", now - first);
            Ok(())
        })
        .await?;
    ensure!(began.elapsed() >= Duration::from_secs(1));
    ensure!(checked("seldom").await?.to_bits() == other.to_bits(), "it was checked before its time");
    Ok(())
}

#[tokio::test]
async fn while_a_drop_takes_long_the_server_is_still_asked_how_it_is() -> Result<()> {
    let stage = Stage::open("health-drop").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5, "timeoutSeconds": 1 } } });
    let word = stage.word("slow");
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often)]).await?;
    stage.put(database("orders", &word)).await?;
    let (main, orders) = (Subject::instance("main"), Subject::database("orders"));
    stage.until(&operator, &orders, ready()).await?;

    // Whoever comments on a database holds a lock for which its drop waits.
    let commenter = server.superuser_session("postgres").await?;
    commenter.rows(&format!("BEGIN; COMMENT ON DATABASE {word} IS NULL")).await?;
    stage.delete(&orders).await?;
    at_work(&stage, &operator, server, &format!("DROP DATABASE%{word}"), 1).await?;
    let version = stage.get(&main).await?.at("/metadata/resourceVersion").cloned();
    let checked = async || {
        let metrics = operator.metrics().await?;
        metric(&metrics, "dbops_instance_last_health_check_timestamp_seconds", stage.name()).context("find the metric")
    };
    let first = checked().await?;
    stage
        .eventually("another check", NOTICED, &operator, async || {
            let (now, seen) = (checked().await?, stage.get(&main).await?);
            ensure!(seen.at("/metadata/resourceVersion") == version.as_ref(), "{}", seen.summary());
            ensure!(now > first, "last checked at {now}");
            Ok(())
        })
        .await?;
    at_work(&stage, &operator, server, &format!("DROP DATABASE%{word}"), 1).await?;
    ensure!(metric(&operator.metrics().await?, "dbops_instance_healthy", stage.name()) == Some(1.0));
    commenter.rows("ROLLBACK").await?;
    stage.until_gone(&operator, &orders).await
}

#[tokio::test]
async fn a_server_whose_sessions_are_all_at_work_stays_what_it_was() -> Result<()> {
    let stage = Stage::open("health-busy").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5, "timeoutSeconds": 1 } } });
    let word = stage.word("busy");
    let scripts = json!({ "spec": { "privilegeCeiling": { "initSQLAsAdmin": true } } });
    let manifest = with(with(instance("main", server), often), scripts);
    stage.put_all([credentials("main-admin", server), manifest]).await?;
    stage.put(database("going", &format!("{word}_going"))).await?;
    let (main, going) = (Subject::instance("main"), Subject::database("going"));
    stage.until(&operator, &going, ready()).await?;

    for name in ["first", "second"] {
        let script = json!({ "spec": { "initSQL": { "inline": [format!("SELECT pg_sleep(120) /* {word} */")] } } });
        stage.put(with(database(name, &format!("{word}_{name}")), script)).await?;
    }
    // One runs, and the other waits with its session until it may open another: both are at work.
    at_work(&stage, &operator, server, &format!("SELECT pg_sleep(120) /* {word}"), 1).await?;
    let made = format!("SELECT count(*) FROM pg_database WHERE datname IN ('{word}_first', '{word}_second')");
    stage
        .eventually("both databases", PATIENCE, &operator, async || {
            ensure!(server.query_cell("postgres", &made).await?.as_deref() == Some("2"));
            Ok(())
        })
        .await?;
    let commenter = server.superuser_session("postgres").await?;
    commenter.rows(&format!("BEGIN; COMMENT ON DATABASE {word}_going IS NULL")).await?;
    stage.delete(&going).await?;
    at_work(&stage, &operator, server, &format!("DROP DATABASE%{word}"), 1).await?;
    let version = stage.get(&main).await?.at("/metadata/resourceVersion").cloned();
    stage
        .eventually("a check that finds no session free", PATIENCE, &operator, async || {
            let seen = stage.get(&main).await?;
            ensure!(seen.at("/metadata/resourceVersion") == version.as_ref(), "{}", seen.summary());
            ensure!(operator.log_text().contains("says nothing about the server"), "all found one");
            Ok(())
        })
        .await?;
    ensure!(metric(&operator.metrics().await?, "dbops_instance_healthy", stage.name()) == Some(1.0));
    commenter.rows("ROLLBACK").await?;
    stage.until_gone(&operator, &going).await
}

/// Waits until so many statements of this beginning are under way on the server.
async fn at_work(
    stage: &Stage,
    operator: &Operator,
    server: &PostgresEndpoint,
    beginning: &str,
    count: usize,
) -> Result<()> {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '{beginning}%'");
    stage
        .eventually(&format!("{count} of {beginning:?}"), PATIENCE, operator, async || {
            let found = server.query_cell("postgres", &sql).await?.unwrap_or_default();
            ensure!(found == count.to_string(), "there are {found}");
            Ok(())
        })
        .await
}

/// The value of the first line of a metric that contains `part`.
fn metric(text: &str, name: &str, part: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(part))?;
    line.rsplit(' ').next()?.parse().ok()
}
