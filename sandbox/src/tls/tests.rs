//! Every mode against every kind of certificate, over real handshakes.

mod openssl;

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A server's certificate with its chain and key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    pem: String,
    key_pem: String,
}

fn named(common: &str, alternatives: &[&str]) -> CertificateParams {
    let alternatives: Vec<String> = alternatives.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = CertificateParams::new(alternatives).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, common);
    parameters
}

fn authority(common: &str) -> Issuer {
    let mut parameters = named(common, &[]);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

fn signed(parameters: &CertificateParams, issuer: &Issuer) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, issuer).unwrap();
    Identity {
        chain: vec![certificate.der().clone()],
        key: key.serialize_der(),
        pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    }
}

fn self_signed(parameters: &CertificateParams, algorithm: &'static SignatureAlgorithm) -> Identity {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Identity {
        chain: vec![certificate.der().clone()],
        key: key.serialize_der(),
        pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    }
}

fn settings(mode: TlsMode, authorities: Option<&str>) -> TlsSettings {
    TlsSettings { authorities: authorities.map(|pem| pem.as_bytes().to_vec()), ..TlsSettings::of(mode) }
}

fn no_roots() -> Arc<RootCertStore> {
    Arc::new(RootCertStore::empty())
}

/// A handshake with a server of this identity; a client's certificate is demanded where its authority is given.
async fn handshake(
    settings: &TlsSettings,
    host: &str,
    server: &Identity,
    client_authority: Option<&Issuer>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<Option<Vec<u8>>, TlsFailure> {
    let context = TlsContext::new(settings, host, no_roots).unwrap();
    let (config, name) = context.handshake.unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match client_authority {
        None => builder.with_no_client_auth(),
        Some(issuer) => {
            let mut roots = RootCertStore::empty();
            roots.add(issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.key.clone()));
    // Not `with_single_cert`, which looks at the certificate and refuses old ones.
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(server.chain.clone(), key);
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    let accept = TlsAcceptor::from(Arc::new(builder.with_cert_resolver(resolver)));
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let serving = tokio::spawn(async move {
        if let Ok(mut stream) = accept.accept(theirs).await {
            drop(stream.write_all(b"hello").await);
            drop(stream.shutdown().await);
        }
    });
    let client = async {
        let mut stream =
            TlsConnector::from(config).connect(name, ours).await.map_err(|error| TlsFailure::of(&error))?;
        let mut hello = [0; 5];
        // With TLS 1.3 a refusal of the client's certificate is read here.
        stream.read_exact(&mut hello).await.map_err(|error| TlsFailure::of(&error))?;
        Ok(stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(|leaf| binding_data::of(leaf)))
    };
    let outcome = tokio::time::timeout(Duration::from_secs(10), client).await.unwrap();
    serving.abort();
    outcome
}

const BOTH: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

async fn shake(settings: &TlsSettings, host: &str, server: &Identity) -> Result<Option<Vec<u8>>, TlsFailure> {
    let modern = handshake(settings, host, server, None, &[&rustls::version::TLS13]).await;
    let old = handshake(settings, host, server, None, &[&rustls::version::TLS12]).await;
    assert_eq!(modern, old, "both versions of TLS say the same");
    modern
}

const MODES: [TlsMode; 5] = [TlsMode::Allow, TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull];

/// Which of [`MODES`] accept, with the authority given.
async fn accepting(authority: &str, host: &str, server: &Identity) -> [bool; 5] {
    let mut accepted = [false; 5];
    for (mode, accepted) in MODES.into_iter().zip(&mut accepted) {
        *accepted = shake(&settings(mode, Some(authority)), host, server).await.is_ok();
    }
    accepted
}

#[tokio::test]
async fn a_good_certificate_is_accepted_in_every_mode() {
    let issuer = authority("the CA");
    let server = signed(&named("db", &["db.example.com", "10.0.0.1"]), &issuer);
    assert_eq!(accepting(&issuer.pem(), "db.example.com", &server).await, [true; 5]);
    assert_eq!(accepting(&issuer.pem(), "db.example.com.", &server).await, [true; 5]);
    assert_eq!(accepting(&issuer.pem(), "10.0.0.1", &server).await, [true; 5]);
}

#[tokio::test]
async fn a_wrong_name_is_refused_by_verify_full_alone_and_both_names_are_told() {
    let issuer = authority("the CA");
    let server = signed(&named("db", &["other.example.com"]), &issuer);
    assert_eq!(accepting(&issuer.pem(), "db.example.com", &server).await, [true, true, true, true, false]);
    let refused =
        shake(&settings(TlsMode::VerifyFull, Some(&issuer.pem())), "db.example.com", &server).await.unwrap_err();
    assert_eq!(refused.to_string(), "the server's certificate is for other.example.com, not for db.example.com");
    let mut elsewhere = settings(TlsMode::VerifyFull, Some(&issuer.pem()));
    elsewhere.server_name = Some("other.example.com".to_owned());
    assert!(shake(&elsewhere, "db.example.com", &server).await.is_ok());
}

#[tokio::test]
async fn a_wrong_authority_is_refused_wherever_the_chain_is_checked_and_its_name_is_told() {
    let (issuer, other) = (authority("the CA"), authority("another CA"));
    let server = signed(&named("db", &["db.example.com"]), &other);
    assert_eq!(accepting(&issuer.pem(), "db.example.com", &server).await, [true, true, false, false, false]);
    let refused = shake(&settings(TlsMode::Require, Some(&issuer.pem())), "db.example.com", &server).await.unwrap_err();
    assert!(matches!(&refused, TlsFailure::UnknownAuthority { issuer } if issuer.contains("another CA")), "{refused}");
    assert!(shake(&settings(TlsMode::Require, None), "db.example.com", &server).await.is_ok());
    let both = format!("{}{}", issuer.pem(), other.pem());
    assert_eq!(accepting(&both, "db.example.com", &server).await, [true; 5]);
}

#[tokio::test]
async fn an_authority_of_the_same_name_with_another_key_is_another_authority() {
    let (issuer, impostor) = (authority("the CA"), authority("the CA"));
    let server = signed(&named("db", &["db.example.com"]), &impostor);
    assert_eq!(accepting(&issuer.pem(), "db.example.com", &server).await, [true, true, false, false, false]);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_the_date_is_told() {
    let issuer = authority("the CA");
    let mut parameters = named("db", &["db.example.com"]);
    parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let server = signed(&parameters, &issuer);
    assert_eq!(accepting(&issuer.pem(), "db.example.com", &server).await, [true, true, false, false, false]);
    let refused =
        shake(&settings(TlsMode::VerifyCa, Some(&issuer.pem())), "db.example.com", &server).await.unwrap_err();
    assert!(matches!(&refused, TlsFailure::Expired(date) if date.contains("3 Feb 2020")), "{refused}");
    parameters.not_before = rcgen::date_time_ymd(2999, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(3000, 1, 1);
    let early = signed(&parameters, &issuer);
    let refused = shake(&settings(TlsMode::VerifyCa, Some(&issuer.pem())), "db.example.com", &early).await.unwrap_err();
    assert!(matches!(refused, TlsFailure::NotValidYet(_)), "{refused}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_only_as_its_own_authority() {
    let issuer = authority("the CA");
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut parameters = named("db", &["db.example.com"]);
        parameters.is_ca = is_ca;
        let server = self_signed(&parameters, &rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(
            accepting(&issuer.pem(), "db.example.com", &server).await,
            [true, true, false, false, false],
            "{is_ca:?}"
        );
        let refused =
            shake(&settings(TlsMode::VerifyCa, Some(&issuer.pem())), "db.example.com", &server).await.unwrap_err();
        assert!(
            matches!(&refused, TlsFailure::SelfSigned { subject } if subject.contains("db")),
            "{is_ca:?}: {refused}"
        );
        assert_eq!(accepting(&server.pem, "db.example.com", &server).await, [true; 5], "{is_ca:?}");
        assert_eq!(
            accepting(&server.pem, "other.example.com", &server).await,
            [true, true, true, true, false],
            "{is_ca:?}"
        );
    }
}

#[tokio::test]
async fn a_pinned_certificate_still_expires() {
    let mut parameters = named("db", &["db.example.com"]);
    parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let server = self_signed(&parameters, &rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(accepting(&server.pem, "db.example.com", &server).await, [true, true, false, false, false]);
}

#[tokio::test]
async fn the_common_name_counts_only_without_alternative_names() {
    let issuer = authority("the CA");
    let server = signed(&named("db.example.com", &[]), &issuer);
    assert_eq!(accepting(&issuer.pem(), "DB.example.com", &server).await, [true; 5]);
    assert!(!accepting(&issuer.pem(), "x.example.com", &server).await[4]);
    let wildcard = signed(&named("*.example.com", &[]), &issuer);
    assert!(accepting(&issuer.pem(), "x.example.com", &wildcard).await[4]);
    assert!(!accepting(&issuer.pem(), "x.y.example.com", &wildcard).await[4]);
    assert!(!accepting(&issuer.pem(), "example.com", &wildcard).await[4]);
    let both = signed(&named("db.example.com", &["other.example.com"]), &issuer);
    assert!(!accepting(&issuer.pem(), "db.example.com", &both).await[4]);
}

#[tokio::test]
async fn a_demanded_client_certificate_is_shown_and_its_absence_is_told() {
    let (issuer, clients) = (authority("the CA"), authority("the clients' CA"));
    let server = signed(&named("db", &["db.example.com"]), &issuer);
    let mut parameters = named("admin", &[]);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = signed(&parameters, &clients);
    let mut with = settings(TlsMode::VerifyFull, Some(&issuer.pem()));
    with.client = Some((client.pem.clone().into_bytes(), SecretValue::new(client.key_pem.clone())));
    let without = settings(TlsMode::VerifyFull, Some(&issuer.pem()));
    for version in BOTH {
        assert!(handshake(&with, "db.example.com", &server, Some(&clients), &[version]).await.is_ok());
        let refused = handshake(&without, "db.example.com", &server, Some(&clients), &[version]).await.unwrap_err();
        assert!(matches!(refused, TlsFailure::ClientCertificate(_) | TlsFailure::Handshake(_)), "{refused}");
        let refused = handshake(&with, "db.example.com", &server, Some(&issuer), &[version]).await.unwrap_err();
        assert!(matches!(refused, TlsFailure::ClientCertificate(_) | TlsFailure::Handshake(_)), "{refused}");
    }
}

#[tokio::test]
async fn the_channel_binding_is_the_hash_of_the_certificates_signature() {
    use sha2::{Digest as _, Sha256, Sha384};
    let parameters = named("db", &["db.example.com"]);
    let leaf = |server: &Identity| server.chain[0].to_vec();
    let server = self_signed(&parameters, &rcgen::PKCS_ECDSA_P256_SHA256);
    let require = settings(TlsMode::Require, None);
    assert_eq!(shake(&require, "db.example.com", &server).await.unwrap(), Some(Sha256::digest(leaf(&server)).to_vec()));
    let server = self_signed(&parameters, &PKCS_ECDSA_P384_SHA384);
    assert_eq!(shake(&require, "db.example.com", &server).await.unwrap(), Some(Sha384::digest(leaf(&server)).to_vec()));
    let server = self_signed(&parameters, &PKCS_ED25519);
    assert_eq!(shake(&require, "db.example.com", &server).await.unwrap(), None);
}

#[test]
fn settings_that_cannot_work_are_refused_before_any_handshake() {
    let of = |settings: &TlsSettings, host: &str| TlsContext::new(settings, host, no_roots).map(|_| ()).unwrap_err();
    assert_eq!(of(&TlsSettings::of(TlsMode::VerifyFull), "db"), TlsSettingsError::NoAuthorities);
    assert!(matches!(of(&settings(TlsMode::Require, Some("garbage")), "db"), TlsSettingsError::ReadAuthorities(_)));
    let issuer = authority("the CA");
    assert!(matches!(
        of(&settings(TlsMode::VerifyFull, Some(&issuer.pem())), "a b"),
        TlsSettingsError::ReadServerName(_)
    ));
    let (one, other) = (signed(&named("a", &[]), &issuer), signed(&named("b", &[]), &issuer));
    let mut mixed = settings(TlsMode::Require, None);
    mixed.client = Some((one.pem.clone().into_bytes(), SecretValue::new(other.key_pem.clone())));
    assert!(matches!(of(&mixed, "db"), TlsSettingsError::ReadClientKey(_)));
    mixed.client = Some((one.pem.into_bytes(), SecretValue::new("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n")));
    let refused = of(&mixed, "db");
    assert!(matches!(&refused, TlsSettingsError::ReadClientKey(text) if !text.contains("c2Vj")), "{refused}");
}

#[test]
fn a_host_that_no_certificate_can_name_is_no_hindrance_where_names_are_not_checked() {
    assert!(TlsContext::new(&TlsSettings::of(TlsMode::Require), "a b", no_roots).is_ok());
}

#[test]
fn a_disabled_tls_has_no_handshake() {
    assert!(TlsContext::new(&TlsSettings::of(TlsMode::Disable), "db", no_roots).unwrap().handshake.is_none());
}

#[test]
fn the_key_of_a_client_is_not_printed() {
    let mut settings = settings(TlsMode::Require, None);
    settings.client = Some((b"certificate".to_vec(), SecretValue::new("the key")));
    assert!(!format!("{settings:?}").contains("the key"));
}
