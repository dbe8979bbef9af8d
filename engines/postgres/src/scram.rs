//! What the server is told of a password: its SCRAM-SHA-256 verifier, never the password.

use dbprovision_sdk::{Error, OptionProblem, Result, Secret, Wire};

/// The server refuses longer messages at login (`PG_MAX_AUTH_TOKEN_LENGTH`), so that such a password could be
/// set and never used.
const LONGEST: usize = 4096;

/// Reveals the password on `wire` and makes the verifier: 4,096 iterations, normalised (RFC 4013) where the password allows it.
pub(crate) fn verifier(password: &Secret, wire: &dyn Wire) -> Result<String> {
    let value = password.reveal(wire)?;
    check(&value)?;
    Ok(postgres_protocol::password::scram_sha_256(&value))
}

/// A password that no client could log in with is refused before it is set.
fn check(value: &[u8]) -> Result<()> {
    let problem = if value.is_empty() {
        "an empty password is the same as none: the server refuses every login with it"
    } else if value.len() > LONGEST {
        "it is longer than the server takes at login"
    } else if value.contains(&0) {
        "it contains a NUL byte, which no client can send"
    } else {
        return Ok(());
    };
    Err(Error::invalid(vec![OptionProblem { path: "password".to_owned(), problem: problem.to_owned() }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_has_the_servers_form_and_a_fresh_salt() {
        let one = postgres_protocol::password::scram_sha_256(b"correct horse");
        let other = postgres_protocol::password::scram_sha_256(b"correct horse");
        assert!(one.starts_with("SCRAM-SHA-256$4096:"), "{one}");
        assert_ne!(one, other);
        assert!(!one.contains('\'') && !one.contains('\\'));
    }

    #[test]
    fn a_password_nobody_could_use_is_refused() {
        for value in [&b""[..], b"a\0b", &[b'a'; 5000]] {
            assert!(check(value).is_err());
        }
        assert!(check("pässwörd \u{1F600}".as_bytes()).is_ok());
    }
}
