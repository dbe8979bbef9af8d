//! No right to change something that nothing uses: whoever steals the operator's token has them all.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use crds::names::{GROUP, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{
    access_grant, cluster_role, credentials, database, forced, grant, instance, role, user, with,
};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::proxy::http::Verb;
use testkit::world::Operator;

use super::installed::{Installed, installed};

/// Rights that no request shows.
const UNSEEN: [(&str, &str); 3] = [
    // Admission asks for it where an owner that blocks is written.
    ("update", "databases/finalizers"),
    ("update", "databaseusers/finalizers"),
    // An event is patched when it repeats for long enough.
    ("patch", "events"),
];

/// One of each kind, on an instance of the whole cluster, and an instance of the namespace.
async fn populate(stage: &Stage, operator: &Operator, word: &str) -> Result<()> {
    let server = stage.postgres().await?;
    let shared = stage.name();
    let to_cluster = json!({ "kind": "ClusterDatabaseInstance" });
    stage.put(grant("to-cluster", to_cluster, json!({ "kind": "Secret", "name": "main-admin" }))).await?;
    for (name, kind, to) in [("lend", "DatabaseUser", "app"), ("open", "Database", "orders")] {
        let to = json!({ "group": GROUP, "kind": kind, "name": to });
        stage.put(grant(name, json!({ "kind": "ClusterDatabaseGrant" }), to)).await?;
    }
    let key = json!({ "spec": { "connection": { "secretRef": { "name": "main-admin", "namespace": shared } } } });
    let offered = with(with(instance(shared, server), json!({ "kind": "ClusterDatabaseInstance" })), key);
    stage.put_all([credentials("main-admin", server), offered, instance("main", server)]).await?;
    let there = |manifest: Value| {
        with(manifest, json!({ "spec": { "instanceRef": null, "clusterInstanceRef": { "name": shared } } }))
    };
    let right = json!({ "database": word, "privileges": ["TEMPORARY"] });
    let gives = json!({ "spec": { "userRef": { "name": "app" }, "databaseRef": { "name": "orders" },
        "postgres": { "grants": [right] } } });
    let gives_too = json!({
        "kind": "ClusterDatabaseGrant", "metadata": { "name": shared },
        "spec": {
            "clusterInstanceRef": { "name": shared }, "deletionProtection": false,
            "userRef": { "name": "app", "namespace": shared }, "postgres": { "grants": [right] },
        },
    });
    stage
        .put_all([
            there(user("app", &format!("{word}_app"))),
            there(role("readers", &format!("{word}_readers"))),
            cluster_role(shared, &format!("{word}_all")),
            there(database("orders", word)),
            there(database("bills", &format!("{word}_bills"))),
            with(access_grant("gives"), gives),
            gives_too,
        ])
        .await?;
    for subject in [
        Subject::instance("main"),
        Subject::user("app"),
        Subject::role("readers"),
        Subject::cluster_role(shared),
        Subject::database("orders"),
        Subject::database("bills"),
        Subject::access_grant("gives"),
        Subject::cluster_access_grant(shared),
    ] {
        stage.until(operator, &subject, ready()).await?;
    }
    Ok(())
}

/// Deletes it with what it takes along.
async fn take(stage: &Stage, operator: &Operator, subject: &Subject) -> Result<()> {
    stage.annotate(subject, forced(None)).await?;
    stage.delete(subject).await?;
    let waiting = becomes("Ready", "False", reason::PENDING_DELETION_CONFIRMATION);
    let seen = stage.until(operator, subject, waiting).await?;
    stage.annotate(subject, forced(Some(seen.text("/status/deletionConfirmation/hash")?))).await?;
    stage.until_gone(operator, subject).await
}

#[tokio::test]
async fn every_right_to_change_something_is_used() -> Result<()> {
    let stage = Stage::open("rbac-used").await?;
    let server = stage.postgres().await?;
    let (proxy, operator) = installed(&stage, true).await?;
    let word = stage.word("used");
    populate(&stage, &operator, &word).await?;

    let (before, after) = (Subject::secret("app"), Subject::secret("moved"));
    stage.change(&before, json!({ "stringData": { "username": "another" } })).await?;
    stage
        .eventually("the Secret is repaired", PATIENCE, &operator, async || {
            ensure!(stage.secret_value(&before, "username").await? == format!("{word}_app"));
            Ok(())
        })
        .await?;
    stage.change(&Subject::user("app"), json!({ "spec": { "passwordSecret": { "secretName": "moved" } } })).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    ensure!(stage.find(&before).await?.is_none() && stage.find(&after).await?.is_some(), "it did not move");

    let all = Subject::cluster_access_grant(stage.name());
    stage.delete(&all).await?;
    stage.until_gone(&operator, &all).await?;
    take(&stage, &operator, &Subject::database("orders")).await?;
    take(&stage, &operator, &Subject::cluster_instance(stage.name())).await?;
    stage.delete(&Subject::instance("main")).await?;
    stage.until_gone(&operator, &Subject::instance("main")).await?;
    Catalogue::expect_nothing(server, &word).await?;

    let used: BTreeSet<(String, String)> =
        proxy.requests().into_keys().map(|(verb, resource)| (format!("{verb:?}").to_lowercase(), resource)).collect();
    let reads = [Verb::Get, Verb::List, Verb::Watch].map(|verb| format!("{verb:?}").to_lowercase());
    let rights = Installed::new(stage.name(), true)?.rights();
    ensure!(rights.len() > 30, "the rights are written in another way: {rights:?}");
    let idle: Vec<_> = rights
        .into_iter()
        .filter(|(verb, resource)| !reads.contains(verb) && !UNSEEN.contains(&(verb, resource)))
        .filter(|right| !used.contains(right))
        .collect();
    ensure!(idle.is_empty(), "nothing uses these rights: {idle:?}");
    Installed::new(stage.name(), true)?.remove(stage.namespace().cluster()).await
}
