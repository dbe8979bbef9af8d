//! Properties of quoting, and what a logged statement may show.

use proptest::prelude::*;

use super::*;

/// What the server's scanner makes of a quoted text: its value, and what follows it.
fn scan(text: &str, quote: char, backslash_escapes: bool) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix(quote)?.chars();
    let mut value = String::new();
    loop {
        match rest.next()? {
            '\\' if backslash_escapes => value.push(rest.next()?),
            one if one == quote => match rest.as_str().strip_prefix(quote) {
                Some(more) => {
                    value.push(quote);
                    rest = more.chars();
                }
                None => return Some((value, rest.as_str())),
            },
            other => value.push(other),
        }
    }
}

proptest! {
    #[test]
    fn an_identifier_means_its_name_and_nothing_follows(name in "(\\PC|[`'\"\\\\])*") {
        let quoted = identifier(&name);
        prop_assert_eq!(scan(&quoted, '`', false), Some((name, "")));
    }

    #[test]
    fn a_literal_means_its_text_and_nothing_follows(text in "(\\PC|['\"\\\\\n])*") {
        let quoted = literal(&text);
        prop_assert_eq!(scan(&quoted, '\'', true), Some((text, "")));
    }

    #[test]
    fn nothing_leaves_a_literal_where_backslashes_do_not_escape(text in "(\\PC|['\"\\\\\n])*") {
        let quoted = literal(&text);
        prop_assert_eq!(scan(&quoted, '\'', false).map(|(_, rest)| rest.to_owned()), Some(String::new()));
    }

    #[test]
    fn parameters_are_not_read_again(one in "(\\PC|[?'\\\\])*", two in "(\\PC|[?'\\\\])*") {
        let bound = bind("a ? b ?", &[&one, &two]);
        prop_assert_eq!(bound, format!("a {} b {}", literal(&one), literal(&two)));
    }

    #[test]
    fn a_literal_is_never_shown(text in "[a-z'\\\\\"]{0,20}SECRET[a-z'\\\\\"]{0,20}") {
        let shown = without_literals(&format!("ALTER USER x IDENTIFIED BY {}; SELECT 1", literal(&text)));
        prop_assert!(!shown.contains("SECRET"), "{}", shown);
    }

    #[test]
    fn showing_a_statement_never_fails(statement in "(\\PC|['\"`\\\\/*#-])*") {
        without_literals(&statement);
    }
}

#[test]
fn a_shown_statement_keeps_its_names_and_loses_its_values() {
    assert_eq!(
        without_literals("CREATE USER `a'b` AS 'x''y' -- note\nX \"z\\\"\" /* c */ 0xDEADbeef, 10x # end"),
        "CREATE USER `a'b` AS '…' \nX '…'  0x…, 10x "
    );
    assert_eq!(without_literals("SELECT 'open"), "SELECT '…'");
}

#[test]
fn a_database_in_a_grant_is_no_pattern() {
    assert_eq!(database_in_grant("app_db", true), "`app\\_db`");
    assert_eq!(database_in_grant("50%`_", true), "`50\\%``\\_`");
    assert_eq!(database_in_grant("app_db", false), "`app_db`");
}

#[test]
fn a_word_is_nothing_but_a_word() {
    assert_eq!(word("utf8mb4_bin"), "utf8mb4_bin");
    assert_eq!(word("x' OR 1; --"), "xOR1");
}
