//! What went wrong with a handshake or a certificate, in words that tell a person what to change.

use std::fmt;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, OtherError};

/// Why a stream could not be encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// The certificate is for other names.
    #[error("the server's certificate is for {}, not for {expected}", list(.presented))]
    WrongName {
        /// The name that was asked for.
        expected: String,
        /// The names that the certificate has.
        presented: Vec<String>,
    },
    /// No known authority signed the certificate.
    #[error("the server's certificate is signed by an authority that is not trusted here ({issuer})")]
    UnknownAuthority {
        /// Who signed it.
        issuer: String,
    },
    /// The certificate signed itself and is not trusted.
    #[error("the server's certificate is self-signed and not trusted here ({subject})")]
    SelfSigned {
        /// Whose it is.
        subject: String,
    },
    /// The certificate is no longer valid.
    #[error("the server's certificate expired on {0}")]
    Expired(String),
    /// The certificate is not valid yet.
    #[error("the server's certificate is not valid before {0}")]
    NotValidYet(String),
    /// Another trouble with the certificate.
    #[error("the server's certificate is not acceptable: {0}")]
    Certificate(String),
    /// The server wants a certificate of ours, or another one.
    #[error("the server refused the client certificate: {0}")]
    ClientCertificate(String),
    /// The server has no TLS, and the instance demands it.
    #[error("the server does not offer TLS, and the instance asks for it")]
    NotOffered,
    /// Bytes arrived in plain text before the handshake, and could be taken for the server's encrypted word.
    #[error("the server, or somebody on the way to it, sent bytes before the TLS handshake")]
    Injected,
    /// The handshake failed otherwise.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The handshake took too long.
    #[error("the TLS handshake took too long")]
    TimedOut,
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

/// Carries a [`TlsFailure`] through rustls.
#[derive(Debug)]
struct Carried(TlsFailure);

impl fmt::Display for Carried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for Carried {}

impl TlsFailure {
    /// As an error of the certificate verifier.
    pub(super) fn carried(self) -> rustls::Error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Carried(self)))))
    }

    /// From what the handshake returned.
    pub(crate) fn of(error: &std::io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(inner) = inner else {
            return Self::Handshake(if error.kind() == std::io::ErrorKind::UnexpectedEof {
                "the server closed the stream".to_owned()
            } else {
                error.to_string()
            });
        };
        if let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = inner
            && let Some(Carried(failure)) = other.downcast_ref::<Carried>()
        {
            return failure.clone();
        }
        if let rustls::Error::AlertReceived(alert) = inner
            && let Some(problem) = client_problem(*alert)
        {
            return Self::ClientCertificate(problem.to_owned());
        }
        if let rustls::Error::InvalidCertificate(problem) = inner {
            return Self::Certificate(problem.to_string());
        }
        Self::Handshake(inner.to_string())
    }
}

/// What a server says with an alert about the certificate of its client.
pub(crate) fn client_problem(alert: AlertDescription) -> Option<&'static str> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other alerts are not about certificates")]
    match alert {
        AlertDescription::CertificateRequired => Some("it demands one"),
        AlertDescription::BadCertificate => Some("it calls it bad"),
        AlertDescription::UnsupportedCertificate => Some("it does not support its kind"),
        AlertDescription::CertificateRevoked => Some("it is revoked"),
        AlertDescription::CertificateExpired => Some("it is expired"),
        AlertDescription::CertificateUnknown => Some("it does not accept it"),
        AlertDescription::UnknownCA => Some("it does not trust its authority"),
        AlertDescription::AccessDenied => Some("it denies access"),
        _ => None,
    }
}
