//! Properties of quoting, and what a logged statement may show.

use proptest::prelude::*;

use super::*;

/// What the server's scanner makes of a quoted identifier: the name, and what follows it.
fn scan_identifier(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let end = rest.find('"')?;
        name.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

/// What the server's scanner makes of a literal, in either syntax.
fn scan_literal(text: &str) -> Option<(String, &str)> {
    let escapes = text.starts_with('E');
    let mut rest = text.trim_start_matches('E').strip_prefix('\'')?.chars();
    let mut value = String::new();
    loop {
        match rest.next()? {
            '\\' if escapes => value.push(rest.next()?),
            '\'' => {
                let ahead = rest.as_str();
                match ahead.strip_prefix('\'') {
                    Some(more) => {
                        value.push('\'');
                        rest = more.chars();
                    }
                    None => return Some((value, ahead)),
                }
            }
            other => value.push(other),
        }
    }
}

proptest! {
    #[test]
    fn an_identifier_means_its_name_and_nothing_follows(name in "\\PC*") {
        let quoted = identifier(&name);
        prop_assert_eq!(scan_identifier(&quoted), Some((name, "")));
    }

    #[test]
    fn a_literal_means_its_text_and_nothing_follows(text in "(\\PC|['\\\\\n])*") {
        let quoted = literal(&text);
        prop_assert_eq!(scan_literal(&quoted), Some((text, "")));
    }

    #[test]
    fn a_literal_without_the_escape_syntax_holds_no_backslash(text in "(\\PC|['\\\\])*") {
        let quoted = literal(&text);
        prop_assert!(quoted.starts_with('E') || !quoted.contains('\\'));
    }

    #[test]
    fn a_literal_is_never_shown(text in "[a-z'\\\\$]{0,20}SECRET[a-z'\\\\$]{0,20}") {
        let shown = without_literals(&format!("ALTER ROLE x PASSWORD {}; SELECT 1", literal(&text)));
        prop_assert!(!shown.contains("SECRET"), "{}", shown);
    }

    #[test]
    fn showing_a_statement_never_fails(statement in "(\\PC|['\"$\\\\/*-])*") {
        without_literals(&statement);
    }
}

#[test]
fn a_shown_statement_keeps_its_names_and_loses_its_values() {
    assert_eq!(
        without_literals(
            "CREATE ROLE \"a'b\" PASSWORD 'x''y' -- note\nVALID UNTIL E'\\'z' /* c */ $1 $$body$$ $t$ $$ $t$;"
        ),
        "CREATE ROLE \"a'b\" PASSWORD '…' \nVALID UNTIL E'…'  $1 $…$ $…$;"
    );
    assert_eq!(without_literals("SELECT 'open"), "SELECT '…'");
}

#[test]
fn a_setting_is_quoted_part_by_part() {
    assert_eq!(setting("app.tenant"), "\"app\".\"tenant\"");
    assert_eq!(grantee("Public"), "PUBLIC");
    assert_eq!(grantee("a\"b"), "\"a\"\"b\"");
}
