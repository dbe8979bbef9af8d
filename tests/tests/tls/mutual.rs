//! Mutual TLS: the client's certificate and its key, of the right and of wrong makers.

use anyhow::Result;
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, instance, secret, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Leaf};
use testkit::postgres::Access;

use super::{authority, authority_secret, every_session_was_encrypted, server, with_tls};

#[tokio::test]
async fn a_server_that_demands_a_client_certificate_gets_the_stated_one() -> Result<()> {
    let stage = Stage::open("tls-mutual").await?;
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::ClientCertificate).await?;
    let operator = stage.operator().await?;
    let name = &server.administrator.name;
    let leaf = Leaf::client(name);
    let identities = [
        ("right", ours.sign(&leaf)?),
        ("rsa", ours.sign(&leaf.clone().algorithm(Algorithm::Rsa))?),
        ("somebody", ours.sign(&Leaf::client("somebody_else"))?),
        ("foreign", authority("others")?.sign(&leaf)?),
        ("expired", ours.sign(&leaf.clone().expired())?),
    ];
    let tls = |name: &str| {
        let keys = json!({ "ca": "ca.crt", "cert": "tls.crt", "key": "tls.key" });
        json!({ "enabled": true, "mode": "verify-full", "secretRef": { "name": name, "keys": keys } })
    };
    for (case, identity) in &identities {
        let material =
            json!({ "ca.crt": ours.certificate(), "tls.crt": identity.certificate, "tls.key": identity.key });
        stage
            .put_all([credentials(&format!("{case}-admin"), &server), secret(&format!("{case}-tls"), material)])
            .await?;
        stage.put(with_tls(instance(case, &server), &tls(&format!("{case}-tls")))).await?;
    }
    stage.put_all([credentials("none-admin", &server), authority_secret("none-tls", &ours)]).await?;
    let plain = json!({ "enabled": true, "mode": "verify-full", "secretRef": { "name": "none-tls" } });
    stage.put(with_tls(instance("none", &server), &plain)).await?;
    let half = json!({ "enabled": true, "mode": "verify-full",
        "secretRef": { "name": "right-tls", "keys": { "cert": "tls.crt" } } });
    stage.put_all([credentials("half-admin", &server), with_tls(instance("half", &server), &half)]).await?;

    for case in ["right", "rsa"] {
        stage.until(&operator, &Subject::instance(case), ready()).await?;
    }
    for case in ["somebody", "foreign", "expired", "none"] {
        let seen = stage
            .eventually(&format!("{case} is judged"), dbprovision_tests::stage::PATIENCE, &operator, async || {
                let seen = stage.get(&Subject::instance(case)).await?;
                anyhow::ensure!(seen.condition("Connected").is_some(), "there is no condition yet");
                Ok(seen)
            })
            .await?;
        let connected = seen.condition("Connected").is_some_and(|connected| connected.status == "True");
        anyhow::ensure!(!connected, "{case}: {}", seen.summary());
    }
    let wanted = becomes("Accepted", "False", reason::INVALID_SPEC).saying("spec.tls.secretRef.keys");
    stage.until(&operator, &Subject::instance("half"), wanted).await?;

    // With the right certificate in its Secret, the foreign one heals by itself.
    let [(_, right), ..] = &identities;
    let material = json!({ "ca.crt": ours.certificate(), "tls.crt": right.certificate, "tls.key": right.key });
    stage.put(secret("foreign-tls", material)).await?;
    stage.until(&operator, &Subject::instance("foreign"), ready()).await?;
    every_session_was_encrypted(&server)?;
    let log = operator.log_text();
    for (case, identity) in &identities {
        let line = identity.key.lines().nth(1).unwrap_or_default();
        anyhow::ensure!(!line.is_empty() && !log.contains(line), "the log holds the key of {case}");
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_that_yields_neither_an_authority_nor_a_clients_certificate_is_missing_a_key() -> Result<()> {
    let stage = Stage::open("tls-missing").await?;
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::ClientCertificate).await?;
    let operator = stage.operator().await?;
    let identity = ours.sign(&Leaf::client(&server.administrator.name))?;
    let material = json!({ "tls.crt": identity.certificate, "tls.key": identity.key });
    stage.put_all([credentials("shared", &server), secret("material", material.clone())]).await?;
    let shared = json!({ "spec": { "connection": { "secretRef": { "name": "shared" } } } });
    let cases = [
        ("nothing-named", json!(null), "\"ca.crt\""),
        ("authority-named", json!({ "ca": "root.pem" }), "\"root.pem\""),
        ("all-named", json!({ "ca": "root.pem", "cert": "tls.crt", "key": "tls.key" }), "\"root.pem\""),
        ("certificate-absent", json!({ "cert": "other.crt", "key": "tls.key" }), "\"other.crt\""),
    ];
    let manifest = |name: &str, keys: &Value| {
        let tls =
            json!({ "mode": "require", "secretRef": with(json!({ "name": "material" }), json!({ "keys": keys })) });
        with_tls(with(instance(name, &server), shared.clone()), &tls)
    };
    for (name, keys, _) in &cases {
        stage.put(manifest(name, keys)).await?;
    }
    // What serves mutual TLS alone needs no authority where only encryption is asked for.
    stage.put(manifest("mutual", &json!({ "cert": "tls.crt", "key": "tls.key" }))).await?;
    stage.until(&operator, &Subject::instance("mutual"), ready()).await?;
    for (name, _, key) in &cases {
        let wanted = becomes("Ready", "False", reason::SECRET_KEY_NOT_FOUND).saying(key).saying("spec.tls.secretRef");
        stage.until(&operator, &Subject::instance(name), wanted).await?;
    }
    anyhow::ensure!(server.log_text().matches("SSL enabled").count() > 0, "the server shows no encrypted session");

    stage.put(secret("material", with(material, json!({ "root.pem": ours.certificate() })))).await?;
    stage.until(&operator, &Subject::instance("all-named"), ready()).await?;
    every_session_was_encrypted(&server)
}
