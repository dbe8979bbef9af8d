//! Orders of deletion in which others are known to hang: the instance first, its Secret first, everything at once.

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, forced, instance, secret, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use rand::seq::SliceRandom;
use serde_json::json;
use testkit::world::Operator;

use super::served;

/// A database, its owner, a member and a user with a password of its own, all ready.
async fn populated(stage: &Stage, operator: &Operator, word: &str) -> Result<Vec<Subject>> {
    stage.put(secret("password", json!({ "password": "a-password-of-its-own" }))).await?;
    let existing = json!({ "spec": { "passwordSecret": null, "existingPasswordSecret": { "name": "password", "key": "password" } } });
    stage
        .put_all([user("owner", &format!("{word}_owner")), with(user("own", &format!("{word}_own")), existing)])
        .await?;
    let member = json!({ "spec": { "postgres": { "inRoles": [format!("{word}_owner")] } } });
    stage.put(with(user("member", &format!("{word}_member")), member)).await?;
    let content = json!({ "spec": {
        "owner": format!("{word}_owner"),
        "postgres": { "schemas": [{ "name": "sales" }] },
        "initSQL": { "inline": ["CREATE TABLE t (a int)"] },
    } });
    stage.put(with(database("orders", word), content)).await?;
    let subjects =
        vec![Subject::user("owner"), Subject::user("own"), Subject::user("member"), Subject::database("orders")];
    for subject in &subjects {
        stage.until(operator, subject, ready()).await?;
    }
    Ok(subjects)
}

#[tokio::test]
async fn an_instance_that_is_deleted_first_stays_until_its_resources_are_gone() -> Result<()> {
    let stage = Stage::open("order-instance").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("first");
    let subjects = populated(&stage, &operator, &word).await?;
    let main = Subject::instance("main");
    stage.delete(&main).await?;
    stage.until(&operator, &main, becomes("Ready", "False", reason::DEPENDENCIES_EXIST)).await?;
    for subject in &subjects {
        stage.delete(subject).await?;
    }
    for subject in subjects.iter().chain([&main]) {
        stage.until_gone(&operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn resources_go_although_the_secret_of_their_instance_went_first() -> Result<()> {
    let stage = Stage::open("order-secret").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("secret");
    let subjects = populated(&stage, &operator, &word).await?;
    for name in ["main-admin", "password", "owner"] {
        stage.delete(&Subject::secret(name)).await?;
    }
    for subject in subjects.iter().chain([&Subject::instance("main")]) {
        stage.delete(subject).await?;
    }
    // The sessions that are open still know the password; without them the credentials would be needed again.
    for subject in subjects.iter().chain([&Subject::instance("main")]) {
        stage.until_gone(&operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn without_the_secret_a_restarted_operator_waits_for_it_or_for_a_forced_deletion() -> Result<()> {
    let stage = Stage::open("order-restart").await?;
    let server = stage.postgres().await?;
    let mut operator = served(&stage).await?;
    let word = stage.word("wait");
    stage.put_all([user("app", &word), user("left", &format!("{word}_left"))]).await?;
    let (app, left, main) = (Subject::user("app"), Subject::user("left"), Subject::instance("main"));
    for subject in [&app, &left] {
        stage.until(&operator, subject, ready()).await?;
    }
    operator.kill()?;
    stage.delete(&Subject::secret("main-admin")).await?;
    for subject in [&app, &left, &main] {
        stage.delete(subject).await?;
    }
    operator.restart().await?;
    for subject in [&app, &left] {
        stage.until(&operator, subject, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    }
    ensure!(Catalogue::read(server, &word).await?.roles.len() == 2, "dropped without a session?");
    stage.annotate(&left, forced(None)).await?;
    stage.until_gone(&operator, &left).await?;
    // The Secret is back: what waited goes, and what was forced stays behind as said.
    stage.put(credentials("main-admin", server)).await?;
    stage.until_gone(&operator, &app).await?;
    stage.until_gone(&operator, &main).await?;
    let roles = Catalogue::read(server, &word).await?.roles;
    ensure!(roles.len() == 1 && roles.contains_key(&format!("{word}_left")), "{roles:?}");
    Ok(())
}

#[tokio::test]
async fn everything_of_a_namespace_may_go_at_once_in_any_order() -> Result<()> {
    let stage = Stage::open("order-random").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    for round in 0..4 {
        let word = format!("{}_{round}", stage.word("all"));
        stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
        stage.until(&operator, &Subject::instance("main"), ready()).await?;
        let subjects = populated(&stage, &operator, &word).await?;
        let secrets = stage.names("Secret").await?;
        let mut all: Vec<Subject> = subjects.into_iter().chain([Subject::instance("main")]).collect();
        all.extend(secrets.iter().map(|name| Subject::secret(name)));
        all.shuffle(&mut rand::rng());
        let order: Vec<String> = all.iter().map(ToString::to_string).collect();
        // An output Secret that goes before its user is made again, and then waits for Kubernetes' garbage collector,
        // which is absent here.
        let stays = |subject: &Subject| {
            subject.kind() == "Secret" && !["main-admin", "password"].contains(&subject.name.as_str())
        };
        for subject in &all {
            stage.delete(subject).await?;
        }
        for subject in all.iter().filter(|subject| !stays(subject)) {
            let gone = stage.until_gone(&operator, subject).await;
            gone.map_err(|error| error.context(format!("the order was {}", order.join(", "))))?;
        }
        let left = Catalogue::read(server, &word).await?;
        ensure!(left.is_empty(), "left behind after {}: {left:?}", order.join(", "));
        // What is left has its gone user for an owner, who takes it along.
        for name in stage.names("Secret").await? {
            let secret = stage.get(&Subject::secret(&name)).await?;
            ensure!(secret.text("/metadata/ownerReferences/0/kind")? == "DatabaseUser", "{name} belongs to nobody");
            stage.delete(&Subject::secret(&name)).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_resource_whose_instance_is_gone_for_good_goes_too() -> Result<()> {
    let stage = Stage::open("order-orphan").await?;
    let server = stage.postgres().await?;
    let mut operator = served(&stage).await?;
    let word = stage.word("orphan");
    stage.put(user("app", &word)).await?;
    let (app, main) = (Subject::user("app"), Subject::instance("main"));
    stage.until(&operator, &app, ready()).await?;
    operator.kill()?;
    // Somebody took the finalizer off by hand, as people do.
    stage.discard(&main).await?;
    stage.delete(&app).await?;
    operator.restart().await?;
    stage.until_gone(&operator, &app).await?;
    let events = stage.namespace().state().await?;
    ensure!(events.contains("left") && events.contains("DeleteFailed"), "{events}");
    ensure!(Catalogue::read(server, &word).await?.roles.len() == 1);
    Ok(())
}
