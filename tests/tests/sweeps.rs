//! An instance with many objects: they are looked at together, and what is found is treated like any drift.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use dbprovision_tests::manifests::{access_grant, credentials, database, instance, instance_at, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::proxy::tcp::{Protocol, TcpProxy, Weather};

#[path = "sweeps/few.rs"]
mod few;
#[path = "sweeps/kinds.rs"]
mod kinds;
#[path = "sweeps/restart.rs"]
mod restart;
#[path = "sweeps/turns.rs"]
mod turns;

const USERS: usize = 48;

fn subject(number: usize) -> Subject {
    Subject::user(&format!("user-{number}"))
}

fn reader(number: usize, database: &str) -> Value {
    let entry = json!({ "database": database, "privileges": ["CONNECT"] });
    let inside = json!({ "database": database, "schema": "public", "privileges": ["USAGE"] });
    let spec = json!({
        "userRef": { "name": format!("user-{number}") },
        "deletionProtection": false,
        "postgres": { "grants": [entry, inside] },
    });
    with(access_grant(&format!("grant-{number}")), json!({ "spec": spec }))
}

#[tokio::test]
async fn the_drift_of_many_objects_is_found_together_and_corrected_one_by_one() -> Result<()> {
    let stage = Stage::open("sweeps").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("swept");
    let name = |number: usize| format!("{word}_{number}");
    let often = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "10s" } } });
    let schemas = json!({ "spec": { "postgres": { "schemas": [{ "name": "app" }] } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often)]).await?;
    stage.put(with(database("orders", &word), schemas)).await?;
    stage.put_all((0..USERS).map(|number| user(&format!("user-{number}"), &name(number)))).await?;
    stage.put_all((0..8).map(|number| reader(number, &word))).await?;
    for number in 0..USERS {
        stage.until(&operator, &subject(number), ready()).await?;
    }
    let grants: Vec<Subject> =
        (0..8).map(|number| Subject::new("DatabaseGrant", &format!("grant-{number}"))).collect::<Result<_>>()?;
    for subject in grants.iter().chain([&Subject::database("orders")]) {
        stage.until(&operator, subject, ready()).await?;
    }

    let swept = async |least: f64| {
        let metrics = operator.metrics().await?;
        let (sweeps, objects) = (
            total(&metrics, "dbops_drift_sweeps_total", &[stage.name()]),
            total(&metrics, "dbops_drift_swept_objects_total", &[stage.name()]),
        );
        ensure!(sweeps >= least && objects >= 8.0 * least, "{sweeps} sweeps over {objects} objects");
        Ok(sweeps)
    };
    stage.eventually("there was a sweep", PATIENCE, &operator, async || swept(1.0).await).await?;
    let versions = async || {
        let mut versions = Vec::new();
        for number in 0..USERS {
            versions.push(stage.get(&subject(number)).await?.at("/metadata/resourceVersion").cloned());
        }
        anyhow::Ok(versions)
    };
    let before = versions().await?;
    let sweeps = swept(1.0).await?;
    stage.eventually("there was another", PATIENCE, &operator, async || swept(sweeps + 1.0).await).await?;
    ensure!(versions().await? == before, "what did not change was written");

    // More of each than are left to their own looks.
    for number in 0..24 {
        server.query("postgres", &format!("ALTER ROLE {} CONNECTION LIMIT 3", name(number))).await?;
    }
    server.query("postgres", &format!("DROP ROLE {}", name(30))).await?;
    server.query(&word, "DROP SCHEMA app").await?;
    // In one statement: a second would meet the operator, which is about to give it back.
    let readers: Vec<String> = (0..8).map(name).collect();
    server.query(&word, &format!("REVOKE USAGE ON SCHEMA public FROM {}", readers.join(", "))).await?;
    stage
        .eventually("everything is as it was", PATIENCE, &operator, async || {
            let roles = format!(
                "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname LIKE '{word}\\_%' AND rolconnlimit = -1"
            );
            let rights = format!(
                "SELECT count(*) FROM pg_catalog.pg_namespace n, LATERAL aclexplode(n.nspacl) a
                  JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
                  WHERE n.nspname = 'public' AND r.rolname LIKE '{word}\\_%'"
            );
            let schemas = "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'app'";
            for (database, query, wanted) in [
                ("postgres", roles.as_str(), "48"),
                (word.as_str(), rights.as_str(), "8"),
                (word.as_str(), schemas, "1"),
            ] {
                let found = server.query_cell(database, query).await?;
                if found.as_deref() != Some(wanted) {
                    bail!("{query}: {found:?}");
                }
            }
            Ok(())
        })
        .await?;
    stage.until(&operator, &subject(30), ready()).await?;
    let metrics = operator.metrics().await?;
    ensure!(total(&metrics, "dbops_drift_corrections_total", &[stage.name()]) >= 32.0, "{metrics}");
    let mut all = grants;
    all.push(Subject::database("orders"));
    all.extend((0..USERS).map(subject));
    all.push(Subject::instance("main"));
    for one in &all {
        stage.delete(one).await?;
    }
    for one in &all {
        stage.until_gone(&operator, one).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_server_keeps_no_other_instance_from_its_sweeps() -> Result<()> {
    let stage = Stage::open("sweeps-slow").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("pace");
    let wire = TcpProxy::start(format!("{}:{}", server.host, server.port).parse()?, Protocol::Postgres).await?;
    let often = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "10s" } } });
    stage.put_all([credentials("main-admin", server), credentials("slow-admin", server)]).await?;
    stage.put(with(instance("main", server), often.clone())).await?;
    let address = wire.address();
    stage.put(with(instance_at("slow", &address.ip().to_string(), address.port()), often)).await?;
    for of in ["main", "slow"] {
        let on = json!({ "spec": { "instanceRef": { "name": of } } });
        let name = |number: usize| format!("{of}-{number}");
        let users = (0..USERS).map(|number| with(user(&name(number), &format!("{word}_{of}_{number}")), on.clone()));
        stage.put_all(users).await?;
        for number in 0..USERS {
            stage.until(&operator, &Subject::user(&name(number)), ready()).await?;
        }
    }
    let sweeps = async |of: &str| {
        let metrics = operator.metrics().await?;
        let own = format!("instance=\"{of}\",namespace=\"{}\"", stage.name());
        let of_it = |line: &&str| line.starts_with("dbops_drift_sweeps_total{") && line.contains(&own);
        let value = metrics.lines().find(of_it).and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        anyhow::Ok(value.unwrap_or_default())
    };
    for of in ["main", "slow"] {
        let what = format!("there was a sweep of {of}");
        stage
            .eventually(&what, PATIENCE, &operator, async || {
                ensure!(sweeps(of).await? >= 1.0);
                Ok(())
            })
            .await?;
    }
    // Every piece of data takes two seconds from now on: a sweep takes longer than several of the other instance.
    wire.set_weather(Weather::Slow(2_000));
    let before = [sweeps("main").await?, sweeps("slow").await?];
    stage
        .eventually("the other instance is swept", PATIENCE, &operator, async || {
            ensure!(sweeps("main").await? >= before[0] + 2.0);
            Ok(())
        })
        .await?;
    ensure!(sweeps("slow").await? <= before[1] + 1.0, "the slow one was not slow");
    stage.put(user("late", &format!("{word}_late"))).await?;
    stage.until(&operator, &Subject::user("late"), ready()).await?;

    // A server that is gone, and whose health was not asked for yet: a sweep gives up after some attempts, and the next
    // comes after a rest; without one there are a thousand attempts and more.
    wire.set_weather(Weather::Refuse);
    tokio::time::sleep(Duration::from_secs(12)).await;
    wire.reset();
    tokio::time::sleep(Duration::from_secs(9)).await;
    let attempts = wire.connections();
    ensure!((1..=200).contains(&attempts), "{attempts} attempts to connect in nine seconds");
    wire.set_weather(Weather::Fair);
    let names = ["main", "slow"].iter().flat_map(|of| (0..USERS).map(move |number| format!("{of}-{number}")));
    let all: Vec<Subject> = names.chain(["late".to_owned()]).map(|name| Subject::user(&name)).collect();
    for one in &all {
        stage.delete(one).await?;
    }
    for one in &all {
        stage.until_gone(&operator, one).await?;
    }
    Ok(())
}
