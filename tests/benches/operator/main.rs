//! What the operator costs, beside the bare SQL of a native client in the same run: the ratios count, the times are
//! this machine's. Needs `target/engines` and the release binary: `cargo xtask bench` builds both.
//!
//! Deliberately absent: verdicts. A number that is worse than its aim is printed beside it, and no test fails.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod adapter;
mod bare;
mod fleet;
mod process;
mod site;
mod sweeps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use sandbox::Endpoint;
use serde_json::json;
use testkit::control_plane::ControlPlane;
use testkit::mysql::{MysqlServer, Options as MysqlOptions};
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::proxy::tcp::{Protocol, TcpProxy};
use testkit::world::Operator;

use fleet::{Fleet, Kind, Shore};
use site::{Site, idle, memory, memory_alone};

/// The work sessions that the operator keeps for an instance: bare SQL gets as many.
const SESSIONS: usize = 2;
const DATABASES: usize = 40;
const USERS: usize = 200;
const IDLE: Duration = Duration::from_secs(20);

/// A server as it is installed: what it confirmed is on the disk. The tests' servers wait for no disk.
fn durable() -> Options {
    let settings = ["fsync = on", "synchronous_commit = on", "full_page_writes = on", "log_statement = 'none'"];
    Options { max_connections: 200, settings: settings.map(str::to_owned).to_vec(), ..Options::default() }
}

fn row(what: &str, value: &str, aim: &str) {
    println!("{what:<64} {value:>16}   {aim}");
}

fn per(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1000.0 / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The arguments `sweeps` and `memory` measure that alone: the rest takes some minutes.
#[tokio::main]
async fn main() -> Result<()> {
    let chosen = |what: &str| std::env::args().any(|argument| argument == what);
    if chosen("memory") {
        return memory_alone().await;
    }
    if !chosen("sweeps") {
        operator().await?;
    }
    let postgres = PostgresServer::start(Options { max_connections: 200, ..Options::default() }).await?;
    sweeps(&postgres).await
}

async fn operator() -> Result<()> {
    let site = Site::start().await?;
    let Site { control_plane, postgres, api, wire, options, .. } = &site;
    row("measured", "value", "aim");
    let bare = bare::Bare::new(postgres, SESSIONS);
    let bare_databases = bare.databases(DATABASES).await.context("bare databases")?;
    let bare_users = bare.users(USERS).await.context("bare users")?;
    let alone = adapter::databases(postgres, SESSIONS, DATABASES).await.context("the adapter alone")?;

    let operator = Operator::start(options.clone()).await?;
    let fleet = site.fleet().await?;
    idle(&operator)?;

    // The API server reads a kind's schema at its first object.
    fleet.create(Kind::Database, 1).await?;
    fleet.create(Kind::User, 1).await?;
    wire.reset();
    api.reset();
    let before = Spent::now(control_plane, &operator, postgres)?;
    let databases = fleet.create(Kind::Database, DATABASES).await?;
    let after = Spent::now(control_plane, &operator, postgres)?;
    compare("a Database, from first POST to all Ready", databases, bare_databases, DATABASES, "");
    compare("a Database by the adapter alone, without an API server", alone, bare_databases, DATABASES, "");
    after.tell(&before, DATABASES);
    row("connections opened for 40 databases", &wire.connections().to_string(), "<= 4, reused");
    operations(&operator, "database").await?;
    row("API writes per Database", &format!("{:.2}", ratio(api.writes().len(), DATABASES)), "");
    undurable(control_plane).await?;

    wire.reset();
    api.reset();
    let before = Spent::now(control_plane, &operator, postgres)?;
    let took = fleet.create(Kind::User, USERS).await?;
    let after = Spent::now(control_plane, &operator, postgres)?;
    compare("a DatabaseUser with its Secret", took, bare_users, USERS, "<= 25 ms");
    after.tell(&before, USERS);
    row("connections opened for 200 users", &wire.connections().to_string(), "<= 4, reused");
    row("sessions open at once, at most", &wire.most_open_connections().to_string(), "<= 4");
    operations(&operator, "user").await?;
    row("API writes per DatabaseUser", &format!("{:.2}", ratio(api.writes().len(), USERS)), "");

    operator.terminate(Duration::from_secs(20)).await?;
    natively(&site, databases).await?;
    api.reset();
    let operator = Operator::start(options.clone()).await?;
    fleet.all_ready().await?;
    tokio::time::sleep(IDLE).await;
    row("API writes at a restart with 240 unchanged objects", &api.writes().len().to_string(), "0");

    let processor = process::processor_time(&operator)?;
    tokio::time::sleep(IDLE).await;
    let used = process::processor_time(&operator)?.saturating_sub(processor);
    row(
        "processor while idle (% of one core)",
        &format!("{:.2}", used.as_secs_f64() / IDLE.as_secs_f64() * 100.0),
        "~ 0",
    );
    memory(&operator, &fleet).await?;
    swept(&operator, "postgres").await?;

    adapter::measure(postgres).await?;
    mysql(control_plane, &operator).await
}

/// What it takes an operator at least: the writes to the API server without which nobody could tell what is whose, and
/// the bare SQL, by a native program that reaches both the same way.
async fn natively(site: &Site, databases: Duration) -> Result<()> {
    let fleet = Fleet::unserved(&site.control_plane, "native").await?;
    let address = site.wire.address();
    let postgres =
        PostgresEndpoint { host: address.ip().to_string(), port: address.port(), ..(*site.postgres).clone() };
    let sessions = bare::Bare::new(&postgres, SESSIONS).on_demand().await?;
    let work = async |index: usize| sessions.database(&format!("native_{index}")).await;
    let client = site.api.cluster()?.client().await?;
    let took = fleet.create_natively(&client, DATABASES, work).await.context("a native program")?;
    row("a Database by a native program with the same writes (ms)", &format!("{:.2}", per(took, DATABASES)), "");
    let ratio = databases.as_secs_f64() / took.as_secs_f64();
    row("  ratio of the operator to it", &format!("{ratio:.2}"), "<= 1.3");
    Ok(())
}

/// The same on a server that waits for no disk: what is left is the processors' time, which all share.
async fn undurable(control_plane: &ControlPlane) -> Result<()> {
    let server = PostgresServer::start(Options { max_connections: 200, ..Options::default() }).await?;
    let bare = bare::Bare::new(&server, SESSIONS).databases(DATABASES).await.context("bare databases")?;
    let shore = Shore {
        namespace: "undurable",
        engine: "postgres",
        database: "postgres",
        address: format!("{}:{}", server.host, server.port).parse()?,
        username: server.superuser.name.clone(),
        password: server.superuser.password.clone(),
    };
    let fleet = Fleet::new(control_plane, &shore).await?;
    let took = fleet.create(Kind::Database, DATABASES).await?;
    compare("without durability: a Database, from first POST to all Ready", took, bare, DATABASES, "");
    fleet.remove().await
}

/// Who spends how much of the processors.
struct Spent {
    server: Duration,
    cluster: Duration,
    operator: Duration,
}

impl Spent {
    fn now(control_plane: &ControlPlane, operator: &Operator, postgres: &PostgresServer) -> Result<Self> {
        let programs = control_plane.identities()?;
        let cluster = programs.iter().map(|one| process::processor_time_of_family(one.pid)).sum::<Result<_>>()?;
        let server = process::processor_time_of_family(postgres.identity()?.pid)?;
        Ok(Self { server, cluster, operator: process::processor_time(operator)? })
    }

    /// What was spent since `before` for each of so many.
    fn tell(&self, before: &Self, count: usize) {
        for (who, now, before) in [
            ("PostgreSQL", self.server, before.server),
            ("the API server and etcd", self.cluster, before.cluster),
            ("the operator", self.operator, before.operator),
        ] {
            let spent = per(now.saturating_sub(before), count);
            row(&format!("  processor time of {who} (ms)"), &format!("{spent:.1}"), "");
        }
    }
}

/// The second engine: the same objects on MariaDB.
async fn mysql(control_plane: &ControlPlane, operator: &Operator) -> Result<()> {
    let server = MysqlServer::start(MysqlOptions::default()).await?;
    let bare_databases = bare::mysql(&server, SESSIONS, DATABASES, |index| {
        format!("CREATE DATABASE bare_{index} CHARACTER SET utf8mb4")
    })?;
    let bare_users = bare::mysql(&server, SESSIONS, USERS, |index| {
        let hash = "*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9";
        format!("CREATE USER bare_user_{index}@'%' IDENTIFIED BY PASSWORD '{hash}'")
    })?;
    let wire = TcpProxy::start(format!("{}:{}", server.host, server.port).parse()?, Protocol::Opaque).await?;
    let shore = Shore {
        namespace: "mysql",
        engine: "mysql",
        database: "mysql",
        address: wire.address(),
        username: server.administrator.name.clone(),
        password: server.administrator.password.clone(),
    };
    let fleet = Fleet::new(control_plane, &shore).await?;
    let took = fleet.create(Kind::Database, DATABASES).await?;
    compare("MariaDB: a Database, from first POST to all Ready", took, bare_databases, DATABASES, "");
    let took = fleet.create(Kind::User, USERS).await?;
    compare("MariaDB: a DatabaseUser with its Secret", took, bare_users, USERS, "<= 25 ms");
    row("connections opened for both", &wire.connections().to_string(), "<= 4, reused");
    swept(operator, "mysql").await
}

/// What the operator says of its own sweeps over the fleet.
async fn swept(operator: &Operator, namespace: &str) -> Result<()> {
    let own = format!("namespace=\"{namespace}\"");
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        let metrics = operator.metrics().await?;
        let value = |name: &str, part: &str| {
            let of = |line: &&str| line.split('{').next() == Some(name) && line.contains(part);
            metrics.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
        };
        let sweeps = value("dbops_drift_sweeps_total", &own);
        if sweeps >= 1.0 {
            let objects = value("dbops_drift_swept_objects_total", &own) / sweeps;
            let engine = format!("engine=\"{namespace}\"");
            let time = value("dbops_drift_sweep_duration_seconds_sum", &engine)
                / value("dbops_drift_sweep_duration_seconds_count", &engine);
            row(
                &format!("a sweep of the operator over {objects:.0} objects (ms)"),
                &format!("{:.0}", time * 1000.0),
                "",
            );
            return Ok(());
        }
        ensure!(Instant::now() < end, "there was no sweep");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Sweeps of the adapters over more and more.
async fn sweeps(postgres: &PostgresServer) -> Result<()> {
    let wire = TcpProxy::start(format!("{}:{}", postgres.host, postgres.port).parse()?, Protocol::Postgres).await?;
    let address = wire.address();
    let entry = json!({ "grants": [{ "database": "swept", "privileges": ["CONNECT"] }] });
    postgres.superuser_session("postgres").await?.rows("CREATE DATABASE swept").await?;
    let site = sweeps::Site {
        engine: "postgres",
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        database: "postgres",
        username: postgres.superuser.name.clone(),
        password: postgres.superuser.password.clone(),
        block: entry.to_string(),
        statements_of: |index, text| {
            let text = text.replace('\'', "''");
            let grant = if index.is_multiple_of(2) { "GRANT CONNECT ON DATABASE swept TO" } else { "ALTER ROLE" };
            format!("CREATE ROLE swept_{index} LOGIN; COMMENT ON ROLE swept_{index} IS '{text}'; {grant} swept_{index}")
        },
        run: {
            let session = Arc::new(postgres.superuser_session("postgres").await?);
            Box::new(move |sql| {
                let session = Arc::clone(&session);
                async move { session.rows(&sql).await.map(drop) }.boxed()
            })
        },
        statements: Box::new(move || Ok(wire.statements().len())),
    };
    sweeps::measure(&site).await?;

    let running = MysqlServer::start(MysqlOptions::default()).await?;
    let server = (*running).clone();
    server.query("CREATE DATABASE swept")?;
    let entry = json!({ "grants": [{ "level": "database", "database": "swept", "privileges": ["SELECT"] }] });
    let site = sweeps::Site {
        engine: "mysql",
        endpoint: Endpoint { host: server.host.clone(), port: server.port },
        database: "mysql",
        username: server.administrator.name.clone(),
        password: server.administrator.password.clone(),
        block: entry.to_string(),
        statements_of: |index, text| {
            let text = text.replace('\'', "''");
            let user = format!("swept_{index}@'%'");
            let grant = if index.is_multiple_of(2) { "GRANT SELECT ON swept.* TO" } else { "GRANT USAGE ON *.* TO" };
            format!(
                "CREATE USER {user}; {grant} {user}; \
                 INSERT INTO _dbops._dbops_metadata VALUES ('user', 'swept_{index}', '%', '{text}', '[]', 1)"
            )
        },
        run: {
            let server = server.clone();
            Box::new(move |sql| {
                let server = server.clone();
                async move { tokio::task::block_in_place(|| server.query(&sql).map(drop)) }.boxed()
            })
        },
        statements: Box::new(move || {
            let text = server.query("SHOW GLOBAL STATUS LIKE 'Com_select'")?;
            Ok(text.split_whitespace().last().and_then(|count| count.parse().ok()).unwrap_or_default())
        }),
    };
    sweeps::measure(&site).await
}

/// How long the operator's calls to its adapter took, by its own account.
async fn operations(operator: &Operator, object: &str) -> Result<()> {
    let metrics = operator.metrics().await?;
    let value = |name: &str, operation: &str| -> Option<f64> {
        let start = format!("dbops_{object}_operation_duration_seconds_{name}{{operation=\"{operation}\"");
        metrics.lines().find(|line| line.starts_with(&start))?.rsplit(' ').next()?.parse().ok()
    };
    for operation in ["create", "update", "set_password"] {
        if let (Some(sum), Some(count)) = (value("sum", operation), value("count", operation)) {
            row(&format!("  one call of the adapter to {operation} (ms)"), &format!("{:.2}", sum / count * 1000.0), "");
        }
    }
    Ok(())
}

fn compare(what: &str, took: Duration, bare: Duration, count: usize, aim: &str) {
    row(&format!("{what} (ms)"), &format!("{:.2}", per(took, count)), aim);
    row("  the same as bare SQL (ms)", &format!("{:.2}", per(bare, count)), "");
    row("  ratio", &format!("{:.2}", took.as_secs_f64() / bare.as_secs_f64()), "");
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
