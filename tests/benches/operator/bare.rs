//! The same work by a native client: the statements that a person would write, on as many sessions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::future::try_join_all;
use testkit::mysql::MysqlEndpoint;
use testkit::postgres::{PostgresEndpoint, Session};
use tokio::sync::Semaphore;

/// The same on MySQL and MariaDB, by their own command-line client, one for each session.
pub(crate) fn mysql(
    server: &MysqlEndpoint,
    sessions: usize,
    count: usize,
    statement: impl Fn(usize) -> String + Sync,
) -> Result<Duration> {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let work = |session: usize| {
            let statements: Vec<String> = (session..count).step_by(sessions).map(&statement).collect();
            server.query(&statements.join("; ")).map(drop)
        };
        let running: Vec<_> = (0..sessions).map(|session| scope.spawn(move || work(session))).collect();
        running.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| bail!("a client panicked")))
    })?;
    Ok(started.elapsed())
}

/// A native client.
pub(crate) struct Bare<'a> {
    server: &'a PostgresEndpoint,
    sessions: usize,
}

impl<'a> Bare<'a> {
    pub(crate) fn new(server: &'a PostgresEndpoint, sessions: usize) -> Self {
        Self { server, sessions }
    }

    pub(crate) async fn databases(&self, count: usize) -> Result<Duration> {
        self.each(count, |index| database(&format!("bare_{index}"))).await
    }

    /// One after another on each session, whenever somebody asks for one; over TCP, as the operator comes.
    pub(crate) async fn on_demand(&self) -> Result<OnDemand> {
        let PostgresEndpoint { superuser, .. } = self.server;
        let login = |_| self.server.login(&superuser.name, &superuser.password, "postgres");
        let sessions = try_join_all((0..self.sessions).map(login)).await?;
        Ok(OnDemand { free: Semaphore::new(self.sessions), sessions: Mutex::new(sessions) })
    }

    pub(crate) async fn users(&self, count: usize) -> Result<Duration> {
        // A verifier, as the adapter sends: the server does not hash.
        let verifier = "SCRAM-SHA-256$4096:QUJDREVGR0hJSktMTU5PUA==$\
             YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
        self.each(count, |index| {
            vec![format!("BEGIN; CREATE ROLE bare_user_{index} LOGIN PASSWORD '{verifier}'; COMMENT ON ROLE bare_user_{index} IS 'bare'; COMMIT")]
        })
        .await
    }

    async fn each(&self, count: usize, statements: impl Fn(usize) -> Vec<String> + Copy) -> Result<Duration> {
        let next = Arc::new(AtomicUsize::new(0));
        let sessions = try_join_all((0..self.sessions).map(|_| self.server.superuser_session("postgres"))).await?;
        let started = Instant::now();
        try_join_all(sessions.iter().map(|session| {
            let next = Arc::clone(&next);
            async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return Ok::<_, anyhow::Error>(());
                    }
                    for statement in statements(index) {
                        session.rows(&statement).await?;
                    }
                }
            }
        }))
        .await?;
        Ok(started.elapsed())
    }
}

/// Sessions that are lent.
pub(crate) struct OnDemand {
    free: Semaphore,
    sessions: Mutex<Vec<Session>>,
}

impl OnDemand {
    pub(crate) async fn database(&self, name: &str) -> Result<()> {
        let _permit = self.free.acquire().await?;
        let lent = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = lent.context("a permit without a session")?;
        for statement in database(name) {
            session.rows(&statement).await?;
        }
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Ok(())
    }
}

fn database(name: &str) -> Vec<String> {
    vec![
        format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
        format!("COMMENT ON DATABASE {name} IS 'bare'"),
    ]
}
