//! The health check: its interval, its time limit, its switch, and a server that hangs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, instance, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::postgres::{Options, PostgresServer};

/// Interval 5 s, time limit 1 s; the rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(15);

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
    server.resume()
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

/// The value of the first line of a metric that contains `part`.
fn metric(text: &str, name: &str, part: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(part))?;
    line.rsplit(' ').next()?.parse().ok()
}
