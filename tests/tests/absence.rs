//! An error of the server is never "absent": a session that breaks at any statement of a look neither makes anything
//! again nor forgets that it is there.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use crds::names::annotation;
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::proxy::tcp::Protocol;
use testkit::proxy::{Fault, Moment, TcpProxy};

/// Fewer statements than this, and the test would prove little.
const FEWEST: u64 = 8;

/// More are not expected of one change of one resource, however often it is tried.
const MOST: u64 = 200;

const IDENTITIES: &str = "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM \
     (SELECT oid FROM pg_catalog.pg_database UNION ALL SELECT oid FROM pg_catalog.pg_roles) AS everything";

/// Corrects whatever it finds to differ, also what is destructive: what it took for absent would be made again.
fn correcting(manifest: Value) -> Value {
    with(
        manifest,
        json!({
            "metadata": { "annotations": { annotation::ALLOW_DESTRUCTIVE_DRIFT: annotation::TRUE } },
            "spec": { "driftPolicy": { "mode": "correct", "interval": "1h" } },
        }),
    )
}

#[tokio::test]
async fn a_session_that_breaks_at_any_statement_makes_nothing_again() -> Result<()> {
    let stage = Stage::open("absence").await?;
    let server = PostgresServer::start(Options::default()).await?;
    let sessions = TcpProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port)), Protocol::Postgres).await?;
    let operator = stage.operator().await?;
    let mut through: PostgresEndpoint = (*server).clone();
    through.port = sessions.address().port();
    // No health check of its own in between: the statements that are counted are the resource's.
    let seldom = json!({ "spec": { "healthCheck": { "enabled": false } } });
    stage.put_all([credentials("main-admin", &through), with(instance("main", &through), seldom)]).await?;
    let content = json!({ "spec": { "owner": "app", "postgres": { "schemas": [{ "name": "sales" }] } } });
    stage.put(correcting(user("app", "app"))).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    stage.put(correcting(with(database("orders", "orders"), content))).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let there = server.query_cell("postgres", IDENTITIES).await?.context("nothing is there")?;
    let made = server.log_text().matches("CREATE ").count();

    for subject in [Subject::user("app"), Subject::database("orders")] {
        let mut visited = 0;
        for point in 1..=MOST {
            sessions.disarm();
            sessions.reset();
            sessions.at_statement(point, Moment::Before, Fault::Cut);
            stage.change(&subject, json!({ "spec": { "postgres": { "connectionLimit": point } } })).await?;
            stage.until(&operator, &subject, ready()).await?;
            let now = server.query_cell("postgres", IDENTITIES).await?;
            ensure!(now.as_ref() == Some(&there), "{subject}, cut at statement {point}: other objects are there");
            if u64::try_from(sessions.statements().len())? < point {
                break;
            }
            visited = point;
        }
        ensure!((FEWEST..MOST).contains(&visited), "{subject}: {visited} statements were visited");
    }
    let again: Vec<_> =
        server.log_text().lines().filter(|line| line.contains("CREATE ")).skip(made).map(str::to_owned).collect();
    ensure!(again.is_empty(), "made again: {again:#?}");
    Ok(())
}
