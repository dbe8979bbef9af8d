//! Looking for drift: what a sweep over many users costs, in queries and in time, beside looking at each by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::BoxFuture;
use sandbox::contract::{GrantMode, GrantSpec, Grantee, Mark, ObjectKind, Selection, Settings, TlsMode, UserSpec};
use sandbox::{
    AddressPolicy, Binding, Credentials, Endpoint, Grant, Lane, Limits, Sandbox, SandboxConfig, SecretValue, Session,
    TlsSettings,
};
use testkit::workspace;

use super::row;

/// Users, every second of them with a grant.
const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// So many are made at once.
const AT_ONCE: usize = 100;
/// So many are looked at one by one, for comparison.
const ALONE: usize = 100;

/// A server that is to be swept.
pub(crate) struct Site {
    pub(crate) engine: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) database: &'static str,
    pub(crate) username: String,
    pub(crate) password: String,
    /// A grant's block that gives the right to enter or read one database, which is there.
    pub(crate) block: String,
    /// What makes a user with this comment, and gives it the right where the number is even: by the server's own
    /// statements, because through the adapter ten thousand would take the time of everything else.
    pub(crate) statements_of: fn(usize, &str) -> String,
    /// Runs statements as the superuser.
    pub(crate) run: Box<dyn Fn(String) -> BoxFuture<'static, Result<()>>>,
    /// How many statements the server was sent until now.
    pub(crate) statements: Box<dyn Fn() -> Result<usize>>,
}

pub(crate) async fn measure(site: &Site) -> Result<()> {
    let component = workspace::engines().join(format!("{}.wasm", site.engine));
    let sandbox = Sandbox::new(&SandboxConfig::default())?;
    let bytes = std::fs::read(component).context("read the component")?;
    let adapter = sandbox.load(bytes, &Grant::full([]), None).await?;
    let server = adapter.bind(site.binding()?)?;
    let mut session = server.lane(Lane::Work, Duration::from_secs(5)).await?;
    let mut there = 0;
    for size in SIZES {
        if there == 0 {
            // The adapter makes what it needs itself.
            create(&mut session, site, 0).await.context("create the first user")?;
            there = 1;
        }
        while there < size {
            let until = size.min(there + AT_ONCE);
            let comment = |index: usize| dbprovision_sdk::mark::write(None, &native(mark(index)));
            let statements: Vec<String> =
                (there..until).map(|index| (site.statements_of)(index, &comment(index))).collect();
            (site.run)(statements.join("; ")).await.with_context(|| format!("make users up to {until}"))?;
            there = until;
        }
        let looked = async |session: &mut Session, count: usize| {
            let (before, started) = ((site.statements)()?, Instant::now());
            for index in 0..count {
                look(session, site, index).await.with_context(|| format!("look at user {index}"))?;
            }
            anyhow::Ok(((site.statements)()? - before, started.elapsed()))
        };
        let mut sweep = server.sweep(Duration::from_secs(5)).await?;
        let (queries, time) = looked(&mut sweep, size).await?;
        drop(sweep);
        let what = format!("{}: a sweep over {size} users, {} grants", site.engine, size / 2);
        row(&what, &format!("{queries} queries"), "the same for all");
        row("  time (ms)", &format!("{:.0}", time.as_secs_f64() * 1000.0), "");
        if size == SIZES[0] {
            let (queries, time) = looked(&mut session, ALONE).await?;
            row("  the same, each by itself", &format!("{queries} queries"), "");
            row("  time (ms)", &format!("{:.0}", time.as_secs_f64() * 1000.0), "");
        }
    }
    drop(session);
    server.close().await;
    Ok(())
}

impl Site {
    fn binding(&self) -> Result<Binding> {
        Ok(Binding {
            name: "bench".to_owned(),
            endpoint: self.endpoint.clone(),
            addresses: Arc::new(AddressPolicy::new(vec!["127.0.0.0/8".parse()?])),
            tls: TlsSettings::of(TlsMode::Disable),
            credentials: Credentials {
                username: self.username.clone(),
                password: SecretValue::new(self.password.as_bytes()),
            },
            settings: Settings {
                engine: self.engine.to_owned(),
                database: self.database.to_owned(),
                options: None,
                tracking: None,
                statement_timeout_ms: 60_000,
            },
            limits: Limits::default(),
            idle: Duration::from_mins(1),
            gate: None,
        })
    }

    fn grant(&self, index: usize) -> GrantSpec {
        GrantSpec {
            grantee: Grantee { kind: ObjectKind::User, name: user(index).name, options: None },
            roles: Vec::new(),
            options: Some(self.block.clone()),
            mode: GrantMode::Additive,
            recorded: Vec::new(),
            shared: Vec::new(),
        }
    }
}

fn user(index: usize) -> UserSpec {
    UserSpec {
        name: format!("swept_{index}"),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: None,
    }
}

fn mark(index: usize) -> Mark {
    Mark {
        cluster: "bench".to_owned(),
        operator: "default".to_owned(),
        kind: "DatabaseUser".to_owned(),
        namespace: "bench".to_owned(),
        name: format!("swept-{index}"),
        nonce: format!("{index:016x}"),
    }
}

fn native(mark: Mark) -> dbprovision_sdk::Mark {
    let Mark { cluster, operator, kind, namespace, name, nonce } = mark;
    dbprovision_sdk::Mark { cluster, operator, kind, namespace, name, nonce }
}

async fn create(session: &mut Session, site: &Site, index: usize) -> Result<()> {
    session.create_user(&user(index), None, &mark(index)).await?;
    session.update_user(&user(index), &mark(index), None, &Selection::All).await?;
    if index.is_multiple_of(2) {
        session.grant(&site.grant(index), &Selection::All).await?;
    }
    Ok(())
}

/// What the operator asks of a user and of a grant, and finds as it was.
async fn look(session: &mut Session, site: &Site, index: usize) -> Result<()> {
    let info = session.get_user_info(&user(index).name).await?.context("the user is gone")?;
    ensure!(info.mark == Some(mark(index)), "another mark: {:?}", info.mark);
    let found = session.update_user(&user(index), &mark(index), None, &Selection::Detect).await?;
    ensure!(found.changes.is_empty(), "{:?}", found.changes);
    if index.is_multiple_of(2) {
        let found = session.grant(&site.grant(index), &Selection::Detect).await?;
        ensure!(found.update.changes.is_empty(), "{:?}", found.update.changes);
    }
    Ok(())
}
