//! After a start nothing is remembered of any object, and there may be thousands of them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dbprovision_tests::manifests::{credentials, database, grant, inside, instance_at, role, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::json;
use testkit::proxy::Fault;
use testkit::proxy::tcp::{Protocol, TcpProxy};

use super::{USERS, reader, subject};

/// Those that come after the sweep has begun and are too few for another wait three minutes for their own look.
const SEEN: Duration = Duration::from_mins(5);

/// What is swept at least, of some sixty objects.
const MOST: f64 = 24.0;

/// More sessions than are begun before the sweep's.
const MOST_SESSIONS: u64 = 4;
/// Longer than it takes to queue all objects.
const LATE: Duration = Duration::from_secs(8);

/// A user to whom no grant gives anything, or it could not be dropped by hand.
const DROPPED: usize = 20;

#[tokio::test]
async fn a_restart_looks_at_many_objects_together_and_misses_nothing_that_happened_meanwhile() -> Result<()> {
    let mut stage = Stage::open("sweeps-restart").await?;
    let elsewhere = stage.neighbour("sweeps-roles").await?;
    let server = stage.postgres().await?;
    let mut operator = stage.operator().await?;
    let word = stage.word("anew");
    let name = |number: usize| format!("{word}_{number}");
    let wire = TcpProxy::start(format!("{}:{}", server.host, server.port).parse()?, Protocol::Postgres).await?;
    let address = wire.address();
    let seldom = json!({ "spec": {
        "driftPolicy": { "mode": "correct", "interval": "1h" },
        "healthCheck": { "intervalSeconds": 3600 },
        "allowedNamespaces": { "names": [stage.name(), &elsewhere] },
    } });
    stage.put(credentials("main-admin", server)).await?;
    stage.put(with(instance_at("main", &address.ip().to_string(), address.port()), seldom)).await?;
    stage.put(database("orders", &word)).await?;
    let there = json!({ "spec": { "instanceRef": { "name": "main", "namespace": stage.name() } } });
    stage.put(inside(&elsewhere, with(role("lent", &format!("{word}_lent")), there))).await?;
    let from = json!({ "kind": "DatabaseUser", "namespace": stage.name() });
    let to = json!({ "group": "dbops.dbprovision.io", "kind": "DatabaseRole", "name": "lent" });
    stage.put(inside(&elsewhere, grant("consent", from, to))).await?;
    let member = json!({ "spec": { "roles": [format!("{word}_lent")] } });
    stage.put(with(user("user-0", &name(0)), member)).await?;
    stage.put_all((1..USERS).map(|number| user(&format!("user-{number}"), &name(number)))).await?;
    stage.put_all((0..8).map(|number| reader(number, &word))).await?;
    let grants: Vec<Subject> =
        (0..8).map(|number| Subject::new("DatabaseGrant", &format!("grant-{number}"))).collect::<Result<_>>()?;
    let lent = Subject::role("lent").inside(&elsewhere);
    let users: Vec<Subject> = (0..USERS).map(subject).collect();
    let all: Vec<&Subject> = users.iter().chain(&grants).chain([&lent]).collect();
    for one in &all {
        stage.until(&operator, one, ready()).await?;
    }
    let versions = async || {
        let mut versions = Vec::new();
        for number in (4..USERS).filter(|number| *number != DROPPED) {
            versions.push(stage.get(&subject(number)).await?.at("/metadata/resourceVersion").cloned());
        }
        anyhow::Ok(versions)
    };
    let before = versions().await?;

    operator.killer()?();
    stage.delete(&Subject::new("DatabaseReferenceGrant", "consent")?.inside(&elsewhere)).await?;
    server.query("postgres", &format!("ALTER ROLE {} CONNECTION LIMIT 3", name(1))).await?;
    stage.delete(&Subject::secret("user-2")).await?;
    server.query("postgres", &format!("DROP ROLE {}", name(DROPPED))).await?;
    wire.reset();
    // Of the first session the instance learns that its server is there. The sweep's is too late for it.
    (2..=MOST_SESSIONS).for_each(|session| wire.at_connection(session, Fault::Delay(LATE)));
    operator.restart().await?;
    stage
        .eventually("a sweep is about to begin", SEEN, &operator, async || {
            ensure!(wire.connections() > 1, "{} sessions", wire.connections());
            Ok(())
        })
        .await?;
    // Each object is queued again, while it waits for the sweep.
    stage.change(&Subject::instance("main"), json!({ "spec": { "healthCheck": { "intervalSeconds": 3599 } } })).await?;
    stage
        .eventually("what happened meanwhile is seen", SEEN, &operator, async || {
            ensure!(stage.get(&subject(0)).await?.check(&ready()).is_err(), "user-0 has no consent any more");
            let limits = format!(
                "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname LIKE '{word}\\_%' AND rolconnlimit = -1"
            );
            let found = server.query_cell("postgres", &limits).await?;
            let wanted = (USERS + 1).to_string();
            ensure!(found.as_deref() == Some(wanted.as_str()), "{found:?} roles are as they were");
            ensure!(stage.find(&Subject::secret("user-2")).await?.is_some(), "the Secret of user-2 is missing");
            let metrics = operator.metrics().await?;
            let swept = total(&metrics, "dbops_drift_swept_objects_total", &[stage.name()]);
            if swept < MOST {
                bail!("{swept} objects were swept");
            }
            Ok(())
        })
        .await?;
    let statements = wire.statements();
    println!("{} statements after the restart with {} objects", statements.len(), all.len());
    ensure!(statements.len() < 3 * all.len(), "{}: {statements:#?}", statements.len());
    ensure!(versions().await? == before, "what did not change was written");
    stage.until(&operator, &subject(DROPPED), ready()).await?;

    for one in grants.iter().chain(&users).chain([&Subject::database("orders")]) {
        stage.delete(one).await?;
    }
    stage.delete(&lent).await?;
    for one in grants.iter().chain(&users).chain([&Subject::database("orders"), &lent]) {
        stage.until_gone(&operator, one).await?;
    }
    stage.delete(&Subject::instance("main")).await?;
    stage.until_gone(&operator, &Subject::instance("main")).await.context("the instance goes")
}
