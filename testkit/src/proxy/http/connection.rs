//! One client connection and its one connection to the API server.
//!
//! HTTP/1 serves one request after the other, so a connection upstream for each one downstream keeps their order
//! and their number as they would be without the proxy.

use std::io;
use std::sync::Arc;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::request::ApiRequest;
use super::{Shared, Upstream};
use crate::proxy::{Moment, Verdict};

type Body = BoxBody<Bytes, hyper::Error>;
type Sender = Mutex<Option<SendRequest<Full<Bytes>>>>;

/// Serves clients until it is aborted, which ends their connections too.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => { connections.spawn(serve(client, Arc::clone(&shared))); }
                Err(error) => {
                    tracing::warn!(%error, "the proxy could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            // Ended connections are collected, or the set would only grow.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let sender: Arc<Sender> = Arc::default();
    let service = service_fn(|request| {
        let (shared, sender) = (Arc::clone(&shared), Arc::clone(&sender));
        async move { forward(request, &shared, &sender).await }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a client's connection ended");
    }
}

/// An error instead of a response closes the client's connection without a word.
async fn forward(request: Request<Incoming>, shared: &Shared, sender: &Sender) -> io::Result<Response<Body>> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let seen = ApiRequest::read(&parts.method, &parts.uri, &body);
    let faults = shared.admit(&seen);

    for (_, fault) in faults.iter().filter(|(moment, _)| *moment == Moment::Before) {
        if let Some(response) = settle(fault.clone().act().await).await? {
            return Ok(response);
        }
    }

    let authority = format!("{}:{}", shared.upstream.host, shared.upstream.port);
    parts.headers.insert(HOST, HeaderValue::from_str(&authority).map_err(io::Error::other)?);
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let response = send(Request::from_parts(parts, Full::new(body)), shared, sender).await?;

    for (_, fault) in faults.into_iter().filter(|(moment, _)| *moment == Moment::After) {
        if let Some(response) = settle(fault.act().await).await? {
            return Ok(response);
        }
    }
    let (mut parts, body) = response.into_parts();
    for name in [CONNECTION, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    Ok(Response::from_parts(parts, body.boxed()))
}

/// What the client gets instead of the API server's answer; nothing if the request goes on.
async fn settle(verdict: Verdict) -> io::Result<Option<Response<Body>>> {
    match verdict {
        Verdict::Pass => Ok(None),
        // A reset is a close here: hyper owns the socket.
        Verdict::Cut | Verdict::Reset => Err(io::Error::other("cut on demand")),
        Verdict::Hold => std::future::pending().await,
        Verdict::Answer(status) => refusal(status).map(Some),
    }
}

/// A refusal in the API server's own form.
fn refusal(status: u16) -> io::Result<Response<Body>> {
    let code = StatusCode::from_u16(status).map_err(io::Error::other)?;
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "failed on demand", "reason": code.canonical_reason().unwrap_or("Unknown").replace(' ', ""),
        "code": status,
    });
    Response::builder()
        .status(code)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed())
        .map_err(io::Error::other)
}

async fn send(request: Request<Full<Bytes>>, shared: &Shared, sender: &Sender) -> io::Result<Response<Incoming>> {
    let mut slot = sender.lock().await;
    // A sender that is not ready has lost its connection, for the requests come one after the other.
    let ready = match slot.as_mut() {
        Some(current) => current.ready().await.is_ok(),
        None => false,
    };
    if !ready {
        *slot = Some(connect(&shared.upstream).await?);
    }
    let current = slot.as_mut().ok_or_else(|| io::Error::other("no connection to the API server"))?;
    current.send_request(request).await.map_err(io::Error::other)
}

async fn connect(upstream: &Upstream) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((upstream.host.as_str(), upstream.port)).await?;
    stream.set_nodelay(true)?;
    if let Some(tls) = &upstream.tls {
        let name = ServerName::try_from(upstream.host.clone()).map_err(io::Error::other)?;
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
        handshake(stream).await
    } else {
        handshake(stream).await
    }
}

async fn handshake<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with its sender.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the API server ended");
        }
    });
    Ok(sender)
}
