//! How the adapter itself logs in: every method, with and without TLS, and what it refuses.

use dbprovision_sdk::native::{dial_with, log_in_as};
use dbprovision_sdk::{Adapter, ErrorKind, TlsUse};
use engine_mysql::MySql;
use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::mysql::{MysqlServer, Options, ServerTls, Version};

use crate::support::{TlsWire, dial_plain, prepare, settings, start};

fn with_tls(version: Version) -> MysqlServer {
    let authority = Authority::new("ours", Algorithm::Rsa).unwrap();
    let tls = ServerTls {
        identity: authority.sign(&Leaf::loopback()).unwrap(),
        authority: authority.certificate(),
        clients: None,
    };
    let mut settings = Vec::new();
    if version == Version::NewerMariaDb {
        settings.extend(["--plugin-load-add=auth_ed25519", "--plugin-load-add=auth_parsec"].map(str::to_owned));
    }
    let server =
        MysqlServer::start_blocking(Options { version, tls: Some(tls), settings, ..Options::default() }).unwrap();
    prepare(&server);
    server
}

fn connect(server: &MysqlServer, tls: TlsUse, user: &str, password: &str) -> Result<MySql, ErrorKind> {
    let port = server.port;
    dial_with(move || TlsWire::connect(port, tls));
    log_in_as(user, password);
    let mut adapter = MySql::new();
    adapter.connect(&settings("{}", None)).map_err(|error| error.kind)?;
    adapter.ping().map_err(|error| error.kind)?;
    Ok(adapter)
}

/// One administrator for each method of a version.
fn administrators(server: &MysqlServer, version: Version) -> Vec<&'static str> {
    let methods: &[(&str, &str)] = match version {
        Version::Distribution | Version::OldestMariaDb => {
            &[("native", "VIA mysql_native_password USING PASSWORD('x y')")]
        }
        Version::NewerMariaDb => &[
            ("native", "VIA mysql_native_password USING PASSWORD('x y')"),
            ("ed", "VIA ed25519 USING PASSWORD('x y')"),
            ("pa", "VIA parsec USING PASSWORD('x y')"),
        ],
        Version::MySql => {
            &[("caching", "WITH caching_sha2_password BY 'x y'"), ("sha", "WITH sha256_password BY 'x y'")]
        }
    };
    for (name, method) in methods {
        server
            .query(&format!(
                "CREATE USER '{name}'@'%' IDENTIFIED {method}; GRANT ALL ON *.* TO '{name}'@'%' WITH GRANT OPTION"
            ))
            .unwrap();
    }
    methods.iter().map(|(name, _)| *name).collect()
}

#[test]
fn every_method_logs_in_with_and_without_tls() {
    for version in Version::USUAL {
        let server = with_tls(version);
        for user in administrators(&server, version) {
            for tls in [TlsUse::Never, TlsUse::Require, TlsUse::Allow, TlsUse::Prefer] {
                // Without its cache the server wants the password itself, encrypted one way or the other.
                server.query("FLUSH PRIVILEGES").unwrap();
                for round in 0..2 {
                    let outcome = connect(&server, tls, user, "x y");
                    let adapter = outcome.unwrap_or_else(|kind| panic!("{user} {tls:?} {round}: {kind:?}"));
                    drop(adapter);
                }
                let refused = connect(&server, tls, user, "wrong").map(|_| ()).unwrap_err();
                assert_eq!(refused, ErrorKind::Authentication, "{user} {tls:?}");
            }
        }
        assert!(!server.log_text().contains("x y\0"));
    }
}

#[test]
fn a_server_without_tls_is_refused_where_the_instance_asks_for_it() {
    for version in Version::USUAL {
        let server = start(version, &[]);
        for user in administrators(&server, version) {
            assert!(connect(&server, TlsUse::Prefer, user, "x y").is_ok());
            assert!(connect(&server, TlsUse::Allow, user, "x y").is_ok());
            let refused = connect(&server, TlsUse::Require, user, "x y").map(|_| ()).unwrap_err();
            assert_eq!(refused, ErrorKind::PermissionDenied);
        }
    }
}

#[test]
fn an_account_that_must_use_tls_does_where_the_instance_allows_both() {
    for version in Version::USUAL {
        let server = with_tls(version);
        server
            .query("CREATE USER 'strict'@'%' IDENTIFIED BY 'x' REQUIRE SSL; GRANT ALL ON *.* TO 'strict'@'%' WITH GRANT OPTION")
            .unwrap();
        assert!(connect(&server, TlsUse::Allow, "strict", "x").is_ok());
        assert_eq!(connect(&server, TlsUse::Never, "strict", "x").map(|_| ()).unwrap_err(), ErrorKind::Authentication);
        server.query("SET GLOBAL require_secure_transport = ON").unwrap();
        assert!(connect(&server, TlsUse::Allow, "strict", "x").is_ok());
        let refused = connect(&server, TlsUse::Never, "strict", "x").map(|_| ()).unwrap_err();
        assert!(matches!(refused, ErrorKind::PermissionDenied | ErrorKind::Authentication), "{refused:?}");
    }
}

#[test]
fn credentials_are_told_apart_from_everything_else() {
    for version in Version::USUAL {
        let server = start(version, &[]);
        dial_plain(&server);
        let mut adapter = MySql::new();
        let (name, password) = (server.administrator.name.clone(), server.administrator.password.clone());
        log_in_as(&name, "wrong");
        assert_eq!(adapter.connect(&settings("{}", None)).unwrap_err().kind, ErrorKind::Authentication);
        log_in_as(&name, &password);
        let mut elsewhere = settings("{}", None);
        elsewhere.database = "no such database".to_owned();
        assert_eq!(adapter.connect(&elsewhere).unwrap_err().kind, ErrorKind::DependencyMissing);
        assert_eq!(adapter.ping().unwrap_err().kind, ErrorKind::Transient(None), "there is no session");
        let known = adapter.connect(&settings("{}", None)).unwrap();
        assert_eq!((known.administrator.as_str(), known.superuser), (name.as_str(), false));
        let again = adapter.get_version().unwrap();
        assert_eq!(known.identity, again.identity);
        server.restart().unwrap();
        assert_eq!(adapter.connect(&settings("{}", None)).unwrap().identity, known.identity);
    }
}

#[test]
fn the_marks_place_is_made_where_it_may_be_and_named_where_it_may_not() {
    for version in Version::USUAL {
        let server = start(version, &[]);
        server
            .query(
                "CREATE USER 'poor'@'%' IDENTIFIED BY 'x'; GRANT SELECT ON mysql.* TO 'poor'@'%'; CREATE DATABASE ops",
            )
            .unwrap();
        dial_plain(&server);
        log_in_as("poor", "x");
        let error = MySql::new().connect(&settings("{}", None)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert!(error.message.contains("metadataDatabase"), "{error:?}");
        server.query("GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ops.* TO 'poor'@'%'").unwrap();
        let tracking = r#"{"enabled": true, "mysql": {"metadataDatabase": "ops", "metadataTableName": "it's `here`"}}"#;
        MySql::new().connect(&settings("{}", Some(tracking))).unwrap();
        assert_eq!(server.query("SHOW TABLES FROM ops").unwrap(), "it's `here`");
        let attributes = r#"{"mysql": {"useUserAttributes": true, "metadataDatabase": "ops"}}"#;
        MySql::new().connect(&settings("{}", Some(attributes))).unwrap();
        server.query("REVOKE SELECT ON mysql.* FROM 'poor'@'%'").unwrap();
        let mut limited = settings("{}", Some(tracking));
        limited.database = "ops".to_owned();
        let error = MySql::new().connect(&limited).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert!(error.message.contains("grant SELECT"), "{error:?}");
    }
}

#[test]
fn an_account_of_another_method_than_the_greetings_is_switched_to_its_own() {
    let server = start(Version::MySql, &["--authentication-policy=sha256_password,,"]);
    server
        .query(
            "CREATE USER 'switched'@'%' IDENTIFIED WITH caching_sha2_password BY 'x y'; \
             GRANT ALL ON *.* TO 'switched'@'%' WITH GRANT OPTION",
        )
        .unwrap();
    for round in 0..2 {
        let outcome = connect(&server, TlsUse::Never, "switched", "x y").map(|_| ());
        assert_eq!(outcome, Ok(()), "{round}: first by the server's key, then from its cache");
        let refused = connect(&server, TlsUse::Never, "switched", "wrong").map(|_| ()).unwrap_err();
        assert_eq!(refused, ErrorKind::Authentication);
    }
}
