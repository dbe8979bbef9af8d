//! The digest that names a component.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a component's bytes, written `sha256:…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes it.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of how these values are shown, one after the other.
    pub(crate) fn of_shown(values: &[&dyn fmt::Debug]) -> Self {
        let mut hashing = Hashing(Sha256::new());
        for value in values {
            // Hashing does not fail, and a `Debug` that does has said enough.
            write!(hashing, "{value:?};").unwrap_or_default();
        }
        Self(hashing.0.finalize().into())
    }
}

struct Hashing(Sha256);

impl fmt::Write for Hashing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 hexadecimal digits")]
pub struct DigestSyntax;

impl FromStr for Digest {
    type Err = DigestSyntax;

    fn from_str(text: &str) -> Result<Self, DigestSyntax> {
        let digits = text.strip_prefix("sha256:").ok_or(DigestSyntax)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map(|()| Self(bytes)).or(Err(DigestSyntax))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_from_its_text() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for text in ["", "sha256:", "sha512:00", "sha256:zz"] {
            assert_eq!(text.parse::<Digest>(), Err(DigestSyntax), "{text}");
        }
    }

    #[test]
    fn values_are_told_apart_by_where_one_ends() {
        assert_eq!(Digest::of_shown(&[&"a", &1]), Digest::of(b"\"a\";1;"));
        assert_ne!(Digest::of_shown(&[&"a", &"b"]), Digest::of_shown(&[&"a\";\"b"]));
    }
}
