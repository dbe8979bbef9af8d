//! Hostile texts in the fields of an instance: each has its condition, and none reaches the server as a statement.

use anyhow::{Context as _, Result, bail, ensure};
use crds::names::{condition, reason};
use dbprovision_tests::manifests::{credentials, instance, secret, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::postgres::{Options, PostgresServer};

const TEXTS: [&str; 6] = [
    "x'; DROP TABLE y; --",
    "\"; DROP TABLE y; --",
    "\\'; DROP TABLE y; --",
    "a\u{0}b",
    "%_* {{.Name",
    "Ünïcödé 数据库 😀",
];

/// Every string field, with the text in it. The Secrets `main-admin` and `main-tls` are there, with the usual keys.
fn fields(text: &str) -> Vec<(&'static str, Value)> {
    let secret_ref =
        |more: Value| json!({ "connection": { "secretRef": with(json!({ "name": "main-admin" }), more) } });
    let existing = |more: Value| {
        let reference = with(json!({ "name": "main-admin" }), more);
        json!({ "connection": { "secretRef": null, "existingSecret": reference } })
    };
    let tls = |more: Value| {
        let reference = with(json!({ "name": "main-tls" }), more);
        json!({ "tls": { "enabled": true, "mode": "verify-ca", "secretRef": reference } })
    };
    vec![
        ("host", json!({ "connection": { "host": text } })),
        ("database", json!({ "connection": { "database": text } })),
        ("secret", secret_ref(json!({ "name": text }))),
        ("namespace", secret_ref(json!({ "namespace": text }))),
        ("username-key", secret_ref(json!({ "keys": { "username": text } }))),
        ("password-key", secret_ref(json!({ "keys": { "password": text } }))),
        ("existing", existing(json!({ "name": text }))),
        ("existing-namespace", existing(json!({ "namespace": text }))),
        ("existing-username-key", existing(json!({ "keys": { "username": text } }))),
        ("existing-password-key", existing(json!({ "keys": { "password": text } }))),
        ("tls", tls(json!({ "name": text }))),
        ("tls-namespace", tls(json!({ "namespace": text }))),
        ("tls-ca-key", tls(json!({ "keys": { "ca": text } }))),
        ("tls-certificate-key", tls(json!({ "keys": { "cert": text, "key": "tls.key" } }))),
        ("tls-key-key", tls(json!({ "keys": { "cert": "tls.crt", "key": text } }))),
        ("engine", json!({ "engine": text })),
        ("application", json!({ "postgres": { "applicationName": text } })),
        ("timeout", json!({ "postgres": { "statementTimeout": text } })),
        ("drift", json!({ "driftPolicy": { "interval": text } })),
        ("discovery", json!({ "discovery": { "enabled": true, "interval": text } })),
        ("lists", lists(text)),
        ("format", json!({ "resourceTracking": { "commentFormat": text } })),
    ]
}

/// What the schema limits: the path of the field, and a spec with the text in it.
fn limited(text: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("spec.driftPolicy.mode", json!({ "driftPolicy": { "mode": text } })),
        ("spec.mysql.tls", json!({ "mysql": { "tls": text } })),
        ("spec.postgres.channelBinding", json!({ "postgres": { "channelBinding": text } })),
        ("spec.postgres.sslMode", json!({ "postgres": { "sslMode": text } })),
        ("spec.tls.mode", json!({ "tls": { "enabled": true, "mode": text } })),
    ]
}

/// Every list of names and labels, in one instance, because each that is served costs its server sessions.
fn lists(text: &str) -> Value {
    let expressions = json!([
        { "key": text, "operator": "Exists" },
        { "key": "team", "operator": text },
        { "key": "team", "operator": "In", "values": [text] },
    ]);
    let selector = json!({ "matchLabels": { text: "x", "team": text }, "matchExpressions": expressions });
    json!({
        "allowedNamespaces": { "names": [text], "selector": selector },
        "privilegeCeiling": { "predefinedRoles": [text], "unmanagedNames": [text] },
    })
}

#[tokio::test]
async fn hostile_texts_in_the_fields_of_an_instance_break_nothing() -> Result<()> {
    let stage = Stage::open("hostile-instance").await?;
    let server = PostgresServer::start(Options::default()).await?;
    server.query("postgres", "CREATE TABLE public.y AS SELECT 1 AS alive").await?;
    let operator = stage.operator().await?;
    stage.put(credentials("main-admin", &server)).await?;
    let authority = Authority::new("ours", Algorithm::default())?;
    let client = authority.sign(&Leaf::client("somebody"))?;
    let material = json!({ "ca.crt": authority.certificate(), "tls.crt": client.certificate, "tls.key": client.key });
    stage.put(secret("main-tls", material)).await?;
    let mut made = Vec::new();
    for (number, text) in TEXTS.into_iter().enumerate() {
        for (field, spec) in fields(text) {
            let name = format!("{field}-{number}");
            let manifest = with(instance("main", &server), json!({ "metadata": { "name": name }, "spec": spec }));
            // The API takes all of them: a field that it does not know would be refused.
            stage.try_put(manifest).await?.with_context(|| format!("the API takes {field} with {text:?}"))?;
            made.push((field, text, Subject::instance(&name)));
        }
        for (path, spec) in limited(text) {
            let manifest = with(instance("main", &server), json!({ "metadata": { "name": "limited" }, "spec": spec }));
            let Err(kube::Error::Api(refusal)) = stage.try_put(manifest).await? else {
                bail!("the API took {path} with {text:?}");
            };
            ensure!(refusal.code == 422 && refusal.message.contains(path), "{path} with {text:?}: {refusal:?}");
        }
    }
    for (field, text, subject) in &made {
        let ready = stage
            .eventually(&format!("{subject} is judged"), PATIENCE, &operator, async || {
                let seen = stage.get(subject).await?;
                let said = seen.condition(condition::READY).context("no verdict yet")?;
                if said.reason == reason::RECONCILING {
                    bail!("still {said:?}");
                }
                Ok(said.status == "True")
            })
            .await
            .with_context(|| format!("{field} is {text:?}"))?;
        // Lists of names that nothing has, and a label for people: texts like any other.
        let holds_any = *field == "lists" || *field == "application" && !text.contains('\0');
        let is_no_template = *field == "format" && !text.contains("{{");
        ensure!(ready == (holds_any || is_no_template), "{field} is {text:?} and Ready is {ready}");
    }
    let alive = server.query_cell("postgres", "SELECT alive FROM public.y").await?;
    ensure!(alive.as_deref() == Some("1"), "the canary is dead");
    let log = server.log_text();
    let broken: Vec<&str> = log.lines().filter(|line| line.contains("syntax error")).collect();
    ensure!(broken.is_empty(), "statements broke: {broken:?}");
    Ok(())
}
