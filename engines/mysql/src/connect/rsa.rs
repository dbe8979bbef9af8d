//! A password for a server without TLS: encrypted with the key that the server sends (RFC 8017, section 7.1,
//! with SHA-1), after it was masked with the login's nonce.
//!
//! The key comes from the other side and is read as such: every length is checked. Deliberately absent: any claim
//! that the key is the server's own. An instance that cares asks for TLS, and then no password comes here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dbprovision_sdk::{Error, Result, random};
use num_bigint::BigUint;
use sha1::{Digest as _, Sha1};

const HASH: usize = 20;
/// Beyond this an exponentiation takes longer than a login may.
const LONGEST_MODULUS: usize = 1024;
/// `rsaEncryption`, RFC 8017, appendix A.1.
const OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The password as the server wants it: masked, padded, encrypted.
pub(super) fn encrypt_password(password: &[u8], nonce: &[u8], pem: &[u8]) -> Result<Vec<u8>> {
    let key = Key::read(pem).ok_or_else(|| Error::protocol("the server's public key cannot be read", ""))?;
    let ended = password.iter().chain(std::iter::once(&0));
    let masked: Vec<u8> = ended.zip(nonce.iter().cycle()).map(|(one, mask)| one ^ mask).collect();
    let mut seed = [0; HASH];
    random::fill(&mut seed)?;
    key.encrypt(&masked, &seed)
        .ok_or_else(|| Error::protocol("the server's public key is too short for this password", ""))
}

struct Key {
    modulus: BigUint,
    exponent: BigUint,
    length: usize,
}

impl Key {
    fn read(pem: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        let body = text.split_once("-----BEGIN PUBLIC KEY-----")?.1.split_once("-----END PUBLIC KEY-----")?.0;
        let packed: String = body.chars().filter(|one| !one.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(packed).ok()?;
        // SubjectPublicKeyInfo: the algorithm, and the key as a bit string.
        let (outer, _) = element(&der, 0x30)?;
        let (algorithm, rest) = element(outer, 0x30)?;
        let (oid, _) = element(algorithm, 0x06)?;
        let (bits, _) = element(rest, 0x03)?;
        let (0, key) = bits.split_first().map(|(unused, key)| (*unused, key))? else { return None };
        let (numbers, _) = element(key, 0x30)?;
        let (modulus, rest) = element(numbers, 0x02)?;
        let (exponent, _) = element(rest, 0x02)?;
        let modulus = BigUint::from_bytes_be(modulus);
        let length = usize::try_from(modulus.bits().div_ceil(8)).ok()?;
        let exponent = BigUint::from_bytes_be(exponent);
        (oid == OID && length <= LONGEST_MODULUS && exponent.bits() <= 32 && modulus.bit(0)).then_some(Self {
            modulus,
            exponent,
            length,
        })
    }

    fn encrypt(&self, message: &[u8], seed: &[u8; HASH]) -> Option<Vec<u8>> {
        let room = self.length.checked_sub(2 * HASH + 2)?;
        let padding = room.checked_sub(message.len())?;
        // The label is empty.
        let mut block = Sha1::digest([]).to_vec();
        block.resize(HASH + padding, 0);
        block.push(1);
        block.extend_from_slice(message);
        let masked: Vec<u8> = block.iter().zip(mask(seed, block.len())).map(|(one, mask)| one ^ mask).collect();
        let seed = seed.iter().zip(mask(&masked, HASH)).map(|(one, mask)| one ^ mask);
        let encoded: Vec<u8> = std::iter::once(0).chain(seed).chain(masked.iter().copied()).collect();
        let number = BigUint::from_bytes_be(&encoded).modpow(&self.exponent, &self.modulus).to_bytes_be();
        let mut sent = vec![0; self.length.checked_sub(number.len())?];
        sent.extend(number);
        Some(sent)
    }
}

/// MGF1 with SHA-1.
fn mask(seed: &[u8], length: usize) -> Vec<u8> {
    let mut made = Vec::with_capacity(length + HASH);
    let mut counter: u32 = 0;
    while made.len() < length {
        made.extend(Sha1::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize());
        counter += 1;
    }
    made.truncate(length);
    made
}

/// The content of the DER element with this tag at the beginning, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 3)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        for bytes in [
            &b""[..],
            b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
            b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
            b"-----BEGIN PUBLIC KEY-----\nMP//////\n-----END PUBLIC KEY-----",
            b"\xff\xfe",
        ] {
            assert!(Key::read(bytes).is_none(), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_element_never_reaches_beyond_its_bytes() {
        assert_eq!(element(&[0x02, 0x01, 0x07, 0x09], 0x02), Some((&[7][..], &[9][..])));
        assert_eq!(element(&[0x02, 0x81, 0x01, 0x07], 0x02), Some((&[7][..], &[][..])));
        for bytes in [&[][..], &[0x02], &[0x02, 0x02, 0x01], &[0x02, 0x84, 0, 0, 0, 1, 1], &[0x30, 0x00]] {
            assert_eq!(element(bytes, 0x02), None, "{bytes:?}");
        }
    }
}
