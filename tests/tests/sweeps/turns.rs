//! Sweeps take memory: no more of them go on at once than the operator was told.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dbprovision_tests::manifests::{credentials, instance_at, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{Stage, Subject, ready};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::proxy::tcp::{Protocol, TcpProxy, Weather};
use testkit::world::Operator;

/// As many as make a sweep.
const MANY: usize = 32;
const INSTANCES: [&str; 3] = ["one", "two", "three"];
/// More than two instances have: a sweep leaves eight of each to their own looks, and those that got a new password.
const SWEPT: f64 = 60.0;
const SOON: Duration = Duration::from_mins(1);

/// When the sweep that a line of the log tells of began and ended.
fn sweep(line: &Value) -> Result<Option<(Timestamp, Timestamp)>> {
    if line["message"] != "looked for drift" {
        return Ok(None);
    }
    let took = Duration::from_millis(line["milliseconds"].as_u64().context("how long it took")?);
    let end: Timestamp = line["timestamp"].as_str().context("when it was")?.parse().context("a time")?;
    Ok(Some((end.checked_sub(took).context("a time")?, end)))
}

#[tokio::test]
async fn sweeps_wait_for_their_turn() -> Result<()> {
    let stage = Stage::open("sweeps-turns").await?;
    let server = stage.postgres().await?;
    let mut options = stage.options();
    options.arguments = vec!["--max-concurrent-sweeps=1".to_owned()];
    let mut operator = Operator::start(options).await?;
    let word = stage.word("turn");
    let wire = TcpProxy::start(format!("{}:{}", server.host, server.port).parse()?, Protocol::Postgres).await?;
    let address = wire.address();
    let mut users = Vec::new();
    for name in INSTANCES {
        stage.put(credentials(&format!("{name}-admin"), server)).await?;
        stage.put(instance_at(name, &address.ip().to_string(), address.port())).await?;
        for number in 0..MANY {
            let at = json!({ "spec": { "instanceRef": { "name": name } } });
            users.push(with(user(&format!("{name}-{number}"), &format!("{word}_{name}_{number}")), at));
        }
    }
    stage.put_all(users).await?;
    let all = || INSTANCES.iter().flat_map(|name| (0..MANY).map(move |number| format!("{name}-{number}")));
    for name in all() {
        stage.until(&operator, &Subject::user(&name), ready()).await?;
    }

    operator.killer()?();
    stage
        .eventually("its sessions are over", SOON, &operator, async || {
            ensure!(wire.open_connections() == 0, "{} connections", wire.open_connections());
            Ok(())
        })
        .await?;
    for name in INSTANCES {
        stage.delete(&Subject::secret(&format!("{name}-0"))).await?;
    }
    // Long enough for all sweeps to be under way at once, if they could.
    wire.set_weather(Weather::Slow(20));
    operator.restart().await?;
    stage
        .eventually("all instances were swept", SOON, &operator, async || {
            let swept = total(&operator.metrics().await?, "dbops_drift_swept_objects_total", &[stage.name()]);
            ensure!(swept >= SWEPT, "{swept} objects were swept");
            Ok(())
        })
        .await?;
    wire.set_weather(Weather::Fair);
    // Who gets another password at the first look does not wait for a sweep, which sets none.
    for name in INSTANCES {
        stage
            .eventually("the new password lets in", SOON, &operator, async || {
                let password = stage.secret_value(&Subject::secret(&format!("{name}-0")), "password").await?;
                server.login(&format!("{word}_{name}_0"), &password, "postgres").await.map(drop)
            })
            .await?;
    }
    let mut sweeps = Vec::new();
    for line in operator.log_text().lines() {
        // A process that is killed may not end its line.
        let Ok(line) = serde_json::from_str(line) else { continue };
        sweeps.extend(sweep(&line)?);
    }
    sweeps.sort();
    println!("{sweeps:?}");
    ensure!(sweeps.len() >= INSTANCES.len(), "{sweeps:?}");
    for pair in sweeps.windows(2) {
        let [(_, end), (begin, _)] = pair else { bail!("no pair") };
        ensure!(begin >= end, "two at once: {sweeps:?}");
    }
    for name in all() {
        stage.delete(&Subject::user(&name)).await?;
    }
    for name in all() {
        stage.until_gone(&operator, &Subject::user(&name)).await?;
    }
    Ok(())
}
