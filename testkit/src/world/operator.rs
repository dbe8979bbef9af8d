//! The operator as a process of its own: started, killed, restarted and read by tests as in a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::children::{Identity, Lifetime, Program, Running, Signal};
use crate::control_plane::free_ports;
use crate::scratch::Scratch;
use crate::workspace;

const READY: Duration = Duration::from_secs(90);

/// How to start the operator.
#[derive(Debug, Clone)]
pub struct OperatorOptions {
    /// The binary.
    pub binary: PathBuf,
    /// The kubeconfig: whose rights it has, and through which proxy it sees the cluster.
    pub kubeconfig: PathBuf,
    /// The folder of engine components.
    pub engines: PathBuf,
    /// Which addresses an instance may name beside public ones.
    pub allowed_endpoints: Vec<String>,
    /// Whether it elects a leader.
    pub leader_elect: bool,
    /// Which resources are its own.
    pub instance_id: Option<String>,
    /// How often it looks for drift, in the operator's own notation (`8h`).
    pub default_drift_interval: Option<String>,
    /// More arguments.
    pub arguments: Vec<String>,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// Its log; a file that goes with this value unless stated.
    pub log: Option<PathBuf>,
    /// Whether it outlives this process.
    pub lifetime: Lifetime,
}

impl OperatorOptions {
    /// The operator of this workspace with a cluster; databases on loopback are allowed.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        // Compiled once for all operators of all tests; each would need seconds of both cores otherwise.
        let cache = workspace::compilation_cache().display().to_string();
        Self {
            binary: workspace::operator(),
            kubeconfig: kubeconfig.into(),
            engines: workspace::engines(),
            allowed_endpoints: vec!["127.0.0.0/8".to_owned()],
            leader_elect: false,
            instance_id: None,
            default_drift_interval: None,
            arguments: Vec::new(),
            environment: vec![("DBOPS_COMPILATION_CACHE".to_owned(), cache)],
            log: None,
            lifetime: Lifetime::DiesWithUs,
        }
    }
}

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    options: OperatorOptions,
    running: Running,
    metrics: u16,
    health: u16,
    log: PathBuf,
    _scratch: Option<Scratch>,
}

impl Operator {
    /// Starts one and waits until it says that it is ready.
    pub async fn start(options: OperatorOptions) -> Result<Self> {
        let operator = Self::launch(options)?;
        operator.wait_until_ready(READY).await?;
        Ok(operator)
    }

    /// Starts one without waiting, for those that are expected to fail or to be killed early.
    pub fn launch(options: OperatorOptions) -> Result<Self> {
        if !options.binary.is_file() {
            bail!("there is no operator at {}: build it, or name one in DBOPS_OPERATOR", options.binary.display());
        }
        let (log, scratch) = if let Some(log) = &options.log {
            (log.clone(), None)
        } else {
            let scratch = Scratch::new("operator")?;
            (scratch.path().join("operator.log"), Some(scratch))
        };
        let [metrics, health] = free_ports::<2>()?;
        let running = spawn(&options, &log, metrics, health)?;
        Ok(Self { options, running, metrics, health, log, _scratch: scratch })
    }

    /// Waits until `/readyz` says yes.
    pub async fn wait_until_ready(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.running.exit_status()? {
                bail!("the operator ended with {status}:\n{}", self.log_tail(30));
            }
            let problem = match self.get(self.health, "/readyz").await {
                Ok((StatusCode::OK, _)) => return Ok(()),
                Ok((status, text)) => format!("{status} {text}"),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("the operator is not ready after {patience:?} ({problem}):\n{}", self.log_tail(30));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills it without a warning.
    pub fn kill(&self) -> Result<()> {
        self.running.kill()
    }

    /// Asks it to end as Kubernetes does, and kills it after `grace`.
    pub async fn terminate(self, grace: Duration) -> Result<()> {
        tokio::task::spawn_blocking(move || self.running.end(Signal::TERM, grace))
            .await
            .context("wait for the operator's end")?
    }

    /// Starts it again with the same options; its log goes on where it was.
    pub async fn restart(&mut self) -> Result<()> {
        self.relaunch()?;
        self.wait_until_ready(READY).await
    }

    /// Starts it again without waiting.
    pub fn relaunch(&mut self) -> Result<()> {
        self.running.end(Signal::KILL, Duration::from_secs(5))?;
        self.running = spawn(&self.options, &self.log, self.metrics, self.health)?;
        Ok(())
    }

    /// A callback that kills this very process, for a proxy's fault.
    pub fn killer(&self) -> Result<crate::proxy::Callback> {
        let identity = self.running.identity()?;
        Ok(std::sync::Arc::new(move || {
            if let Err(error) = identity.end(Signal::KILL, Duration::from_secs(2)) {
                tracing::warn!("the operator could not be killed: {error:#}");
            }
        }))
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running.is_running()
    }

    /// The process.
    pub fn process_id(&self) -> u32 {
        self.running.pid()
    }

    /// What a later process needs to stop a detached one.
    pub fn identity(&self) -> Result<Identity> {
        self.running.identity()
    }

    /// Its resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.running.pid());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("find the resident size")?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().context("read the resident size")?;
        Ok(kilobytes * 1024)
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything that it logged, over all restarts.
    pub fn log_text(&self) -> String {
        self.running.log_text()
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.running.log_tail(lines)
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> Result<String> {
        let (status, text) = self.get(self.metrics, "/metrics").await?;
        if status != StatusCode::OK {
            bail!("/metrics answered {status}");
        }
        Ok(text)
    }

    /// What a path of the health server answers.
    pub async fn health(&self, path: &str) -> Result<(StatusCode, String)> {
        self.get(self.health, path).await
    }

    async fn get(&self, port: u16, path: &str) -> Result<(StatusCode, String)> {
        tokio::time::timeout(Duration::from_secs(5), get(port, path)).await.context("wait for the operator's answer")?
    }
}

async fn get(port: u16, path: &str) -> Result<(StatusCode, String)> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect to the operator")?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.context("speak HTTP with the operator")?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path)
        .header(hyper::header::HOST, "127.0.0.1")
        .body(Empty::<Bytes>::new())
        .context("compose a request")?;
    let response = sender.send_request(request).await.context("ask the operator")?;
    let status = response.status();
    let body = response.into_body().collect().await.context("read the operator's answer")?.to_bytes();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn spawn(options: &OperatorOptions, log: &Path, metrics: u16, health: u16) -> Result<Running> {
    let mut program = Program::new("the operator", &options.binary, log)
        .argument("--engines")
        .argument(options.engines.display().to_string())
        .arguments([format!("--metrics-bind-address=127.0.0.1:{metrics}")])
        .arguments([format!("--health-probe-bind-address=127.0.0.1:{health}")])
        .environment("KUBECONFIG", options.kubeconfig.display().to_string());
    for range in &options.allowed_endpoints {
        program = program.argument("--allow-endpoint-cidr").argument(range);
    }
    if options.leader_elect {
        program = program.argument("--leader-elect");
    }
    if let Some(id) = &options.instance_id {
        program = program.argument("--instance-id").argument(id);
    }
    if let Some(interval) = &options.default_drift_interval {
        program = program.argument("--default-drift-interval").argument(interval);
    }
    for (name, value) in &options.environment {
        program = program.environment(name, value);
    }
    program.arguments(options.arguments.clone()).start(options.lifetime)
}
