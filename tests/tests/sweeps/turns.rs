//! Sweeps take memory: no more of them go on at once than the operator was told.

use std::time::Duration;

use anyhow::{Result, ensure};
use dbprovision_tests::manifests::{credentials, instance_at, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::json;
use testkit::proxy::Fault;
use testkit::proxy::tcp::{Protocol, TcpProxy};
use testkit::world::Operator;

/// As many as make a sweep.
const MANY: usize = 32;
const INSTANCES: [&str; 3] = ["one", "two", "three"];
/// A sweep leaves eight of each instance to their own looks.
const SWEPT: f64 = 72.0;
/// Long enough for all sweeps to be under way at once, if they could.
const LONG: Duration = Duration::from_secs(4);
const SOON: Duration = Duration::from_mins(1);

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
    wire.reset();
    // Of its first session each instance learns that its server is there; the next are the sweeps'.
    for session in 1..=INSTANCES.len() {
        wire.at_connection((session + INSTANCES.len()).try_into()?, Fault::Delay(LONG));
    }
    operator.restart().await?;
    stage
        .eventually("all were swept", SOON, &operator, async || {
            let swept = total(&operator.metrics().await?, "dbops_drift_swept_objects_total", &[stage.name()]);
            ensure!(swept >= SWEPT, "{swept} objects were swept");
            Ok(())
        })
        .await?;
    let most = wire.most_open_connections();
    println!("{most} connections at once");
    ensure!(most <= u64::try_from(INSTANCES.len())? + 1, "{most} connections at once");
    for name in all() {
        stage.delete(&Subject::user(&name)).await?;
    }
    for name in all() {
        stage.until_gone(&operator, &Subject::user(&name)).await?;
    }
    Ok(())
}
