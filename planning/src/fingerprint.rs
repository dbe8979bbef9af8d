//! A keyed fingerprint of a password: tells whether it changed, and nothing about what it is, to whoever
//! lacks the key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Half of SHA-256 is more than enough to tell two passwords apart, and keeps status small.
const BYTES: usize = 16;

/// HMAC-SHA-256 over the nonce and the password, its first half in hexadecimal.
pub fn fingerprint(key: &[u8; 32], nonce: &str, password: &[u8]) -> String {
    // A key of any length is acceptable to HMAC; a slice of the block's size or less is used as it is.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(nonce.as_bytes());
    mac.update(&[0]);
    mac.update(password);
    let digest = mac.finalize().into_bytes();
    hex::encode(digest.get(..BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_key_nonce_and_password() {
        let base = fingerprint(&[1; 32], "n", b"secret");
        assert_eq!(base.len(), 32);
        assert_eq!(base, fingerprint(&[1; 32], "n", b"secret"));
        assert_ne!(base, fingerprint(&[2; 32], "n", b"secret"));
        assert_ne!(base, fingerprint(&[1; 32], "m", b"secret"));
        assert_ne!(base, fingerprint(&[1; 32], "n", b"secreu"));
        assert_ne!(fingerprint(&[1; 32], "ab", b"c"), fingerprint(&[1; 32], "a", b"bc"));
    }
}
