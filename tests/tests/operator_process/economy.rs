//! What it costs: no write while idle or at a restart, at most four sessions, none opened for a reconcile.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::json;
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::proxy::tcp::Protocol;
use testkit::proxy::{ApiProxy, TcpProxy};
use testkit::world::Operator;

/// A server of its own, so that every session on it is the operator's or the test's own.
struct Watched {
    stage: Stage,
    server: PostgresServer,
    sessions: TcpProxy,
    api: ApiProxy,
    operator: Operator,
}

impl Watched {
    async fn open(purpose: &str) -> Result<Self> {
        let stage = Stage::open(purpose).await?;
        let server = PostgresServer::start(Options::default()).await?;
        let sessions = TcpProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port)), Protocol::Postgres).await?;
        let api = ApiProxy::start(stage.namespace().cluster()).await?;
        let mut options = stage.options();
        api.cluster()?.kubeconfig_path().clone_into(&mut options.kubeconfig);
        let operator = Operator::start(options).await?;
        let mut through: PostgresEndpoint = (*server).clone();
        through.port = sessions.address().port();
        // Checks come often, so that what a check costs is seen in a short time.
        let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } });
        stage.put_all([credentials("main-admin", &through), with(instance("main", &through), often)]).await?;
        stage.until(&operator, &Subject::instance("main"), ready()).await?;
        Ok(Self { stage, server, sessions, api, operator })
    }

    /// Databases and users, all ready.
    async fn populate(&self, count: usize) -> Result<Vec<Subject>> {
        let mut subjects = Vec::new();
        for number in 0..count {
            let name = format!("app{number}");
            self.stage.put_all([user(&name, &name), database(&name, &name)]).await?;
            subjects.extend([Subject::user(&name), Subject::database(&name)]);
        }
        for subject in &subjects {
            self.stage.until(&self.operator, subject, ready()).await?;
        }
        Ok(subjects)
    }
}

#[tokio::test]
async fn nothing_is_written_while_nothing_changes_nor_at_a_restart() -> Result<()> {
    let mut watched = Watched::open("economy-writes").await?;
    let subjects = watched.populate(4).await?;
    // A user: finalizer, intent, Secret, report. A database: the same without a Secret.
    for number in 0..4 {
        let named = format!("\"name\":\"app{number}\"");
        let writes = watched.api.writes().into_iter().filter(|write| write.body.contains(&named));
        let writes: Vec<_> = writes.map(|write| format!("{:?} {}", write.verb, write.resource)).collect();
        ensure!(writes.len() == 4 + 3, "{} writes for a user and a database: {writes:?}", writes.len());
    }
    watched.api.reset();
    // Over two health checks.
    watched
        .stage
        .holds_for(Duration::from_secs(12), "nothing is written", async || {
            ensure!(watched.api.writes().is_empty(), "{:?}", watched.api.writes());
            Ok(())
        })
        .await?;

    let made = watched.server.log_text().matches("CREATE ").count();
    watched.operator.restart().await?;
    // The last to be looked at: it is Ready all the time, so the metric tells that all were.
    watched
        .stage
        .eventually("everything was looked at", Duration::from_mins(1), &watched.operator, async || {
            let metrics = watched.operator.metrics().await?;
            for kind in ["DatabaseUser", "Database"] {
                let line = metrics.lines().find(|line| {
                    line.starts_with("dbops_reconcile_total")
                        && line.contains(&format!("\"{kind}\""))
                        && line.contains("\"unchanged\"")
                });
                let count: f64 = line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default();
                ensure!(count >= 4.0, "{kind}: {count} of 4");
            }
            Ok(())
        })
        .await?;
    ensure!(watched.api.writes().is_empty(), "a restart wrote {:?}", watched.api.writes());
    ensure!(watched.server.log_text().matches("CREATE ").count() == made, "a restart made something");
    for subject in &subjects {
        watched.stage.get(subject).await?.check(&ready())?;
    }
    Ok(())
}

#[tokio::test]
async fn at_most_four_sessions_are_open_and_no_reconcile_opens_one() -> Result<()> {
    let watched = Watched::open("economy-sessions").await?;
    let subjects = watched.populate(8).await?;
    ensure!(
        watched.sessions.most_open_connections() <= 4,
        "{} were open at once",
        watched.sessions.most_open_connections()
    );
    let before = watched.sessions.connections();

    // Changes that need no other database: a setting of a role, a limit of a database, and health checks meanwhile.
    for round in 1..=3 {
        for subject in &subjects {
            watched.stage.change(subject, json!({ "spec": { "postgres": { "connectionLimit": round } } })).await?;
        }
        for subject in &subjects {
            watched.stage.until(&watched.operator, subject, ready()).await?;
        }
    }
    let opened = watched.sessions.connections() - before;
    ensure!(opened <= 4, "{} reconciles opened {opened} sessions", 3 * subjects.len());
    ensure!(watched.sessions.most_open_connections() <= 4);
    let now = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = 'provisioner'";
    let now: u64 = watched.server.query_cell("postgres", now).await?.unwrap_or_default().parse()?;
    ensure!(now <= 4, "{now} sessions are open");

    for subject in &subjects {
        watched.stage.delete(subject).await?;
    }
    for subject in &subjects {
        watched.stage.until_gone(&watched.operator, subject).await?;
    }
    ensure!(watched.sessions.most_open_connections() <= 4, "{}", watched.sessions.most_open_connections());
    // Deletions by the dozen keep the health check waiting at most for its own limit, and nobody is told otherwise.
    watched.stage.get(&Subject::instance("main")).await?.check(&ready())
}
