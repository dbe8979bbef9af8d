//! An operator with its neighbours, and what it keeps in memory.

use std::time::Duration;

use anyhow::{Result, bail};
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::postgres::PostgresServer;
use testkit::proxy::ApiProxy;
use testkit::proxy::tcp::{Protocol, TcpProxy};
use testkit::scratch::Scratch;
use testkit::workspace;
use testkit::world::{Operator, OperatorOptions};

use super::fleet::{Fleet, Kind, Shore};
use super::{durable, megabytes, process, ratio, row};

/// Objects for the memory figure, made of users: databases would take their time on the server.
const MANY: usize = 1000;
/// By then the connections that many writes at once needed are closed, and everything was swept.
const SETTLED: Duration = Duration::from_secs(110);

/// An operator as it is deployed, with everything between it and its neighbours counted.
pub(crate) struct Site {
    pub(crate) control_plane: ControlPlane,
    pub(crate) postgres: PostgresServer,
    pub(crate) api: ApiProxy,
    pub(crate) wire: TcpProxy,
    pub(crate) options: OperatorOptions,
    /// Compiled engines are kept.
    _cache: Scratch,
}

impl Site {
    pub(crate) async fn start() -> Result<Self> {
        let control_plane = ControlPlane::start(StartOptions::default()).await?;
        let postgres = PostgresServer::start(durable()).await?;
        control_plane.apply_crds(&crds::all_crds()).await?;
        let api = ApiProxy::start(&control_plane).await?;
        let wire = TcpProxy::start(format!("{}:{}", postgres.host, postgres.port).parse()?, Protocol::Postgres).await?;
        // The release build, unless somebody names another.
        let binary = match std::env::var_os("DBOPS_OPERATOR") {
            Some(named) => named.into(),
            None => workspace::target().join("release/db-provision-operator"),
        };
        let cache = Scratch::new("compiled")?;
        let arguments = vec![format!("--compilation-cache={}", cache.path().display())];
        let environment = process::environment_of_the_deployment()?;
        let kubeconfig = api.cluster()?.kubeconfig_path().to_owned();
        let options = OperatorOptions { binary, arguments, environment, ..OperatorOptions::new(&kubeconfig) };
        Ok(Self { control_plane, postgres, api, wire, options, _cache: cache })
    }

    pub(crate) async fn fleet(&self) -> Result<Fleet> {
        let shore = Shore {
            namespace: "postgres",
            engine: "postgres",
            database: "postgres",
            address: self.wire.address(),
            username: self.postgres.superuser.name.clone(),
            password: self.postgres.superuser.password.clone(),
        };
        Fleet::new(&self.control_plane, &shore).await
    }
}

pub(crate) async fn memory_alone() -> Result<()> {
    let site = Site::start().await?;
    row("measured", "value", "aim");
    let operator = Operator::start(site.options.clone()).await?;
    let fleet = site.fleet().await?;
    idle(&operator)?;
    memory(&operator, &fleet).await
}

pub(crate) fn idle(operator: &Operator) -> Result<()> {
    let idle = process::resident(operator)?;
    row("resident memory, idle with one instance (MB)", &format!("{:.1}", megabytes(idle.all)), "< 30");
    row("  of that its own, without its program's pages", &format!("{:.1}", megabytes(idle.own)), "");
    Ok(())
}

/// The first thousand also bring the sessions to their full size: what an object takes shows in the second.
pub(crate) async fn memory(operator: &Operator, fleet: &Fleet) -> Result<()> {
    let mut known = Vec::new();
    for _ in 0..2 {
        fleet.create(Kind::User, MANY).await?;
        tokio::time::sleep(SETTLED).await;
        let resident = process::resident(operator)?;
        row(
            &format!("resident memory with {} objects (MB)", fleet.count()),
            &format!("{:.1}", megabytes(resident.all)),
            "",
        );
        row("  of that its own, without its program's pages", &format!("{:.1}", megabytes(resident.own)), "");
        known.push(resident.own);
    }
    let [before, after] = known[..] else { bail!("there are two") };
    let kibibytes = ratio(usize::try_from(after.saturating_sub(before))?, MANY) / 1024.0;
    row("resident memory for each further object (KiB)", &format!("{kibibytes:.2}"), "< 4");
    Ok(())
}
