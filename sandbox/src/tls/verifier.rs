//! The certificate verifier behind the modes. The handshake's own signature is checked in every mode.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate, X509Version};

use super::{TlsFailure, names};

/// How much of a certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// Accepts what the mode accepts.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    roots: Arc<RootCertStore>,
    /// The configured authorities: a server whose own certificate is one of them is trusted, CA or not.
    authorities: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(check: Check, roots: Arc<RootCertStore>, authorities: Vec<CertificateDer<'static>>) -> Self {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        Self { check, roots, authorities, algorithms }
    }

    fn check_chain(
        &self,
        der: &CertificateDer<'_>,
        parsed: &X509Certificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), TlsFailure> {
        let is_pinned = self.authorities.iter().any(|authority| authority == der);
        // rustls takes neither a CA as a server's certificate nor certificates of version 1, both of which people
        // make with openssl's defaults and libpq accepts.
        if is_pinned {
            return check_dates(parsed, now);
        }
        if let Some(signer) = self.check_signer_of_old(parsed, now) {
            return signer.and_then(|()| check_dates(parsed, now));
        }
        let usable = ParsedCertificate::try_from(der).map_err(|error| TlsFailure::Certificate(error.to_string()))?;
        let verify = |roots: &RootCertStore| {
            verify_server_cert_signed_by_trust_anchor(&usable, roots, intermediates, now, self.algorithms.all)
                .map_err(|error| failure(&error, parsed))
        };
        verify(&self.roots)?;
        // rustls asks no date of an authority that it was given; OpenSSL does.
        match self.timely_authorities(now) {
            (timely, Some(problem)) => verify(&timely).or(Err(problem)),
            (_, None) => Ok(()),
        }
    }

    /// The configured authorities that are valid now, and why another is not.
    fn timely_authorities(&self, now: UnixTime) -> (RootCertStore, Option<TlsFailure>) {
        let (mut timely, mut problem) = (RootCertStore::empty(), None);
        for authority in &self.authorities {
            match X509Certificate::from_der(authority).map(|(_, parsed)| check_authority(&parsed, now)) {
                Ok(Err(untimely)) => problem = Some(untimely),
                // That they can be added was seen when the settings were read.
                Ok(Ok(())) | Err(_) => drop(timely.add(authority.clone())),
            }
        }
        (timely, problem)
    }

    /// Whether the authority that signed a certificate of version 1 directly is valid now; none: it is of another
    /// version, or nobody did. Of an authority that was renewed with its key, one certificate has to be valid.
    fn check_signer_of_old(&self, parsed: &X509Certificate<'_>, now: UnixTime) -> Option<Result<(), TlsFailure>> {
        if parsed.version() != X509Version::V1 {
            return None;
        }
        let authorities = self.authorities.iter().filter_map(|authority| X509Certificate::from_der(authority).ok());
        let signers = authorities.filter(|(_, authority)| self.signed_by(parsed, authority));
        signers.map(|(_, authority)| check_authority(&authority, now)).reduce(Result::or)
    }

    fn signed_by(&self, parsed: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
        if authority.subject().as_raw() != parsed.issuer().as_raw() || !authority.is_ca() {
            return false;
        }
        let Some(signature) = algorithm_id(parsed.signature_algorithm.algorithm.as_bytes()) else { return false };
        self.algorithms.all.iter().any(|algorithm| {
            starts_with_oid(&algorithm.signature_alg_id(), &signature)
                && algorithm
                    .verify_signature(
                        &authority.public_key().subject_public_key.data,
                        parsed.tbs_certificate.as_ref(),
                        &parsed.signature_value.data,
                    )
                    .is_ok()
        })
    }

    /// Checks a handshake's signature with the certificate's key, whatever else the certificate is.
    fn check_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<(), Error> {
        let (_, parsed) =
            X509Certificate::from_der(der).or(Err(Error::InvalidCertificate(CertificateError::BadEncoding)))?;
        let key = &parsed.public_key().subject_public_key.data;
        let candidates = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let is_good = candidates
            .flat_map(|(_, algorithms)| algorithms.iter())
            .any(|algorithm| algorithm.verify_signature(key, message, signed.signature()).is_ok());
        if is_good { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::BadSignature)) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let (_, parsed) = X509Certificate::from_der(end_entity)
            .map_err(|error| TlsFailure::Certificate(format!("it is not readable ({error})")).carried())?;
        self.check_chain(end_entity, &parsed, intermediates, now).map_err(TlsFailure::carried)?;
        if self.check == Check::ChainAndName {
            names::check(end_entity, &parsed, server_name).map_err(TlsFailure::carried)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss).map(|()| HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let is_old_scheme = matches!(
            dss.scheme,
            SignatureScheme::RSA_PKCS1_SHA256 | SignatureScheme::RSA_PKCS1_SHA384 | SignatureScheme::RSA_PKCS1_SHA512
        );
        if is_old_scheme {
            // RFC 8446, section 4.2.3: these are for certificates only.
            return Err(Error::InvalidCertificate(CertificateError::BadSignature));
        }
        self.check_signature(message, cert, dss).map(|()| HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The DER of an object identifier, with its tag and length.
fn algorithm_id(oid: &[u8]) -> Option<Vec<u8>> {
    let mut der = vec![0x06, u8::try_from(oid.len()).ok().filter(|length| *length < 0x80)?];
    der.extend_from_slice(oid);
    Some(der)
}

fn starts_with_oid(identifier: &[u8], oid: &[u8]) -> bool {
    identifier.starts_with(oid)
}

fn check_dates(parsed: &X509Certificate<'_>, now: UnixTime) -> Result<(), TlsFailure> {
    check_validity(parsed, now, TlsFailure::Expired, TlsFailure::NotValidYet)
}

fn check_authority(parsed: &X509Certificate<'_>, now: UnixTime) -> Result<(), TlsFailure> {
    let expired = |date: String| TlsFailure::Certificate(format!("its authority expired on {date}"));
    let early = |date: String| TlsFailure::Certificate(format!("its authority is not valid before {date}"));
    check_validity(parsed, now, expired, early)
}

fn check_validity(
    parsed: &X509Certificate<'_>,
    now: UnixTime,
    expired: fn(String) -> TlsFailure,
    early: fn(String) -> TlsFailure,
) -> Result<(), TlsFailure> {
    let validity = parsed.validity();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        return Err(expired(date(validity.not_after)));
    }
    if now < validity.not_before.timestamp() {
        return Err(early(date(validity.not_before)));
    }
    Ok(())
}

fn date(time: ASN1Time) -> String {
    time.to_rfc2822().unwrap_or_else(|unreadable| unreadable)
}

fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    ASN1Time::from_timestamp(seconds).map_or_else(|_| "a date out of range".to_owned(), date)
}

/// rustls' refusal in our words.
fn failure(error: &Error, parsed: &X509Certificate<'_>) -> TlsFailure {
    let Error::InvalidCertificate(problem) = error else { return TlsFailure::Certificate(error.to_string()) };
    let validity = parsed.validity();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has no better words than rustls'")]
    match problem {
        CertificateError::UnknownIssuer if parsed.issuer().as_raw() == parsed.subject().as_raw() => {
            TlsFailure::SelfSigned { subject: parsed.subject().to_string() }
        }
        CertificateError::UnknownIssuer => TlsFailure::UnknownAuthority { issuer: parsed.issuer().to_string() },
        // The date may be that of an authority in between.
        CertificateError::ExpiredContext { time: _, not_after } => TlsFailure::Expired(moment(*not_after)),
        CertificateError::NotValidYetContext { time: _, not_before } => TlsFailure::NotValidYet(moment(*not_before)),
        CertificateError::Expired => TlsFailure::Expired(date(validity.not_after)),
        CertificateError::NotValidYet => TlsFailure::NotValidYet(date(validity.not_before)),
        other => {
            // A self-signed certificate of the CA kind is refused for its kind before its issuer is looked for.
            if parsed.issuer().as_raw() == parsed.subject().as_raw() {
                TlsFailure::SelfSigned { subject: parsed.subject().to_string() }
            } else {
                TlsFailure::Certificate(other.to_string())
            }
        }
    }
}
