//! The MySQL adapter as the component that it is, in the sandbox, against every server, with and without TLS.
//!
//! What it does there in detail is tested natively, by its own crate; this is about the streams and secrets of the host.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

use std::sync::Arc;
use std::time::Duration;

use sandbox::contract::{DatabaseSpec, LoginOutcome, Mark, Settings, TlsMode, UserSpec};
use sandbox::{
    AddressPolicy, Binding, Credentials, Endpoint, Grant, Lane, Limits, Sandbox, SandboxConfig, SecretValue,
    TlsSettings,
};
use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::mysql::{MysqlServer, Options, ServerTls, Version};
use testkit::workspace;

fn binding(server: &MysqlServer, mode: TlsMode) -> Binding {
    Binding {
        name: "mysql".to_owned(),
        endpoint: Endpoint { host: server.host.clone(), port: server.port },
        addresses: Arc::new(AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
        tls: TlsSettings::of(mode),
        credentials: Credentials {
            username: server.administrator.name.clone(),
            password: SecretValue::new(server.administrator.password.as_bytes()),
        },
        settings: Settings {
            engine: "mysql".to_owned(),
            database: "mysql".to_owned(),
            options: None,
            tracking: None,
            statement_timeout_ms: 60_000,
        },
        limits: Limits::default(),
        idle: Duration::from_mins(1),
        gate: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_serves_every_server_with_and_without_tls() {
    let bytes = std::fs::read(workspace::engines().join("mysql.wasm")).unwrap();
    let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
    let adapter = sandbox.load(bytes, &Grant::full([]), None).await.unwrap();
    for version in Version::USUAL {
        let authority = Authority::new("ours", Algorithm::Ecdsa).unwrap();
        let tls = ServerTls {
            identity: authority.sign(&Leaf::loopback()).unwrap(),
            authority: authority.certificate(),
            clients: None,
        };
        let server = MysqlServer::start(Options { version, tls: Some(tls), ..Options::default() }).await.unwrap();
        for (tag, mode) in [("plain", TlsMode::Disable), ("tls", TlsMode::Require), ("either", TlsMode::Prefer)] {
            let bound = adapter.bind(binding(&server, mode)).unwrap();
            let mut session = bound.lane(Lane::Work, Duration::from_secs(5)).await.unwrap();
            let word = || "n".to_owned();
            let mark = Mark {
                cluster: word(),
                operator: word(),
                kind: word(),
                namespace: word(),
                name: word(),
                nonce: word(),
            };
            let database = DatabaseSpec { name: format!("d_{tag}"), owner: None, comment: None, options: None };
            let made = session.create_database(&database, &mark).await.unwrap();
            assert_eq!(made.mark, Some(mark.clone()), "{version:?} {tag}");
            let user = UserSpec {
                name: format!("u_{tag}"),
                roles: Vec::new(),
                shared_roles: Vec::new(),
                comment: None,
                options: None,
            };
            let password = SecretValue::new(b"it's \\ secret");
            session.create_user(&user, Some(&password), &mark).await.unwrap();
            let outcome = session.try_login(&user.name, &password).await.unwrap();
            assert_eq!(outcome, LoginOutcome::Accepted, "{version:?} {tag}");
            drop(session);
            bound.close().await;
        }
        assert!(!server.log_text().contains("it's"), "{version:?}: a password reached the server's log");
    }
}
