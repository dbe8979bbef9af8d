//! What a test run shares: one control plane and its database servers.
//!
//! `cargo xtask test` starts them once and names a file with their addresses in `DBOPS_TEST_WORLD`; each test's
//! process attaches to them. Without that variable (a single test by hand) each part is started when it is first
//! asked for, and dies with the process.

mod namespace;
mod operator;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use kube::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::cluster::Cluster;
use crate::control_plane::{ControlPlane, StartOptions};
use crate::postgres::{Options, PostgresEndpoint, PostgresServer, Version};
use crate::scratch::write_private;

pub use namespace::TestNamespace;
pub use operator::{Operator, OperatorOptions};

/// The variable that names the file.
pub const VARIABLE: &str = "DBOPS_TEST_WORLD";

/// What the file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addresses {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The distribution's PostgreSQL.
    pub postgres: PostgresEndpoint,
    /// The newer PostgreSQL.
    pub newer_postgres: PostgresEndpoint,
}

impl Addresses {
    /// Writes the file, which holds passwords.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_private(path, serde_json::to_string_pretty(self).context("write the addresses")?)
    }

    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))
    }
}

/// The shared environment.
#[derive(Debug)]
pub struct World {
    shared: Option<(Cluster, Addresses)>,
    control_plane: OnceCell<ControlPlane>,
    postgres: OnceCell<PostgresServer>,
    newer_postgres: OnceCell<PostgresServer>,
}

impl World {
    /// The environment of this process.
    pub async fn get() -> Result<&'static Self> {
        static WORLD: OnceCell<World> = OnceCell::const_new();
        WORLD.get_or_try_init(async || Self::find()).await
    }

    fn find() -> Result<Self> {
        let shared = match std::env::var_os(VARIABLE) {
            Some(path) => {
                let addresses = Addresses::read(Path::new(&path))?;
                Some((Cluster::new(&addresses.kubeconfig), addresses))
            }
            None => None,
        };
        Ok(Self { shared, control_plane: OnceCell::new(), postgres: OnceCell::new(), newer_postgres: OnceCell::new() })
    }

    /// The control plane.
    pub async fn cluster(&self) -> Result<&Cluster> {
        if let Some((cluster, _)) = &self.shared {
            return Ok(cluster);
        }
        Ok(self.control_plane.get_or_try_init(|| ControlPlane::start(StartOptions::default())).await?)
    }

    /// A new Kubernetes client of the administrator.
    pub async fn client(&self) -> Result<Client> {
        self.cluster().await?.client().await
    }

    /// The distribution's PostgreSQL.
    pub async fn postgres(&self) -> Result<&PostgresEndpoint> {
        if let Some((_, addresses)) = &self.shared {
            return Ok(&addresses.postgres);
        }
        Ok(self.postgres.get_or_try_init(|| PostgresServer::start(Options::default())).await?)
    }

    /// The newer PostgreSQL.
    pub async fn newer_postgres(&self) -> Result<&PostgresEndpoint> {
        if let Some((_, addresses)) = &self.shared {
            return Ok(&addresses.newer_postgres);
        }
        let options = Options { version: Version::Newer, ..Options::default() };
        Ok(self.newer_postgres.get_or_try_init(|| PostgresServer::start(options)).await?)
    }

    /// A namespace for one test, with a name that nobody else has. Its objects go with it.
    pub async fn namespace(&self, purpose: &str) -> Result<TestNamespace> {
        TestNamespace::create(self.cluster().await?, purpose).await
    }
}

/// Tries until `attempt` succeeds, and fails with its last error after `timeout`.
pub async fn eventually<T>(what: &str, timeout: Duration, mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut pause = Duration::from_millis(20);
    let mut last = None;
    loop {
        match tokio::time::timeout_at(deadline, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = Some(error),
            Err(_elapsed) => {}
        }
        if tokio::time::Instant::now() + pause >= deadline {
            let reason = last.map_or_else(|| "no attempt ended".to_owned(), |error| format!("{error:#}"));
            anyhow::bail!("not within {timeout:?}: {what}: {reason}");
        }
        tokio::time::sleep(pause).await;
        // Quick at first, because most things are; slower later, because two cores carry everything.
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}
