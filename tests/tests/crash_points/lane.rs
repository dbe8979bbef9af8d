//! One series of visits: a namespace, a server, two proxies and an operator that dies again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, ready};
use serde_json::Value;
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer, Version};
use testkit::proxy::tcp::Protocol;
use testkit::proxy::{ApiProxy, Fault, TcpProxy};
use testkit::world::Operator;

use crate::points::{End, Point, Side, Survey};
use crate::scenario::{COMPANION_SECRET, Scenario, WORD};

/// A lane.
pub(crate) struct Lane {
    scenario: Scenario,
    stage: Stage,
    /// Another namespace, for Secrets that are not beside their users.
    vault: String,
    server: PostgresServer,
    /// The server, as the operator reaches it.
    through: PostgresEndpoint,
    api: ApiProxy,
    database: TcpProxy,
    operator: Operator,
    round: u32,
    populated: bool,
    /// What is on the server before anything is done.
    base: Catalogue,
}

impl Lane {
    pub(crate) async fn open(scenario: Scenario, version: Version) -> Result<Self> {
        let mut stage = Stage::open("crash").await?;
        let vault = stage.neighbour("crash-vault").await?;
        let server = PostgresServer::start(Options { version, ..Options::default() }).await?;
        let api = ApiProxy::start(stage.namespace().cluster()).await?;
        let database = TcpProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port)), Protocol::Postgres).await?;
        let mut through = (*server).clone();
        through.port = database.address().port();
        let mut options = stage.options();
        api.cluster()?.kubeconfig_path().clone_into(&mut options.kubeconfig);
        let operator = Operator::start(options).await?;
        let base = Catalogue::default();
        let mut lane =
            Self { scenario, stage, vault, server, through, api, database, operator, round: 0, populated: false, base };
        lane.found().await?;
        Ok(lane)
    }

    async fn found(&mut self) -> Result<()> {
        self.scenario.found(&self.stage, &self.through, &self.vault).await?;
        for subject in self.scenario.base() {
            self.stage.until(&self.operator, &subject, ready()).await?;
        }
        self.base = self.catalogue().await?;
        Ok(())
    }

    /// What is on the server, but for what differs from round to round.
    async fn catalogue(&self) -> Result<Catalogue> {
        Ok(self.scenario.normal(Catalogue::read(&self.server, WORD).await?, self.round))
    }

    /// Plays the scenario undisturbed: what is counted, and where it ends. Twice, because the very first time makes
    /// what is there for ever after (the key of the fingerprints).
    pub(crate) async fn survey(&mut self) -> Result<Survey> {
        let mut survey = None;
        for _ in 0..2 {
            // As in a visit, which begins with an operator that was started a moment ago.
            self.operator.restart().await?;
            if self.populated {
                self.until_populated(self.round + 1).await?;
            }
            self.begin().await?;
            self.api.reset();
            self.database.reset();
            self.scenario.act(&self.stage, &self.through, &self.vault, self.round).await?;
            self.until_at_goal(false).await?;
            let writes = self.api.writes();
            let writes = writes.iter().map(|write| format!("{:?} {} {:?}", write.verb, write.resource, write.name));
            survey = Some(Survey {
                writes: writes.collect(),
                statements: self.database.statements(),
                end: self.end().await?,
            });
            self.round += 1;
        }
        survey.context("survey the scenario")
    }

    /// Goes to where the scenario begins.
    async fn begin(&mut self) -> Result<()> {
        match (self.scenario.begins_populated(), self.populated) {
            (true, true) => return Ok(()),
            (false, true) => self.empty().await?,
            (true | false, false) => {}
        }
        self.scenario.prepare(&self.server).await?;
        if self.scenario.begins_populated() {
            self.scenario.populate(&self.stage, &self.through, &self.vault, self.round).await?;
            self.populated = true;
            self.until_populated(self.round + 1).await?;
        }
        Ok(())
    }

    /// Deletes everything and checks that nothing is left.
    async fn empty(&mut self) -> Result<()> {
        self.scenario.delete(&self.stage).await?;
        self.until_gone().await?;
        self.populated = false;
        Ok(())
    }

    /// Kills the operator at a point and sees where it ends. Says whether the point was met.
    pub(crate) async fn visit(&mut self, point: Point, deleting: bool, survey: &Survey) -> Result<bool> {
        self.begin().await?;
        let met =
            self.kill_at(point).await.with_context(|| format!("at {}", survey.describe(point).unwrap_or_default()))?;
        if deleting {
            self.scenario.delete(&self.stage).await?;
        }
        self.operator.restart().await.context("start the operator again")?;
        self.until_at_goal(deleting)
            .await
            .with_context(|| format!("at {}", survey.describe(point).unwrap_or_default()))?;
        if !deleting {
            let end = self.end().await?;
            let expected = &survey.end;
            ensure!(end == *expected, "it ended at {end:#?}\ninstead of {expected:#?}");
        }
        let leftovers = Catalogue::leftovers(&self.server).await?;
        ensure!(leftovers.is_empty(), "left over at {}: {leftovers:?}", survey.describe(point)?);
        self.round += 1;
        Ok(met)
    }

    async fn kill_at(&mut self, point: Point) -> Result<bool> {
        let met = Arc::new(AtomicBool::new(false));
        let (kill, told) = (self.operator.killer()?, Arc::clone(&met));
        let fault = Fault::TellAndCut(Arc::new(move || {
            told.store(true, Ordering::SeqCst);
            kill();
        }));
        self.api.reset();
        self.database.reset();
        match point.side {
            Side::Api => self.api.at_write(point.k, point.moment, fault),
            Side::Database => self.database.at_statement(point.k, point.moment, fault),
        }
        self.scenario.act(&self.stage, &self.through, &self.vault, self.round).await?;
        // A point beyond the end of this run is never met: then the scenario is at its goal with the operator alive.
        self.stage
            .eventually("the operator dies or is done", PATIENCE, &self.operator, async || {
                if met.load(Ordering::SeqCst) {
                    ensure!(!self.operator.is_running(), "it is being killed");
                    return Ok(());
                }
                self.is_at_goal(false).await
            })
            .await?;
        self.api.disarm();
        self.database.disarm();
        Ok(met.load(Ordering::SeqCst))
    }

    async fn until_at_goal(&mut self, deleting: bool) -> Result<()> {
        if deleting || !self.scenario.ends_populated() {
            self.until_gone().await?;
            self.populated = false;
            return Ok(());
        }
        self.until_populated(self.round).await?;
        self.populated = true;
        Ok(())
    }

    async fn is_at_goal(&self, deleting: bool) -> Result<()> {
        if deleting || !self.scenario.ends_populated() {
            self.is_gone().await
        } else {
            self.is_populated(self.round).await
        }
    }

    /// Everything is there as it is in a round; before one begins it is as it will be in the next.
    async fn until_populated(&self, round: u32) -> Result<()> {
        let attempt = async || self.is_populated(round).await;
        self.stage.eventually("everything is there", PATIENCE, &self.operator, attempt).await
    }

    async fn until_gone(&self) -> Result<()> {
        self.stage.eventually("everything is gone", PATIENCE, &self.operator, async || self.is_gone().await).await?;
        self.scenario.tidy(&self.server).await?;
        let left = self.catalogue().await?;
        ensure!(left == self.base, "left behind on the server: {left:#?}");
        // Owned by what is gone, so Kubernetes' garbage collector, which is absent here, would take them.
        for name in self.stage.names("Secret").await? {
            let secret = Subject::secret(&name);
            let is_of_base = self.scenario.base().iter().any(|subject| *subject == Subject::user(&name));
            if name != "main-admin" && name != "given" && !is_of_base {
                let owner = self.stage.get(&secret).await?;
                let kind = if name == COMPANION_SECRET { "Database" } else { "DatabaseUser" };
                ensure!(owner.text("/metadata/ownerReferences/0/kind")? == kind, "{name} belongs to nobody");
                self.stage.delete(&secret).await?;
            }
        }
        // No owner crosses a namespace, so nobody would ever take these.
        let elsewhere = self.stage.names_in(&self.vault, "Secret").await?;
        ensure!(elsewhere.is_empty(), "left behind in the other namespace: {elsewhere:?}");
        Ok(())
    }

    /// Ready, about the newest spec, and everybody logs in with the Secret; and the operator that runs now looked at
    /// everything, for what its predecessor wrote may be what it would undo.
    async fn is_populated(&self, round: u32) -> Result<()> {
        let metrics = self.operator.metrics().await?;
        let mut least: BTreeMap<String, u32> = BTreeMap::new();
        for subject in self.scenario.acting() {
            *least.entry(subject.kind().to_owned()).or_default() += 1;
        }
        for (kind, least) in least {
            let label = format!("kind=\"{kind}\"");
            let looked = metrics.lines().filter(|line| {
                line.starts_with("dbops_reconcile_total") && line.contains(&label) && line.contains("changed\"")
            });
            let looked: f64 = looked.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
            ensure!(looked >= f64::from(least), "the operator has not looked at every {kind} yet");
        }
        for subject in &self.scenario.acting() {
            let seen = self.stage.get(subject).await?;
            seen.check(&ready())?;
            ensure!(seen.at("/metadata/deletionTimestamp").is_none(), "{subject} is being deleted");
        }
        let login = async |user: &str, word: &str| -> Result<()> {
            let login = self.server.try_login(user, word, "postgres").await?;
            ensure!(login.is_accepted(), "{user}: {login:?}");
            Ok(())
        };
        for (user, secret, key) in self.scenario.logins(&self.vault, round) {
            login(user, &self.stage.secret_value(&secret, key).await?).await?;
        }
        Ok(())
    }

    async fn is_gone(&self) -> Result<()> {
        for subject in &self.scenario.acting() {
            let found = self.stage.find(subject).await?;
            ensure!(found.is_none(), "{subject} is there: {}", found.map(|seen| seen.summary()).unwrap_or_default());
        }
        Ok(())
    }

    async fn end(&self) -> Result<End> {
        let mut objects = Vec::new();
        for subject in &self.scenario.acting() {
            if let Some(seen) = self.stage.find(subject).await? {
                let finalizers = seen.at("/metadata/finalizers").cloned().unwrap_or(Value::Null);
                objects.push(format!("{subject}: {} {finalizers}", seen.summary()));
            }
        }
        let mut secrets = self.stage.names("Secret").await?;
        for elsewhere in self.stage.names_in(&self.vault, "Secret").await? {
            secrets.push(format!("elsewhere {}", self.scenario.steady(&elsewhere)));
        }
        secrets.sort();
        let catalogue = self.catalogue().await?;
        Ok(End { objects, secrets, catalogue })
    }
}
