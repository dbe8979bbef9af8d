//! The database that a grant is about: of the grant's namespace, of another that consents, or of nobody.

use anyhow::{Result, ensure};
use crds::names::{GROUP, reason};
use dbprovision_tests::manifests::{database, grant, inside, instance, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::json;

use super::{populated, tables, to_user};

#[tokio::test]
async fn a_database_that_does_not_exist_is_told_and_keeps_nothing_from_being_given() -> Result<()> {
    let stage = Stage::open("grant-about").await?;
    let word = stage.word("about");
    let operator = populated(&stage, &word).await?;
    let enters = json!([{ "database": word, "privileges": ["CONNECT"] }]);
    let about = json!({ "spec": { "databaseRef": { "name": "later", "namespace": "" } } });
    stage.put(with(to_user("about", enters), about)).await?;
    let subject = Subject::access_grant("about");
    let seen = stage.until(&operator, &subject, ready()).await?;
    let missing = format!("spec.databaseRef: Database {}/later does not exist", stage.name());
    ensure!(seen.text("/status/message")?.contains(&missing), "{}", seen.0);

    let later = Subject::database("later");
    stage.put(with(database("later", &format!("{word}_later")), tables())).await?;
    stage.until(&operator, &later, ready()).await?;
    let told = "the message tells of what is there";
    stage
        .eventually(told, PATIENCE, &operator, async || {
            let seen = stage.get(&subject).await?;
            ensure!(!seen.text("/status/message")?.contains("later"), "{}", seen.0);
            seen.check(&ready())
        })
        .await?;
    // The empty word was the grant's own namespace: it keeps the database.
    stage.delete(&later).await?;
    let kept = becomes("Ready", "False", reason::DEPENDENCIES_EXIST).saying("DatabaseGrant/about");
    stage.until(&operator, &later, kept).await?;
    Ok(())
}

#[tokio::test]
async fn another_namespaces_database_is_kept_only_where_it_consents() -> Result<()> {
    let mut stage = Stage::open("grant-foreign").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("grant-asks").await?);
    let word = stage.word("foreign");
    let operator = populated(&stage, &word).await?;
    let served_too = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    stage.put(with(instance("main", server), served_too)).await?;
    let elsewhere = json!({ "spec": { "instanceRef": { "name": "main", "namespace": own } } });
    for object in [user("app", &format!("{word}_asks")), database("theirs", &format!("{word}_theirs"))] {
        stage.put(inside(&other, with(object, elsewhere.clone()))).await?;
    }
    stage.until(&operator, &Subject::user("app").inside(&other), ready()).await?;
    stage.until(&operator, &Subject::database("theirs").inside(&other), ready()).await?;
    let enters = json!([{ "database": format!("{word}_theirs"), "privileges": ["CONNECT"] }]);
    let about = json!({ "spec": { "databaseRef": { "name": "orders", "namespace": own } } });
    stage.put(inside(&other, with(to_user("about", enters), about))).await?;
    let (subject, orders) = (Subject::access_grant("about").inside(&other), Subject::database("orders"));
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying("spec.databaseRef");
    stage.until(&operator, &subject, refused).await?;

    let from = json!({ "kind": "DatabaseGrant", "namespace": other });
    stage.put(grant("keep", from, json!({ "group": GROUP, "kind": "Database", "name": "orders" }))).await?;
    stage.until(&operator, &subject, ready()).await?;
    stage.delete(&orders).await?;
    let kept = becomes("Ready", "False", reason::DEPENDENCIES_EXIST).saying(&format!("DatabaseGrant/{other}/about"));
    stage.until(&operator, &orders, kept).await?;
    // Who consented can take it back.
    stage.delete(&Subject::grant("keep")).await?;
    stage.until_gone(&operator, &orders).await
}
