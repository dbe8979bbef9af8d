//! A real PostgreSQL server on loopback, with a superuser, a non-superuser administrator, and any wanted mixture of
//! TLS and host-based access rules.
//!
//! The superuser of the tests comes in through a local socket, so no setting of a test locks the test out.
//! Durability is off: the data is thrown away. Deliberately absent: anything that an operator would do.

mod configuration;
mod hang;
mod session;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::children::{Identity, Lifetime, Program, Running, Signal, unprivileged_account};
use crate::control_plane::free_ports;
use crate::scratch::Scratch;
use crate::toolchain::postgres::{Binaries, binaries};

pub use crate::toolchain::postgres::Version;
pub use configuration::{Access, Options, ServerTls};
pub use session::{Account, Login, PostgresEndpoint, Session};

const START: Duration = Duration::from_mins(1);
const ATTEMPTS: usize = 5;

/// A running server. Dropping it stops it, unless it is detached.
#[derive(Debug)]
pub struct PostgresServer {
    endpoint: PostgresEndpoint,
    binaries: Binaries,
    lifetime: Lifetime,
    running: Mutex<Option<Running>>,
    hang: Mutex<Option<hang::Hang>>,
    scratch: Scratch,
}

impl PostgresServer {
    /// Starts one and waits until it answers. A missing server is installed first.
    pub async fn start(options: Options) -> Result<Self> {
        tokio::task::spawn_blocking(move || Self::prepare(&options))
            .await
            .context("prepare a PostgreSQL server")??
            .launch()
            .await
    }

    /// Makes the data folder; nothing runs yet.
    fn prepare(options: &Options) -> Result<Self> {
        let binaries = binaries(options.version)?;
        let scratch = match options.lifetime {
            Lifetime::DiesWithUs => Scratch::new("postgres")?,
            Lifetime::Detached => Scratch::kept("postgres")?,
        };
        let folder = scratch.path();
        let endpoint = PostgresEndpoint {
            host: "127.0.0.1".to_owned(),
            port: 0,
            superuser: Account { name: "postgres".to_owned(), password: secret() },
            administrator: Account { name: "provisioner".to_owned(), password: secret() },
            socket: folder.to_owned(),
            log: folder.join("postgres.log"),
            authority: options.tls.as_ref().map(|tls| tls.authority.clone()),
            certificate: None,
        };
        let server = Self {
            endpoint,
            binaries,
            lifetime: options.lifetime,
            running: Mutex::new(None),
            hang: Mutex::new(None),
            scratch,
        };
        configuration::give_to_server(server.scratch.path())?;
        server.initialise()?;
        configuration::write(server.scratch.path(), options)?;
        Ok(server)
    }

    fn initialise(&self) -> Result<()> {
        let folder = self.scratch.path();
        let passwords = folder.join("superuser.password");
        crate::scratch::write_private(&passwords, &self.endpoint.superuser.password)?;
        configuration::give_to_server(&passwords)?;
        self.program("initdb", folder.join("initdb.log"))
            .arguments([
                "--pgdata".to_owned(),
                self.data().display().to_string(),
                format!("--username={}", self.endpoint.superuser.name),
                format!("--pwfile={}", passwords.display()),
                "--auth=scram-sha-256".to_owned(),
                "--encoding=UTF8".to_owned(),
                "--locale=C.UTF-8".to_owned(),
                "--no-sync".to_owned(),
            ])
            .run(START)?;
        std::fs::remove_file(&passwords).context("remove the password file")
    }

    async fn launch(mut self) -> Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let [port] = free_ports::<1>()?;
            self.endpoint.port = port;
            match self.run().await {
                Ok(()) => {
                    self.create_administrator().await?;
                    return Ok(self);
                }
                // Another program may take the port between its choice and its use.
                Err(error) if self.endpoint.log_text().contains("Address already in use") => last = Some(error),
                Err(error) => {
                    self.give_up();
                    return Err(error);
                }
            }
        }
        self.give_up();
        Err(last.context("start PostgreSQL")?)
    }

    async fn run(&self) -> Result<()> {
        let program = self
            .program("postgres", self.endpoint.log.clone())
            .arguments(["-D".to_owned(), self.data().display().to_string()])
            .arguments(["-p".to_owned(), self.endpoint.port.to_string()])
            // The server then ends its own children and gives back its shared memory.
            .death_signal("QUIT");
        *self.running() = Some(program.start(self.lifetime)?);
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let ended = self.running().as_ref().map(Running::exit_status).transpose()?.flatten();
            if let Some(status) = ended {
                bail!("postgres ended with {status}:\n{}", self.endpoint.log_tail(15));
            }
            match self.endpoint.query("postgres", "SELECT 1").await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("PostgreSQL is not ready:\n{}", self.endpoint.log_tail(15))));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
    }

    /// The administrator of a managed service: it creates databases and roles, and is no superuser.
    async fn create_administrator(&self) -> Result<()> {
        let Account { name, password } = &self.endpoint.administrator;
        let session = self.endpoint.superuser_session("postgres").await?;
        // In a request of its own, because the next one is logged before its first statement runs.
        session.rows("SET log_statement = 'none'").await?;
        let statement = format!("CREATE ROLE {name} LOGIN CREATEROLE CREATEDB PASSWORD '{password}'");
        session.rows(&statement).await.context("create the administrator")?;
        Ok(())
    }

    fn program(&self, name: &str, log: PathBuf) -> Program {
        Program::new(name, self.binaries.program(name), log)
            .account(unprivileged_account())
            .inside(self.binaries.root.clone(), self.scratch.path())
            // The distribution's translations would make messages depend on the machine.
            .environment("LC_ALL", "C.UTF-8")
            .environment("TZ", "UTC")
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// The folder with its data, socket and log.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// What a later process needs to stop a detached one.
    pub fn identity(&self) -> Result<Identity> {
        self.running().as_ref().context("the server is stopped")?.identity()
    }

    /// Stops it as an administrator would: sessions end, the data stays.
    pub async fn stop(&self) -> Result<()> {
        self.resume()?;
        let running = self.running().take();
        let Some(running) = running else { return Ok(()) };
        tokio::task::spawn_blocking(move || running.end(Signal::INT, Duration::from_secs(10)))
            .await
            .context("wait for the server's end")?
    }

    /// Kills it, sessions and all, as a crash of its machine would.
    pub async fn crash(&self) -> Result<()> {
        self.resume()?;
        let running = self.running().take();
        let Some(running) = running else { return Ok(()) };
        tokio::task::spawn_blocking(move || running.end(Signal::QUIT, Duration::from_secs(6)))
            .await
            .context("wait for the server's end")?
    }

    /// Starts it again on the same port with the same data, after `stop` or `crash`, or stops it first.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.run().await
    }

    /// Freezes the server and its sessions: connections are accepted by the kernel and nobody answers.
    pub fn pause(&self) -> Result<()> {
        let pid = self.running().as_ref().context("the server is stopped")?.pid();
        let mut hang = self.hang.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if hang.is_none() {
            *hang = Some(hang::Hang::begin(pid)?);
        }
        Ok(())
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<()> {
        let hang = self.hang.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        hang.map_or(Ok(()), hang::Hang::end)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A detached server that never became ready is known to nobody, so it must not stay.
    fn give_up(&self) {
        if let Some(running) = self.running().take()
            && let Err(error) = running.kill()
        {
            tracing::warn!(%error, "a PostgreSQL server that did not start could not be stopped");
        }
        if self.lifetime == Lifetime::Detached
            && let Err(error) = std::fs::remove_dir_all(self.scratch.path())
        {
            tracing::warn!(%error, "the folder of a PostgreSQL server that did not start could not be removed");
        }
    }
}

impl Deref for PostgresServer {
    type Target = PostgresEndpoint;

    fn deref(&self) -> &PostgresEndpoint {
        &self.endpoint
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Detached {
            return;
        }
        if let Err(error) = self.resume() {
            tracing::debug!(%error, "a paused server could not be resumed");
        }
        if let Some(running) = self.running().take()
            && let Err(error) = running.end(Signal::QUIT, Duration::from_secs(6))
        {
            tracing::debug!(%error, "a PostgreSQL server could not be stopped");
        }
    }
}

/// A password that needs no quoting anywhere.
fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}
