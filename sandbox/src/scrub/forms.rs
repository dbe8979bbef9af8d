//! The shapes in which a secret turns up in messages: as it is, quoted for SQL, in a URL, in JSON, in hexadecimal,
//! in base64 at any offset within what was encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Encodings of a value this short are likely to be parts of other words.
const SHORTEST_TO_ENCODE: usize = 6;

type Form = Zeroizing<String>;

/// All shapes of this value, some of them equal.
pub(crate) fn of(value: &[u8]) -> Vec<Form> {
    let mut forms = Vec::new();
    if let Ok(text) = std::str::from_utf8(value) {
        forms.push(Zeroizing::new(text.to_owned()));
        forms.push(Zeroizing::new(text.replace('\'', "''")));
        forms.push(Zeroizing::new(text.replace('"', "\"\"")));
        forms.push(Zeroizing::new(text.replace('`', "``")));
        forms.push(Zeroizing::new(text.replace('\\', "\\\\").replace('\'', "''")));
        forms.push(Zeroizing::new(text.replace('\\', "\\\\").replace('\'', "\\'")));
        forms.push(Zeroizing::new(text.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"")));
        // Rust's and JSON's ways to print a string, without the quotes around it.
        for quoted in [format!("{text:?}"), serde_json::Value::from(text).to_string()] {
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            forms.extend(inner.map(|inner| Zeroizing::new(inner.to_owned())));
        }
    }
    for form in [percent(value, false), percent(value, true)] {
        forms.push(Zeroizing::new(form.to_lowercase_escapes()));
        forms.push(Zeroizing::new(form.0));
    }
    if value.len() >= SHORTEST_TO_ENCODE {
        forms.push(Zeroizing::new(hex::encode(value)));
        forms.push(Zeroizing::new(hex::encode_upper(value)));
        for offset in 0..3 {
            forms.extend(base64_at(value, offset));
        }
    }
    forms
}

struct Percent(String);

impl Percent {
    /// The same with `%2f` instead of `%2F`.
    fn to_lowercase_escapes(&self) -> String {
        let mut lower_next = 0_u8;
        let lower = |letter: char| {
            if letter == '%' {
                lower_next = 2;
                return letter;
            }
            let lowered = if lower_next > 0 { letter.to_ascii_lowercase() } else { letter };
            lower_next = lower_next.saturating_sub(1);
            lowered
        };
        self.0.chars().map(lower).collect()
    }
}

/// With all but the unreserved characters of RFC 3986 escaped, and the space as `+` in forms.
fn percent(value: &[u8], plus: bool) -> Percent {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(value.len().saturating_mul(3));
    for byte in value {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            b' ' if plus => text.push('+'),
            // Writing to a string does not fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    Percent(text)
}

/// The letters of base64 that depend on the value alone when `offset` bytes stand before it, in both alphabets.
fn base64_at(value: &[u8], offset: usize) -> Vec<Form> {
    let mut padded = Zeroizing::new(vec![0_u8; offset]);
    padded.extend_from_slice(value);
    let first = (offset * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    [STANDARD_NO_PAD.encode(&*padded), URL_SAFE_NO_PAD.encode(&*padded)]
        .into_iter()
        .map(Zeroizing::new)
        .filter_map(|encoded| encoded.get(first..end).map(|own| Zeroizing::new(own.to_owned())))
        .collect()
}
