//! Keeps secrets in: every string that leaves a guest goes through a [`Scrubber`] first.
//!
//! Decided here: what counts as an occurrence of a secret. In running text a value of at least
//! [`SHORTEST_IN_TEXT`] bytes is replaced wherever it stands, raw or in one of the usual encodings; in a word
//! (a name, an id, a cursor, which the host compares) from [`SHORTEST_IN_WORD`] bytes on; a shorter value only
//! where it is the whole string, because the letter `a` as a password would otherwise take the language away.
//! A word that the host itself passed in, such as the account's name, is public and stays, even if somebody
//! chose it as a password. Control characters are replaced, and lengths capped. Which record has which kind of
//! string is in `scrub/records.rs`. Absent: protection against a guest that encrypts what it leaks; it holds
//! no stream but the one to its own server.

mod forms;
mod records;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::secret_value::SecretValue;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The shortest secret that is looked for inside running text, in bytes.
const SHORTEST_IN_TEXT: usize = 4;

/// The shortest secret that is looked for inside a word, in bytes.
const SHORTEST_IN_WORD: usize = 8;

/// The longest text; the rest is cut off.
const LONGEST_TEXT: usize = 8 << 10;

/// The longest word. A longer one is refused, because a cut name is another name.
const LONGEST_WORD: usize = 4 << 10;

/// The longest JSON document.
const LONGEST_JSON: usize = 256 << 10;

/// Words of the contract that are no secret whatever anybody's password is.
const CONTRACT_WORDS: [&str; 2] = ["password", "primary"];

/// A word or a document is longer than anything that could be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {length} bytes, where {limit} are allowed")]
pub(crate) struct TooLarge {
    what: &'static str,
    length: usize,
    limit: usize,
}

/// What a guest's answer goes through. Implemented for every record of the contract, field by field, so that
/// a new field without a decision does not compile.
pub(crate) trait Scrub: Sized {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, TooLarge>;
}

/// The secrets that one guest was ever given.
#[derive(Debug, Default)]
pub(crate) struct Scrubber {
    /// Longest first, so that a secret within a longer one does not split it.
    patterns: Vec<Pattern>,
    whole: Vec<SecretValue>,
    public: BTreeSet<String>,
    secrets: usize,
}

struct Pattern {
    text: Zeroizing<String>,
    within_words: bool,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Pattern(..)")
    }
}

impl Scrubber {
    pub(crate) fn new() -> Self {
        let public = CONTRACT_WORDS.into_iter().map(str::to_owned).collect();
        Self { public, ..Self::default() }
    }

    /// From now on this value is looked for.
    pub(crate) fn add_secret(&mut self, value: &SecretValue) {
        if value.expose().is_empty() || self.whole.iter().any(|known| known.expose() == value.expose()) {
            return;
        }
        self.secrets = self.secrets.saturating_add(1);
        self.whole.push(value.clone());
        if value.expose().len() < SHORTEST_IN_TEXT {
            return;
        }
        let within_words = value.expose().len() >= SHORTEST_IN_WORD;
        for text in forms::of(value.expose()) {
            if text.len() >= SHORTEST_IN_TEXT && !self.patterns.iter().any(|known| *known.text == *text) {
                self.patterns.push(Pattern { text, within_words });
            }
        }
        self.patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.text.len()));
    }

    /// A word that the host passed in: it is no secret.
    pub(crate) fn add_public(&mut self, word: &str) {
        if !self.public.contains(word) {
            self.public.insert(word.to_owned());
        }
    }

    /// How many secrets it knows.
    pub(crate) fn secrets(&self) -> usize {
        self.secrets
    }

    /// How many words it holds as public.
    pub(crate) fn public_words(&self) -> usize {
        self.public.len()
    }

    /// For people: messages, details, log lines.
    pub(crate) fn text(&self, text: &str) -> String {
        let longest = self.patterns.first().map_or(0, |pattern| pattern.text.len());
        // The end of what is cut off before the search may be a part of a secret: it goes, too.
        let searched = LONGEST_TEXT.saturating_add(longest.saturating_mul(2));
        let was_cut = text.len() > searched;
        let mut clean = self.replaced(start_of(text, searched), false);
        if was_cut {
            let kept = clean.len().saturating_sub(longest);
            clean = start_of(&clean, kept).to_owned();
        }
        let mut clean: String = clean.chars().map(|letter| if is_control(letter) { ' ' } else { letter }).collect();
        if was_cut || clean.len() > LONGEST_TEXT {
            clean = start_of(&clean, LONGEST_TEXT).to_owned();
            clean.push('…');
        }
        clean
    }

    /// What the host compares: names, ids, cursors.
    pub(crate) fn word(&self, word: &str) -> Result<String, TooLarge> {
        if word.len() > LONGEST_WORD {
            return Err(TooLarge { what: "a word", length: word.len(), limit: LONGEST_WORD });
        }
        if self.public.contains(word) {
            return Ok(word.to_owned());
        }
        let clean = self.replaced(word, true);
        Ok(clean.chars().map(|letter| if is_control(letter) { '\u{fffd}' } else { letter }).collect())
    }

    /// A document: its strings are cleaned as text. What is no JSON becomes `null`.
    pub(crate) fn json(&self, json: &str) -> Result<String, TooLarge> {
        if json.len() > LONGEST_JSON {
            return Err(TooLarge { what: "a document", length: json.len(), limit: LONGEST_JSON });
        }
        let value = serde_json::from_str(json).unwrap_or(serde_json::Value::Null);
        Ok(self.value(value).to_string())
    }

    fn value(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::Null | Value::Bool(_) => value,
            // A secret may be made of digits, or be `1e5`.
            Value::Number(number) => {
                let text = number.to_string();
                if self.is_secret(&text) { Value::String(REDACTED.to_owned()) } else { Value::Number(number) }
            }
            Value::String(text) => Value::String(self.line(&text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(members) => {
                Value::Object(members.into_iter().map(|(key, member)| (self.line(&key), self.value(member))).collect())
            }
        }
    }

    fn line(&self, text: &str) -> String {
        if self.public.contains(text) { text.to_owned() } else { self.text(text) }
    }

    fn is_secret(&self, text: &str) -> bool {
        self.whole.iter().any(|secret| secret.expose() == text.as_bytes())
    }

    fn replaced(&self, text: &str, is_word: bool) -> String {
        if self.is_secret(text) {
            return REDACTED.to_owned();
        }
        let mut clean = text.to_owned();
        for pattern in &self.patterns {
            if (pattern.within_words || !is_word) && clean.contains(pattern.text.as_str()) {
                clean = clean.replace(pattern.text.as_str(), REDACTED);
            }
        }
        clean
    }
}

/// Control characters, and those that turn the direction of text around them or hide in it.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// At most this many bytes from the start, whole characters only.
fn start_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
