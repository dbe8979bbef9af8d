//! Consent: whom an instance serves, whose Secrets are read, whose names may be named, and what may be asked for.

#[path = "consent/ceiling.rs"]
mod ceiling;
#[path = "consent/credentials.rs"]
mod credentials_taken_back;
#[path = "consent/elsewhere.rs"]
mod elsewhere;
#[path = "consent/names.rs"]
mod names;
#[path = "consent/secrets.rs"]
mod secrets;

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, inside, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};

/// A quick health check, at whose pace other people's objects are read again.
fn often() -> Value {
    json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } })
}

/// The manifest, on the instance of another namespace.
fn served_by(namespace: &str, manifest: Value) -> Value {
    with(manifest, json!({ "spec": { "instanceRef": { "name": "main", "namespace": namespace } } }))
}

/// A label of a namespace; `null` takes it off.
fn labelled(value: Option<&str>) -> Value {
    json!({ "metadata": { "labels": { "team": value } } })
}

#[tokio::test]
async fn an_instance_serves_other_namespaces_by_name_or_label_only() -> Result<()> {
    let mut stage = Stage::open("consent-serves").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("consent-other").await?);
    let operator = stage.operator().await?;
    let word = stage.word("serves");
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often())]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    stage.put(inside(&other, served_by(&own, user("app", &word)))).await?;
    let ghost = json!({ "spec": { "instanceRef": { "name": "ghost", "namespace": own } } });
    stage.put(inside(&other, with(user("lost", &format!("{word}_lost")), ghost))).await?;
    let (app, lost) = (Subject::user("app").inside(&other), Subject::user("lost").inside(&other));

    let refused = becomes("Accepted", "False", reason::NAMESPACE_NOT_ALLOWED);
    let seen = stage.until(&operator, &app, refused.clone()).await?;
    let absent = stage.until(&operator, &lost, refused.clone()).await?;
    let said = |seen: &dbprovision_tests::stage::Seen| seen.condition("Accepted").map(|said| said.message);
    let (there, not_there) = (said(&seen).context("read the refusal")?, said(&absent).context("read the refusal")?);
    ensure!(
        there.replace("/main", "/ghost") == not_there,
        "they tell whether the instance exists:\n{there}\n{not_there}"
    );
    ensure!(Catalogue::read(server, &word).await?.is_empty(), "something was made without consent");

    let allowed = |allowed: Value| {
        with(with(instance("main", server), often()), json!({ "spec": { "allowedNamespaces": allowed } }))
    };
    stage.put(allowed(json!({ "names": [other] }))).await?;
    stage.until(&operator, &app, ready()).await?;
    stage.until(&operator, &lost, becomes("Accepted", "False", reason::NAMESPACE_NOT_ALLOWED)).await?;

    // Withdrawn, then given again by a label.
    stage.put(allowed(json!({ "selector": { "matchLabels": { "team": "blue" } } }))).await?;
    stage.until(&operator, &app, refused.clone()).await?;
    ensure!(Catalogue::read(server, &word).await?.roles.contains_key(&word), "withdrawn consent dropped something");
    stage.change(&app, json!({ "spec": { "postgres": { "connectionLimit": 3 } } })).await?;
    stage.until(&operator, &app, refused.clone()).await?;
    let limit = format!("SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = '{word}'");
    ensure!(server.query_cell("postgres", &limit).await?.as_deref() == Some("-1"), "applied without consent");

    stage.change(&Subject::namespace(&other), labelled(Some("blue"))).await?;
    stage.until(&operator, &app, ready()).await?;
    ensure!(server.query_cell("postgres", &limit).await?.as_deref() == Some("3"));
    stage.change(&Subject::namespace(&other), labelled(Some("red"))).await?;
    stage.until(&operator, &app, refused).await?;

    // What was made may go in any case: deletion needs no consent.
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await?;
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn a_name_is_not_kept_from_others_by_who_may_not_have_it() -> Result<()> {
    let mut stage = Stage::open("consent-squat").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("consent-squatter").await?);
    let operator = stage.operator().await?;
    let word = stage.word("squat");
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often())]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    // First come, and not served.
    stage.put(inside(&other, served_by(&own, database("orders", &word)))).await?;
    let squatter = Subject::database("orders").inside(&other);
    stage.until(&operator, &squatter, becomes("Accepted", "False", reason::NAMESPACE_NOT_ALLOWED)).await?;
    stage.put(database("orders", &word)).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;

    // Nor is the instance kept from going.
    stage.change(&Subject::database("orders"), json!({ "spec": { "deletionProtection": false } })).await?;
    stage.delete(&Subject::database("orders")).await?;
    stage.until_gone(&operator, &Subject::database("orders")).await?;
    stage.delete(&Subject::instance("main")).await?;
    stage.until_gone(&operator, &Subject::instance("main")).await?;
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}

#[tokio::test]
async fn a_cluster_instance_serves_all_namespaces_until_it_names_some() -> Result<()> {
    let mut stage = Stage::open("consent-cluster").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("consent-other").await?);
    let operator = stage.operator().await?;
    let word = stage.word("wide");
    let name = own.clone();
    let manifest = |change: Value| {
        let cluster = json!({
            "kind": "ClusterDatabaseInstance",
            "spec": { "connection": { "secretRef": { "name": "admin", "namespace": own } }, "deletionProtection": false },
        });
        with(with(with(instance(&name, server), cluster), often()), change)
    };
    let subject = Subject::cluster_instance(&name);
    stage.put(credentials("admin", server)).await?;
    stage.put(secrets::consent_to_cluster("admin")).await?;
    stage.put(manifest(json!({}))).await?;
    stage.until(&operator, &subject, ready()).await?;
    let by_cluster = json!({ "spec": { "instanceRef": null, "clusterInstanceRef": { "name": name } } });
    stage.put(with(user("app", &word), by_cluster.clone())).await?;
    stage.put(inside(&other, with(database("orders", &word), by_cluster))).await?;
    let (app, orders) = (Subject::user("app"), Subject::database("orders").inside(&other));
    stage.until(&operator, &app, ready()).await?;
    stage.until(&operator, &orders, ready()).await?;

    stage.put(manifest(json!({ "spec": { "allowedNamespaces": { "names": [own] } } }))).await?;
    stage.until(&operator, &orders, becomes("Accepted", "False", reason::NAMESPACE_NOT_ALLOWED)).await?;
    stage.until(&operator, &app, ready()).await?;

    // Its dependents are in two namespaces, and both keep it.
    stage.delete(&subject).await?;
    let wanted = becomes("Ready", "False", reason::DEPENDENCIES_EXIST)
        .saying(&format!("Database/{other}/orders"))
        .saying(&format!("DatabaseUser/{own}/app"));
    stage.until(&operator, &subject, wanted).await?;
    for dependent in [&orders, &app] {
        stage.delete(dependent).await?;
        stage.until_gone(&operator, dependent).await?;
    }
    stage.until_gone(&operator, &subject).await?;
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}
