//! A real MariaDB or MySQL server on loopback, with a superuser, an administrator as a managed service has one, and
//! TLS where it is wanted.
//!
//! Initialising a data folder takes seconds, so that is done once for each version, below the target folder, and
//! copied. Durability is off: the data is thrown away. Everything that a client says is in the log.
//! Deliberately absent: anything that an operator would do, and a client library: logins go through the program.

mod client;
mod data;

use std::ops::Deref;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::certificates::Identity;
use crate::children::{Identity as ProcessIdentity, Lifetime, Program, Running, Signal, unprivileged_account};
use crate::control_plane::free_ports;
use crate::scratch::{Scratch, write_private};
use crate::toolchain::mysql::{Binaries, binaries};

pub use crate::postgres::Account;
pub use crate::toolchain::mysql::Version;
pub use client::{Idle, MysqlEndpoint};

const START: Duration = Duration::from_mins(1);
const ATTEMPTS: usize = 5;

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which server.
    pub version: Version,
    /// Its certificate; without one it has no TLS.
    pub tls: Option<ServerTls>,
    /// How many sessions it allows.
    pub max_connections: u32,
    /// More arguments: `--sql-mode=NO_BACKSLASH_ESCAPES`.
    pub settings: Vec<String>,
    /// Whether it outlives this process.
    pub lifetime: Lifetime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: Version::default(),
            tls: None,
            max_connections: 100,
            settings: Vec::new(),
            lifetime: Lifetime::default(),
        }
    }
}

/// A server's side of TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The certificate that it shows, and its key.
    pub identity: Identity,
    /// The authority, PEM, that a client should trust.
    pub authority: String,
    /// The authority, PEM, of client certificates, where the server is to know one.
    pub clients: Option<String>,
}

/// A running server. Dropping it stops it, unless it is detached.
#[derive(Debug)]
pub struct MysqlServer {
    endpoint: MysqlEndpoint,
    binaries: Binaries,
    options: Options,
    running: Mutex<Option<Running>>,
    scratch: Scratch,
}

impl MysqlServer {
    /// Starts one and waits until it answers. A missing server is installed first.
    pub async fn start(options: Options) -> Result<Self> {
        tokio::task::spawn_blocking(move || Self::start_blocking(options)).await.context("start a MySQL server")?
    }

    /// The same, for tests without a runtime.
    pub fn start_blocking(options: Options) -> Result<Self> {
        let binaries = binaries(options.version)?;
        let scratch = match options.lifetime {
            Lifetime::DiesWithUs => Scratch::new("mysql")?,
            Lifetime::Detached => Scratch::kept("mysql")?,
        };
        let folder = scratch.path();
        let endpoint = MysqlEndpoint {
            host: "127.0.0.1".to_owned(),
            port: 0,
            superuser: Account { name: "root".to_owned(), password: secret() },
            administrator: Account { name: "provisioner".to_owned(), password: secret() },
            socket: folder.join("socket"),
            log: folder.join("server.log"),
            authority: options.tls.as_ref().map(|tls| tls.authority.clone()),
        };
        data::copy(options.version, &binaries, folder)?;
        let server = Self { endpoint, binaries, options, running: Mutex::new(None), scratch };
        server.write_files()?;
        server.launch()
    }

    /// The accounts, made at each start by statements that may be repeated, and the certificates.
    fn write_files(&self) -> Result<()> {
        let folder = self.scratch.path();
        let superuser = &self.endpoint.superuser.password;
        let Account { name, password } = &self.endpoint.administrator;
        let mut statements = vec![
            format!("ALTER USER 'root'@'localhost' IDENTIFIED BY '{superuser}';"),
            format!("CREATE USER IF NOT EXISTS '{name}'@'%' IDENTIFIED BY '{password}';"),
            format!("GRANT {} ON *.* TO '{name}'@'%' WITH GRANT OPTION;", rights(self.options.version)),
        ];
        if self.options.version.is_mariadb() {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            for extra in ["127.0.0.1", "::1", host.trim()] {
                statements.push(format!("DROP USER IF EXISTS 'root'@'{extra}';"));
            }
        }
        let mut files = vec![("accounts.sql", statements.join("\n") + "\n")];
        if let Some(tls) = &self.options.tls {
            files.push(("server.crt", tls.identity.certificate.clone()));
            files.push(("server.key", tls.identity.key.clone()));
            files.push(("authority.crt", tls.clients.clone().unwrap_or_else(|| tls.authority.clone())));
        }
        for (name, content) in files {
            let path = folder.join(name);
            write_private(&path, content)?;
            data::give_to_server(&path)?;
        }
        data::give_to_server(folder)
    }

    fn launch(mut self) -> Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let [port] = free_ports::<1>()?;
            self.endpoint.port = port;
            match self.run() {
                Ok(()) => return Ok(self),
                // Another program may take the port between its choice and its use.
                Err(error) if self.endpoint.log_text().contains("Address already in use") => last = Some(error),
                Err(error) => {
                    self.give_up();
                    return Err(error);
                }
            }
        }
        self.give_up();
        Err(last.context("start MySQL")?)
    }

    fn run(&self) -> Result<()> {
        let program = self
            .program("mysql server")
            .arguments(self.arguments())
            // The kernel takes what it had in memory.
            .death_signal("KILL");
        *self.running() = Some(program.start(self.options.lifetime)?);
        let deadline = Instant::now() + START;
        loop {
            let ended = self.running().as_ref().map(Running::exit_status).transpose()?.flatten();
            if let Some(status) = ended {
                bail!("the server ended with {status}:\n{}", self.endpoint.log_tail(15));
            }
            match self.endpoint.query("SELECT 1") {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("the server is not ready:\n{}", self.endpoint.log_tail(15))));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(30)),
            }
        }
    }

    fn arguments(&self) -> Vec<String> {
        let folder = self.scratch.path().display();
        let mut words = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={folder}/data"),
            format!("--port={}", self.endpoint.port),
            format!("--socket={}", self.endpoint.socket.display()),
            format!("--pid-file={folder}/pid"),
            format!("--init-file={folder}/accounts.sql"),
            format!("--max-connections={}", self.options.max_connections),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--skip-log-bin".to_owned(),
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
            "--innodb-use-native-aio=0".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--performance-schema=OFF".to_owned(),
            // A test that looks for plaintext passwords must see all that a server could ever log.
            "--general-log=ON".to_owned(),
            format!("--general-log-file={folder}/general.log"),
        ];
        if self.options.version.is_mariadb() {
            words.push(format!("--tmpdir={folder}"));
            words.push("--plugin-maturity=unknown".to_owned());
        } else {
            words.extend(["--secure-file-priv=NULL", "--mysqlx=OFF", "--admin-port=0"].map(str::to_owned));
            words.push(format!("--tmpdir={folder}"));
        }
        if self.options.tls.is_some() {
            words.extend([
                format!("--ssl-cert={folder}/server.crt"),
                format!("--ssl-key={folder}/server.key"),
                format!("--ssl-ca={folder}/authority.crt"),
            ]);
        } else if self.options.version.is_mariadb() {
            words.push("--skip-ssl".to_owned());
        } else {
            words.push("--tls-version=".to_owned());
        }
        words.extend(self.options.settings.iter().cloned());
        words
    }

    fn program(&self, name: &str) -> Program {
        Program::new(name, &self.binaries.server, &self.endpoint.log)
            .account(unprivileged_account())
            .inside(self.binaries.root.clone(), self.scratch.path())
            .environment("LC_ALL", "C.UTF-8")
            .environment("TZ", "UTC")
    }

    /// The folder with its data, socket and logs.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// What a later process needs to stop a detached one.
    pub fn identity(&self) -> Result<ProcessIdentity> {
        self.running().as_ref().context("the server is stopped")?.identity()
    }

    /// Stops it as an administrator would: sessions end, the data stays.
    pub fn stop(&self) -> Result<()> {
        let running = self.running().take();
        running.map_or(Ok(()), |running| running.end(Signal::TERM, Duration::from_secs(20)))
    }

    /// Kills it, sessions and all, as a crash of its machine would.
    pub fn crash(&self) -> Result<()> {
        let running = self.running().take();
        running.map_or(Ok(()), |running| running.kill())
    }

    /// Starts it again on the same port with the same data, after `stop` or `crash`, or stops it first.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.run()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A detached server that never became ready is known to nobody, so it must not stay.
    fn give_up(&self) {
        if let Some(running) = self.running().take()
            && let Err(error) = running.kill()
        {
            tracing::warn!(%error, "a MySQL server that did not start could not be stopped");
        }
        if self.options.lifetime == Lifetime::Detached
            && let Err(error) = std::fs::remove_dir_all(self.scratch.path())
        {
            tracing::warn!(%error, "the folder of a MySQL server that did not start could not be removed");
        }
    }
}

impl Deref for MysqlServer {
    type Target = MysqlEndpoint;

    fn deref(&self) -> &MysqlEndpoint {
        &self.endpoint
    }
}

impl Drop for MysqlServer {
    fn drop(&mut self) {
        if self.options.lifetime == Lifetime::Detached {
            return;
        }
        if let Err(error) = self.crash() {
            tracing::debug!(%error, "a MySQL server could not be stopped");
        }
    }
}

/// What a managed service leaves its administrator: everything inside databases, accounts, and others' sessions.
fn rights(version: Version) -> &'static str {
    if version.is_mariadb() {
        "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, \
         CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, \
         CREATE USER, EVENT, TRIGGER, DELETE HISTORY, CONNECTION ADMIN"
    } else {
        "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, \
         CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, \
         CREATE USER, EVENT, TRIGGER, CREATE ROLE, DROP ROLE, CONNECTION_ADMIN, ROLE_ADMIN, SHOW_ROUTINE"
    }
}

/// A password that needs no quoting anywhere.
fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}
