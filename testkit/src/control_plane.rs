//! A real Kubernetes control plane: etcd and kube-apiserver on free ports of the loopback address.
//!
//! RBAC decides, as in production. Deliberately absent: the controllers of Kubernetes. Nothing collects garbage,
//! empties a terminating namespace or creates default `ServiceAccounts`, so the admission plugin that demands those
//! is off. Tests assert owner references instead of waiting for the collection.

mod credentials;

use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::children::{Identity, Lifetime, Program, Running, Signal};
use crate::cluster::Cluster;
use crate::scratch::Scratch;
use crate::toolchain::control_plane::{Binaries, binaries};
use credentials::Credentials;

/// An API server on a busy machine with two cores needs ten seconds; this is the patience before something is wrong.
const START: Duration = Duration::from_secs(90);

/// How often a start is tried when another program takes a port between its choice and its use.
const ATTEMPTS: usize = 4;

/// How to start a control plane.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// Whether it outlives this process.
    pub lifetime: Lifetime,
    /// More arguments for kube-apiserver.
    pub api_server_arguments: Vec<String>,
}

/// A running control plane. Dropping it stops it, unless it is detached.
#[derive(Debug)]
pub struct ControlPlane {
    cluster: Cluster,
    kubectl: PathBuf,
    // Fields drop in this order: the API server before the store that it would complain about.
    api_server: Running,
    etcd: Running,
    scratch: Scratch,
}

impl ControlPlane {
    /// Starts one and waits until it is ready. Missing programs are built first.
    pub async fn start(options: StartOptions) -> Result<Self> {
        let programs =
            tokio::task::spawn_blocking(binaries).await.context("look for the control plane's programs")??;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::try_start(&programs, &options).await {
                Ok(started) => return Ok(started),
                Err(error) if format!("{error:#}").contains("address already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.context("start the control plane")?)
    }

    async fn try_start(programs: &Binaries, options: &StartOptions) -> Result<Self> {
        let scratch = match options.lifetime {
            Lifetime::DiesWithUs => Scratch::new("control-plane")?,
            Lifetime::Detached => Scratch::kept("control-plane")?,
        };
        let [client_port, peer_port, secure_port] = free_ports::<3>()?;
        let folder = scratch.path();
        let credentials = Credentials::write(folder)?;
        let etcd = etcd(&programs.etcd, folder, client_port, peer_port).start(options.lifetime)?;
        let api_server = api_server(&programs.api_server, folder, client_port, secure_port, &credentials)
            .arguments(options.api_server_arguments.clone())
            .start(options.lifetime)?;
        let kubeconfig = credentials.write_kubeconfig(folder, secure_port)?;
        let control_plane =
            Self { cluster: Cluster::new(kubeconfig), kubectl: programs.kubectl.clone(), api_server, etcd, scratch };
        let ready = control_plane.wait_until_ready().await;
        if ready.is_err() && options.lifetime == Lifetime::Detached {
            // Nobody would know of them.
            control_plane.stop()?;
            std::fs::remove_dir_all(control_plane.scratch.path()).context("remove the control plane's folder")?;
        }
        ready.map(|()| control_plane)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let client = self.cluster.client().await?;
        let deadline = Instant::now() + START;
        loop {
            for program in [&self.etcd, &self.api_server] {
                if let Some(status) = program.exit_status()? {
                    bail!("{} ended with {status}:\n{}", program.name(), program.log_tail(15));
                }
            }
            let request = http_get("/readyz")?;
            let asked = tokio::time::timeout(Duration::from_secs(5), client.request_text(request)).await;
            let problem = match asked {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "no answer".to_owned(),
            };
            if Instant::now() > deadline {
                bail!("kube-apiserver is not ready after {START:?} ({problem}):\n{}", self.api_server.log_tail(15));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The kubectl that fits it.
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The folder with its data and logs.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// What a later process needs to stop a detached one.
    pub fn identities(&self) -> Result<Vec<Identity>> {
        Ok(vec![self.api_server.identity()?, self.etcd.identity()?])
    }

    /// The end of the API server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.api_server.log_tail(lines)
    }

    /// The API server, for faults and for its log.
    pub fn api_server(&self) -> &Running {
        &self.api_server
    }

    /// Stops both programs.
    pub fn stop(&self) -> Result<()> {
        // The data is thrown away, so nothing is gained by a graceful end, which takes the API server a minute.
        self.api_server.end(Signal::KILL, Duration::from_secs(2))?;
        self.etcd.end(Signal::KILL, Duration::from_secs(2))
    }
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

fn etcd(program: &Path, folder: &Path, client_port: u16, peer_port: u16) -> Program {
    let client = format!("http://127.0.0.1:{client_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    Program::new("etcd", program, folder.join("etcd.log")).arguments([
        "--name=default".to_owned(),
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data is gone after a crash of the machine in any case.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ])
}

fn api_server(program: &Path, folder: &Path, etcd_port: u16, port: u16, credentials: &Credentials) -> Program {
    let path = |path: &Path| path.display().to_string();
    Program::new("kube-apiserver", program, folder.join("kube-apiserver.log")).arguments([
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", path(&credentials.certificate)),
        format!("--tls-private-key-file={}", path(&credentials.key)),
        format!("--cert-dir={}", folder.join("certificates").display()),
        format!("--token-auth-file={}", path(&credentials.tokens)),
        "--authorization-mode=RBAC".to_owned(),
        "--anonymous-auth=false".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", path(&credentials.verifying_key)),
        format!("--service-account-signing-key-file={}", path(&credentials.signing_key)),
        "--service-cluster-ip-range=10.96.0.0/24".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--allow-privileged=true".to_owned(),
        // A `kubernetes` service with endpoints on loopback is refused by its own validation, once a second.
        "--endpoint-reconciler-type=none".to_owned(),
    ])
}

/// Free ports of the loopback address, all different. None that the system would give to a client: a program that is
/// stopped and started again has to find its port as it left it.
pub fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        // All are held until all are chosen.
        let mut candidates = (0..1_000).map(|_| rand::random_range(16_000_u16..32_000));
        let listener = candidates.find_map(|candidate| TcpListener::bind(("127.0.0.1", candidate)).ok());
        let listener = listener.context("find a free port")?;
        *port = listener.local_addr().context("read the free port")?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn http_get(path: &str) -> Result<hyper::Request<Vec<u8>>> {
    hyper::Request::get(path).body(Vec::new()).context("compose a request")
}
