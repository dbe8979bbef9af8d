//! Whether a certificate is for a name: alternative names first, the common name only where there are none.

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::TlsFailure;

/// Checks the name of an already trusted certificate.
pub(super) fn check(
    der: &CertificateDer<'_>,
    parsed: &X509Certificate<'_>,
    name: &ServerName<'_>,
) -> Result<(), TlsFailure> {
    let alternatives = alternatives(parsed);
    let wrong = |presented| TlsFailure::WrongName { expected: name.to_str().into_owned(), presented };
    if alternatives.is_empty() {
        let common: Vec<String> =
            parsed.subject().iter_common_name().filter_map(|common| common.as_str().ok().map(str::to_owned)).collect();
        // libpq takes the first common name; more than one is not a certificate to be trusted with a choice.
        return match common.as_slice() {
            [only] if matches(only, name) => Ok(()),
            _ => Err(wrong(common)),
        };
    }
    let usable = ParsedCertificate::try_from(der).map_err(|error| TlsFailure::Certificate(error.to_string()))?;
    verify_server_name(&usable, name).or(Err(wrong(alternatives)))
}

/// The DNS names and addresses among the alternative names, as text.
fn alternatives(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other kind names a host")]
    let named = extension.value.general_names.iter().filter_map(|general| match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => Some(address(bytes)),
        _ => None,
    });
    named.take(20).collect()
}

fn address(bytes: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(four).to_string();
    }
    <[u8; 16]>::try_from(bytes)
        .map_or_else(|_| hex::encode(bytes), |sixteen| std::net::Ipv6Addr::from(sixteen).to_string())
}

/// A common name: the name itself, or `*.` before everything after the first label. Addresses only literally.
fn matches(common: &str, name: &ServerName<'_>) -> bool {
    let wanted = name.to_str();
    if common.eq_ignore_ascii_case(&wanted) {
        return true;
    }
    let (Some(rest), ServerName::DnsName(_)) = (common.strip_prefix("*."), name) else { return false };
    wanted.split_once('.').is_some_and(|(_, parent)| parent.contains('.') && parent.eq_ignore_ascii_case(rest))
}
