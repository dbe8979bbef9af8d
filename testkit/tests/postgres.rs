//! The PostgreSQL server is a real one, and is exactly as strict as its options say.

use std::time::Duration;

use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::postgres::{Access, Options, PostgresServer, ServerTls, Version};

#[tokio::test]
async fn the_administrator_logs_in_with_scram_and_is_no_superuser() {
    let server = PostgresServer::start(Options::default()).await.unwrap();
    let administrator = server.administrator.clone();
    let session = server.login(&administrator.name, &administrator.password, "postgres").await.unwrap();
    let rows = session
        .rows("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user")
        .await
        .unwrap();
    let cells: Vec<_> = rows[0].iter().map(|cell| cell.as_deref().unwrap()).collect();
    assert_eq!(cells, ["f", "t", "t"]);

    let refused = server.try_login(&administrator.name, "wrong", "postgres").await.unwrap();
    assert!(!refused.is_accepted(), "{refused:?}");
    let log = server.log_text();
    assert!(log.contains("password authentication failed"));
    assert!(!log.contains(&administrator.password), "the log holds the administrator's password");

    let process = std::path::PathBuf::from(format!("/proc/{}", server.identity().unwrap().pid));
    assert!(process.exists());
    drop(session);
    drop(server);
    assert!(!process.exists());
}

#[tokio::test]
async fn a_paused_server_answers_nobody_until_it_is_resumed_and_a_crashed_one_keeps_its_data() {
    // Without it, what was confirmed last may not have left the process.
    let settings = vec!["synchronous_commit = on".to_owned()];
    let server = PostgresServer::start(Options { settings, ..Options::default() }).await.unwrap();
    server.query("postgres", "CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)").await.unwrap();
    server.pause().unwrap();
    let asked = tokio::time::timeout(Duration::from_millis(500), server.query("postgres", "SELECT 1")).await;
    assert!(asked.is_err());
    server.resume().unwrap();
    assert_eq!(server.query_cell("postgres", "SELECT 1").await.unwrap().as_deref(), Some("1"));

    server.crash().await.unwrap();
    assert!(server.query("postgres", "SELECT 1").await.is_err());
    server.restart().await.unwrap();
    assert_eq!(server.query_cell("postgres", "SELECT count(*) FROM kept").await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn a_server_with_tls_lets_nobody_in_without_it() {
    let authority = Authority::new("ours", Algorithm::Rsa).unwrap();
    for algorithm in [Algorithm::Ecdsa, Algorithm::Rsa] {
        let tls = ServerTls {
            identity: authority.sign(&Leaf::loopback().algorithm(algorithm)).unwrap(),
            authority: authority.certificate(),
            clients: Some(authority.certificate()),
        };
        let access = Access::PasswordOverTls;
        let server = PostgresServer::start(Options { tls: Some(tls), access, ..Options::default() }).await.unwrap();
        let superuser = server.superuser.clone();
        let session = server.login(&superuser.name, &superuser.password, "postgres").await.unwrap();
        let rows = session.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await.unwrap();
        assert_eq!(rows[0][0].as_deref(), Some("t"));

        let mut plain = (*server).clone();
        plain.authority = None;
        let refused = plain.try_login(&superuser.name, &superuser.password, "postgres").await.unwrap();
        assert!(!refused.is_accepted());

        let mut distrustful = (*server).clone();
        distrustful.authority = Some(Authority::new("another", algorithm).unwrap().certificate());
        assert!(distrustful.try_login(&superuser.name, &superuser.password, "postgres").await.is_err());
    }
}

#[tokio::test]
async fn a_server_that_wants_client_certificates_refuses_those_who_have_none() {
    let authority = Authority::new("ours", Algorithm::Ecdsa).unwrap();
    let tls = ServerTls {
        identity: authority.sign(&Leaf::loopback()).unwrap(),
        authority: authority.certificate(),
        clients: Some(authority.certificate()),
    };
    let options = Options { tls: Some(tls), access: Access::ClientCertificate, ..Options::default() };
    let server = PostgresServer::start(options).await.unwrap();
    let superuser = server.superuser.clone();
    let refused = server.try_login(&superuser.name, &superuser.password, "postgres").await.unwrap();
    assert!(!refused.is_accepted());

    let mut certified = (*server).clone();
    for (name, accepted) in [("postgres", true), ("somebody", false)] {
        certified.certificate = Some(authority.sign(&Leaf::client(name)).unwrap());
        let login = certified.try_login(&superuser.name, &superuser.password, "postgres").await.unwrap();
        assert_eq!(login.is_accepted(), accepted, "{name}: {login:?}");
    }
}

#[tokio::test]
async fn the_newer_server_is_newer() {
    let server = PostgresServer::start(Options { version: Version::Newer, ..Options::default() }).await.unwrap();
    let version = server.query_cell("postgres", "SHOW server_version_num").await.unwrap().unwrap();
    assert!(version.starts_with("17"), "{version}");
    let administrator = server.administrator.clone();
    assert!(server.try_login(&administrator.name, &administrator.password, "postgres").await.unwrap().is_accepted());
}

#[test]
fn every_sort_of_certificate_can_be_made() {
    for algorithm in [Algorithm::Ecdsa, Algorithm::Rsa] {
        let authority = Authority::new("ours", algorithm).unwrap();
        for leaf in
            [Leaf::loopback(), Leaf::server(["elsewhere.example"]), Leaf::loopback().expired(), Leaf::client("app")]
        {
            let leaf = leaf.algorithm(algorithm);
            let signed = authority.sign(&leaf).unwrap();
            assert!(signed.certificate.contains("BEGIN CERTIFICATE") && signed.key.contains("PRIVATE KEY"));
            leaf.self_signed().unwrap();
        }
    }
}
