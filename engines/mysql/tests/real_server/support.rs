//! Real servers for one test: started on loopback with a superuser and an administrator as a managed service has one,
//! stopped when the test ends.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

use dbprovision_sdk::adapter::Settings;
use dbprovision_sdk::native::{TcpWire, dial_with, log_in_as};
pub(crate) use dbprovision_sdk::native::{update_role, update_user};
use dbprovision_sdk::{Adapter, Mark, NetError, Proof, Secret, SecretError, TlsUse, Wire};
use engine_mysql::MySql;
use testkit::mysql::{MysqlServer, Options, Version};

/// The password of every account that the tests make themselves.
pub(crate) const PASSWORD: &str = "correct horse ' \" battery \\ stäple";
const SUPER: &str = "super_of_all";
const SUPER_PASSWORD: &str = "its own";

/// Starts a server, with the login methods that it can have.
pub(crate) fn start(version: Version, settings: &[&str]) -> MysqlServer {
    let mut settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    if version == Version::NewerMariaDb {
        settings.extend(["--plugin-load-add=auth_ed25519", "--plugin-load-add=auth_parsec"].map(str::to_owned));
    }
    let server = MysqlServer::start_blocking(Options { version, settings, ..Options::default() }).unwrap();
    prepare(&server);
    server
}

/// Makes the superuser who comes in over TCP.
pub(crate) fn prepare(server: &MysqlServer) {
    server
        .query(&format!(
            "CREATE USER '{SUPER}'@'%' IDENTIFIED BY '{SUPER_PASSWORD}'; GRANT ALL PRIVILEGES ON *.* TO '{SUPER}'@'%' WITH GRANT OPTION"
        ))
        .unwrap();
}

/// The settings of an instance.
pub(crate) fn settings(options: &str, tracking: Option<&str>) -> Settings {
    Settings {
        engine: "mysql".to_owned(),
        database: "mysql".to_owned(),
        options: Some(options.to_owned()),
        tracking: tracking.map(str::to_owned),
        statement_timeout_ms: 30_000,
    }
}

/// From now on this thread dials the server without TLS.
pub(crate) fn dial_plain(server: &MysqlServer) {
    let address = format!("127.0.0.1:{}", server.port);
    dial_with(move || {
        let wire = TcpWire::connect(&address).map_err(|error| NetError::Io(error.to_string()))?;
        Ok(Rc::new(wire) as Rc<dyn Wire>)
    });
}

/// The adapter, logged in as the superuser or as the administrator who is none.
pub(crate) fn adapter(server: &MysqlServer, superuser: bool, tracking: Option<&str>) -> MySql {
    dial_plain(server);
    if superuser {
        log_in_as(SUPER, SUPER_PASSWORD);
    } else {
        log_in_as(&server.administrator.name, &server.administrator.password);
    }
    let mut adapter = MySql::new();
    adapter.connect(&settings("{}", tracking)).unwrap();
    TRACKING.set(tracking.map(str::to_owned));
    adapter
}

thread_local! {
    /// Of the adapter that was logged in last.
    static TRACKING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A second session of that adapter, in a sweep. What it finds is what a look finds.
pub(crate) fn sweeping() -> MySql {
    let mut adapter = MySql::new();
    adapter.connect(&settings("{}", TRACKING.with_borrow(Clone::clone).as_deref())).unwrap();
    adapter.begin_sweep().unwrap();
    adapter
}

/// Runs `test` on every version, as superuser and as the administrator who is none. The text tells the two apart in
/// names. Where users carry marks themselves, the superuser's pass keeps them in the table instead.
pub(crate) fn everywhere(test: impl Fn(&MysqlServer, &mut MySql, &str)) {
    everywhere_with(&[], test);
}

/// The same, on servers with further settings.
pub(crate) fn everywhere_with(settings: &[&str], test: impl Fn(&MysqlServer, &mut MySql, &str)) {
    for version in Version::USUAL {
        let server = start(version, settings);
        for (superuser, tag) in [(true, "s"), (false, "a")] {
            let tracking =
                (superuser && version == Version::MySql).then_some(r#"{"mysql": {"useUserAttributes": false}}"#);
            let mut adapter = adapter(&server, superuser, tracking);
            test(&server, &mut adapter, tag);
            adapter.close();
            let log = server.log_text();
            assert!(!log.contains("correct horse"), "a password reached the server's log");
        }
    }
}

pub(crate) fn mark(nonce: &str) -> Mark {
    Mark {
        cluster: "5b1c".to_owned(),
        operator: "default".to_owned(),
        kind: "Database".to_owned(),
        namespace: "team-a".to_owned(),
        name: "it's [a] \"name\" \\".to_owned(),
        nonce: nonce.to_owned(),
    }
}

pub(crate) fn proof(mark: &Mark) -> Proof {
    Proof { mark: Some(mark.clone()), object_id: None }
}

pub(crate) fn password() -> Secret {
    Secret::Known(PASSWORD.as_bytes().to_vec())
}

/// Names that hurt whoever forgets to quote, or to compare exactly. At most 32 characters, which every server takes.
pub(crate) fn hostile_names(tag: &str) -> Vec<String> {
    [
        "quote\"quote",
        "tick'tick",
        "back`tick",
        "back\\slash\\'",
        "x'; DROP DATABASE mysql; --",
        "ünï çødé ßäö",
        "per%cent_under*score",
        "Upper",
        "upper",
        "select",
        "with@at",
        "dot.dot",
        "a b",
    ]
    .iter()
    .map(|name| format!("{name}{tag}"))
    .chain([format!("{}{tag}", "ß".repeat(31))])
    .collect()
}

/// A TCP connection that can be encrypted, without a check of the certificate: that is the host's.
pub(crate) struct TlsWire {
    tls: TlsUse,
    state: RefCell<State>,
}

enum State {
    Plain(TcpStream),
    Encrypted(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
    Broken,
}

impl TlsWire {
    pub(crate) fn connect(port: u16, tls: TlsUse) -> Result<Rc<dyn Wire>, NetError> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| NetError::Io(error.to_string()))?;
        Ok(Rc::new(Self { tls, state: RefCell::new(State::Plain(stream)) }))
    }
}

fn io_error(error: &std::io::Error) -> NetError {
    NetError::Io(error.to_string())
}

impl Wire for TlsWire {
    fn tls(&self) -> TlsUse {
        self.tls
    }

    fn try_read(&self, max: u32) -> Result<Option<Vec<u8>>, NetError> {
        let mut bytes = vec![0; max as usize];
        let outcome = match &mut *self.state.borrow_mut() {
            State::Plain(stream) => {
                stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
                stream.read(&mut bytes)
            }
            State::Encrypted(stream) => {
                stream.sock.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
                stream.read(&mut bytes)
            }
            State::Broken => return Err(NetError::Closed),
        };
        match outcome {
            Ok(count) => {
                bytes.truncate(count);
                Ok(Some(bytes))
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(io_error(&error)),
        }
    }

    fn wait_readable(&self, _: u32) -> Result<(), NetError> {
        // A read waits for a moment itself.
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), NetError> {
        match &mut *self.state.borrow_mut() {
            State::Plain(stream) => stream.write_all(bytes).map_err(|error| io_error(&error)),
            State::Encrypted(stream) => {
                stream.write_all(bytes).and_then(|()| stream.flush()).map_err(|error| io_error(&error))
            }
            State::Broken => Err(NetError::Closed),
        }
    }

    fn start_tls(&self) -> Result<Option<Vec<u8>>, NetError> {
        let State::Plain(mut stream) = self.state.replace(State::Broken) else { return Err(NetError::Closed) };
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut connection = rustls::ClientConnection::new(Arc::new(unverified()), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|error| NetError::Tls(error.to_string()))?;
        }
        self.state.replace(State::Encrypted(Box::new(rustls::StreamOwned::new(connection, stream))));
        Ok(None)
    }

    fn reveal(&self, secret: &Secret) -> Result<Vec<u8>, SecretError> {
        if self.tls == TlsUse::Require && matches!(&*self.state.borrow(), State::Plain(_)) {
            return Err(SecretError::InsecureConnection);
        }
        match secret {
            Secret::Known(value) => Ok(value.clone()),
            Secret::Host(_) => Err(SecretError::Missing("a handle of the host".to_owned())),
        }
    }
}

fn unverified() -> rustls::ClientConfig {
    #[derive(Debug)]
    struct Anything(Arc<rustls::crypto::CryptoProvider>);

    impl rustls::client::danger::ServerCertVerifier for Anything {
        fn verify_server_cert(
            &self,
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &[rustls::pki_types::CertificateDer<'_>],
            _: &rustls::pki_types::ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            let known = &self.0.signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            let known = &self.0.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything(provider)))
        .with_no_client_auth()
}
