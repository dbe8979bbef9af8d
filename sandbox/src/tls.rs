//! TLS as libpq means it: which certificates are accepted in which mode.
//!
//! - `disable`: never encrypted.
//! - `allow`, `prefer`: encrypted or not; no certificate is checked. (libpq checks it where a CA file happens to
//!   exist and then goes on in plain text, which protects nobody.)
//! - `require`: encrypted; the chain is checked if authorities are given, like `verify-ca`.
//! - `verify-ca`: the chain is checked; the name is not.
//! - `verify-full`: both.
//!
//! `verify-ca` and `verify-full` without authorities use the system's roots, which is what libpq does for
//! `sslrootcert=system`. A server certificate that is itself among the authorities is accepted, as OpenSSL does,
//! and the certificate's common name counts where it has no alternative names. An authority that is itself not valid now
//! vouches for nobody. Revocation lists are absent.

pub(crate) mod binding_data;
mod failure;
mod names;
#[cfg(test)]
mod tests;
mod verifier;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

pub use failure::TlsFailure;
pub(crate) use failure::client_problem;

use crate::contract::TlsMode;
use crate::contract::imported::net::TlsUse;
use crate::secret_value::SecretValue;
use verifier::{Check, Verifier};

/// How the streams to one server are encrypted.
#[derive(Clone)]
pub struct TlsSettings {
    /// The mode, with libpq's meaning.
    pub mode: TlsMode,
    /// The authorities' certificates, PEM, one or many.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate chain, PEM, and its key, PEM (PKCS#1, PKCS#8 or SEC1).
    pub client: Option<(Vec<u8>, SecretValue)>,
    /// The name that the certificate must have; none: the endpoint's host.
    pub server_name: Option<String>,
}

impl TlsSettings {
    /// This mode and nothing else.
    pub fn of(mode: TlsMode) -> Self {
        Self { mode, authorities: None, client: None, server_name: None }
    }

    /// Nothing secret goes over a plain stream.
    pub fn is_required(&self) -> bool {
        match self.mode {
            TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer => false,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => true,
        }
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsSettings")
            .field("mode", &self.mode)
            .field("authorities", &self.authorities.is_some())
            .field("client", &self.client.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsSettingsError {
    /// The authorities are no PEM certificates.
    #[error("the CA holds no usable certificate: {0}")]
    ReadAuthorities(String),
    /// The client's certificate is not readable.
    #[error("the client certificate is not usable: {0}")]
    ReadClientCertificate(String),
    /// The client's key is not readable, or belongs to another certificate.
    #[error("the client key is not usable: {0}")]
    ReadClientKey(String),
    /// The host is no name a certificate could have.
    #[error("`{0}` is no name that a certificate could have")]
    ReadServerName(String),
    /// Nothing to check certificates against.
    #[error("no CA is given, and the operator's system has no certificate authorities")]
    NoAuthorities,
}

/// Settings, ready for handshakes.
#[derive(Clone)]
pub(crate) struct TlsContext {
    pub(crate) usage: TlsUse,
    /// None: TLS is disabled.
    pub(crate) handshake: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl TlsContext {
    /// Prepares the settings. `system` is asked for the system's roots only where they are needed.
    pub(crate) fn new(
        settings: &TlsSettings,
        host: &str,
        system: impl FnOnce() -> Arc<RootCertStore>,
    ) -> Result<Self, TlsSettingsError> {
        let usage = match settings.mode {
            TlsMode::Disable => return Ok(Self { usage: TlsUse::Never, handshake: None }),
            TlsMode::Allow => TlsUse::Allow,
            TlsMode::Prefer => TlsUse::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => TlsUse::Require,
        };
        let check = match (settings.mode, &settings.authorities) {
            (TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer, _) | (TlsMode::Require, None) => Check::Nothing,
            (TlsMode::Require | TlsMode::VerifyCa, _) => Check::Chain,
            (TlsMode::VerifyFull, _) => Check::ChainAndName,
        };
        let authorities = settings.authorities.as_deref().map(certificates).transpose();
        let authorities = authorities.map_err(TlsSettingsError::ReadAuthorities)?;
        let roots = match (&authorities, check) {
            (Some(authorities), _) => Arc::new(anchors(authorities)?),
            (None, Check::Nothing) => Arc::new(RootCertStore::empty()),
            (None, Check::Chain | Check::ChainAndName) => system(),
        };
        if check != Check::Nothing && roots.is_empty() {
            return Err(TlsSettingsError::NoAuthorities);
        }
        let name = server_name(settings.server_name.as_deref().unwrap_or(host), check)?;
        let verifier = Verifier::new(check, roots, authorities.unwrap_or_default());
        let config = client_config(settings, verifier)?;
        Ok(Self { usage, handshake: Some((Arc::new(config), name)) })
    }
}

/// The name to ask for. Where it is not checked, a host that no certificate could name is no hindrance.
fn server_name(host: &str, check: Check) -> Result<ServerName<'static>, TlsSettingsError> {
    let plain = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    // A trailing dot makes a name absolute for the resolver; certificates never have it.
    let plain = plain.strip_suffix('.').unwrap_or(plain);
    match ServerName::try_from(plain.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) if check != Check::ChainAndName => {
            ServerName::try_from("unnamed.invalid").map_err(|error| TlsSettingsError::ReadServerName(error.to_string()))
        }
        Err(_) => Err(TlsSettingsError::ReadServerName(host.to_owned())),
    }
}

fn client_config(settings: &TlsSettings, verifier: Verifier) -> Result<ClientConfig, TlsSettingsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsSettingsError::ReadClientKey(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain).map_err(TlsSettingsError::ReadClientCertificate)?;
            let key = PrivateKeyDer::from_pem_slice(key.expose());
            // The parser's own words may quote the key.
            let key = key.or(Err(TlsSettingsError::ReadClientKey("it is no PEM key".to_owned())))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| TlsSettingsError::ReadClientKey(error.to_string()))?
        }
    };
    // One session lives for hours: nothing is gained by resumption, and a full handshake always shows the certificate.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| error.to_string())?;
    if all.is_empty() { Err("it has no PEM certificate".to_owned()) } else { Ok(all) }
}

fn anchors(authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsSettingsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(|error| TlsSettingsError::ReadAuthorities(error.to_string()))?;
    }
    Ok(roots)
}

/// The system's certificate authorities; those that are unreadable are left out and logged.
pub(crate) fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "a certificate authority of the system is not readable");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}
