//! The adapter itself: how long a new guest takes, and what a call costs beside the same code compiled natively.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use dbprovision_sdk::adapter::Settings as NativeSettings;
use dbprovision_sdk::native::{TcpWire, dial_with, log_in_as};
use dbprovision_sdk::{Adapter as _, NetError};
use futures::future::try_join_all;
use sandbox::contract::{DatabaseSpec, Mark, Selection, Settings, TlsMode, UserSpec};
use sandbox::{
    AddressPolicy, Binding, Credentials, Endpoint, Grant, Lane, Limits, Sandbox, SandboxConfig, SecretValue,
    TlsSettings,
};
use testkit::postgres::PostgresEndpoint;
use testkit::workspace;

use super::row;

const CALLS: usize = 500;

pub(crate) async fn measure(server: &PostgresEndpoint) -> Result<()> {
    let bytes = std::fs::read(workspace::engines().join("postgres.wasm")).context("read the component")?;
    let sandbox = Sandbox::new(&SandboxConfig::default())?;
    let started = Instant::now();
    let adapter = sandbox.load(bytes, &Grant::full([]), None).await?;
    row("load and compile the adapter, no cache (ms)", &format!("{:.1}", milliseconds(started.elapsed())), "");

    let spec = UserSpec {
        name: "someone".to_owned(),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: None,
    };
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        adapter.examine_user(&spec).await?;
        times.push(started.elapsed());
    }
    row(
        "instantiate the adapter and ask it once, median (us)",
        &format!("{:.1}", milliseconds(median(times)) * 1000.0),
        "",
    );

    let bound = adapter.bind(binding(server)?)?;
    let mut session = bound.lane(Lane::Work, Duration::from_secs(5)).await?;
    session.get_user_info(&server.superuser.name).await?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        session.get_user_info(&server.superuser.name).await?;
        times.push(started.elapsed());
    }
    let guest = median(times);
    drop(session);
    bound.close().await;

    let server = server.clone();
    let native = tokio::task::spawn_blocking(move || native(&server)).await??;
    row("one look at a role in the sandbox, median (us)", &format!("{:.1}", milliseconds(guest) * 1000.0), "");
    row("  the same code compiled natively (us)", &format!("{:.1}", milliseconds(native) * 1000.0), "");
    row("  ratio", &format!("{:.2}", guest.as_secs_f64() / native.as_secs_f64()), "");
    Ok(())
}

/// What the operator asks of the adapter for so many databases, with nobody else at work: no API server, no reconciles.
pub(crate) async fn databases(server: &PostgresEndpoint, sessions: usize, count: usize) -> Result<Duration> {
    let bytes = std::fs::read(workspace::engines().join("postgres.wasm")).context("read the component")?;
    let adapter = Sandbox::new(&SandboxConfig::default())?.load(bytes, &Grant::full([]), None).await?;
    let bound = adapter.bind(binding(server)?)?;
    let next = AtomicUsize::new(0);
    let mut open = Vec::new();
    for _ in 0..sessions {
        let mut session = bound.lane(Lane::Work, Duration::from_secs(5)).await?;
        session.ping().await?;
        open.push(session);
    }
    let started = Instant::now();
    try_join_all(open.iter_mut().map(async |session| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return anyhow::Ok(());
            }
            let name = format!("alone_{index}");
            let mark = Mark {
                cluster: "bench".to_owned(),
                operator: "default".to_owned(),
                kind: "Database".to_owned(),
                namespace: "bench".to_owned(),
                name: format!("alone-{index}"),
                nonce: format!("{index:016x}"),
            };
            let spec = DatabaseSpec { name: name.clone(), owner: None, comment: None, options: None };
            ensure!(session.get_database_info(&name).await?.is_none(), "{name} is there");
            session.create_database(&spec, &mark).await?;
            session.update_database(&spec, &mark, &[], &Selection::All).await?;
            session.get_database_info(&name).await?.context("it is not there")?;
        }
    }))
    .await?;
    let took = started.elapsed();
    drop(open);
    bound.close().await;
    Ok(took)
}

fn binding(server: &PostgresEndpoint) -> Result<Binding> {
    Ok(Binding {
        name: "bench".to_owned(),
        endpoint: Endpoint { host: server.host.clone(), port: server.port },
        addresses: Arc::new(AddressPolicy::new(vec!["127.0.0.0/8".parse()?])),
        tls: TlsSettings::of(TlsMode::Disable),
        credentials: Credentials {
            username: server.superuser.name.clone(),
            password: SecretValue::new(server.superuser.password.as_bytes()),
        },
        settings: Settings {
            engine: "postgres".to_owned(),
            database: "postgres".to_owned(),
            options: None,
            tracking: None,
            statement_timeout_ms: 60_000,
        },
        limits: Limits::default(),
        idle: Duration::from_mins(1),
        gate: None,
    })
}

fn native(server: &PostgresEndpoint) -> Result<Duration> {
    let address = format!("{}:{}", server.host, server.port);
    dial_with(move || match TcpWire::connect(&address) {
        Ok(wire) => Ok(Rc::new(wire)),
        Err(error) => Err(NetError::Io(error.to_string())),
    });
    log_in_as(&server.superuser.name, &server.superuser.password);
    let failed = |error: dbprovision_sdk::Error| anyhow!("{}: {}", error.message, error.detail);
    let mut adapter = engine_postgres::Postgres::new();
    adapter
        .connect(&NativeSettings {
            engine: "postgres".to_owned(),
            database: "postgres".to_owned(),
            options: None,
            tracking: None,
            statement_timeout_ms: 60_000,
        })
        .map_err(failed)?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        dbprovision_sdk::Users::get_info(&mut adapter, &server.superuser.name).map_err(failed)?;
        times.push(started.elapsed());
    }
    Ok(median(times))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
