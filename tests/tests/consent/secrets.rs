//! Secrets of other namespaces: not even asked for without consent, and no longer once it is withdrawn.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, grant, inside, instance, secret, user, with};
use dbprovision_tests::stage::{Seen, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::proxy::ApiProxy;
use testkit::proxy::http::Verb;
use testkit::world::Operator;

use super::often;

/// Consent of the stage's own namespace that cluster-scoped instances read a Secret in it.
pub(crate) fn consent_to_cluster(secret: &str) -> Value {
    grant("to-cluster", json!({ "kind": "ClusterDatabaseInstance" }), json!({ "kind": "Secret", "name": secret }))
}

/// An operator whose every request passes a proxy.
async fn watched(stage: &Stage) -> Result<(ApiProxy, Operator)> {
    let proxy = ApiProxy::start(stage.namespace().cluster()).await?;
    let mut options = stage.options();
    proxy.cluster()?.kubeconfig_path().clone_into(&mut options.kubeconfig);
    Ok((proxy, Operator::start(options).await?))
}

fn said(seen: &Seen) -> Result<String> {
    Ok(seen.condition("Accepted").context("read what was said")?.message)
}

#[tokio::test]
async fn a_secret_of_another_namespace_is_read_only_while_that_namespace_consents() -> Result<()> {
    let mut stage = Stage::open("consent-secret").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("consent-vault").await?;
    let (proxy, operator) = watched(&stage).await?;
    stage.put(inside(&vault, credentials("admin", server))).await?;
    let named = |name: &str, secret: &str| {
        let reference = json!({ "spec": { "connection": { "secretRef": { "name": secret, "namespace": vault } } } });
        with(with(instance(name, server), often()), reference)
    };
    stage.put_all([named("there", "admin"), named("nowhere", "ghost")]).await?;
    let (there, nowhere) = (Subject::instance("there"), Subject::instance("nowhere"));
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying(&vault);
    let one = said(&stage.until(&operator, &there, refused.clone()).await?)?;
    let other = said(&stage.until(&operator, &nowhere, refused.clone()).await?)?;
    ensure!(one.replace("/admin", "/ghost") == other, "they tell whether the Secret exists:\n{one}\n{other}");
    ensure!(proxy.count(Verb::Get, "secrets") == 0, "a Secret was read without consent");

    let own = stage.name().to_owned();
    // Consents to somebody or something else change nothing.
    let from = json!({ "kind": "DatabaseInstance", "namespace": own });
    for (name, from, to) in [
        ("to-user", json!({ "kind": "DatabaseUser", "namespace": own }), json!({ "kind": "Secret" })),
        ("from-elsewhere", json!({ "kind": "DatabaseInstance", "namespace": "default" }), json!({ "kind": "Secret" })),
        ("to-cluster", json!({ "kind": "ClusterDatabaseInstance" }), json!({ "kind": "Secret" })),
        ("to-another", from.clone(), json!({ "kind": "Secret", "name": "another" })),
        ("to-config-map", from.clone(), json!({ "kind": "ConfigMap", "name": "admin" })),
    ] {
        stage.put(inside(&vault, grant(name, from, to))).await?;
    }
    stage.annotate(&there, json!({ "touched": "yes" })).await?;
    stage
        .holds_for(Duration::from_secs(2), "nothing is read", async || {
            ensure!(proxy.count(Verb::Get, "secrets") == 0, "a Secret was read by somebody else's consent");
            Ok(())
        })
        .await?;

    let consent = inside(&vault, grant("consent", from, json!({ "kind": "Secret", "name": "admin" })));
    stage.put(consent).await?;
    stage.until(&operator, &there, ready()).await?;
    stage.until(&operator, &nowhere, refused.clone()).await?;
    ensure!(proxy.count(Verb::Get, "secrets") > 0, "the proxy sees no reading, so it proved nothing");

    stage.delete(&Subject::grant("consent").inside(&vault)).await?;
    stage.until(&operator, &there, refused).await?;
    let read = proxy.count(Verb::Get, "secrets");
    stage
        .holds_for(Duration::from_secs(11), "nothing is read any more", async || {
            ensure!(proxy.count(Verb::Get, "secrets") == read, "a Secret was read after the consent was withdrawn");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_cluster_instance_needs_the_consent_of_its_secrets_namespace_and_must_name_it() -> Result<()> {
    let stage = Stage::open("consent-cluster-secret").await?;
    let server = stage.postgres().await?;
    let (proxy, operator) = watched(&stage).await?;
    let name = stage.name().to_owned();
    let manifest = |reference: Value| {
        let spec = json!({ "connection": { "secretRef": reference }, "deletionProtection": false });
        with(instance(&name, server), json!({ "kind": "ClusterDatabaseInstance", "spec": spec }))
    };
    let subject = Subject::cluster_instance(&name);
    stage.put(credentials("admin", server)).await?;
    stage.put(manifest(json!({ "name": "admin" }))).await?;
    let wanted = becomes("Accepted", "False", reason::INVALID_SPEC).saying("secretRef.namespace");
    stage.until(&operator, &subject, wanted).await?;
    stage.put(manifest(json!({ "name": "admin", "namespace": name }))).await?;
    stage.until(&operator, &subject, becomes("Accepted", "False", reason::CONSENT_MISSING)).await?;
    ensure!(proxy.count(Verb::Get, "secrets") == 0, "a Secret was read without consent");
    stage.put(consent_to_cluster("admin")).await?;
    stage.until(&operator, &subject, ready()).await?;
    stage.delete(&subject).await?;
    stage.until_gone(&operator, &subject).await
}

#[tokio::test]
async fn a_users_password_comes_from_another_namespace_only_with_its_consent() -> Result<()> {
    let mut stage = Stage::open("consent-password").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("consent-vault").await?;
    let operator = stage.operator().await?;
    let word = stage.word("guest");
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often())]).await?;
    stage.put(inside(&vault, secret("login", json!({ "word": "open-sesame-1" })))).await?;
    let existing = json!({ "spec": {
        "passwordSecret": null, "existingPasswordSecret": { "name": "login", "namespace": vault, "key": "word" },
    } });
    stage.put(with(user("app", &word), existing)).await?;
    let app = Subject::user("app");
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying("existingPasswordSecret");
    stage.until(&operator, &app, refused.clone()).await?;
    let from = json!({ "kind": "DatabaseUser", "namespace": stage.name() });
    stage.put(inside(&vault, grant("consent", from, json!({ "kind": "Secret" })))).await?;
    stage.until(&operator, &app, ready()).await?;
    ensure!(server.try_login(&word, "open-sesame-1", "postgres").await?.is_accepted());

    // After the consent is gone, a new password there is none of the user's business.
    stage.delete(&Subject::grant("consent").inside(&vault)).await?;
    stage.until(&operator, &app, refused).await?;
    stage.put(inside(&vault, secret("login", json!({ "word": "open-sesame-2" })))).await?;
    stage.annotate(&app, json!({ "touched": "yes" })).await?;
    stage
        .holds_for(Duration::from_secs(3), "the old password holds", async || {
            ensure!(server.try_login(&word, "open-sesame-1", "postgres").await?.is_accepted());
            Ok(())
        })
        .await?;
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await
}
