//! The MariaDB and MySQL servers are real ones, and are started as their options say.

use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::mysql::{MysqlServer, Options, ServerTls, Version};

#[test]
fn every_version_starts_and_lets_its_administrator_in() {
    for version in Version::USUAL {
        let server = MysqlServer::start_blocking(Options { version, ..Options::default() }).unwrap();
        let administrator = server.administrator.clone();
        let who = server.query_as(&administrator.name, &administrator.password, None, "SELECT CURRENT_USER()").unwrap();
        assert_eq!(who, "provisioner@%", "{version:?}");
        assert!(server.query_as(&administrator.name, "wrong", None, "SELECT 1").is_err());
        assert!(server.query_as("root", "", None, "SELECT 1").is_err());
        assert_eq!(server.query("SELECT @@version").unwrap().contains("MariaDB"), version.is_mariadb());

        let process = std::path::PathBuf::from(format!("/proc/{}", server.identity().unwrap().pid));
        assert!(process.exists());
        drop(server);
        assert!(!process.exists());
    }
}

#[test]
fn a_crashed_server_keeps_its_data() {
    let server = MysqlServer::start_blocking(Options::default()).unwrap();
    server.query("CREATE DATABASE kept").unwrap();
    server.crash().unwrap();
    assert!(server.query("SELECT 1").is_err());
    server.restart().unwrap();
    assert_eq!(server.query("SHOW DATABASES LIKE 'kept'").unwrap(), "kept");
}

#[test]
fn a_server_has_tls_where_it_was_given_a_certificate() {
    let authority = Authority::new("ours", Algorithm::Rsa).unwrap();
    for version in Version::USUAL {
        let tls = ServerTls {
            identity: authority.sign(&Leaf::loopback()).unwrap(),
            authority: authority.certificate(),
            clients: None,
        };
        let server = MysqlServer::start_blocking(Options { version, tls: Some(tls), ..Options::default() }).unwrap();
        let administrator = server.administrator.clone();
        let query = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
        let cipher = server.query_over_tls(&administrator.name, &administrator.password, query).unwrap();
        assert!(cipher.len() > "Ssl_cipher\t".len(), "{version:?}: {cipher}");
        let plain = MysqlServer::start_blocking(Options { version, ..Options::default() }).unwrap();
        let administrator = plain.administrator.clone();
        let cipher = plain.query_as(&administrator.name, &administrator.password, None, query).unwrap();
        assert_eq!(cipher.trim_end(), "Ssl_cipher", "{version:?}");
    }
}
