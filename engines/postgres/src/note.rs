//! What a role's own resource gave it, kept in the role's comment between the words and the mark: memberships, and
//! settings.
//!
//! The server does not tell whose a membership or a setting is: all that the administrator gives look alike, whether
//! the role's resource states them (`inRoles`, `configParameters`) or a grant resource or a person does. So what the
//! resource gave is noted where the role itself cannot write, in the same transaction, and nothing else is ever taken
//! back by it. A note that is lost takes nothing back. Each kind has a note of its own, the settings' first: comments
//! that were written before there was one are read as they were. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

const ROLES: &str = "[dbops-roles:";
const SETTINGS: &str = "[dbops-settings:";

/// What is noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Roles that it was made a member of.
    pub(crate) roles: BTreeSet<String>,
    /// Settings, by their names.
    pub(crate) settings: BTreeSet<String>,
}

/// The user's own words and the notes. Where there is nothing to note, a note is written only after words that would
/// be taken for one.
pub(crate) fn write(words: Option<&str>, given: &Given) -> Option<String> {
    let with_settings = append(words, SETTINGS, &given.settings);
    append(with_settings.as_deref(), ROLES, &given.roles)
}

fn append(words: Option<&str>, opening: &str, names: &BTreeSet<String>) -> Option<String> {
    if names.is_empty() && words.is_none_or(|words| split(words, opening).is_none()) {
        return words.map(str::to_owned);
    }
    let mut text = words.map(|words| format!("{words} ")).unwrap_or_default();
    text.push_str(opening);
    for name in names {
        for byte in name.bytes() {
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

/// Splits what stands before the mark into the user's own words and what is noted.
pub(crate) fn read(text: Option<&str>) -> (Option<String>, Given) {
    let whole = text.unwrap_or_default();
    let (rest, roles) = split(whole, ROLES).unwrap_or((whole, BTreeSet::new()));
    let (words, settings) = split(rest, SETTINGS).unwrap_or((rest, BTreeSet::new()));
    (Some(words.to_owned()).filter(|words| !words.is_empty()), Given { roles, settings })
}

fn split<'text>(text: &'text str, opening: &str) -> Option<(&'text str, BTreeSet<String>)> {
    let (words, rest) = text.split_at_checked(text.rfind(opening)?)?;
    let list = rest.strip_prefix(opening)?.strip_suffix(']')?;
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
    fn words_and_notes_survive_a_round_trip() {
        let hostile = ["a,b", "]", "[dbops-roles:x,]", "[dbops-settings:x,]", "ünï%41", "plain_one"].map(str::to_owned);
        let hostile = BTreeSet::from(hostile);
        for words in [
            None,
            Some("mine"),
            Some("ends in [dbops-roles:x,]"),
            Some("ends in [dbops-settings:x,]"),
            Some("[dbops-settings:x,] [dbops-roles:x,]"),
            Some("[dbops-roles:x,] [dbops-settings:x,]"),
            Some("[dbops-roles:]"),
            Some("[dbops-settings:]"),
            Some("x [dbops-roles:%"),
        ] {
            for roles in [BTreeSet::new(), hostile.clone()] {
                for settings in [BTreeSet::new(), hostile.clone()] {
                    let given = Given { roles: roles.clone(), settings };
                    let text = write(words, &given);
                    assert_eq!(read(text.as_deref()), (words.map(str::to_owned), given), "{text:?}");
                }
            }
        }
        assert_eq!(write(Some("plain words"), &Given::default()).as_deref(), Some("plain words"));
        assert_eq!(write(None, &Given::default()), None);
    }

    #[test]
    fn a_comment_from_before_settings_were_noted_is_read_as_it_was() {
        let given = Given { roles: BTreeSet::from(["a b".to_owned()]), settings: BTreeSet::new() };
        assert_eq!(write(Some("mine"), &given).as_deref(), Some("mine [dbops-roles:a%20b,]"));
        assert_eq!(read(Some("mine [dbops-roles:a%20b,]")), (Some("mine".to_owned()), given));
        assert_eq!(read(Some("mine")), (Some("mine".to_owned()), Given::default()));
    }
}
