//! Hostile texts in the fields of an instance: each has its condition, and none reaches the server as a statement.

use anyhow::{Context as _, Result, bail, ensure};
use crds::names::{condition, reason};
use dbprovision_tests::manifests::{credentials, instance, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject};
use serde_json::{Value, json};
use testkit::postgres::{Options, PostgresServer};

const TEXTS: [&str; 6] = [
    "x'; DROP TABLE y; --",
    "\"; DROP TABLE y; --",
    "\\'; DROP TABLE y; --",
    "a\u{0}b",
    "%_* {{.Name",
    "Ünïcödé 数据库 😀",
];

/// Every string field, with the text in it.
fn fields(text: &str) -> Vec<(&'static str, Value)> {
    let keys = |keys: Value| json!({ "connection": { "secretRef": { "name": "main-admin", "keys": keys } } });
    let tls = |tls: Value| json!({ "tls": tls });
    vec![
        ("host", json!({ "connection": { "host": text } })),
        ("database", json!({ "connection": { "database": text } })),
        ("secret", json!({ "connection": { "secretRef": { "name": text } } })),
        ("namespace", json!({ "connection": { "secretRef": { "name": "main-admin", "namespace": text } } })),
        ("username-key", keys(json!({ "username": text }))),
        ("password-key", keys(json!({ "password": text }))),
        ("certificate", tls(json!({ "enabled": true, "mode": "verify-ca", "secretRef": { "name": text } }))),
        ("engine", json!({ "engine": text })),
        ("application", json!({ "postgres": { "applicationName": text } })),
        ("timeout", json!({ "postgres": { "statementTimeout": text } })),
        ("drift", json!({ "driftPolicy": { "interval": text } })),
        ("discovery", json!({ "discovery": { "enabled": true, "interval": text } })),
        ("allowed", json!({ "allowedNamespaces": { "names": [text] } })),
        ("unmanaged", json!({ "privilegeCeiling": { "unmanagedNames": [text] } })),
        ("format", json!({ "resourceTracking": { "commentFormat": text } })),
    ]
}

#[tokio::test]
async fn hostile_texts_in_the_fields_of_an_instance_break_nothing() -> Result<()> {
    let stage = Stage::open("hostile-instance").await?;
    let server = PostgresServer::start(Options::default()).await?;
    server.query("postgres", "CREATE TABLE public.y AS SELECT 1 AS alive").await?;
    let operator = stage.operator().await?;
    stage.put(credentials("main-admin", &server)).await?;
    let mut made = Vec::new();
    for (number, text) in TEXTS.iter().enumerate() {
        for (field, spec) in fields(text) {
            let name = format!("{field}-{number}");
            let manifest = with(instance("main", &server), json!({ "metadata": { "name": name }, "spec": spec }));
            // The API server may refuse it first, which is as good.
            if stage.put(manifest).await.is_ok() {
                made.push((field, *text, Subject::instance(&name)));
            }
        }
    }
    ensure!(made.len() > 40, "the API server refused all but {}", made.len());
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
        // Names that nothing has, a list that names nobody, a label for people: texts like any other.
        let holds_any = ["allowed", "unmanaged"].contains(field) || *field == "application" && !text.contains('\0');
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
