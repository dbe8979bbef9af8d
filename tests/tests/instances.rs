//! Instances: what a healthy one says, and what each trouble says; every trouble ends by itself with its cause.

#[path = "instances/engines.rs"]
mod engines;
#[path = "instances/health.rs"]
mod health;
#[path = "instances/server.rs"]
mod server;

use anyhow::{Context, Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::manifests::{credentials, database, instance, instance_at, secret, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::proxy::tcp::Protocol;
use testkit::proxy::{TcpProxy, tcp::Weather};

#[tokio::test]
async fn a_ready_instance_tells_its_version_its_server_and_its_adapter() -> Result<()> {
    let stage = Stage::open("instance-ready").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    let main = Subject::instance("main");
    let seen = stage.until(&operator, &main, ready()).await?;

    for (condition, reason) in [
        ("Accepted", reason::ACCEPTED),
        ("Synced", reason::RECONCILE_SUCCESS),
        ("Ready", reason::RECONCILE_SUCCESS),
        ("Connected", reason::CONNECTION_SUCCESS),
        ("Healthy", reason::HEALTH_CHECK_PASSED),
    ] {
        seen.check(&becomes(condition, "True", reason))?;
    }
    ensure!(seen.text("/status/phase")? == "Ready");
    let version = server.query_cell("postgres", "SHOW server_version").await?.context("ask for the version")?;
    let number = version.split(' ').next().unwrap_or_default();
    ensure!(seen.text("/status/version")?.starts_with(number), "{} is not {number}", seen.text("/status/version")?);
    let identifier = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
    let identifier = server.query_cell("postgres", identifier).await?.context("ask for the identity")?;
    ensure!(seen.text("/status/serverIdentity")?.contains(&identifier), "{}", seen.text("/status/serverIdentity")?);
    ensure!(seen.text("/status/engine/name")? == "postgres");
    ensure!(!seen.text("/status/engine/adapterVersion")?.is_empty());
    ensure!(seen.text("/status/engine/digest")?.trim_start_matches("sha256:").len() == 64);
    ensure!(seen.text("/status/reconcileID")?.len() == 8);

    let row = printed(&stage, "databaseinstances", "main").await?;
    let expected = [
        ("Engine", json!("postgres")),
        ("Host", json!(server.host)),
        ("Port", json!(server.port)),
        ("Phase", json!("Ready")),
        ("Version", json!(seen.text("/status/version")?)),
    ];
    for (column, value) in expected {
        ensure!(row.get(column) == Some(&value), "{column} is {:?}, not {value}", row.get(column));
    }
    let events = stage.namespace().state().await?;
    ensure!(events.contains("event main: Connected"), "{events}");
    Ok(())
}

/// The cells that `kubectl get` prints, by their column.
async fn printed(stage: &Stage, plural: &str, name: &str) -> Result<serde_json::Map<String, Value>> {
    let path = format!("/apis/dbops.dbprovision.io/v1alpha1/namespaces/{}/{plural}/{name}", stage.name());
    let request = http::Request::get(path)
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .context("compose a request")?;
    let table: Value = stage.client().request(request).await.context("ask for a table")?;
    let cells = table.pointer("/rows/0/cells").and_then(Value::as_array).context("the table has no row")?;
    let columns = table.pointer("/columnDefinitions").and_then(Value::as_array).context("the table has no columns")?;
    let names = columns.iter().map(|column| column["name"].as_str().unwrap_or_default().to_owned());
    Ok(names.zip(cells.iter().cloned()).collect())
}

#[tokio::test]
async fn an_absent_secret_or_key_is_named_and_waited_for() -> Result<()> {
    let stage = Stage::open("instance-secret").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    stage
        .put_all([
            secret("incomplete-admin", json!({ "username": server.administrator.name })),
            instance("absent", server),
            instance("incomplete", server),
        ])
        .await?;
    let (absent, incomplete) = (Subject::instance("absent"), Subject::instance("incomplete"));
    let wanted = becomes("Connected", "False", reason::SECRET_NOT_FOUND).saying("absent-admin").saying("secretRef");
    let seen = stage.until(&operator, &absent, wanted).await?;
    seen.check(&becomes("Ready", "False", reason::SECRET_NOT_FOUND))?;
    ensure!(seen.text("/status/phase")? == "Pending");
    let wanted = becomes("Connected", "False", reason::SECRET_KEY_NOT_FOUND).saying("\"password\"");
    stage.until(&operator, &incomplete, wanted).await?;

    stage.put_all([credentials("absent-admin", server), credentials("incomplete-admin", server)]).await?;
    stage.until(&operator, &absent, ready()).await?;
    stage.until(&operator, &incomplete, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_from_no_connection_and_a_corrected_secret_is_noticed() -> Result<()> {
    let stage = Stage::open("instance-credentials").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let name = &server.administrator.name;
    let wrong = "not-the-password-of-anybody";
    stage
        .put_all([secret("main-admin", json!({ "username": name, "password": wrong })), instance("main", server)])
        .await?;
    let main = Subject::instance("main");
    let seen = stage.until(&operator, &main, becomes("Connected", "False", reason::AUTHENTICATION_FAILED)).await?;
    ensure!(!seen.0.to_string().contains(wrong), "the status holds the password");
    ensure!(!operator.log_text().contains(wrong), "the log holds the password");

    stage.put(credentials("main-admin", server)).await?;
    stage.until(&operator, &main, ready()).await?;

    // A password that becomes wrong later is noticed too, and cured again.
    stage.put(secret("main-admin", json!({ "username": name, "password": wrong }))).await?;
    stage.change(&main, json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } })).await?;
    stage.until(&operator, &main, becomes("Connected", "False", reason::AUTHENTICATION_FAILED)).await?;
    stage.put(credentials("main-admin", server)).await?;
    stage.until(&operator, &main, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn credentials_may_have_other_keys_and_stand_in_one_secret_only() -> Result<()> {
    let stage = Stage::open("instance-keys").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let account = &server.administrator;
    let reference =
        json!({ "name": "shared", "keys": { "username": "POSTGRES_USER", "password": "POSTGRES_PASSWORD" } });
    let credentials = json!({ "POSTGRES_USER": account.name, "POSTGRES_PASSWORD": account.password, "username": "no" });
    stage.put(secret("shared", credentials)).await?;
    let by = |name: &str, change: Value| with(instance(name, server), json!({ "spec": { "connection": change } }));
    stage
        .put_all([
            by("by-reference", json!({ "secretRef": reference.clone() })),
            by("by-existing", json!({ "secretRef": null, "existingSecret": reference.clone() })),
            by("by-both", json!({ "secretRef": reference.clone(), "existingSecret": reference })),
            by("by-none", json!({ "secretRef": null })),
        ])
        .await?;
    stage.until(&operator, &Subject::instance("by-reference"), ready()).await?;
    stage.until(&operator, &Subject::instance("by-existing"), ready()).await?;
    for name in ["by-both", "by-none"] {
        let wanted = becomes("Accepted", "False", reason::INVALID_SPEC).saying("secretRef").saying("existingSecret");
        let seen = stage.until(&operator, &Subject::instance(name), wanted).await?;
        ensure!(seen.text("/status/phase")? == "Failed");
    }
    let both = Subject::instance("by-both");
    stage
        .put(by(
            "by-both",
            json!({ "secretRef": { "name": "shared", "keys": {
        "username": "POSTGRES_USER", "password": "POSTGRES_PASSWORD" } } }),
        ))
        .await?;
    stage.until(&operator, &both, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_its_path_and_accepted_without_it() -> Result<()> {
    let stage = Stage::open("instance-unserved").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let refused = [
        (
            "discovery",
            json!({ "discovery": { "enabled": true, "interval": "often" } }),
            reason::INVALID_SPEC,
            "spec.discovery.interval",
        ),
        ("mysql", json!({ "mysql": { "charset": "utf8mb4" } }), reason::UNSUPPORTED, "spec.mysql"),
        ("clickhouse", json!({ "clickhouse": { "secure": true } }), reason::UNSUPPORTED, "spec.clickhouse"),
        ("parameters", json!({ "parameters": { "a": 1 } }), reason::UNSUPPORTED, "spec.parameters"),
        (
            "tracking",
            json!({ "resourceTracking": { "mysql": { "metadataDatabase": "marks" } } }),
            reason::INVALID_OPTIONS,
            "spec.resourceTracking.mysql",
        ),
        (
            "statement-timeout",
            json!({ "postgres": { "statementTimeout": "an hour" } }),
            reason::INVALID_OPTIONS,
            "spec.postgres.statementTimeout",
        ),
        (
            "no-limit",
            json!({ "postgres": { "statementTimeout": "0" } }),
            reason::INVALID_OPTIONS,
            "spec.postgres.statementTimeout",
        ),
    ];
    for (name, change, ..) in &refused {
        let manifest = with(instance(name, server), json!({ "spec": change }));
        stage.put_all([credentials(&format!("{name}-admin"), server), manifest]).await?;
    }
    for (name, _, reason, path) in &refused {
        let wanted = becomes("Accepted", "False", reason).saying(path);
        let seen = stage.until(&operator, &Subject::instance(name), wanted).await?;
        let connected = seen.condition("Connected").context("find the condition Connected")?;
        ensure!(connected.status == "Unknown", "nobody asked the server: {}", seen.summary());
        stage.put(instance(name, server)).await?;
    }
    for (name, ..) in &refused {
        stage.until(&operator, &Subject::instance(name), ready()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn loopback_is_refused_before_anything_is_dialled_unless_a_flag_names_it() -> Result<()> {
    let stage = Stage::open("instance-endpoint").await?;
    let server = stage.postgres().await?;
    let proxy = TcpProxy::start(format!("{}:{}", server.host, server.port).parse()?, Protocol::Postgres).await?;
    proxy.set_weather(Weather::Fair);
    let mut options = stage.options();
    options.allowed_endpoints.clear();
    let operator = testkit::world::Operator::start(options).await?;
    stage.put(credentials("shared", server)).await?;
    let port = proxy.address().port();
    for (name, host) in
        [("by-address", "127.0.0.1"), ("by-name", "localhost"), ("by-six", "::1"), ("by-none", "0.0.0.0")]
    {
        let secret = json!({ "spec": { "connection": { "secretRef": { "name": "shared" } } } });
        stage.put(with(instance_at(name, host, port), secret)).await?;
        let wanted = becomes("Connected", "False", reason::ENDPOINT_DENIED);
        stage.until(&operator, &Subject::instance(name), wanted).await?;
    }
    ensure!(proxy.connections() == 0, "something was dialled");
    drop(operator);

    let operator = stage.operator().await?;
    stage.until(&operator, &Subject::instance("by-address"), ready()).await?;
    ensure!(proxy.connections() > 0);
    Ok(())
}

#[tokio::test]
async fn an_instance_is_left_alone_by_annotation_and_looked_at_once_it_is_gone() -> Result<()> {
    let stage = Stage::open("instance-paused").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    for (name, switch) in [("skipped", annotation::SKIP_RECONCILE), ("paused", annotation::PAUSE_RECONCILE)] {
        let paused = json!({ "metadata": { "annotations": { switch: annotation::TRUE } } });
        stage.put_all([credentials(&format!("{name}-admin"), server), with(instance(name, server), paused)]).await?;
    }
    // A third one, in the same queue behind them, shows that they were passed over.
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    for (name, switch) in [("skipped", annotation::SKIP_RECONCILE), ("paused", annotation::PAUSE_RECONCILE)] {
        let subject = Subject::instance(name);
        let seen = stage.get(&subject).await?;
        ensure!(seen.at("/status").is_none(), "{name}: {}", seen.summary());
        ensure!(seen.at("/metadata/finalizers").is_none(), "{name} has a finalizer");
        stage.annotate(&subject, json!({ switch: null })).await?;
        stage.until(&operator, &subject, ready()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_resource_waits_for_its_instance_and_goes_on_when_it_is_there() -> Result<()> {
    let stage = Stage::open("instance-late").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let name = stage.word("late");
    stage.put(database("orders", &name)).await?;
    let orders = Subject::database("orders");
    stage.until(&operator, &orders, becomes("Ready", "False", reason::INSTANCE_NOT_FOUND)).await?;
    stage.put(instance("main", server)).await?;
    stage.until(&operator, &orders, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    stage.put(credentials("main-admin", server)).await?;
    stage.until(&operator, &orders, ready()).await?;
    stage.delete(&orders).await?;
    stage.until_gone(&operator, &orders).await
}

#[tokio::test]
async fn what_an_instance_says_of_itself_reaches_its_resources_at_once() -> Result<()> {
    let stage = Stage::open("instance-moves").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("moves");
    stage.put_all([credentials("main-admin", server), instance("main", server), user("app", &word)]).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    let secret = Subject::secret("app");
    ensure!(stage.secret_value(&secret, "host").await? == server.host);
    // Another name of the same server.
    stage.change(&Subject::instance("main"), json!({ "spec": { "connection": { "host": "localhost" } } })).await?;
    stage
        .eventually("the Secret has the new host", PATIENCE, &operator, async || {
            ensure!(stage.secret_value(&secret, "host").await? == "localhost");
            Ok(())
        })
        .await?;
    let policy = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "1s" } } });
    stage.change(&Subject::instance("main"), policy).await?;
    server.query("postgres", &format!("ALTER ROLE {word} CONNECTION LIMIT 9")).await?;
    let limit = format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{word}'");
    stage
        .eventually("drift is corrected by the instance's new policy", PATIENCE, &operator, async || {
            ensure!(server.query_cell("postgres", &limit).await?.as_deref() == Some("-1"));
            Ok(())
        })
        .await?;
    let unreadable = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "often" } } });
    stage.change(&Subject::instance("main"), unreadable).await?;
    let refused = becomes("Accepted", "False", reason::INVALID_SPEC).saying("spec.driftPolicy.interval");
    stage.until(&operator, &Subject::instance("main"), refused).await?;
    Ok(())
}
