//! Keeps secrets in: every string that leaves a guest goes through a [`Scrubber`] first.
//!
//! Decided here: what counts as an occurrence of a secret, and what becomes of the string.
//!
//! - In running text everything that the guest was ever lent is replaced: from [`SHORTEST_IN_TEXT`] bytes on wherever
//!   it stands, raw or in one of the usual encodings; a shorter value only where it is the whole string, because the
//!   letter `a` as a password would otherwise take the language away.
//! - A name or another word, which the host compares and records, is never changed: a name with a passage cut out is
//!   another name. One that holds the administrator's secret, or one that was lent to this very call, is refused, and
//!   the call with it. Other secrets are not looked for: they are other tenants', and whoever chose a table's name as
//!   a password would keep everybody's rights on that table from being recorded. A value of less than
//!   [`SHORTEST_IN_WORD`] bytes is looked for only as a whole, and in a name not at all.
//! - What the host said itself, in this call or of the account, is public as a word, even if somebody chose it as a
//!   password; the same word is then no secret within other words either.
//!
//! Control characters are replaced, and lengths capped. Which record has which kind of string is in
//! `scrub/records.rs`. Absent: protection against a guest that encrypts what it leaks; it holds no stream but the one
//! to its own server.

pub(crate) mod forms;
mod records;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

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

/// Why an answer is not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// A word or a document is longer than anything that could be meant.
    #[error("{what} of {length} bytes, where {limit} are allowed")]
    TooLarge { what: &'static str, length: usize, limit: usize },
    /// A word holds a secret.
    #[error("a secret where a name belongs")]
    Secret,
}

/// What a guest's answer goes through. Implemented for every record of the contract, field by field, so that
/// a new field without a decision does not compile.
pub(crate) trait Scrub: Sized {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit>;
}

/// The secrets that one guest was ever given.
#[derive(Debug, Default)]
pub(crate) struct Scrubber {
    /// For texts, by their first bytes: a text is read once, however many secrets there are.
    patterns: HashMap<Beginning, Vec<Pattern>>,
    /// The length of the longest.
    longest: usize,
    whole: Vec<SecretValue>,
    /// For words: the administrator's, and those of the call that is under way.
    standing: Vec<Guarded>,
    lent: Vec<Guarded>,
    public: BTreeSet<String>,
    /// What the host said in the call that is under way.
    said: BTreeSet<String>,
}

/// The first bytes of a pattern: all have as many.
type Beginning = [u8; SHORTEST_IN_TEXT];

struct Pattern(Zeroizing<String>);

impl std::fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Pattern(..)")
    }
}

/// A secret that no word may hold.
#[derive(Debug)]
struct Guarded {
    value: SecretValue,
    /// Its shapes, where it is long enough to be looked for within words.
    forms: Vec<Pattern>,
}

impl Guarded {
    fn new(value: &SecretValue) -> Self {
        let is_long = value.expose().len() >= SHORTEST_IN_WORD;
        let forms = if is_long { forms::of(value.expose()).into_iter().map(Pattern).collect() } else { Vec::new() };
        Self { value: value.clone(), forms }
    }

    fn is_in(&self, word: &str, is_name: bool) -> bool {
        // A short name that is also somebody's password gives nothing away.
        let is_whole = self.value.expose() == word.as_bytes() && (!is_name || !self.forms.is_empty());
        is_whole || self.forms.iter().any(|form| word.contains(form.0.as_str()))
    }
}

impl Scrubber {
    pub(crate) fn new() -> Self {
        let public = CONTRACT_WORDS.into_iter().map(str::to_owned).collect();
        Self { public, ..Self::default() }
    }

    /// A new call begins: nothing is said yet, and nothing lent.
    pub(crate) fn begin_call(&mut self) {
        self.lent.clear();
        self.said.clear();
    }

    /// This value is in no text and in no word from now on.
    pub(crate) fn add_secret(&mut self, value: &SecretValue) {
        self.know(value);
        if !value.expose().is_empty() && !is_guarded(&self.standing, value) {
            self.standing.push(Guarded::new(value));
        }
    }

    /// This value is in no text from now on, and in no word of this call.
    pub(crate) fn lend(&mut self, value: &SecretValue) {
        self.know(value);
        if !value.expose().is_empty() && !is_guarded(&self.standing, value) && !is_guarded(&self.lent, value) {
            self.lent.push(Guarded::new(value));
        }
    }

    fn know(&mut self, value: &SecretValue) {
        if value.expose().is_empty() || self.whole.iter().any(|known| known.expose() == value.expose()) {
            return;
        }
        self.whole.push(value.clone());
        if value.expose().len() < SHORTEST_IN_TEXT {
            return;
        }
        for text in forms::of(value.expose()) {
            let Some(beginning) = text.as_bytes().first_chunk().copied() else { continue };
            let alike: &mut Vec<Pattern> = self.patterns.entry(beginning).or_default();
            if !alike.iter().any(|known| *known.0 == *text) {
                self.longest = self.longest.max(text.len());
                alike.push(Pattern(text));
            }
        }
    }

    /// A word that is no secret in any call.
    pub(crate) fn add_public(&mut self, word: &str) {
        self.public.insert(word.to_owned());
    }

    /// A word that the host passes in this call: it is no secret in it.
    pub(crate) fn say(&mut self, word: &str) {
        self.said.insert(word.to_owned());
    }

    /// How many secrets it knows.
    pub(crate) fn secrets(&self) -> usize {
        self.whole.len()
    }

    fn is_public(&self, word: &str) -> bool {
        self.public.contains(word) || self.said.contains(word)
    }

    /// For people: messages, details, log lines.
    pub(crate) fn text(&self, text: &str) -> String {
        let longest = self.longest;
        // The end of what is cut off before the search may be a part of a secret: it goes, too.
        let searched = LONGEST_TEXT.saturating_add(longest.saturating_mul(2));
        let was_cut = text.len() > searched;
        let mut clean = self.replaced(start_of(text, searched));
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

    /// What the host compares and no person chose: ids, codes, arguments.
    pub(crate) fn word(&self, word: &str) -> Result<String, Unfit> {
        self.unchanged(word, false)
    }

    /// What somebody chose as a name, and the engine's words for kinds and rights. A name is a name, whatever is in it:
    /// who shows it to people cleans what is shown.
    pub(crate) fn name(&self, name: &str) -> Result<String, Unfit> {
        self.unchanged(name, true)
    }

    fn unchanged(&self, word: &str, is_name: bool) -> Result<String, Unfit> {
        if word.len() > LONGEST_WORD {
            return Err(Unfit::TooLarge { what: "a word", length: word.len(), limit: LONGEST_WORD });
        }
        if self.is_public(word) {
            return Ok(word.to_owned());
        }
        let is_public = |secret: &[u8]| std::str::from_utf8(secret).is_ok_and(|text| self.is_public(text));
        let mut secrets = self.standing.iter().chain(&self.lent);
        if secrets.any(|secret| secret.is_in(word, is_name) && !is_public(secret.value.expose())) {
            return Err(Unfit::Secret);
        }
        if is_name {
            return Ok(word.to_owned());
        }
        Ok(word.chars().map(|letter| if is_control(letter) { '\u{fffd}' } else { letter }).collect())
    }

    /// A document: its strings are cleaned as text. What is no JSON becomes `null`.
    pub(crate) fn json(&self, json: &str) -> Result<String, Unfit> {
        if json.len() > LONGEST_JSON {
            return Err(Unfit::TooLarge { what: "a document", length: json.len(), limit: LONGEST_JSON });
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
        if self.is_public(text) { text.to_owned() } else { self.text(text) }
    }

    fn is_secret(&self, text: &str) -> bool {
        self.whole.iter().any(|secret| secret.expose() == text.as_bytes())
    }

    fn replaced(&self, text: &str) -> String {
        if self.is_secret(text) {
            return REDACTED.to_owned();
        }
        let mut clean = text.to_owned();
        for pattern in self.found_in(text) {
            clean = clean.replace(pattern, REDACTED);
        }
        clean
    }

    /// What is in the text. Longest first, so that a secret within a longer one does not split it.
    fn found_in(&self, text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for (at, beginning) in text.as_bytes().windows(SHORTEST_IN_TEXT).enumerate() {
            let alike = beginning.try_into().ok().and_then(|beginning: Beginning| self.patterns.get(&beginning));
            let rest = || text.as_bytes().get(at..).unwrap_or_default();
            let is_here = |pattern: &&Pattern| rest().starts_with(pattern.0.as_bytes());
            found.extend(alike.into_iter().flatten().filter(is_here).map(|pattern| pattern.0.as_str()));
        }
        found.sort_unstable_by_key(|pattern| (std::cmp::Reverse(pattern.len()), *pattern));
        found.dedup();
        found
    }
}

fn is_guarded(known: &[Guarded], value: &SecretValue) -> bool {
    known.iter().any(|known| known.value.expose() == value.expose())
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
