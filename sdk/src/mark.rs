//! The mark as text, for engines that keep it in an object's comment: after the user's own words, in
//! square brackets, with every value percent-encoded, so that nothing in a value can end it.

use std::fmt::Write as _;

use crate::Mark;

const OPENING: &str = "[dbops:1 ";

/// Whether two marks name the same resource, whichever operator of the cluster wrote them and for whichever object.
pub fn is_same_resource(one: &Mark, other: &Mark) -> bool {
    let Mark { cluster, operator: _, kind, namespace, name, nonce: _ } = one;
    (cluster, kind, namespace, name) == (&other.cluster, &other.kind, &other.namespace, &other.name)
}

/// The user's own words and the mark, as one comment.
pub fn write(comment: Option<&str>, mark: &Mark) -> String {
    let mut text = comment.map(|words| format!("{words} ")).unwrap_or_default();
    text.push_str(OPENING);
    for (key, value) in fields(mark) {
        text.push_str(key);
        text.push('=');
        encode(value, &mut text);
        text.push(';');
    }
    text.push(']');
    text
}

/// Splits a comment into the user's own words and the mark. Only a whole mark at the very end counts;
/// whatever else is there is the user's.
pub fn read(comment: &str) -> (Option<&str>, Option<Mark>) {
    let parsed = comment.rfind(OPENING).and_then(|start| {
        let (words, rest) = comment.split_at_checked(start)?;
        let inside = rest.strip_prefix(OPENING)?.strip_suffix(']')?;
        Some((words, parse(inside)?))
    });
    match parsed {
        Some((words, mark)) => (Some(words.strip_suffix(' ').unwrap_or(words)).filter(|w| !w.is_empty()), Some(mark)),
        None => (Some(comment).filter(|words| !words.is_empty()), None),
    }
}

fn fields(mark: &Mark) -> [(&'static str, &str); 6] {
    let Mark { cluster, operator, kind, namespace, name, nonce } = mark;
    [
        ("cluster", cluster),
        ("operator", operator),
        ("kind", kind),
        ("namespace", namespace),
        ("name", name),
        ("nonce", nonce),
    ]
}

fn parse(inside: &str) -> Option<Mark> {
    let mut values = inside.strip_suffix(';')?.split(';').map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key, decode(value)?))
    });
    let mut next = |expected: &str| {
        let (key, value) = values.next()??;
        (key == expected).then_some(value)
    };
    let mark = Mark {
        cluster: next("cluster")?,
        operator: next("operator")?,
        kind: next("kind")?,
        namespace: next("namespace")?,
        name: next("name")?,
        nonce: next("nonce")?,
    };
    values.next().is_none().then_some(mark)
}

fn encode(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(text, "%{byte:02X}");
        }
    }
}

fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str) -> Mark {
        Mark {
            cluster: "0b7c".into(),
            operator: "default".into(),
            kind: "Database".into(),
            namespace: "team-a".into(),
            name: name.into(),
            nonce: "9f".into(),
        }
    }

    #[test]
    fn a_mark_is_read_back_whatever_is_in_it() {
        for name in ["app", "", "a];name=b;", "100%", "ä b", "[dbops:1 cluster=x;]"] {
            for words in [None, Some("managed by us"), Some("[dbops:1 ] tricky"), Some("two\nlines")] {
                let text = write(words, &mark(name));
                assert_eq!(read(&text), (words, Some(mark(name))), "{text}");
            }
        }
    }

    #[test]
    fn a_mark_that_is_not_whole_and_last_is_the_users_own_text() {
        let whole = write(None, &mark("app"));
        for damaged in [
            format!("{whole} and more"),
            whole.replace(";nonce", ";nunce"),
            whole.replace("nonce=9f;", ""),
            whole.replace("9f;", "9f;extra=1;"),
            whole.replace("team-a", "team%"),
            whole.trim_end_matches(']').to_owned(),
        ] {
            assert_eq!(read(&damaged), (Some(damaged.as_str()), None));
        }
        assert_eq!(read(""), (None, None));
    }
}
