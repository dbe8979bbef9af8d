//! Types of arguments as text: a list of them, and names with a schema. Pure.

/// The types of a list; commas within quotation marks, parentheses and brackets are a type's own.
pub(super) fn split(list: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut quoted, mut depth, mut start) = (false, 0_u32, 0);
    for (at, one) in list.char_indices() {
        match one {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                found.extend(list.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(list.get(start..));
    if list.trim().is_empty() { Vec::new() } else { found.into_iter().map(str::trim).collect() }
}

/// A type with its schema, in one form for all ways to write it. None for a type of the server's own.
pub(super) fn qualified(text: &str) -> Option<String> {
    let (schema, rest) = identifier(text)?;
    let (name, rest) = identifier(rest.trim_start().strip_prefix('.')?)?;
    let brackets: String = rest.chars().filter(|one| !one.is_whitespace()).collect();
    let dimensions = brackets.len() / 2;
    // All arrays of a type are one type to the server.
    let array = if dimensions > 0 { "[]" } else { "" };
    (schema != "pg_catalog" && brackets == "[]".repeat(dimensions)).then(|| format!("{schema:?}.{name:?}{array}"))
}

/// The identifier at the beginning, as the server reads it, and what follows.
fn identifier(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(|one: char| !(one.is_alphanumeric() || one == '_' || one == '$')).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        return (!word.is_empty()).then(|| (word.to_ascii_lowercase(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_where_a_type_ends() {
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split(" int ,text"), ["int", "text"]);
        assert_eq!(split("numeric(10,2), \"a,b\".\"c\"[]"), ["numeric(10,2)", "\"a,b\".\"c\"[]"]);
    }

    #[test]
    fn a_type_with_a_schema_is_the_same_however_it_is_written() {
        let one = qualified("app.mood");
        assert!(one.is_some());
        for same in ["APP.Mood", "\"app\".\"mood\"", " app . mood "] {
            assert_eq!(qualified(same), one, "{same}");
        }
        assert_ne!(qualified("\"App\".mood"), one);
        assert_ne!(qualified("app.mood[]"), one);
        assert_eq!(qualified("app.mood[][]"), qualified("app.mood []"));
        assert_eq!(qualified("\"a\"\"b.c\".\"d e\""), Some("\"a\\\"b.c\".\"d e\"".to_owned()));
        for none in ["integer", "pg_catalog.int4", "double precision", "app.", "app.mood x", "\"app", ""] {
            assert_eq!(qualified(none), None, "{none}");
        }
    }
}
