//! The only maker of identifiers and literals. Nothing else in this crate puts a quotation mark around text.
//!
//! The adapter's sessions pin `sql_mode` so that a backslash escapes. A literal doubles both the quotation mark and
//! the backslash: should a session ever be without the pin, its value would be wrong, but nothing could leave it.
//! Deliberately absent: length and NUL checks, which `names` makes before anything is quoted.

/// A name, in backticks: they mean the same in every `sql_mode`.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text, in single quotes.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// An account, as both parts that it has.
pub(crate) fn account(name: &str, host: &str) -> String {
    format!("{}@{}", literal(name), literal(host))
}

/// A word of the server's own vocabulary (a character set, a collation), which is never quoted: whatever is no
/// letter, digit or underscore is left out.
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '_').collect()
}

/// A database in a grant. There its name is a pattern, unless the server takes patterns from nobody.
pub(crate) fn database_in_grant(name: &str, patterns: bool) -> String {
    if patterns { identifier(&escaped_pattern(name)) } else { identifier(name) }
}

/// The pattern that matches this name only, as grants at database level keep it. A backslash is no more than itself
/// unless a wildcard or another backslash follows.
pub(crate) fn escaped_pattern(name: &str) -> String {
    name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

/// The one name that a pattern matches; none where it matches several, or is written in another way.
pub(crate) fn plain_name(pattern: &str) -> Option<String> {
    let mut letters = pattern.chars();
    let mut name = String::new();
    while let Some(letter) = letters.next() {
        name.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    (escaped_pattern(&name) == pattern).then_some(name)
}

/// The query with each `?` replaced by the next parameter as a literal. The adapter's queries have no other `?`.
pub(crate) fn bind(query: &str, parameters: &[&str]) -> String {
    let mut pieces = query.split('?');
    let mut bound = pieces.next().unwrap_or_default().to_owned();
    let mut values = parameters.iter();
    for piece in pieces {
        match values.next() {
            Some(value) => bound.push_str(&literal(value)),
            None => bound.push('?'),
        }
        bound.push_str(piece);
    }
    bound
}

/// At most this much of a statement goes into a log line.
const SHOWN: usize = 600;

/// The statement as it may be logged: every literal and comment is replaced. One that does not end hides the rest.
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
            // Double quotes are a literal's too, unless the session says otherwise.
            '\'' | '"' => {
                rest = after_literal(after, next);
                shown.push_str("'…'");
            }
            '`' => {
                let end = after.find('`').map_or(after.len(), |at| at + 1);
                shown.push('`');
                shown.push_str(after.get(..end).unwrap_or_default());
                rest = after.get(end..).unwrap_or_default();
            }
            '#' => rest = after.find('\n').and_then(|at| after.get(at..)).unwrap_or_default(),
            '-' if after.starts_with('-') => rest = after.find('\n').and_then(|at| after.get(at..)).unwrap_or_default(),
            '/' if after.starts_with('*') => {
                rest = after.find("*/").and_then(|at| after.get(at + 2..)).unwrap_or_default();
            }
            '0' if after.starts_with(['x', 'X']) && !shown.ends_with(|last: char| last.is_alphanumeric()) => {
                let digits = after.get(1..).unwrap_or_default();
                rest = digits.trim_start_matches(|one: char| one.is_ascii_hexdigit());
                shown.push_str("0x…");
            }
            other => {
                shown.push(other);
                rest = after;
            }
        }
    }
    shown
}

/// Whether a backslash escapes is not known for a user's own statement. Taking it as an escape hides at least as much.
fn after_literal(inside: &str, quote: char) -> &str {
    let mut characters = inside.char_indices().peekable();
    while let Some((at, one)) = characters.next() {
        if one == '\\' {
            characters.next();
        } else if one == quote {
            if characters.peek().is_some_and(|(_, following)| *following == quote) {
                characters.next();
            } else {
                return inside.get(at + 1..).unwrap_or_default();
            }
        }
    }
    ""
}

#[cfg(test)]
mod tests;
