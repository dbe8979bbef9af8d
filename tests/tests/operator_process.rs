//! The operator as a process: when it is ready, what it says of itself, who leads, how it ends, what it costs idle.

#[path = "operator_process/economy.rs"]
mod economy;
#[path = "operator_process/leadership.rs"]
mod leadership;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::names::{label, reason};
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::proxy::http::Verb;
use testkit::proxy::{ApiProxy, Fault, Moment};
use testkit::scratch::Scratch;
use testkit::world::{Operator, eventually};

#[tokio::test]
async fn it_is_alive_at_once_and_ready_only_with_engines_loaded_and_caches_synced() -> Result<()> {
    let stage = Stage::open("process-ready").await?;
    let proxy = ApiProxy::start(stage.namespace().cluster()).await?;
    // Both ways in which a cache may be filled.
    for verb in [Verb::List, Verb::Watch] {
        proxy.at_request(verb, "databases", 1, Moment::Before, Fault::Delay(Duration::from_secs(12)));
    }
    let mut options = stage.options();
    proxy.cluster()?.kubeconfig_path().clone_into(&mut options.kubeconfig);
    // Compiled anew, which takes long enough to be seen.
    options.environment.clear();
    let operator = Operator::launch(options)?;
    let mut said = Vec::new();
    eventually("the operator is ready", Duration::from_secs(90), async || {
        let (alive, _) = operator.health("/healthz").await?;
        ensure!(alive.is_success(), "not alive: {alive}");
        let (status, text) = operator.health("/readyz").await?;
        if said.last() != Some(&text) {
            said.push(text.clone());
        }
        ensure!(status.is_success(), "{status}: {text}");
        Ok(())
    })
    .await?;
    ensure!(said.iter().any(|text| text.contains("engines are not loaded")), "{said:?}");
    ensure!(said.iter().any(|text| text.contains("caches are not synced")), "{said:?}");
    let engines = std::fs::read_dir(testkit::workspace::engines())?.filter_map(Result::ok);
    let engines = engines.filter(|entry| entry.path().extension().is_some_and(|end| end == "wasm")).count();
    ensure!(operator.metrics().await?.contains(&format!("dbops_engines_available {engines}\n")), "of {engines}");
    Ok(())
}

#[tokio::test]
async fn it_is_ready_only_with_an_engine() -> Result<()> {
    let stage = Stage::open("process-empty").await?;
    let folder = Scratch::new("engines")?;
    let mut options = stage.options();
    options.engines = folder.path().to_owned();
    let operator = Operator::launch(options)?;
    eventually("it says what is missing", PATIENCE, async || {
        let (status, text) = operator.health("/readyz").await?;
        ensure!(status == 503 && text == "there is no engine that can be used: the log says why", "{status} {text}");
        Ok(())
    })
    .await?;
    // As who installs it: whole, or not at all.
    let (source, partial) = (testkit::workspace::engines().join("postgres.wasm"), folder.path().join("partial"));
    std::fs::copy(&source, &partial)?;
    std::fs::rename(&partial, folder.path().join("postgres.wasm"))?;
    eventually("it is ready", PATIENCE, async || {
        let (status, text) = operator.health("/readyz").await?;
        ensure!(status == 200, "{status} {text}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn it_does_not_start_without_a_folder_of_engines_and_says_why() -> Result<()> {
    let stage = Stage::open("process-engines").await?;
    let folder = Scratch::new("absent")?;
    let mut options = stage.options();
    options.engines = folder.path().join("not-there");
    let operator = Operator::launch(options)?;
    eventually("the operator ends", Duration::from_secs(30), async || {
        ensure!(!operator.is_running(), "it runs");
        Ok(())
    })
    .await?;
    let log = operator.log_text();
    ensure!(log.contains("not-there") && log.contains("cannot load the engines"), "{log}");
    Ok(())
}

#[tokio::test]
async fn its_log_is_json_and_every_line_of_a_reconcile_has_its_id_and_object() -> Result<()> {
    let stage = Stage::open("process-log").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage
        .put(with(database("orders", &stage.word("log")), json!({ "spec": { "owner": "nobody_at_all_here" } })))
        .await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    let orders = Subject::database("orders");
    let seen = stage.until(&operator, &orders, becomes("Ready", "False", reason::DEPENDENCY_MISSING)).await?;
    let id = seen.text("/status/reconcileID")?.to_owned();
    let mut of_the_reconcile = 0;
    for line in operator.log_text().lines() {
        let line: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        ensure!(
            line.get("timestamp").is_some() && line.get("level").is_some() && line.get("message").is_some(),
            "{line}"
        );
        let span = line.get("span");
        let word = |key: &str| span.and_then(|span| span.get(key)).and_then(Value::as_str).unwrap_or_default();
        if span.is_some() && word("name") == "reconcile" {
            ensure!(word("reconcile_id").len() == 8, "{line}");
            ensure!(word("object").contains(stage.name()), "{line}");
        }
        if word("reconcile_id") == id {
            ensure!(word("object").contains("orders"), "{line}");
            of_the_reconcile += 1;
        }
    }
    ensure!(of_the_reconcile > 0, "no line of the reconcile {id} that the status names");
    // The event names one too, so that a person finds the lines. There is none at once: the role might have come.
    stage
        .eventually("there is an event", PATIENCE, &operator, async || {
            let events = stage.namespace().state().await?;
            ensure!(events.contains("ReconcileFailed: ["), "{events}");
            Ok(())
        })
        .await?;
    for secret in [&server.administrator.password, &server.superuser.password] {
        ensure!(!operator.log_text().contains(secret), "the log holds a password");
    }
    Ok(())
}

#[tokio::test]
async fn its_metrics_have_their_names_and_move_with_what_happens() -> Result<()> {
    let stage = Stage::open("process-metrics").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("counted");
    let detect = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "5s" },
        "healthCheck": { "intervalSeconds": 5 } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), detect)]).await?;
    stage.put_all([user("app", &word), database("orders", &word)]).await?;
    let (app, orders) = (Subject::user("app"), Subject::database("orders"));
    for subject in [&app, &orders] {
        stage.until(&operator, subject, ready()).await?;
    }
    let own = format!("namespace=\"{}\"", stage.name());
    let own = own.as_str();
    let first = operator.metrics().await?;
    for (name, parts) in [
        ("dbops_connection_attempts_total", &[own, "status=\"success\""][..]),
        ("dbops_connection_latency_seconds_count", &[own]),
        ("dbops_instance_healthy", &[own]),
        ("dbops_instance_last_health_check_timestamp_seconds", &[own]),
        ("dbops_instance_info", &[own, "phase=\"Ready\""]),
        ("dbops_database_operations_total", &[own, "operation=\"create\"", "status=\"success\""]),
        ("dbops_database_operation_duration_seconds_count", &["operation=\"create\""]),
        ("dbops_database_info", &[own]),
        ("dbops_database_size_bytes", &[own]),
        ("dbops_user_operations_total", &[own, "operation=\"create\"", "status=\"success\""]),
        ("dbops_user_operation_duration_seconds_count", &["operation=\"create\""]),
        ("dbops_user_info", &[own]),
        ("dbops_resource_count", &["DatabaseUser"]),
        ("dbops_reconcile_total", &["DatabaseUser", "changed"]),
        ("dbops_reconcile_duration_seconds_count", &["Database"]),
        ("dbops_sessions_opened_total", &[]),
        ("dbops_sessions_open", &[]),
        ("dbops_secret_reveals_total", &[]),
        ("dbops_guests_instantiated_total", &[]),
        ("dbops_engines_available", &[]),
    ] {
        ensure!(total(&first, name, parts) > 0.0, "{name} {parts:?} is not there or zero:\n{first}");
    }
    for name in ["dbops_guest_traps_total", "dbops_guest_deadlines_total", "dbops_engines_unavailable"] {
        ensure!(first.contains(name) && total(&first, name, &[]) == 0.0, "{name}:\n{first}");
    }

    // Drift: found, counted and corrected.
    server.query("postgres", &format!("ALTER ROLE {word} CONNECTION LIMIT 3")).await?;
    stage
        .eventually("the drift is counted", PATIENCE, &operator, async || {
            let metrics = operator.metrics().await?;
            ensure!(total(&metrics, "dbops_drift_detections_total", &[own, "name=\"app\""]) >= 1.0, "not detected");
            ensure!(total(&metrics, "dbops_drift_corrections_total", &[own, "name=\"app\""]) >= 1.0, "not corrected");
            Ok(())
        })
        .await?;
    stage.put(user("late", &format!("{word}_late"))).await?;
    stage.until(&operator, &Subject::user("late"), ready()).await?;
    let later = operator.metrics().await?;
    let created = [own, "operation=\"create\""];
    let grown =
        total(&later, "dbops_user_operations_total", &created) - total(&first, "dbops_user_operations_total", &created);
    ensure!((grown - 1.0).abs() < f64::EPSILON, "one user was created, and {grown} were counted");

    // What is gone is not counted for ever.
    for subject in [&Subject::user("late"), &app, &orders, &Subject::instance("main")] {
        stage.delete(subject).await?;
    }
    for subject in [&Subject::user("late"), &app, &orders, &Subject::instance("main")] {
        stage.until_gone(&operator, subject).await?;
    }
    stage
        .eventually("its metrics are forgotten", PATIENCE, &operator, async || {
            let metrics = operator.metrics().await?;
            match metrics.lines().find(|line| line.contains(own)) {
                Some(line) => bail!("{line}"),
                None => Ok(()),
            }
        })
        .await
}

#[tokio::test]
async fn an_object_that_states_no_interval_is_looked_at_in_that_of_the_operator() -> Result<()> {
    let stage = Stage::open("process-interval").await?;
    let server = stage.postgres().await?;
    let mut options = stage.options();
    options.arguments.push("--default-drift-interval=2s".to_owned());
    let operator = Operator::start(options).await?;
    let word = stage.word("looked");
    let seldom = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1h" } } });
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    let (often_name, seldom_name) = (format!("{word}_often"), format!("{word}_seldom"));
    stage.put_all([user("often", &often_name), with(user("seldom", &seldom_name), seldom)]).await?;
    let (often, seldom) = (Subject::user("often"), Subject::user("seldom"));
    for subject in [&often, &seldom] {
        stage.until(&operator, subject, ready()).await?;
    }
    for name in [&seldom_name, &often_name] {
        server.query("postgres", &format!("ALTER ROLE {name} CONNECTION LIMIT 3")).await?;
    }
    stage.until(&operator, &often, becomes("Synced", "False", reason::DRIFT_DETECTED)).await?;
    let other = stage.get(&seldom).await?;
    ensure!(other.at("/status/drift/detected") == Some(&json!(false)), "it was looked at too: {}", other.summary());
    for subject in [&often, &seldom] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_operator_serves_the_resources_of_its_id_and_a_moved_one_at_once() -> Result<()> {
    let stage = Stage::open("process-partition").await?;
    let server = stage.postgres().await?;
    let mine = stage.operator().await?;
    let word = stage.word("mine");
    let labelled = |id: &str| json!({ "metadata": { "labels": { label::OPERATOR_INSTANCE_ID: id } } });
    let theirs = format!("{}-x", stage.name());
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.put_all([with(user("their", &word), labelled(&theirs)), user("mine", &format!("{word}_2"))]).await?;
    stage.until(&mine, &Subject::user("mine"), ready()).await?;
    let their = Subject::user("their");
    ensure!(stage.get(&their).await?.at("/status").is_none(), "it is another operator's");

    // The other operator does not serve the instance, so it has no session for its user.
    let mut options = stage.options();
    options.instance_id = Some(theirs);
    let other = Operator::start(options).await?;
    stage.until(&other, &their, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    drop(other);

    stage.put(user("their", &word)).await?;
    stage.change(&their, labelled(stage.name())).await?;
    stage.until_within(Duration::from_secs(15), &mine, &their, ready()).await?;
    // Moved away again, nothing of it is done here any more.
    stage.change(&their, labelled("somebody-else")).await?;
    stage.change(&their, json!({ "spec": { "postgres": { "connectionLimit": 9 } } })).await?;
    let limit = format!("SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = '{word}'");
    stage
        .holds_for(Duration::from_secs(3), "it is left alone", async || {
            ensure!(server.query_cell("postgres", &limit).await?.as_deref() == Some("-1"));
            Ok(())
        })
        .await?;
    stage.change(&their, labelled(stage.name())).await?;
    stage.until(&mine, &their, ready()).await?;
    for subject in [&their, &Subject::user("mine")] {
        stage.delete(subject).await?;
        stage.until_gone(&mine, subject).await?;
    }
    Ok(())
}
