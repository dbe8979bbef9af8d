//! Temporary: keeps a world running for tests by hand; removed before this is handed over.
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::postgres::{Options, PostgresServer, Version};
use testkit::world::Addresses;

#[tokio::test]
async fn keep() {
    let Some(path) = std::env::var_os("KEEP_WORLD") else { return };
    let newer = Options { version: Version::Newer, max_connections: 300, ..Options::default() };
    let (control_plane, postgres, newer_postgres) = tokio::try_join!(
        ControlPlane::start(StartOptions::default()),
        PostgresServer::start(Options { max_connections: 300, ..Options::default() }),
        PostgresServer::start(newer),
    )
    .unwrap();
    control_plane.apply_crds(&crds::all_crds()).await.unwrap();
    let addresses = Addresses {
        kubeconfig: control_plane.kubeconfig_path().to_owned(),
        postgres: (*postgres).clone(),
        newer_postgres: (*newer_postgres).clone(),
    };
    addresses.write(std::path::Path::new(&path)).unwrap();
    println!("ready");
    while std::path::Path::new(&path).exists() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}
