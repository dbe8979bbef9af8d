//! TLS to the database, on every connection, in the exact meaning of each mode; mutual TLS; channel binding.

#[path = "tls/binding.rs"]
mod binding;
#[path = "tls/modes.rs"]
mod modes;
#[path = "tls/mutual.rs"]
mod mutual;

use anyhow::{Result, ensure};
use dbprovision_tests::manifests::{secret, with};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Authority, Identity};
use testkit::postgres::{Access, Options, PostgresEndpoint, PostgresServer, ServerTls};

/// A server with this certificate.
async fn server(identity: Identity, authority: &Authority, access: Access) -> Result<PostgresServer> {
    let tls = ServerTls { identity, authority: authority.certificate(), clients: Some(authority.certificate()) };
    PostgresServer::start(Options { tls: Some(tls), access, ..Options::default() }).await
}

/// An authority of the tests.
fn authority(name: &str) -> Result<Authority> {
    Authority::new(name, Algorithm::Ecdsa)
}

/// A Secret with an authority.
fn authority_secret(name: &str, authority: &Authority) -> Value {
    secret(name, json!({ "ca.crt": authority.certificate() }))
}

/// The instance with a `tls` block.
fn with_tls(instance: Value, tls: &Value) -> Value {
    with(instance, json!({ "spec": { "tls": tls } }))
}

/// Asserts that the administrator never had a session without TLS, and had one with it.
fn every_session_was_encrypted(server: &PostgresEndpoint) -> Result<()> {
    let log = server.log_text();
    let start = format!("connection authorized: user={} ", server.administrator.name);
    let sessions: Vec<&str> = log.lines().filter(|line| line.contains(&start)).collect();
    ensure!(!sessions.is_empty(), "the administrator had no session");
    for session in sessions {
        ensure!(session.contains("SSL enabled"), "not encrypted: {session}");
    }
    Ok(())
}
