//! What else a resource may name in another namespace: the Secret that it writes, its script, certificates. Each is
//! refused without that namespace's consent, and no longer used once it is withdrawn.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::names::{label, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, grant, inside, instance, secret, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::postgres::{Access, Options, PostgresServer, ServerTls};

use super::often;

/// Consent of `vault` that this kind of the stage's namespace names an object of it.
fn consent(stage: &Stage, vault: &str, kind: &str, to: Value) -> Value {
    inside(vault, grant("consent", json!({ "kind": kind, "namespace": stage.name() }), to))
}

#[tokio::test]
async fn a_users_secret_is_written_to_another_namespace_only_with_its_consent_and_goes_with_the_user() -> Result<()> {
    let mut stage = Stage::open("consent-output").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("consent-vault").await?;
    let operator = stage.operator().await?;
    let word = stage.word("far");
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often())]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    let there = json!({ "spec": { "passwordSecret": { "secretName": "login", "secretNamespace": vault } } });
    stage.put(with(user("app", &word), there)).await?;
    let (app, login) = (Subject::user("app"), Subject::secret("login").inside(&vault));
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING)
        .saying("spec.passwordSecret.secretNamespace")
        .saying(&format!("{vault}/login"));
    stage.until(&operator, &app, refused.clone()).await?;
    ensure!(stage.find(&login).await?.is_none(), "the Secret was written without consent");
    ensure!(Catalogue::read(server, &word).await?.is_empty(), "an account was made that nobody can use");

    stage.put(consent(&stage, &vault, "DatabaseUser", json!({ "kind": "Secret", "name": "login" }))).await?;
    let seen = stage.until(&operator, &app, ready()).await?;
    ensure!(seen.text("/status/secret/namespace")? == vault && seen.text("/status/secret/name")? == "login");
    let made = stage.get(&login).await?;
    let uid = made.at("/metadata/annotations/dbops.dbprovision.io~1owner-uid");
    ensure!(uid == seen.at("/metadata/uid") && uid.is_some(), "it does not say whose it is: {uid:?}");
    ensure!(made.at("/metadata/ownerReferences").is_none(), "an owner in another namespace is none");
    ensure!(made.at("/metadata/labels").is_some_and(|labels| labels[label::MANAGED_BY] == label::MANAGED_BY_VALUE));

    let logs_in = async |what: &str, unlike: &str| {
        stage
            .eventually(what, PATIENCE, &operator, async || {
                let password = stage.secret_value(&login, "password").await?;
                ensure!(password != unlike, "it is the former password");
                ensure!(stage.secret_value(&login, "username").await? == word, "the name is another");
                ensure!(server.try_login(&word, &password, "postgres").await?.is_accepted(), "it is refused");
                Ok(password)
            })
            .await
    };
    let first = logs_in("a login with what was written", "").await?;
    stage.change(&login, json!({ "stringData": { "username": "another" } })).await?;
    ensure!(logs_in("the name is repaired", "").await? == first, "a password that was whole was replaced");
    stage.change(&login, json!({ "stringData": { "password": "chosen by hand" } })).await?;
    let chosen = logs_in("the password follows the Secret", &first).await?;
    ensure!(chosen == "chosen by hand");
    stage.delete(&login).await?;
    let third = logs_in("a deleted Secret is made again", &chosen).await?;

    // Consent that is withdrawn ends the writing, and keeps nobody's credentials there for ever.
    stage.delete(&Subject::grant("consent").inside(&vault)).await?;
    stage.until(&operator, &app, refused.clone()).await?;
    stage.change(&login, json!({ "stringData": { "username": "another" } })).await?;
    stage
        .holds_for(Duration::from_secs(3), "the Secret is left alone", async || {
            ensure!(stage.secret_value(&login, "username").await? == "another", "it was written without consent");
            Ok(())
        })
        .await?;
    ensure!(server.try_login(&word, &third, "postgres").await?.is_accepted(), "withdrawn consent broke the account");
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await?;
    ensure!(stage.find(&login).await?.is_none(), "the Secret outlived its user");
    Catalogue::expect_nothing(server, &word).await
}

#[tokio::test]
async fn a_secret_of_another_namespace_that_is_not_the_users_is_left_alone() -> Result<()> {
    let mut stage = Stage::open("consent-foreign").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("consent-vault").await?;
    let operator = stage.operator().await?;
    let word = stage.word("foreign");
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often())]).await?;
    stage.put(consent(&stage, &vault, "DatabaseUser", json!({ "kind": "Secret" }))).await?;
    stage.put(inside(&vault, secret("theirs", json!({ "password": "theirs" })))).await?;
    let named = |name: &str, secret: &str| {
        let there = json!({ "spec": { "passwordSecret": { "secretName": secret, "secretNamespace": vault } } });
        with(user(name, &format!("{word}_{name}")), there)
    };
    stage.put_all([named("one", "shared"), named("late", "theirs")]).await?;
    let (one, other, late) = (Subject::user("one"), Subject::user("other"), Subject::user("late"));
    stage.until(&operator, &one, ready()).await?;
    // Another user's is somebody else's too.
    stage.put(named("other", "shared")).await?;
    let taken = becomes("Ready", "False", reason::SECRET_CONFLICT);
    stage.until(&operator, &other, taken.clone()).await?;
    stage.until(&operator, &late, taken).await?;
    for subject in [&other, &late] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    ensure!(stage.secret_value(&Subject::secret("theirs").inside(&vault), "password").await? == "theirs");
    let shared = Subject::secret("shared").inside(&vault);
    ensure!(stage.secret_value(&shared, "username").await? == format!("{word}_one"));
    stage.delete(&one).await?;
    stage.until_gone(&operator, &one).await?;
    ensure!(stage.names_in(&vault, "Secret").await? == ["theirs"]);
    Catalogue::expect_nothing(server, &word).await
}

/// A script of another namespace, in an object of this kind.
async fn a_script_needs_consent(kind: &str, field: &str, script: Value) -> Result<()> {
    let mut stage = Stage::open("consent-script").await?;
    let server = stage.postgres().await?;
    let vault = stage.neighbour("consent-vault").await?;
    let operator = stage.operator().await?;
    let word = stage.word("script");
    let allowing = json!({ "spec": { "privilegeCeiling": { "initSQLAsAdmin": true } } });
    stage.put_all([credentials("main-admin", server), with(with(instance("main", server), often()), allowing)]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    stage.put(inside(&vault, script)).await?;
    let named = |name: &str, source: &str| {
        let reference = json!({ "name": source, "namespace": vault, "key": "sql" });
        with(database(name, &format!("{word}_{name}")), json!({ "spec": { "initSQL": { field: reference } } }))
    };
    stage.put_all([named("there", "script"), named("nowhere", "ghost")]).await?;
    let (there, nowhere) = (Subject::database("there"), Subject::database("nowhere"));
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying(&format!("spec.initSQL.{field}"));
    let said = stage.until(&operator, &there, refused.clone()).await?.text("/status/message")?.to_owned();
    let absent = stage.until(&operator, &nowhere, refused.clone()).await?.text("/status/message")?.to_owned();
    ensure!(said.replace("/script", "/ghost") == absent, "they tell whether it exists:\n{said}\n{absent}");
    ensure!(Catalogue::read(server, &word).await?.is_empty(), "something was made without consent");

    let agreed = consent(&stage, &vault, "Database", json!({ "kind": kind, "name": "script" }));
    stage.put(agreed.clone()).await?;
    stage.until(&operator, &there, ready()).await?;
    stage.until(&operator, &nowhere, refused.clone()).await?;
    let ran = "SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = 'scripted'";
    ensure!(server.query_cell(&format!("{word}_there"), ran).await?.as_deref() == Some("1"), "it did not run");

    stage.delete(&Subject::grant("consent").inside(&vault)).await?;
    stage.until(&operator, &there, refused).await?;
    stage.put(agreed).await?;
    stage.until(&operator, &there, ready()).await?;
    for subject in [&there, &nowhere] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    Ok(())
}

const SCRIPT: &str = "CREATE TABLE scripted (a int)";

#[tokio::test]
async fn a_script_comes_from_a_config_map_of_another_namespace_only_with_its_consent() -> Result<()> {
    let map = json!({ "kind": "ConfigMap", "metadata": { "name": "script" }, "data": { "sql": SCRIPT } });
    a_script_needs_consent("ConfigMap", "configMapRef", map).await
}

#[tokio::test]
async fn a_script_comes_from_a_secret_of_another_namespace_only_with_its_consent() -> Result<()> {
    a_script_needs_consent("Secret", "secretRef", secret("script", json!({ "sql": SCRIPT }))).await
}

#[tokio::test]
async fn certificates_come_from_another_namespace_only_with_its_consent() -> Result<()> {
    let mut stage = Stage::open("consent-tls").await?;
    let authority = Authority::new("ours", Algorithm::Ecdsa)?;
    let tls = ServerTls {
        identity: authority.sign(&Leaf::loopback())?,
        authority: authority.certificate(),
        clients: Some(authority.certificate()),
    };
    let options = Options { tls: Some(tls), access: Access::Password, ..Options::default() };
    let server = PostgresServer::start(options).await?;
    let vault = stage.neighbour("consent-vault").await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", &server), credentials("lost-admin", &server)]).await?;
    stage.put(inside(&vault, secret("authority", json!({ "ca.crt": authority.certificate() })))).await?;
    let named = |name: &str, source: &str| {
        let reference = json!({ "name": source, "namespace": vault });
        let tls = json!({ "enabled": true, "mode": "verify-full", "secretRef": reference });
        with(with(instance(name, &server), often()), json!({ "spec": { "tls": tls } }))
    };
    stage.put_all([named("main", "authority"), named("lost", "ghost"), user("app", "app")]).await?;
    let (main, lost, app) = (Subject::instance("main"), Subject::instance("lost"), Subject::user("app"));
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying("spec.tls.secretRef");
    let said = |seen: dbprovision_tests::stage::Seen| seen.condition("Accepted").map(|said| said.message);
    let there = said(stage.until(&operator, &main, refused.clone()).await?).unwrap_or_default();
    let absent = said(stage.until(&operator, &lost, refused.clone()).await?).unwrap_or_default();
    ensure!(there.replace("/authority", "/ghost") == absent, "they tell whether it exists:\n{there}\n{absent}");
    let reached = format!("user={} ", server.administrator.name);
    ensure!(!server.log_text().contains(&reached), "a session was opened without the certificates");

    let agreed = consent(&stage, &vault, "DatabaseInstance", json!({ "kind": "Secret", "name": "authority" }));
    stage.put(agreed.clone()).await?;
    stage.until(&operator, &main, ready()).await?;
    stage.until(&operator, &app, ready()).await?;
    stage.delete(&Subject::grant("consent").inside(&vault)).await?;
    stage.until(&operator, &main, refused).await?;
    stage.change(&app, json!({ "spec": { "postgres": { "connectionLimit": 3 } } })).await?;
    stage.until(&operator, &app, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    stage.put(agreed).await?;
    stage.until(&operator, &app, ready()).await?;
    stage.delete(&app).await?;
    stage.until_gone(&operator, &app).await
}
