//! What the server keeps instead of a password, computed here so that no password is ever part of a statement.
//!
//! Sources: MySQL's and MariaDB's manuals for the forms, Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512" for
//! the two SHA-256 methods, which take a salt of twenty characters.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use dbprovision_sdk::{Error, Result, random};
use mysql_common::auth::plugins::ChallengeResponsePlugin;
use mysql_common::auth::plugins::client_ed25519::ClientEd25519;
use mysql_common::auth::plugins::parsec::Parsec;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::connect::Password;
use crate::statements::account::{Authentication, Hash};

/// The digits of crypt's own base 64.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SALT: usize = 20;
const ROUNDS: usize = 5000;

/// A method whose hashes can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    Native,
    CachingSha2,
    Sha256,
    Ed25519,
    Parsec,
}

impl Plugin {
    /// As the server calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Sha256 => "sha256_password",
            Self::Ed25519 => "ed25519",
            Self::Parsec => "parsec",
        }
    }

    /// The method and the hash of a password.
    pub(crate) fn authentication(self, password: &[u8]) -> Result<Authentication> {
        let hash = match self {
            Self::Native => native(password),
            // The number of rounds, in thousands.
            Self::CachingSha2 => {
                let salt = salt(SALT)?;
                format!("$A$005${salt}{}", crypt(password, salt.as_bytes()))
            }
            Self::Sha256 => {
                let salt = salt(SALT)?;
                format!("$5${salt}${}", crypt(password, salt.as_bytes()))
            }
            Self::Ed25519 => STANDARD_NO_PAD.encode(ed25519(password)?),
            Self::Parsec => parsec(password)?,
        };
        Ok(Authentication { plugin: self.name().to_owned(), hash: Hash::Text(hash) })
    }
}

/// `*` and the hexadecimal digits of `SHA1(SHA1(password))`.
fn native(password: &[u8]) -> String {
    format!("*{}", hex::encode_upper(Sha1::digest(Sha1::digest(password))))
}

fn failed(what: &str) -> Error {
    Error::protocol("the password's hash could not be computed", what)
}

/// The public key that belongs to the password.
fn ed25519(password: &[u8]) -> Result<Vec<u8>> {
    ClientEd25519::default().password_hash(Password(password)).ok_or_else(|| failed("no public key"))
}

/// `P0:salt:key`: the login is answered with this salt, and what the client signs with must fit the key.
fn parsec(password: &[u8]) -> Result<String> {
    // P, and 1024 iterations shifted by the next byte.
    let mut parameters = [0; 20];
    let (head, salt) = parameters.split_at_mut(2);
    head.copy_from_slice(&[b'P', 0]);
    random::fill(salt)?;
    let salt = STANDARD_NO_PAD.encode(salt);
    let mut signing = Parsec::default();
    for challenge in [&[0; 32][..], &parameters] {
        signing.run(Password(password), challenge).map_err(|error| failed(&error.to_string()))?;
    }
    let hash = signing.password_hash(Password(password)).ok_or_else(|| failed("no public key"))?;
    let key = hash.get(parameters.len()..).ok_or_else(|| failed("no public key"))?;
    Ok(format!("P0:{salt}:{}", STANDARD_NO_PAD.encode(key)))
}

/// Random characters that mean nothing anywhere.
fn salt(length: usize) -> Result<String> {
    let mut bytes = vec![0; length];
    random::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| digit(u32::from(*byte))).collect())
}

fn digit(value: u32) -> char {
    DIGITS.get(usize::try_from(value & 0x3f).unwrap_or(0)).copied().map_or('.', char::from)
}

/// SHA-256-crypt with 5000 rounds: only the digest, in crypt's base 64.
fn crypt(password: &[u8], salt: &[u8]) -> String {
    let repeated = |block: &[u8], length: usize| block.iter().copied().cycle().take(length).collect::<Vec<u8>>();
    let alternate = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Sha256::new();
    first.update(password);
    first.update(salt);
    first.update(repeated(&alternate, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { Cow::from(alternate.to_vec()) } else { Cow::from(password) });
        bits >>= 1;
    }
    let mut digest = first.finalize();
    let mut of_password = Sha256::new();
    for _ in 0..password.len() {
        of_password.update(password);
    }
    let password = repeated(&of_password.finalize(), password.len());
    let mut of_salt = Sha256::new();
    let times = 16 + usize::from(digest.first().copied().unwrap_or_default());
    for _ in 0..times {
        of_salt.update(salt);
    }
    let salt = repeated(&of_salt.finalize(), salt.len());
    for round in 0..ROUNDS {
        let mut next = Sha256::new();
        let (start, end) = if round % 2 == 1 { (&password[..], &digest[..]) } else { (&digest[..], &password[..]) };
        next.update(start);
        if round % 3 != 0 {
            next.update(&salt);
        }
        if round % 7 != 0 {
            next.update(&password);
        }
        next.update(end);
        digest = next.finalize();
    }
    encoded(&digest)
}

/// Three bytes at a time, in an order of crypt's own, the last two by themselves.
fn encoded(digest: &[u8]) -> String {
    const ORDER: [[usize; 3]; 10] = [
        [0, 10, 20],
        [21, 1, 11],
        [12, 22, 2],
        [3, 13, 23],
        [24, 4, 14],
        [15, 25, 5],
        [6, 16, 26],
        [27, 7, 17],
        [18, 28, 8],
        [9, 19, 29],
    ];
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or_default());
    let groups = ORDER.iter().map(|[high, middle, low]| (byte(*high) << 16 | byte(*middle) << 8 | byte(*low), 4));
    let mut text = String::with_capacity(43);
    for (mut value, digits) in groups.chain(std::iter::once((byte(31) << 8 | byte(30), 3))) {
        for _ in 0..digits {
            text.push(digit(value));
            value >>= 6;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_hash_is_the_servers() {
        assert_eq!(native(b"x"), "*B69027D44F6E5EDC07F1AEAD1477967B16F28227");
    }

    #[test]
    fn a_crypt_digest_is_what_its_author_published() {
        assert_eq!(crypt(b"Hello world!", b"saltstring"), "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    }

    #[test]
    fn a_signing_key_is_the_servers() {
        assert_eq!(STANDARD_NO_PAD.encode(ed25519(b"secret").unwrap()), "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY");
    }

    #[test]
    fn every_hash_has_its_methods_form() {
        for (plugin, start, length) in [
            (Plugin::Native, "*", 41),
            (Plugin::CachingSha2, "$A$005$", 70),
            (Plugin::Sha256, "$5$", 67),
            (Plugin::Ed25519, "", 43),
            (Plugin::Parsec, "P0:", 71),
        ] {
            let Hash::Text(hash) = plugin.authentication("stäple ' \\".as_bytes()).unwrap().hash else {
                panic!("{plugin:?} has no text")
            };
            assert!(hash.starts_with(start) && hash.len() == length, "{plugin:?}: {hash} {}", hash.len());
            assert!(!hash.contains(['\'', '\\', '"']), "{hash}");
        }
    }
}
