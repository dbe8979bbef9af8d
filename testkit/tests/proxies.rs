//! The proxies count what passes and fail what they are told to fail.

#![expect(clippy::unwrap_used, reason = "what the tests share is as much a test as they are")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams, WatchEvent, WatchParams};
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::proxy::http::Verb;
use testkit::proxy::tcp::{Protocol, Weather};
use testkit::proxy::{ApiProxy, Fault, Moment, TcpProxy};

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(serde_json::json!({ "metadata": { "name": name }, "data": { "a": "b" } })).unwrap()
}

#[tokio::test]
async fn the_api_proxy_counts_writes_streams_watches_and_fails_before_or_after_the_kth_write() {
    let control_plane = ControlPlane::start(StartOptions::default()).await.unwrap();
    let proxy = ApiProxy::start(&control_plane).await.unwrap();
    let through = Api::<ConfigMap>::namespaced(proxy.cluster().unwrap().client().await.unwrap(), "default");
    let direct = Api::<ConfigMap>::namespaced(control_plane.client().await.unwrap(), "default");

    let mut watch = through.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    through.create(&PostParams::default(), &config_map("one")).await.unwrap();
    let seen = tokio::time::timeout(Duration::from_secs(10), async {
        while let Some(event) = watch.next().await {
            if matches!(event.unwrap(), WatchEvent::Added(object) if object.metadata.name.as_deref() == Some("one")) {
                return true;
            }
        }
        false
    });
    assert!(seen.await.unwrap());
    assert_eq!(proxy.count(Verb::Create, "configmaps"), 1);
    assert_eq!(proxy.count(Verb::Watch, "configmaps"), 1);
    let writes = proxy.writes();
    assert_eq!(writes.len(), 1);
    assert!(writes[0].body.contains("\"one\""));

    // Before: it never happened. After: it happened, and the caller does not know.
    proxy.reset();
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    let tell = Fault::TellAndCut(Arc::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    }));
    proxy.at_write(1, Moment::Before, tell.clone());
    proxy.at_write(2, Moment::After, tell);
    proxy.at_write(3, Moment::Before, Fault::Fail(503));
    assert!(through.create(&PostParams::default(), &config_map("before")).await.is_err());
    assert!(through.create(&PostParams::default(), &config_map("after")).await.is_err());
    let refusal = through.create(&PostParams::default(), &config_map("failed")).await.unwrap_err();
    assert!(matches!(refusal, kube::Error::Api(ref status) if status.code == 503), "{refusal}");
    assert_eq!(told.load(Ordering::SeqCst), 2);
    assert!(direct.get_opt("before").await.unwrap().is_none());
    assert!(direct.get_opt("after").await.unwrap().is_some());
    assert!(direct.get_opt("failed").await.unwrap().is_none());

    // What is armed acts once.
    through.create(&PostParams::default(), &config_map("before")).await.unwrap();
    proxy.at_request(Verb::Delete, "configmaps", 1, Moment::Before, Fault::Fail(409));
    let refusal = through.delete("before", &DeleteParams::default()).await.unwrap_err();
    assert!(matches!(refusal, kube::Error::Api(ref status) if status.code == 409), "{refusal}");
}

async fn proxied(server: &PostgresServer) -> (TcpProxy, PostgresEndpoint) {
    let proxy = TcpProxy::start(([127, 0, 0, 1], server.port).into(), Protocol::Postgres).await.unwrap();
    let mut endpoint = (**server).clone();
    endpoint.port = proxy.address().port();
    (proxy, endpoint)
}

#[tokio::test]
async fn the_database_proxy_counts_statements_and_cuts_before_or_after_the_kth() {
    let server = PostgresServer::start(Options::default()).await.unwrap();
    let (proxy, endpoint) = proxied(&server).await;
    let user = endpoint.superuser.clone();
    let login = async || endpoint.login(&user.name, &user.password, "postgres").await;

    let session = login().await.unwrap();
    session.rows("CREATE TABLE t (a int)").await.unwrap();
    session.query("SELECT count(*) FROM t WHERE a = $1", &[&1_i32]).await.unwrap();
    assert_eq!(proxy.connections(), 1);
    assert_eq!(proxy.statements(), ["CREATE TABLE t (a int)", "SELECT count(*) FROM t WHERE a = $1"]);
    assert_eq!(proxy.messages().get(&'P'), Some(&1));

    proxy.reset();
    proxy.at_statement(1, Moment::Before, Fault::Cut);
    assert!(session.rows("INSERT INTO t VALUES (1)").await.is_err());
    let session = login().await.unwrap();
    proxy.at_statement(2, Moment::After, Fault::Reset);
    assert!(session.rows("INSERT INTO t VALUES (2)").await.is_err());
    let found = server.query("postgres", "SELECT a FROM t").await.unwrap();
    assert_eq!(found, [[Some("2".to_owned())]]);

    let session = login().await.unwrap();
    assert_eq!(proxy.open_connections(), 1);
    proxy.cut_all();
    assert!(session.rows("SELECT 1").await.is_err());

    proxy.set_weather(Weather::Refuse);
    assert!(login().await.is_err());
    proxy.set_weather(Weather::Fair);
    let session = login().await.unwrap();
    proxy.set_weather(Weather::BlackHole);
    assert!(tokio::time::timeout(Duration::from_millis(300), session.rows("SELECT 1")).await.is_err());
    proxy.set_weather(Weather::Fair);
    session.rows("SELECT 1").await.unwrap();

    proxy.reset();
    proxy.at_connection(1, Fault::Delay(Duration::from_millis(300)));
    let started = std::time::Instant::now();
    login().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
}
