//! The two small HTTP servers: metrics for a scraper, probes for the kubelet.
//!
//! Decided here: alive means that the process answers; ready means that the caches are synced and the engines
//! loaded, at least one of them, whether or not this replica leads. Deliberately absent: TLS and authentication;
//! nothing secret is served, and a cluster's network policy says who may connect.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::BindAddress;
use crate::telemetry::metrics::Metrics;

/// What `OpenMetrics` calls itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many engines can be used now.
type Count = Box<dyn Fn() -> usize + Send + Sync>;

/// What must be true before the operator is ready.
#[derive(Default)]
pub struct Readiness {
    caches: AtomicBool,
    engines: OnceLock<Count>,
}

impl Readiness {
    /// The caches show the cluster.
    pub fn caches_synced(&self) {
        self.caches.store(true, Ordering::Relaxed);
    }

    /// The engines were loaded, as far as they can be used.
    pub fn engines_loaded(&self, usable: impl Fn() -> usize + Send + Sync + 'static) {
        self.engines.get_or_init(|| Box::new(usable));
    }

    /// What is still missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let caches = (!self.caches.load(Ordering::Relaxed)).then_some("caches are not synced");
        let engines = match self.engines.get() {
            None => Some("engines are not loaded"),
            // It could not do anything for anybody.
            Some(usable) if usable() == 0 => Some("there is no engine that can be used: the log says why"),
            Some(_) => None,
        };
        caches.into_iter().chain(engines).collect()
    }
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}")]
pub struct ListenError {
    what: &'static str,
    address: SocketAddr,
    source: std::io::Error,
}

/// The routes of the probes.
pub fn probes(readiness: Arc<Readiness>) -> Router {
    Router::new().route("/healthz", get(async || "ok")).route("/readyz", get(ready)).with_state(readiness)
}

/// The route of the metrics.
pub fn metrics(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(metrics)
}

/// Listens where it was asked to, and serves until it is told to stop. Answers the address in use.
pub async fn serve(
    what: &'static str,
    address: BindAddress,
    routes: Router,
    stop: CancellationToken,
) -> Result<Option<SocketAddr>, ListenError> {
    let BindAddress::At(address) = address else { return Ok(None) };
    let refused = |source| ListenError { what, address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    tokio::spawn(async move {
        let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(what, %error, "stopped serving");
        }
    });
    tracing::info!(what, address = %bound, "serving");
    Ok(Some(bound))
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n")).into_response()
    }
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::AtomicUsize;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn answer(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn ready_is_said_only_with_caches_synced_and_engines_loaded() {
        let readiness = Arc::new(Readiness::default());
        let stop = CancellationToken::new();
        let anywhere = BindAddress::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = serve("probes", anywhere, probes(Arc::clone(&readiness)), stop.clone()).await.unwrap().unwrap();
        assert!(answer(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let refused = answer(address, "/readyz").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("caches") && refused.contains("engines"));
        readiness.caches_synced();
        assert!(answer(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        let usable = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&usable);
        readiness.engines_loaded(move || count.load(Ordering::Relaxed));
        let refused = answer(address, "/readyz").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("no engine"), "{refused}");
        usable.store(1, Ordering::Relaxed);
        assert!(answer(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        stop.cancel();
    }

    #[tokio::test]
    async fn a_server_that_is_turned_off_does_not_listen() {
        let served = serve("probes", BindAddress::Off, probes(Arc::default()), CancellationToken::new()).await;
        assert_eq!(served.unwrap(), None);
    }
}
