//! The proxy before the API server: plain HTTP on loopback in, TLS that trusts the cluster's authority out.
//!
//! Requests are counted by verb and resource, writes are recorded, responses (watches among them) stream through
//! as they come. Who asks is passed on: the proxy has no rights of its own.

mod connection;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Fault, Moment};
use crate::certificates::client_configuration;
use crate::cluster::Cluster;
use crate::scratch::{Scratch, write_private};

pub use request::{ApiRequest, Verb};

/// A proxy before one API server.
#[derive(Debug)]
pub struct ApiProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
    kubeconfig: serde_json::Value,
    scratch: Scratch,
}

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    record: Mutex<Record>,
}

/// Where the requests go.
#[derive(Debug)]
struct Upstream {
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
}

#[derive(Debug, Default)]
struct Record {
    requests: BTreeMap<(Verb, String), u64>,
    writes: Vec<ApiRequest>,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    at: Point,
    moment: Moment,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Point {
    Write(u64),
    Request(Verb, String, u64),
}

impl ApiProxy {
    /// Starts one before a cluster.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let kubeconfig = cluster.kubeconfig()?;
        let upstream = Upstream::of(&kubeconfig)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen for Kubernetes clients")?;
        let address = listener.local_addr().context("read the proxy's address")?;
        let shared = Arc::new(Shared { upstream, record: Mutex::default() });
        let acceptor = tokio::spawn(connection::accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, acceptor, kubeconfig, scratch: Scratch::new("api-proxy")? })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cluster as seen through this proxy, as the same user.
    pub fn cluster(&self) -> Result<Cluster> {
        Ok(Cluster::new(self.write_kubeconfig(&self.kubeconfig, "administrator")?))
    }

    /// The kubeconfig of another user of the same cluster, led through this proxy.
    pub fn kubeconfig_of(&self, kubeconfig: &Path) -> Result<PathBuf> {
        let name = kubeconfig.file_name().map_or_else(|| "user".to_owned(), |name| name.to_string_lossy().into_owned());
        self.write_kubeconfig(&Cluster::new(kubeconfig).kubeconfig()?, &name)
    }

    fn write_kubeconfig(&self, original: &serde_json::Value, name: &str) -> Result<PathBuf> {
        let mut changed = original.clone();
        let cluster = changed.pointer_mut("/clusters/0/cluster").context("the kubeconfig has no cluster")?;
        *cluster = serde_json::json!({ "server": format!("http://{}", self.address) });
        let path = self.scratch.path().join(format!("{name}.proxied"));
        write_private(&path, serde_yaml_ng::to_string(&changed).context("write a kubeconfig")?)?;
        Ok(path)
    }

    /// How many requests passed, by verb and resource (`secrets`, `databases/status`, ...).
    pub fn requests(&self) -> BTreeMap<(Verb, String), u64> {
        self.shared.record().requests.clone()
    }

    /// How many requests of one kind passed.
    pub fn count(&self, verb: Verb, resource: &str) -> u64 {
        self.shared.record().requests.get(&(verb, resource.to_owned())).copied().unwrap_or_default()
    }

    /// The writes, in order. Leases and events are not among them: they come by the clock, not by a reconcile.
    pub fn writes(&self) -> Vec<ApiRequest> {
        self.shared.record().writes.clone()
    }

    /// Counts from nothing again; what is armed stays.
    pub fn reset(&self) {
        let mut record = self.shared.record();
        record.requests.clear();
        record.writes.clear();
    }

    /// Arms a fault for the k-th write, counted from 1.
    pub fn at_write(&self, k: u64, moment: Moment, fault: Fault) {
        self.shared.record().armed.push(Armed { at: Point::Write(k), moment, fault });
    }

    /// Arms a fault for the k-th request with this verb on this resource, counted from 1.
    pub fn at_request(&self, verb: Verb, resource: &str, k: u64, moment: Moment, fault: Fault) {
        self.shared.record().armed.push(Armed { at: Point::Request(verb, resource.to_owned(), k), moment, fault });
    }

    /// Takes back what is armed.
    pub fn disarm(&self) {
        self.shared.record().armed.clear();
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        // The connections are tasks of the acceptor's set and end with it.
        self.acceptor.abort();
    }
}

impl Upstream {
    fn of(kubeconfig: &serde_json::Value) -> Result<Self> {
        let text = |pointer: &str| kubeconfig.pointer(pointer).and_then(serde_json::Value::as_str);
        let server = text("/clusters/0/cluster/server").context("the kubeconfig names no server")?;
        let address: hyper::Uri = server.parse().context("read the server's address")?;
        let host = address.host().context("the server's address has no host")?.to_owned();
        let secure = address.scheme_str() != Some("http");
        let port = address.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = if secure {
            let path = text("/clusters/0/cluster/certificate-authority")
                .context("the kubeconfig names no file with the cluster's authority")?;
            let authority = std::fs::read_to_string(path).with_context(|| format!("read {path}"))?;
            Some(Arc::new(client_configuration(&authority, None)?))
        } else {
            None
        };
        Ok(Self { host, port, tls })
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and takes the faults that are armed for it; each acts once.
    fn admit(&self, request: &ApiRequest) -> Vec<(Moment, Fault)> {
        let mut record = self.record();
        let count = record.requests.entry((request.verb, request.resource.clone())).or_default();
        *count += 1;
        let mut points = vec![Point::Request(request.verb, request.resource.clone(), *count)];
        if request.is_counted_write() {
            record.writes.push(request.clone());
            points.push(Point::Write(record.writes.len() as u64));
        }
        let (now, later) =
            std::mem::take(&mut record.armed).into_iter().partition::<Vec<_>, _>(|armed| points.contains(&armed.at));
        record.armed = later;
        now.into_iter().map(|armed| (armed.moment, armed.fault)).collect()
    }
}
