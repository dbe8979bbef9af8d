//! Certificate authorities and leaves of every sort that a client must accept or refuse.
//!
//! ECDSA keys are made here; RSA keys are made by the `openssl` program, because ring can use but not generate them.

use std::process::Command;

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, date_time_ymd,
};

use serde::{Deserialize, Serialize};

use crate::toolchain;

/// The algorithm of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// ECDSA on P-256.
    #[default]
    Ecdsa,
    /// RSA with 2048 bits.
    Rsa,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The certificate, followed by nothing: authorities here sign leaves directly.
    pub certificate: String,
    /// The private key, PKCS#8.
    pub key: String,
}

/// An authority that signs leaves.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority.
    pub fn new(name: &str, algorithm: Algorithm) -> Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = named(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(parameters, key(algorithm)?).context("sign the authority")?;
        Ok(Self { issuer })
    }

    /// The authority's own certificate, PEM.
    pub fn certificate(&self) -> String {
        self.issuer.as_ref().pem()
    }

    /// Signs a leaf.
    pub fn sign(&self, leaf: &Leaf) -> Result<Identity> {
        let key = key(leaf.algorithm)?;
        let certificate = leaf.parameters()?.signed_by(&key, &self.issuer).context("sign the leaf")?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// What a leaf certificate says.
#[derive(Debug, Clone)]
pub struct Leaf {
    subject: String,
    names: Vec<String>,
    purpose: ExtendedKeyUsagePurpose,
    algorithm: Algorithm,
    validity: Validity,
}

#[derive(Debug, Clone, Copy)]
enum Validity {
    Now,
    Past,
    Future,
}

impl Leaf {
    /// A server's certificate for these names; an address is a name too.
    pub fn server<I: IntoIterator<Item: Into<String>>>(names: I) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        Self {
            subject: names.first().cloned().unwrap_or_default(),
            names,
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
            algorithm: Algorithm::default(),
            validity: Validity::Now,
        }
    }

    /// A server's certificate for this machine's loopback: `localhost` and `127.0.0.1`.
    pub fn loopback() -> Self {
        Self::server(["localhost", "127.0.0.1"])
    }

    /// A client's certificate; PostgreSQL compares its common name with the user's.
    pub fn client(user: &str) -> Self {
        Self {
            subject: user.to_owned(),
            names: Vec::new(),
            purpose: ExtendedKeyUsagePurpose::ClientAuth,
            algorithm: Algorithm::default(),
            validity: Validity::Now,
        }
    }

    /// With a key of this algorithm.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// No longer valid.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.validity = Validity::Past;
        self
    }

    /// Not yet valid.
    #[must_use]
    pub fn from_the_future(mut self) -> Self {
        self.validity = Validity::Future;
        self
    }

    /// Signed by its own key instead of an authority's.
    pub fn self_signed(&self) -> Result<Identity> {
        let key = key(self.algorithm)?;
        let certificate = self.parameters()?.self_signed(&key).context("self-sign the leaf")?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    fn parameters(&self) -> Result<CertificateParams> {
        let mut parameters = CertificateParams::new(self.names.clone()).context("read the names")?;
        parameters.distinguished_name = named(&self.subject);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![self.purpose.clone()];
        parameters.use_authority_key_identifier_extension = true;
        let (from, until) = match self.validity {
            Validity::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1)),
            Validity::Past => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Validity::Future => (date_time_ymd(2099, 1, 1), date_time_ymd(2100, 1, 1)),
        };
        parameters.not_before = from;
        parameters.not_after = until;
        Ok(parameters)
    }
}

/// A new private key.
pub fn key(algorithm: Algorithm) -> Result<KeyPair> {
    match algorithm {
        Algorithm::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("generate an ECDSA key"),
        Algorithm::Rsa => {
            let pem = rsa_key()?;
            KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).context("read the RSA key")
        }
    }
}

fn rsa_key() -> Result<String> {
    let openssl = toolchain::openssl()?;
    let output = Command::new(openssl)
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        .output()
        .context("run openssl")?;
    if !output.status.success() {
        bail!("openssl made no key: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("read openssl's key")
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// A TLS client that trusts only this authority, verifies the name, and shows a certificate if it has one.
pub fn client_configuration(authority: &str, identity: Option<&Identity>) -> Result<rustls::ClientConfig> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};

    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.context("read the authority")?).context("trust the authority")?;
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose TLS versions")?
        .with_root_certificates(roots);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let certificate =
        CertificateDer::from_pem_slice(identity.certificate.as_bytes()).context("read the client's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).context("read the client's key")?;
    builder.with_client_auth_cert(vec![certificate], key).context("use the client's certificate")
}
