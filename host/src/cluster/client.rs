//! How the API server is reached: which one, with which deadlines, and what is tried again.
//!
//! Decided here, because the defaults of the library suit a command line better than a controller: every wait
//! ends; a request is repeated at most twice within a second, and one that may have had an effect only where
//! the server says that it did not begin. Reconcilers try again by their own rules. Every request that writes
//! asks the term first.

use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use kube::client::{Body, ClientBuilder};
use kube::config::{InClusterError, KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};
use rand::RngExt as _;
use tower::BoxError;
use tower::buffer::BufferLayer;
use tower::filter::FilterLayer;
use tower::retry::{Policy, RetryLayer};

use crate::leadership::Term;

/// A connection to the API server is there within this time or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// Longer than the API server's own limit for requests that are not watches would be of no use.
const READ: Duration = Duration::from_secs(30);
const WRITE: Duration = Duration::from_secs(10);
/// A watch may be silent for as long as it lasts: the watcher asks for 290 seconds.
const WATCH_READ: Duration = Duration::from_secs(310);
/// Requests that wait for a connection; more than there are reconciles at a time.
const QUEUE: usize = 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig named by `KUBECONFIG` is of no use.
    #[error("cannot read the kubeconfig that KUBECONFIG names")]
    ReadKubeconfig(#[source] KubeconfigError),
    /// Not in a cluster either.
    #[error("KUBECONFIG is not set, and this is not a Pod with a service account")]
    ReadServiceAccount(#[source] InClusterError),
    /// The configuration cannot be used.
    #[error("cannot set up the client for the API server")]
    Build(#[source] kube::Error),
}

/// The clients of one API server.
#[derive(Clone)]
pub struct Clients {
    /// For reads and writes of reconciles: asks the term before it writes.
    pub requests: Client,
    /// For watches, which are silent for minutes.
    pub watches: Client,
    /// For the Lease, which is written in order to lead.
    pub leases: Client,
    /// The namespace of the service account, or of the kubeconfig's context.
    pub namespace: String,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Clients").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The configuration of `KUBECONFIG`, or of the Pod. A kubeconfig in somebody's home is never used by itself.
pub async fn configuration() -> Result<Config, ConnectError> {
    if std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty()) {
        Config::from_kubeconfig(&KubeConfigOptions::default()).await.map_err(ConnectError::ReadKubeconfig)
    } else {
        Config::incluster().map_err(ConnectError::ReadServiceAccount)
    }
}

impl Clients {
    /// Sets up the clients; nothing is sent yet.
    pub fn new(config: &Config, term: &Term) -> Result<Self, ConnectError> {
        Ok(Self {
            requests: client(config, READ, Some(term.clone()))?,
            watches: client(config, WATCH_READ, None)?,
            leases: client(config, CONNECT, None)?,
            namespace: config.default_namespace.clone(),
        })
    }
}

fn client(config: &Config, read: Duration, term: Option<Term>) -> Result<Client, ConnectError> {
    let mut config = config.clone();
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(read);
    config.write_timeout = Some(WRITE);
    // Otherwise the time that a pooled connection was idle counts against the next answer on it.
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let may_send = move |request: Request<Body>| -> Result<Request<Body>, BoxError> {
        if let Some(term) = term.as_ref().filter(|_| !request.method().is_safe()) {
            term.check()?;
        }
        Ok(request)
    };
    Ok(ClientBuilder::try_from(config)
        .map_err(ConnectError::Build)?
        .with_layer(&BufferLayer::new(QUEUE))
        .with_layer(&FilterLayer::new(may_send))
        .with_layer(&RetryLayer::new(Retry::default()))
        .build())
}

/// Repeats what surely did no harm: twice, within a second or what the server asks for up to two.
#[derive(Clone, Debug)]
struct Retry {
    left: u32,
    pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { left: 2, pause: Duration::from_millis(100) }
    }
}

impl Retry {
    /// Whether the request may be sent again after this answer.
    fn is_harmless(is_read: bool, status: Option<StatusCode>) -> bool {
        match status {
            // The server did not begin with it.
            Some(StatusCode::TOO_MANY_REQUESTS) => true,
            // It may have begun.
            Some(StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) | None => is_read,
            Some(_) => false,
        }
    }

    fn wait(&self, asked_for: Option<Duration>, chance: f64) -> Duration {
        let own = self.pause.mul_f64(1.0 + chance.clamp(0.0, 1.0));
        asked_for.map_or(own, |asked_for| asked_for.clamp(own, Duration::from_secs(2)))
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Retry {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Self::Future> {
        let status = result.as_ref().ok().map(Response::status);
        if self.left == 0 || !Self::is_harmless(request.method().is_safe(), status) {
            return None;
        }
        let asked_for = result
            .as_ref()
            .ok()
            .and_then(|response| response.headers().get(header::RETRY_AFTER))
            .and_then(|seconds| seconds.to_str().ok())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let wait = self.wait(asked_for, rand::rng().random());
        self.left -= 1;
        self.pause = self.pause.saturating_mul(3);
        Some(tokio::time::sleep(wait))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let body = request.body().try_clone()?;
        let mut copy = Request::new(body);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retried(method: &str, status: StatusCode) -> usize {
        let mut policy = Retry::default();
        let mut request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        let mut count = 0;
        loop {
            let mut result: Result<_, BoxError> = Ok(Response::builder().status(status).body(()).unwrap());
            if policy.retry(&mut request, &mut result).is_none() {
                return count;
            }
            count += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_may_have_had_an_effect_is_not_sent_twice() {
        assert_eq!(retried("POST", StatusCode::SERVICE_UNAVAILABLE), 0);
        assert_eq!(retried("PATCH", StatusCode::GATEWAY_TIMEOUT), 0);
        assert_eq!(retried("POST", StatusCode::TOO_MANY_REQUESTS), 2);
        assert_eq!(retried("GET", StatusCode::SERVICE_UNAVAILABLE), 2);
        assert_eq!(retried("GET", StatusCode::NOT_FOUND), 0);
        assert_eq!(retried("GET", StatusCode::INTERNAL_SERVER_ERROR), 0);
    }

    #[test]
    fn a_broken_connection_is_tried_again_for_reads_only() {
        assert!(Retry::is_harmless(true, None));
        assert!(!Retry::is_harmless(false, None));
    }

    #[test]
    fn the_server_cannot_ask_for_more_than_two_seconds() {
        let policy = Retry::default();
        assert_eq!(policy.wait(Some(Duration::from_hours(1)), 0.0), Duration::from_secs(2));
        assert_eq!(policy.wait(Some(Duration::ZERO), 0.0), Duration::from_millis(100));
        assert_eq!(policy.wait(None, 1.0), Duration::from_millis(200));
    }

    #[tokio::test]
    async fn nothing_is_written_after_the_term_ended() {
        let term = Term::endless();
        let config = Config::new("http://127.0.0.1:9".parse().unwrap());
        let clients = Clients::new(&config, &term).unwrap();
        term.end();
        let request = Request::post("/").body(Vec::new()).unwrap();
        let refused = clients.requests.request_text(request).await.unwrap_err();
        assert!(format!("{refused:?}").contains("NotLeading"), "{refused:?}");
    }
}
