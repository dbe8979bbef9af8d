//! The operator works with exactly the rights of `deploy/rbac`, with and without the optional watch of Secrets; and
//! it never lists, watches or reads what nobody named.

#[path = "rbac/installed.rs"]
mod installed;
#[path = "rbac/used.rs"]
mod used;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, instance, secret, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, ready};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::cluster::Cluster;
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::proxy::http::Verb;
use testkit::scratch::Scratch;
use testkit::world::{Operator, OperatorOptions};

use installed::{Installed, installed};

/// A whole life under the rights of an installation: what is made, followed, repaired and deleted.
async fn lives(stage: &Stage, operator: &Operator) -> Result<()> {
    let server = stage.postgres().await?;
    let word = stage.word("rights");
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often)]).await?;
    stage.put(secret("password", json!({ "word": "first-password-1" }))).await?;
    let existing =
        json!({ "spec": { "passwordSecret": null, "existingPasswordSecret": { "name": "password", "key": "word" } } });
    stage.put_all([user("app", &word), with(user("own", &format!("{word}_own")), existing)]).await?;
    let script = json!({
        "kind": "ConfigMap", "metadata": { "name": "script" }, "data": { "sql": "CREATE TABLE t (a int)" },
    });
    let from = json!({ "spec": { "owner": word, "initSQL": { "configMapRef": { "name": "script", "key": "sql" } } } });
    stage.put_all([script, with(database("orders", &word), from)]).await?;
    let subjects = [Subject::user("own"), Subject::database("orders"), Subject::user("app"), Subject::instance("main")];
    for subject in subjects.iter().rev() {
        stage.until(operator, subject, ready()).await?;
    }
    let password = stage.secret_value(&Subject::secret("app"), "password").await?;
    ensure!(server.try_login(&word, &password, &word).await?.is_accepted());

    stage.put(secret("password", json!({ "word": "second-password-2" }))).await?;
    stage
        .eventually("the new password is followed", PATIENCE, operator, async || {
            let login = server.try_login(&format!("{word}_own"), "second-password-2", "postgres").await?;
            ensure!(login.is_accepted(), "{login:?}");
            Ok(())
        })
        .await?;
    stage.delete(&Subject::secret("app")).await?;
    stage
        .eventually("the deleted Secret is made again and right", PATIENCE, operator, async || {
            let password = stage.secret_value(&Subject::secret("app"), "password").await?;
            ensure!(server.try_login(&word, &password, &word).await?.is_accepted(), "it does not log in");
            Ok(())
        })
        .await?;
    for subject in &subjects {
        stage.delete(subject).await?;
    }
    for subject in &subjects {
        stage.until_gone(operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    let log = operator.log_text().to_lowercase();
    for word in ["forbidden", "cannot list", "may not do this in the cluster"] {
        ensure!(
            !log.contains(word),
            "{word:?} is in the log:\n{}",
            log.lines().filter(|line| line.contains(word)).take(5).collect::<Vec<_>>().join("\n")
        );
    }
    Ok(())
}

#[tokio::test]
async fn it_needs_nothing_beyond_its_installation() -> Result<()> {
    let stage = Stage::open("rbac-with").await?;
    let (proxy, operator) = installed(&stage, true).await?;
    lives(&stage, &operator).await?;
    ensure!(proxy.count(Verb::Watch, "secrets") + proxy.count(Verb::List, "secrets") > 0, "the watch is not there");
    ensure!(proxy.count(Verb::Watch, "configmaps") + proxy.count(Verb::List, "configmaps") == 0);
    Installed::new(stage.name(), true)?.remove(stage.namespace().cluster()).await
}

#[tokio::test]
async fn it_works_without_any_right_to_list_or_watch_secrets() -> Result<()> {
    let stage = Stage::open("rbac-without").await?;
    let (proxy, operator) = installed(&stage, false).await?;
    lives(&stage, &operator).await?;
    for verb in [Verb::List, Verb::Watch] {
        ensure!(proxy.count(verb, "secrets") == 0, "{verb:?} of Secrets without the right");
    }
    ensure!(proxy.count(Verb::Get, "secrets") > 0);
    Installed::new(stage.name(), false)?.remove(stage.namespace().cluster()).await
}

#[tokio::test]
async fn without_one_of_its_rights_it_does_not_do_its_work() -> Result<()> {
    // What shows that the rights decide, and not the administrator's token by mistake.
    let stage = Stage::open("rbac-less").await?;
    let server = stage.postgres().await?;
    let kubeconfig =
        Installed::new(stage.name(), false)?.without("secrets", "get").apply(stage.namespace().cluster()).await?;
    let mut options = stage.options();
    options.kubeconfig = kubeconfig;
    options.environment.push(("POD_NAMESPACE".to_owned(), stage.name().to_owned()));
    options.arguments.push("--watch-output-secrets=false".to_owned());
    let operator = Operator::start(options).await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    let wanted = dbprovision_tests::stage::becomes("Ready", "False", crds::names::reason::RECONCILE_FAILED);
    stage.until(&operator, &Subject::instance("main"), wanted.saying("may not")).await?;
    // The right is given, and noticed.
    Installed::new(stage.name(), false)?.apply(stage.namespace().cluster()).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    Installed::new(stage.name(), false)?.remove(stage.namespace().cluster()).await
}

/// The cluster fills a Secret of this type.
const TOKEN: &str = "kubernetes.io/service-account-token";

#[tokio::test]
async fn its_token_cannot_have_the_cluster_write_another_accounts_token() -> Result<()> {
    let stage = Stage::open("rbac-types").await?;
    let cluster = stage.namespace().cluster();
    let account = Cluster::new(Installed::new(stage.name(), false)?.apply(cluster).await?);
    let secrets: Api<Secret> = Api::namespaced(account.client().await?, stage.name());
    let write = async |name: &str, type_: &str| {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                annotations: Some([("kubernetes.io/service-account.name".to_owned(), "default".to_owned())].into()),
                ..ObjectMeta::default()
            },
            type_: Some(type_.to_owned()),
            string_data: Some(["username", "password"].map(|key| (key.to_owned(), "x".to_owned())).into()),
            ..Secret::default()
        };
        secrets.patch(name, &PatchParams::apply("thief"), &Patch::Apply(&secret)).await
    };
    write("before", TOKEN).await.context("without the policy it is the rights that keep it")?;

    let policy = Installed::policy(stage.name())?;
    policy.put(cluster).await?;
    let mut attempt = 0;
    stage
        .namespace()
        .eventually("the policy is in effect", PATIENCE, None, async || {
            attempt += 1;
            let refused = write(&format!("token-{attempt}"), TOKEN).await.err().context("it was written")?;
            ensure!(refused.to_string().contains("the cluster's own types"), "{refused}");
            Ok(())
        })
        .await?;
    ensure!(write("boot", "bootstrap.kubernetes.io/token").await.is_err(), "a token for nodes was written");
    for type_ in ["Opaque", "kubernetes.io/basic-auth", "example.com/login"] {
        write(&type_.replace('/', "-").to_lowercase(), type_).await.context(type_)?;
    }
    // It is the operator's alone.
    stage
        .put(with(secret("people", json!({ "username": "x" })), json!({ "type": "bootstrap.kubernetes.io/token" })))
        .await?;
    policy.remove(cluster).await?;
    Installed::new(stage.name(), false)?.remove(cluster).await
}

#[tokio::test]
async fn the_api_servers_audit_shows_no_reading_of_other_peoples_secrets() -> Result<()> {
    let folder = Scratch::new("audit")?;
    let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
    let rules = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";
    std::fs::write(&policy, rules).context("write the audit policy")?;
    let control_plane = ControlPlane::start(StartOptions {
        api_server_arguments: vec![
            format!("--audit-policy-file={}", policy.display()),
            format!("--audit-log-path={}", log.display()),
        ],
        ..StartOptions::default()
    })
    .await?;
    control_plane.apply_crds(&crds::all_crds()).await?;
    let stage = Stage::on(&control_plane, "rbac-audit").await?;
    stage.put(secret("bystander", json!({ "nobody": "named it" }))).await?;
    let kubeconfig = Installed::new(stage.name(), true)?.apply(stage.namespace().cluster()).await?;
    let mut options: OperatorOptions = stage.options();
    options.kubeconfig = kubeconfig;
    options.leader_elect = true;
    options.environment.push(("POD_NAMESPACE".to_owned(), stage.name().to_owned()));
    let operator = Operator::start(options).await?;
    lives(&stage, &operator).await?;
    operator.terminate(Duration::from_secs(25)).await?;

    let events = read(&log)?;
    let account = format!("system:serviceaccount:{}:", stage.name());
    let of =
        |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ours: Vec<&Value> = events.iter().filter(|event| of(event, "/user/username").starts_with(&account)).collect();
    ensure!(ours.len() > 20, "the audit has only {} requests of the operator", ours.len());
    let mut watched = 0;
    let named = ["main-admin", "password", "app", "own", "db-provision-operator-fingerprint-key"];
    for event in ours {
        let (verb, uri) = (of(event, "/verb"), of(event, "/requestURI"));
        let code = event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or_default();
        ensure!(code != 403, "{verb} {uri} was forbidden");
        if of(event, "/objectRef/resource") != "secrets" {
            continue;
        }
        if verb == "list" || verb == "watch" {
            let selector = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Ddb-provision-operator";
            ensure!(uri.contains(selector), "{verb} of Secrets that are not ours: {uri}");
            watched += 1;
        } else {
            let name = of(event, "/objectRef/name");
            let is_creation = verb == "create";
            ensure!(is_creation || named.contains(&name.as_str()), "{verb} of a Secret that nobody named: {uri}");
        }
        ensure!(!uri.contains("bystander"), "{uri}");
    }
    ensure!(watched > 0, "the watch that this is about was not there");
    Ok(())
}

fn read(log: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(log).context("read the audit log")?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("read {line}"))).collect()
}
