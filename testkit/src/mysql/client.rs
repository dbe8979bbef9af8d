//! What tests say to a server: through the client program, as anybody or as the superuser.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::children::{read_lossy, tail};
use crate::postgres::Account;
use crate::toolchain::mysql::client;

/// Where a server is and who may do what there. It can be written down for another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MysqlEndpoint {
    /// Its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The superuser, who comes in through the socket only.
    pub superuser: Account,
    /// An administrator as a managed service has.
    pub administrator: Account,
    /// Its local socket.
    pub socket: PathBuf,
    /// What it says of itself.
    pub log: PathBuf,
    /// The authority of its certificate, PEM, if it has one.
    pub authority: Option<String>,
}

impl MysqlEndpoint {
    /// Runs statements as the superuser; the rows as text, columns separated by tabs.
    pub fn query(&self, sql: &str) -> Result<String> {
        let mut command = Self::client()?;
        command.arg(format!("--socket={}", self.socket.display()));
        run(&mut command, &self.superuser.name, &self.superuser.password, None, sql)
    }

    /// Runs statements as anybody, over TCP without TLS. What the server refuses is an error with its words.
    pub fn query_as(&self, user: &str, password: &str, database: Option<&str>, sql: &str) -> Result<String> {
        let mut command = Self::client()?;
        command.args(["--protocol=tcp", "--skip-ssl", "--host", &self.host, "--port", &self.port.to_string()]);
        run(&mut command, user, password, database, sql)
    }

    /// The same over TLS, without a check of the certificate.
    pub fn query_over_tls(&self, user: &str, password: &str, sql: &str) -> Result<String> {
        let mut command = Self::client()?;
        command.args(["--protocol=tcp", "--ssl", "--host", &self.host, "--port", &self.port.to_string()]);
        run(&mut command, user, password, None, sql)
    }

    /// The same with a client certificate and its key, in files.
    pub fn query_with_certificate(
        &self,
        user: &str,
        password: &str,
        (certificate, key): (&Path, &Path),
        sql: &str,
    ) -> Result<String> {
        let mut command = Self::client()?;
        command.args(["--protocol=tcp", "--ssl", "--host", &self.host, "--port", &self.port.to_string()]);
        command.arg(format!("--ssl-cert={}", certificate.display())).arg(format!("--ssl-key={}", key.display()));
        run(&mut command, user, password, None, sql)
    }

    /// A session that stays open, busy with sleeping, until it is dropped.
    pub fn idle_session(&self, user: &str, password: &str, database: Option<&str>) -> Result<Idle> {
        self.session_after(user, password, database, "DO 1")
    }

    /// The same, after it said something.
    pub fn session_after(&self, user: &str, password: &str, database: Option<&str>, said: &str) -> Result<Idle> {
        let mut command = Self::client()?;
        command.args(["--protocol=tcp", "--skip-ssl", "--host", &self.host, "--port", &self.port.to_string()]);
        prepare(&mut command, user, password, database, &format!("{said}; SELECT SLEEP(120)"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("start the client")?;
        Ok(Idle(child))
    }

    fn client() -> Result<Command> {
        let mut command = Command::new(client()?);
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--raw", "--default-character-set=utf8mb4"]);
        command.arg("--connect-timeout=5").stdin(Stdio::null());
        Ok(command)
    }

    /// Everything that the server and its clients said so far.
    pub fn log_text(&self) -> String {
        let general = self.log.with_file_name("general.log");
        read_lossy(&self.log) + &read_lossy(&general)
    }

    /// The last lines that the server said of itself.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&read_lossy(&self.log), lines)
    }
}

fn prepare(command: &mut Command, user: &str, password: &str, database: Option<&str>, sql: &str) {
    command.arg(format!("--user={user}")).env("MYSQL_PWD", password);
    if let Some(database) = database {
        command.arg(format!("--database={database}"));
    }
    command.arg(format!("--execute={sql}"));
}

fn run(command: &mut Command, user: &str, password: &str, database: Option<&str>, sql: &str) -> Result<String> {
    prepare(command, user, password, database, sql);
    let output = command.output().context("run the client")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// A session of another program.
#[derive(Debug)]
pub struct Idle(Child);

impl Idle {
    /// Whether the server ended it, within some seconds.
    pub fn has_ended(&mut self) -> bool {
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::time::Instant::now() < limit {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait().map(drop)) {
            tracing::debug!(%error, "a client could not be stopped");
        }
    }
}
