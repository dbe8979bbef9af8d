//! The only maker of identifiers and literals. Nothing else in this crate puts a quotation mark around text.
//!
//! Both forms are right whatever the session's settings are: a literal with a backslash is written in the
//! escape syntax, which means the same with and without `standard_conforming_strings`.
//! Deliberately absent: length and NUL checks, which `names` makes before anything is quoted.

/// A name, in double quotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name with dots, each part in double quotes: the name of a setting.
pub(crate) fn setting(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// A text, in single quotes.
pub(crate) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// An array of texts, as the value of a parameter (PostgreSQL manual, "Array Input and Output Syntax").
pub(crate) fn array(elements: &[&str]) -> String {
    let quoted = |element: &&str| format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", elements.iter().map(quoted).collect::<Vec<_>>().join(","))
}

/// A role as a grantee: `PUBLIC` is a word of the language, and no role that is managed has that name.
pub(crate) fn grantee(name: &str) -> String {
    if name.eq_ignore_ascii_case("public") { "PUBLIC".to_owned() } else { identifier(name) }
}

/// At most this much of a statement goes into a log line.
const SHOWN: usize = 600;

/// The statement as it may be logged: every literal, dollar-quoted body and comment is replaced.
/// A literal that does not end hides the rest.
pub(crate) fn without_literals(statement: &str) -> String {
    let mut shown = String::new();
    let mut rest = statement;
    while let Some(next) = rest.chars().next() {
        if shown.len() > SHOWN {
            shown.push('…');
            break;
        }
        let after = rest.get(next.len_utf8()..).unwrap_or_default();
        match next {
            '\'' => {
                // Whether a backslash escapes is not known for a user's own statement. Taking it as an escape
                // hides at least as much: a literal never ends earlier for it.
                rest = after_literal(after);
                shown.push_str("'…'");
            }
            '"' => {
                let end = after.find('"').map_or(after.len(), |at| at + 1);
                shown.push('"');
                shown.push_str(after.get(..end).unwrap_or_default());
                rest = after.get(end..).unwrap_or_default();
            }
            '-' if after.starts_with('-') => rest = after.find('\n').and_then(|at| after.get(at..)).unwrap_or_default(),
            '/' if after.starts_with('*') => {
                rest = after.find("*/").and_then(|at| after.get(at + 2..)).unwrap_or_default();
            }
            '$' if !shown.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$') => {
                if let Some(body) = after_dollar_quote(after) {
                    rest = body;
                    shown.push_str("$…$");
                } else {
                    shown.push('$');
                    rest = after;
                }
            }
            other => {
                shown.push(other);
                rest = after;
            }
        }
    }
    shown
}

fn after_literal(inside: &str) -> &str {
    let mut bytes = inside.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'\'' if bytes.peek().is_some_and(|(_, following)| *following == b'\'') => _ = bytes.next(),
            b'\'' => return inside.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

/// What follows `$tag$ … $tag$`, given what follows the first `$`; none where this is no dollar quote.
fn after_dollar_quote(inside: &str) -> Option<&str> {
    let (tag, body) = inside.split_once('$')?;
    let is_tag = !tag.starts_with(|first: char| first.is_ascii_digit())
        && tag.chars().all(|one| one.is_alphanumeric() || one == '_');
    is_tag.then(|| body.split_once(&format!("${tag}$")).map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests;
