//! Certificates for the toy server, good and bad, with ECDSA and with RSA keys.
//!
//! RSA keys, and the one certificate that a person would make by hand, come from the `openssl` command.

use std::process::Command;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

/// What the keys are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Ecdsa,
    Rsa,
}

impl Algorithm {
    fn key(self) -> KeyPair {
        match self {
            Self::Ecdsa => KeyPair::generate().unwrap(),
            Self::Rsa => {
                let key = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
                KeyPair::from_pem(&key).unwrap()
            }
        }
    }
}

/// Runs the command and answers what it printed.
fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("the command `openssl` is needed");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A certificate with its key, both as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

impl Identity {
    /// A server's certificate that signed itself and is no authority.
    pub(crate) fn self_signed(algorithm: Algorithm, name: &str) -> Self {
        let key = algorithm.key();
        Self { certificate: parameters(name).self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    /// What one line in a shell makes: an authority that is its own server, named by its common name alone.
    pub(crate) fn by_hand(algorithm: Algorithm, name: &str) -> Self {
        let new = match algorithm {
            Algorithm::Ecdsa => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"].as_slice(),
            Algorithm::Rsa => ["-newkey", "rsa:2048"].as_slice(),
        };
        let subject = format!("/CN={name}");
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-keyout", "-", "-subj", &subject];
        arguments.extend(new);
        let printed = openssl(&arguments);
        // The key is printed first.
        let (key, certificate) = printed.split_at(printed.find("-----BEGIN CERTIFICATE").unwrap());
        Self { certificate: certificate.to_owned(), key: key.to_owned() }
    }

    /// A server that shows this certificate, and demands one of its clients that this authority signed.
    pub(crate) fn acceptor(&self, clients: Option<&Authority>) -> TlsAcceptor {
        self.acceptor_of(clients, &[&version::TLS13, &version::TLS12])
    }

    /// The same with some versions of TLS.
    pub(crate) fn acceptor_of(
        &self,
        clients: Option<&Authority>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsAcceptor {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions).unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        TlsAcceptor::from(Arc::new(builder.with_single_cert(chain.unwrap(), key).unwrap()))
    }
}

/// An authority that signs certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    algorithm: Algorithm,
}

impl Authority {
    pub(crate) fn new(algorithm: Algorithm, name: &str) -> Self {
        let mut parameters = parameters(name);
        parameters.subject_alt_names.clear();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(parameters, algorithm.key()).unwrap(), algorithm }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn sign(&self, parameters: &CertificateParams) -> Identity {
        let key = self.algorithm.key();
        Identity { certificate: parameters.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A server's certificate for this name.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        self.sign(&parameters(name))
    }

    /// A server's certificate that is no longer valid.
    pub(crate) fn expired(&self, name: &str) -> Identity {
        let mut parameters = parameters(name);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&parameters)
    }

    /// A client's certificate.
    pub(crate) fn client(&self, name: &str) -> Identity {
        let mut parameters = parameters(name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&parameters)
    }
}
