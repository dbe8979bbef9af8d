//! Generated passwords: from a policy and random bytes to a password.

use crds::PasswordConfig;
use crds::names::reason;

use crate::Blocked;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const SPECIAL: &str = "!@#$%^&*";

/// Fewer different characters than this make even a long password guessable by accident of the policy.
const SMALLEST_ALPHABET: usize = 10;

/// What a password is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    length: usize,
    /// The classes that are left after the exclusions; each is in every password.
    classes: Vec<Vec<char>>,
}

impl Policy {
    /// Reads the policy of a resource; an absent block is the default one.
    pub fn parse(stated: Option<&PasswordConfig>) -> Result<Self, Blocked> {
        let default = PasswordConfig::named("");
        let config = stated.unwrap_or(&default);
        let excluded = config.exclude_chars.as_deref().unwrap_or_default();
        let kinds = [Some(LOWER), Some(UPPER), Some(DIGITS), config.include_special_chars.then_some(SPECIAL)];
        let classes: Vec<Vec<char>> = kinds
            .into_iter()
            .flatten()
            .map(|kind| kind.chars().filter(|character| !excluded.contains(*character)).collect::<Vec<_>>())
            .filter(|class| !class.is_empty())
            .collect();
        let alphabet: usize = classes.iter().map(Vec::len).sum();
        if alphabet < SMALLEST_ALPHABET {
            return Err(Blocked::invalid(
                reason::INVALID_SPEC,
                format!(
                    "spec.passwordSecret.excludeChars leaves {alphabet} characters to make a password of; \
                     at least {SMALLEST_ALPHABET} are needed"
                ),
            ));
        }
        let length = usize::try_from(config.length).unwrap_or(0);
        if !(8..=128).contains(&length) {
            return Err(Blocked::invalid(reason::INVALID_SPEC, "spec.passwordSecret.length must be between 8 and 128"));
        }
        Ok(Self { length, classes })
    }

    /// How many random bytes are surely enough.
    pub fn random_bytes(&self) -> usize {
        // Two choices a character (one to choose it, one to shuffle it), each of which may be thrown away.
        self.length * 2 * 8
    }

    /// Makes a password: uniformly chosen characters, at least one of each class. None when the random bytes ran out.
    pub fn generate(&self, random: &[u8]) -> Option<String> {
        let mut random = random.iter().copied();
        let alphabet: Vec<char> = self.classes.iter().flatten().copied().collect();
        let mut characters = Vec::with_capacity(self.length);
        for class in &self.classes {
            characters.push(*class.get(below(class.len(), &mut random)?)?);
        }
        while characters.len() < self.length {
            characters.push(*alphabet.get(below(alphabet.len(), &mut random)?)?);
        }
        // The first characters are of known classes until they are shuffled (Fisher and Yates).
        for last in (1..characters.len()).rev() {
            characters.swap(last, below(last + 1, &mut random)?);
        }
        Some(characters.into_iter().collect())
    }
}

/// A number below `bound`, which is at most 256, without bias: bytes beyond the last whole multiple are thrown away.
fn below(bound: usize, random: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let whole = 256 - 256 % bound;
    random.map(usize::from).find(|byte| *byte < whole).map(|byte| byte % bound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(length: u32, special: bool, exclude: &str) -> PasswordConfig {
        PasswordConfig {
            length,
            include_special_chars: special,
            exclude_chars: Some(exclude.to_owned()),
            ..PasswordConfig::named("s")
        }
    }

    proptest! {
        #[test]
        fn a_password_follows_its_policy(length in 8u32..=128, special: bool, random in proptest::collection::vec(any::<u8>(), 4096)) {
            let policy = Policy::parse(Some(&config(length, special, "aB3!"))).unwrap();
            let password = policy.generate(&random).unwrap();
            prop_assert_eq!(password.chars().count(), length as usize);
            prop_assert!(!password.contains(['a', 'B', '3', '!']));
            prop_assert!(password.contains(|c: char| c.is_ascii_lowercase()));
            prop_assert!(password.contains(|c: char| c.is_ascii_uppercase()));
            prop_assert!(password.contains(|c: char| c.is_ascii_digit()));
            prop_assert_eq!(password.contains(|c| SPECIAL.contains(c)), special);
        }
    }

    #[test]
    fn every_character_is_as_likely_as_any_other() {
        let mut counts = [0u32; 62];
        for byte in 0..=255u8 {
            if let Some(index) = below(62, &mut std::iter::once(byte)) {
                counts[index] += 1;
            }
        }
        assert!(counts.iter().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn a_policy_that_leaves_too_little_is_refused() {
        let everything = format!("{LOWER}{UPPER}{DIGITS}");
        let blocked = Policy::parse(Some(&config(32, true, &everything))).unwrap_err();
        assert!(blocked.message.contains("excludeChars"), "{blocked}");
    }

    #[test]
    fn without_random_bytes_there_is_no_password() {
        assert_eq!(Policy::parse(None).unwrap().generate(&[]), None);
    }
}
