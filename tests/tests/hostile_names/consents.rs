//! Hostile texts in a namespace's consent: each is what it is and no pattern, so nobody is let in by one.

use anyhow::{Context as _, Result, bail, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, grant, inside, instance, secret, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};

const TEXTS: [&str; 7] =
    ["x'; DROP TABLE y; --", "a\u{0}b", "*", "%_", "{{.Name}} ${HOME}", "../default", "Ünïcödé 数据库 😀"];

/// Who refers, and to what, where both are right.
fn right(own: &str) -> (Value, Value) {
    (json!({ "kind": "DatabaseUser", "namespace": own }), json!({ "kind": "Secret", "name": "login" }))
}

/// Every string field with the text in it, and whether the API takes that.
fn fields(own: &str, text: &str) -> Vec<(&'static str, Value, Value, bool)> {
    let (from, to) = right(own);
    let other_from = |key: &str| with(from.clone(), json!({ key: text }));
    let other_to = |key: &str| with(to.clone(), json!({ key: text }));
    vec![
        ("from-group", other_from("group"), to.clone(), true),
        ("from-kind", other_from("kind"), to.clone(), true),
        ("from-namespace", other_from("namespace"), to.clone(), true),
        ("to-group", from.clone(), other_to("group"), false),
        ("to-kind", from.clone(), other_to("kind"), false),
        ("to-name", from.clone(), other_to("name"), true),
    ]
}

/// The right words, not quite.
fn nearly(own: &str) -> Vec<(&'static str, Value, Value)> {
    let (from, to) = right(own);
    let other_from = |key: &str, text: &str| with(from.clone(), json!({ key: text }));
    vec![
        ("shouted-group", other_from("group", "DBOPS.DBPROVISION.IO"), to.clone()),
        ("no-group", other_from("group", ""), to.clone()),
        ("shouted-kind", other_from("kind", "DATABASEUSER"), to.clone()),
        ("spaced-namespace", other_from("namespace", &format!(" {own}")), to.clone()),
        ("ended-namespace", other_from("namespace", &format!("{own}\u{0}")), to.clone()),
        ("half-a-name", from.clone(), with(to.clone(), json!({ "name": "log*" }))),
        ("ended-name", from, with(to, json!({ "name": "login\u{0}" }))),
    ]
}

#[tokio::test]
async fn hostile_texts_in_a_consent_let_nobody_in() -> Result<()> {
    let mut stage = Stage::open("hostile-consent").await?;
    let vault = stage.neighbour("hostile-vault").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let (own, word) = (stage.name().to_owned(), stage.word("consented"));
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.put(inside(&vault, secret("login", json!({ "password": "an open word, and a long one" })))).await?;
    for (number, text) in TEXTS.into_iter().enumerate() {
        for (field, from, to, is_taken) in fields(&own, text) {
            let put = stage.try_put(inside(&vault, grant(&format!("{field}-{number}"), from, to))).await?;
            match put {
                Ok(()) => ensure!(is_taken, "the API took {field} with {text:?}"),
                Err(kube::Error::Api(refusal)) if !is_taken => {
                    ensure!(refusal.code == 422 && refusal.message.contains("spec.to[0]"), "{refusal:?}");
                }
                Err(error) => bail!("the API takes {field} with {text:?}: {error}"),
            }
        }
    }
    for (name, from, to) in nearly(&own) {
        stage.try_put(inside(&vault, grant(name, from, to))).await?.with_context(|| format!("the API takes {name}"))?;
    }
    let source = json!({ "name": "login", "key": "password", "namespace": vault });
    stage.put(with(user("app", &word), json!({ "spec": { "existingPasswordSecret": source } }))).await?;
    let app = Subject::user("app");
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying("existingPasswordSecret");
    stage.until(&operator, &app, refused.clone()).await?;
    // Looked at once more, now that every consent was seen.
    stage.change(&app, json!({ "spec": { "postgres": { "connectionLimit": 3 } } })).await?;
    stage.until(&operator, &app, refused).await?;
    let there = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{word}'");
    ensure!(server.query_cell("postgres", &there).await?.as_deref() == Some("0"), "it was refused, and is there");

    let (from, to) = right(&own);
    stage.put(inside(&vault, grant("right", from, to))).await?;
    stage.until(&operator, &app, ready()).await?;
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await
}
