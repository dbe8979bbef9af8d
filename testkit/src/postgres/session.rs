//! Sessions with a server: the superuser's through the local socket, anybody's over TCP as an application would.

mod tls;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::certificates::{Identity, client_configuration};
use crate::children::{read_lossy, tail};

const PATIENCE: Duration = Duration::from_secs(15);

/// A name and its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The role's name.
    pub name: String,
    /// Its password: letters and digits only.
    pub password: String,
}

/// Where a server is and who may do what there. It can be written down for another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PostgresEndpoint {
    /// Its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The superuser.
    pub superuser: Account,
    /// An administrator with CREATEROLE and CREATEDB, as a managed service has.
    pub administrator: Account,
    /// The folder of its local socket.
    pub socket: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// The authority of its certificate, PEM, if it has one.
    pub authority: Option<String>,
    /// The certificate that logins over TCP show; none unless a test sets one.
    pub certificate: Option<Identity>,
}

/// How a server answered somebody who wanted to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Let in.
    Accepted,
    /// Turned away, with this SQLSTATE and message.
    Refused {
        /// The SQLSTATE.
        code: String,
        /// The server's words.
        message: String,
    },
}

impl Login {
    /// Whether the server let them in.
    pub fn is_accepted(&self) -> bool {
        *self == Self::Accepted
    }
}

/// A client whose connection ends with it.
#[derive(Debug)]
pub struct Session {
    client: Client,
    connection: AbortHandle,
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Session {
    /// Runs statements and returns the rows of all of them as text.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let messages = tokio::time::timeout(PATIENCE * 4, self.client.simple_query(sql))
            .await
            .with_context(|| format!("wait for `{sql}`"))?
            .with_context(|| format!("run `{sql}`"))?;
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let mut cells = Vec::with_capacity(row.len());
                for index in 0..row.len() {
                    cells.push(row.try_get(index).context("read a cell")?.map(str::to_owned));
                }
                rows.push(cells);
            }
        }
        Ok(rows)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl PostgresEndpoint {
    /// The administrator's connection URL.
    pub fn admin_url(&self, database: &str) -> String {
        let Account { name, password } = &self.administrator;
        format!("postgres://{name}:{password}@{}:{}/{database}", self.host, self.port)
    }

    /// A superuser's session, through the local socket.
    pub async fn superuser_session(&self, database: &str) -> Result<Session> {
        let path = self.socket.join(format!(".s.PGSQL.{}", self.port));
        let stream = UnixStream::connect(&path).await.with_context(|| format!("connect to {}", path.display()))?;
        let config = config(&self.superuser.name, &self.superuser.password, database);
        bounded(connect(config, stream, NoTls)).await?.context("log in as the superuser")
    }

    /// Runs statements as the superuser and returns all rows as text.
    pub async fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.superuser_session(database).await?.rows(sql).await
    }

    /// Runs statements as the superuser and returns the one cell that they answer; no row and NULL are `None`.
    pub async fn query_cell(&self, database: &str, sql: &str) -> Result<Option<String>> {
        let rows = self.query(database, sql).await?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] => match row.as_slice() {
                [cell] => Ok(cell.clone()),
                cells => bail!("`{sql}` answered {} columns, not one", cells.len()),
            },
            rows => bail!("`{sql}` answered {} rows, not one", rows.len()),
        }
    }

    /// A session over TCP as an application would open it: over TLS, verified, where the server has a certificate.
    pub async fn login(&self, user: &str, password: &str, database: &str) -> Result<Session> {
        self.attempt(user, password, database).await?.context("log in")
    }

    /// Tries a login over TCP. Only a server's own refusal is `Refused`; not reaching it is an error.
    pub async fn try_login(&self, user: &str, password: &str, database: &str) -> Result<Login> {
        match self.attempt(user, password, database).await? {
            Ok(_) => Ok(Login::Accepted),
            Err(error) => match error.as_db_error() {
                Some(refusal) => {
                    Ok(Login::Refused { code: refusal.code().code().to_owned(), message: refusal.message().to_owned() })
                }
                None => Err(error).context("log in"),
            },
        }
    }

    async fn attempt(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Result<Session, tokio_postgres::Error>> {
        let address = (self.host.as_str(), self.port);
        let stream = bounded(TcpStream::connect(address)).await?.context("connect to PostgreSQL")?;
        let mut config = config(user, password, database);
        if let Some(authority) = &self.authority {
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            let connector =
                tls::Connector::new(client_configuration(authority, self.certificate.as_ref())?, &self.host)?;
            bounded(connect(config, stream, connector)).await
        } else {
            bounded(connect(config, stream, NoTls)).await
        }
    }

    /// Everything that the server logged.
    pub fn log_text(&self) -> String {
        read_lossy(&self.log)
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log_text(), lines)
    }
}

fn config(user: &str, password: &str, database: &str) -> Config {
    let mut config = Config::new();
    config.user(user).password(password).dbname(database).application_name("testkit");
    config
}

async fn connect<S, T>(config: Config, stream: S, tls: T) -> Result<Session, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: tokio_postgres::tls::TlsConnect<S>,
    T::Stream: TlsStream + Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await?;
    let connection = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a test's session ended");
        }
    });
    Ok(Session { client, connection: connection.abort_handle() })
}

async fn bounded<F: Future>(future: F) -> Result<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.context("wait for PostgreSQL")
}
