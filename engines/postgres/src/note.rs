//! Which memberships a role's own resource gave it, kept in the role's comment between the words and the mark.
//!
//! The server does not tell whose a membership is: all that the administrator gives look alike, whether the role's
//! resource states them (`inRoles`) or a grant resource does. So what the resource gave is noted where the role
//! itself cannot write, in the same transaction, and nothing else is ever taken back by it. A note that is lost
//! takes nothing back. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

const OPENING: &str = "[dbops-roles:";

/// The user's own words and the note. Where there is nothing to note, a note is written only after words that
/// would be taken for one.
pub(crate) fn write(words: Option<&str>, given: &BTreeSet<String>) -> Option<String> {
    if given.is_empty() && words.is_none_or(|words| split(words).is_none()) {
        return words.map(str::to_owned);
    }
    let mut text = words.map(|words| format!("{words} ")).unwrap_or_default();
    text.push_str(OPENING);
    for role in given {
        for byte in role.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
                text.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                _ = write!(text, "%{byte:02X}");
            }
        }
        text.push(',');
    }
    text.push(']');
    Some(text)
}

/// Splits what stands before the mark into the user's own words and the noted memberships.
pub(crate) fn read(text: Option<&str>) -> (Option<String>, BTreeSet<String>) {
    let own = |words: &str| Some(words.to_owned()).filter(|words| !words.is_empty());
    match text.and_then(split) {
        Some((words, given)) => (own(words), given),
        None => (text.and_then(own), BTreeSet::new()),
    }
}

fn split(text: &str) -> Option<(&str, BTreeSet<String>)> {
    let (words, rest) = text.split_at_checked(text.rfind(OPENING)?)?;
    let list = rest.strip_prefix(OPENING)?.strip_suffix(']')?;
    let mut given = BTreeSet::new();
    for one in list.split_terminator(',') {
        given.insert(decode(one)?);
    }
    Some((words.strip_suffix(' ').unwrap_or(words), given))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') => bytes.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_memberships_survive_a_round_trip() {
        let hostile = ["a,b", "]", "[dbops-roles:x,]", "ünï%41", "plain_one"].map(str::to_owned);
        for words in
            [None, Some("mine"), Some("ends in [dbops-roles:x,]"), Some("[dbops-roles:]"), Some("x [dbops-roles:%")]
        {
            for given in [BTreeSet::new(), BTreeSet::from(hostile.clone())] {
                let text = write(words, &given);
                assert_eq!(read(text.as_deref()), (words.map(str::to_owned), given), "{text:?}");
            }
        }
        assert_eq!(write(Some("plain words"), &BTreeSet::new()).as_deref(), Some("plain words"));
        assert_eq!(write(None, &BTreeSet::new()), None);
    }
}
