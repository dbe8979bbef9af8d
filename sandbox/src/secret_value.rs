//! A secret while the host holds it: wiped when dropped, and without a way to print it.
//!
//! Decided here: how long one may be that a guest is lent, because everything that comes out of the guest is searched
//! for it in twenty shapes, for as long as the guest lives. Keys of certificates, which no guest is lent, may be longer.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::CallError;
use crate::scrub::forms;

/// A password or another secret value.
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<Vec<u8>>>);

impl SecretValue {
    /// The most bytes of a secret that a guest is lent.
    pub const LONGEST: usize = 4 << 10;

    /// Takes the value over.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// The value itself.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether a text has it, in any shape that it turns up in: quoted, in a URL, in base64.
    pub fn is_told_by(&self, text: &str) -> bool {
        forms::of(&self.0).iter().any(|form| !form.is_empty() && text.contains(form.as_str()))
    }

    /// Whether it may be lent.
    pub(crate) fn check_length(&self) -> Result<(), CallError> {
        let length = self.0.len();
        if length > Self::LONGEST { Err(CallError::SecretTooLong(length)) } else { Ok(()) }
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_the_shapes_that_it_turns_up_in() {
        let secret = SecretValue::new("it's hunter2");
        for text in ["no: it's hunter2", "'it''s hunter2'", "data: aXQncyBodW50ZXIy", "p=it%27s%20hunter2"] {
            assert!(secret.is_told_by(text), "{text}");
        }
        assert!(!secret.is_told_by("hunter2") && !SecretValue::new("").is_told_by("anything"));
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", SecretValue::new("hunter2")), "SecretValue(..)");
    }
}
