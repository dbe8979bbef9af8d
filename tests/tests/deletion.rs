//! Deletion: what protects, what blocks, what a person must confirm, and every order in which things may go.

#[path = "deletion/annotations.rs"]
mod annotations;
#[path = "deletion/order.rs"]
mod order;

use anyhow::{Context, Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, forced, inside, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::world::Operator;

/// An instance that is ready, with an operator.
async fn served(stage: &Stage) -> Result<Operator> {
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    Ok(operator)
}

fn protected() -> Value {
    json!({ "spec": { "deletionProtection": true } })
}

#[tokio::test]
async fn deletion_protection_holds_every_kind_until_it_is_off_or_forced() -> Result<()> {
    let stage = Stage::open("deletion-protected").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("kept");
    let by_annotation = json!({ "metadata": { "annotations": { annotation::DELETION_PROTECTION: annotation::TRUE } } });
    stage.put_all([credentials("alone-admin", server), with(instance("alone", server), protected())]).await?;
    stage.put(with(database("orders", &word), protected())).await?;
    stage.put(with(database("bills", &format!("{word}_bills")), protected())).await?;
    stage.put(with(user("app", &word), by_annotation.clone())).await?;
    stage.put(with(user("job", &format!("{word}_job")), by_annotation)).await?;
    let (alone, orders, bills) = (Subject::instance("alone"), Subject::database("orders"), Subject::database("bills"));
    let (app, job) = (Subject::user("app"), Subject::user("job"));
    let all = [&alone, &orders, &bills, &app, &job];
    for subject in all {
        stage.until(&operator, subject, ready()).await?;
    }
    let whole = Catalogue::read(server, &word).await?;
    for subject in all {
        stage.delete(subject).await?;
        let seen = stage.until(&operator, subject, becomes("Ready", "False", reason::DELETION_PROTECTED)).await?;
        ensure!(seen.text("/status/phase")? == "PendingDeletion", "{}", seen.summary());
    }
    ensure!(Catalogue::read(server, &word).await? == whole, "protection was on, and something went");

    // Off, or forced: each is noticed at once.
    for subject in [&alone, &orders] {
        stage.change(subject, json!({ "spec": { "deletionProtection": false } })).await?;
    }
    stage.annotate(&app, json!({ annotation::DELETION_PROTECTION: null })).await?;
    for subject in [&bills, &job] {
        stage.annotate(subject, forced(None)).await?;
    }
    for subject in all {
        stage.until_gone(&operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn an_instance_waits_for_its_dependents_and_names_them() -> Result<()> {
    let mut stage = Stage::open("deletion-dependents").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("deletion-other").await?);
    let operator = served(&stage).await?;
    let word = stage.word("child");
    let allowed = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    stage.put(with(instance("main", server), allowed)).await?;
    let elsewhere = json!({ "spec": { "instanceRef": { "name": "main", "namespace": own } } });
    stage.put_all([user("app", &word), inside(&other, with(database("orders", &word), elsewhere))]).await?;
    let (main, app) = (Subject::instance("main"), Subject::user("app"));
    let orders = Subject::database("orders").inside(&other);
    stage.until(&operator, &app, ready()).await?;
    stage.until(&operator, &orders, ready()).await?;

    stage.delete(&main).await?;
    let wanted = becomes("Ready", "False", reason::DEPENDENCIES_EXIST)
        .saying("DatabaseUser/app")
        .saying(&format!("Database/{other}/orders"));
    let seen = stage.until(&operator, &main, wanted).await?;
    ensure!(seen.text("/status/phase")? == "PendingDeletion", "{}", seen.summary());
    // What is to be deleted still works: its dependents need it to clean up after themselves.
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await?;
    stage.until(&operator, &main, becomes("Ready", "False", reason::DEPENDENCIES_EXIST).saying("orders")).await?;
    stage.delete(&orders).await?;
    stage.until_gone(&operator, &orders).await?;
    stage.until_gone(&operator, &main).await?;
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn a_forced_deletion_takes_dependents_along_only_with_the_hash_of_their_names() -> Result<()> {
    let mut stage = Stage::open("deletion-cascade").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("deletion-other").await?);
    let operator = served(&stage).await?;
    let word = stage.word("along");
    let allowed = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    stage.put(with(instance("main", server), allowed)).await?;
    let elsewhere = json!({ "spec": { "instanceRef": { "name": "main", "namespace": own } } });
    stage.put(user("app", &word)).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    stage.put(with(with(database("orders", &word), protected()), json!({ "spec": { "owner": word } }))).await?;
    stage.put(inside(&other, with(user("guest", &format!("{word}_guest")), elsewhere))).await?;
    let (main, app, orders) = (Subject::instance("main"), Subject::user("app"), Subject::database("orders"));
    let guest = Subject::user("guest").inside(&other);
    for subject in [&app, &orders, &guest] {
        stage.until(&operator, subject, ready()).await?;
    }

    stage.annotate(&main, forced(None)).await?;
    stage.delete(&main).await?;
    let waiting = becomes("Ready", "False", reason::PENDING_DELETION_CONFIRMATION);
    let seen = stage.until(&operator, &main, waiting.clone()).await?;
    let children = ["Database/orders", "DatabaseUser/app", &format!("DatabaseUser/{other}/guest")];
    let mut sorted = children.map(str::to_owned).to_vec();
    sorted.sort();
    ensure!(seen.at("/status/deletionConfirmation/children") == Some(&json!(sorted)), "{}", seen.0);
    ensure!(seen.at("/status/deletionConfirmation/required") == Some(&json!(true)));
    let hash = seen.text("/status/deletionConfirmation/hash")?.to_owned();
    ensure!(hash == planning::deletion::confirmation_hash(&sorted), "the hash is not that of the names");
    ensure!(seen.text("/status/phase")? == "PendingDeletion");

    // A wrong hash, and the right one of another set of dependents, confirm nothing.
    stage.annotate(&main, forced(Some("00000000"))).await?;
    stage.until(&operator, &main, waiting.clone()).await?;
    stage.put(user("late", &format!("{word}_late"))).await?;
    stage.until(&operator, &Subject::user("late"), ready()).await?;
    stage.annotate(&main, forced(Some(&hash))).await?;
    let seen = stage.until(&operator, &main, waiting.saying("DatabaseUser/late")).await?;
    let newer = seen.text("/status/deletionConfirmation/hash")?.to_owned();
    ensure!(newer != hash);
    ensure!(Catalogue::read(server, &word).await?.roles.len() == 3, "something went without a confirmation");

    stage.annotate(&main, forced(Some(&newer))).await?;
    for subject in [&main, &orders, &app, &guest, &Subject::user("late")] {
        stage.until_gone(&operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn an_instance_without_dependents_goes_at_once_even_if_it_never_worked() -> Result<()> {
    let stage = Stage::open("deletion-alone").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let unreachable = json!({ "spec": { "connection": { "port": 1 } } });
    let unknown = json!({ "spec": { "engine": "nosuch" } });
    let both = json!({ "spec": { "connection": { "existingSecret": { "name": "x" } } } });
    let cases = [("good", json!({})), ("unreachable", unreachable), ("unknown", unknown), ("contradictory", both)];
    for (name, change) in cases.clone() {
        stage.put_all([credentials(&format!("{name}-admin"), server), with(instance(name, server), change)]).await?;
    }
    for (name, _) in &cases {
        let subject = Subject::instance(name);
        stage
            .eventually(&format!("{name} was looked at"), dbprovision_tests::stage::PATIENCE, &operator, async || {
                stage.get(&subject).await?.condition("Ready").context("there is no condition yet")
            })
            .await?;
        stage.delete(&subject).await?;
        stage.until_gone(&operator, &subject).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_resource_that_never_created_anything_drops_nothing_and_one_that_lets_go_keeps_its_object() -> Result<()> {
    let stage = Stage::open("deletion-policy").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("own");
    let by_hand = format!("{word}_by_hand");
    server.query("postgres", &format!("CREATE ROLE {by_hand}")).await?;
    server.query("postgres", &format!("CREATE DATABASE {by_hand}")).await?;
    stage.put_all([user("stranger", &by_hand), database("stranger", &by_hand)]).await?;
    stage
        .put(with(database("kept", &format!("{word}_kept")), json!({ "spec": { "deletionPolicy": "Retain" } })))
        .await?;
    let retain = json!({ "metadata": { "annotations": { annotation::DELETION_POLICY: "Retain" } } });
    stage.put(with(user("kept", &format!("{word}_kept")), retain)).await?;
    for subject in [Subject::user("stranger"), Subject::database("stranger")] {
        stage.until(&operator, &subject, becomes("Ready", "False", reason::ADOPTION_REQUIRED)).await?;
    }
    for subject in [Subject::user("kept"), Subject::database("kept")] {
        stage.until(&operator, &subject, ready()).await?;
    }
    for name in ["stranger", "kept"] {
        for subject in [Subject::user(name), Subject::database(name)] {
            stage.delete(&subject).await?;
            stage.until_gone(&operator, &subject).await?;
        }
    }
    let left = Catalogue::read(server, &word).await?;
    ensure!(left.roles.len() == 2 && left.databases.len() == 2, "{left:?}");
    Ok(())
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_taken_keeps_the_database() -> Result<()> {
    let stage = Stage::open("deletion-snapshot").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("snap");
    stage.put(database("orders", &word)).await?;
    let orders = Subject::database("orders");
    stage.until(&operator, &orders, ready()).await?;
    stage.change(&orders, json!({ "spec": { "deletionPolicy": "Snapshot" } })).await?;
    stage.until(&operator, &orders, becomes("Accepted", "False", reason::NOT_YET_SERVED)).await?;
    stage.delete(&orders).await?;
    stage
        .eventually("its deletion waits", dbprovision_tests::stage::PATIENCE, &operator, async || {
            let seen = stage.get(&orders).await?;
            ensure!(seen.text("/status/phase")? == "PendingDeletion", "{}", seen.summary());
            Ok(())
        })
        .await?;
    ensure!(Catalogue::read(server, &word).await?.databases.len() == 1);
    stage.change(&orders, json!({ "spec": { "deletionPolicy": "Delete" } })).await?;
    stage.until_gone(&operator, &orders).await?;
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}
