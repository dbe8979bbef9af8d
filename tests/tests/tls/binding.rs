//! Channel binding: the one defence against a man in the middle whose certificate the client trusts.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use dbprovision_tests::manifests::{credentials, instance, with};
use dbprovision_tests::relay::{Relay, Upstream};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::postgres::{Access, PostgresEndpoint};
use testkit::world::Operator;

use super::{authority, authority_secret, every_session_was_encrypted, server, with_tls};

fn verified(instance: Value, binding: &str) -> Value {
    let tls = json!({ "enabled": true, "mode": "verify-full", "secretRef": { "name": "ours" } });
    with(with_tls(instance, &tls), json!({ "spec": { "postgres": { "channelBinding": binding } } }))
}

/// Waits until the instance was judged, and says whether it was connected.
async fn connected(stage: &Stage, operator: &Operator, name: &str) -> Result<bool> {
    stage
        .eventually(&format!("{name} is judged"), PATIENCE, operator, async || {
            let seen = stage.get(&Subject::instance(name)).await?;
            let connected = seen.condition("Connected");
            connected.map(|connected| connected.status == "True").ok_or_else(|| anyhow::anyhow!("no condition yet"))
        })
        .await
}

#[tokio::test]
async fn a_login_can_be_bound_to_the_channel_with_either_kind_of_key() -> Result<()> {
    let stage = Stage::open("tls-binding").await?;
    let operator = stage.operator().await?;
    let ours = Authority::new("ours", Algorithm::Rsa)?;
    stage.put(authority_secret("ours", &ours)).await?;
    for (name, algorithm) in [("ecdsa", Algorithm::Ecdsa), ("rsa", Algorithm::Rsa)] {
        let identity = ours.sign(&Leaf::loopback().algorithm(algorithm))?;
        let server = server(identity, &ours, Access::PasswordOverTls).await?;
        stage
            .put_all([credentials(&format!("{name}-admin"), &server), verified(instance(name, &server), "require")])
            .await?;
        stage.until(&operator, &Subject::instance(name), ready()).await?;
        every_session_was_encrypted(&server)?;
    }
    Ok(())
}

#[tokio::test]
async fn binding_is_refused_where_it_cannot_be() -> Result<()> {
    let stage = Stage::open("tls-unbound").await?;
    let operator = stage.operator().await?;
    let server = stage.postgres().await?;
    let require = json!({ "spec": { "postgres": { "channelBinding": "require" } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), require)]).await?;
    ensure!(!connected(&stage, &operator, "main").await?, "a login without TLS cannot be bound to it");
    Ok(())
}

#[tokio::test]
async fn a_relay_with_a_trusted_certificate_is_refused_by_the_binding_and_by_nothing_else() -> Result<()> {
    let stage = Stage::open("tls-relay").await?;
    let operator = stage.operator().await?;
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::Password).await?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    // Its certificate is as good as the server's: the same authority, the same names, another key.
    let identity = ours.sign(&Leaf::loopback())?;
    let relay = Relay::start(address, &identity, Upstream::Tls(ours.certificate())).await?;
    let stripping = Relay::start(address, &identity, Upstream::Plain).await?;
    stage.put_all([authority_secret("ours", &ours), credentials("shared", &server)]).await?;
    let behind = |name: &str, relay: &Relay, binding: &str| {
        let mut through: PostgresEndpoint = (*server).clone();
        through.port = relay.address().port();
        let shared = json!({ "spec": { "connection": { "secretRef": { "name": "shared" } } } });
        verified(with(instance(name, &through), shared), binding)
    };
    stage
        .put_all([
            behind("require", &relay, "require"),
            behind("prefer", &relay, "prefer"),
            behind("disable", &relay, "disable"),
            behind("require-stripped", &stripping, "require"),
            verified(
                with(
                    instance("direct", &server),
                    json!({ "spec": { "connection": { "secretRef": { "name": "shared" } } } }),
                ),
                "require",
            ),
        ])
        .await?;
    ensure!(connected(&stage, &operator, "direct").await?);
    // Without binding the relay goes unnoticed: that is what shows that it is a good one.
    ensure!(connected(&stage, &operator, "disable").await?, "the relay does not relay");
    for name in ["require", "prefer", "require-stripped"] {
        ensure!(!connected(&stage, &operator, name).await?, "{name}: the relay was not noticed");
    }
    ensure!(relay.relayed() >= 3 && stripping.relayed() >= 1, "the certificate was refused, which proves nothing");
    Ok(())
}
