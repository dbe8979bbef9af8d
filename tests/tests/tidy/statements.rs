//! Whether a text has a statement of SQL in it, wherever it begins and in whatever case.
//!
//! A sentence says "drop the database", a statement `drop database x`: the verb, the word that goes with it, and then
//! a name. In capitals the verb and any word after it are enough: nobody writes a sentence so. Deliberately absent:
//! a grammar, and any word of one engine alone.

/// How a text begins that is put together with more, in any case.
const BEGINNINGS: &[&str] = &[
    "alter database ",
    "alter default privileges",
    "alter extension ",
    "alter role ",
    "alter schema ",
    "alter system ",
    "alter table ",
    "alter user ",
    "begin;",
    "comment on ",
    "create database ",
    "create extension ",
    "create or replace ",
    "create role ",
    "create schema ",
    "create table ",
    "create user ",
    "delete from ",
    "drop database ",
    "drop extension ",
    "drop owned ",
    "drop role ",
    "drop schema ",
    "drop table ",
    "drop user ",
    "explain select",
    "flush privileges",
    "grant all ",
    "grant create ",
    "grant select ",
    "insert into ",
    "reassign owned ",
    "reset role",
    "revoke all ",
    "select * ",
    "select 1",
    "select count",
    "set password ",
    "set role ",
    "set session ",
    "show databases",
    "truncate table ",
    "use `",
];

/// Verbs that are enough in capitals.
const VERBS: &[&str] = &[
    "ALTER", "CREATE", "DELETE", "DROP", "EXPLAIN", "FLUSH", "GRANT", "INSERT", "REASSIGN", "RESET", "REVOKE",
    "SELECT", "SET", "SHOW", "TRUNCATE", "UPDATE",
];

/// What there is on a server.
const OBJECTS: &[&str] = &[
    "database",
    "event",
    "extension",
    "function",
    "index",
    "owned",
    "procedure",
    "role",
    "schema",
    "sequence",
    "system",
    "table",
    "trigger",
    "type",
    "user",
    "view",
];

/// A verb, the word that follows it at once, and then a name.
const PAIRS: &[(&str, &[&str])] = &[
    ("alter", OBJECTS),
    ("alter", &["default"]),
    ("create", OBJECTS),
    ("delete", &["from"]),
    ("drop", OBJECTS),
    ("insert", &["into"]),
    ("reassign", &["owned"]),
    ("set", &["password", "role", "session"]),
    ("show", &["grants"]),
    ("truncate", &["table"]),
];

/// A verb, a name, the word that links it, and another name.
const LINKED: &[(&str, &[&str])] =
    &[("grant", &["on", "to"]), ("revoke", &["from", "on"]), ("select", &["from"]), ("update", &["set"])];

/// Where a statement has a name, a sentence has one of these.
const OF_SENTENCES: &[&str] = &[
    "a",
    "access",
    "an",
    "and",
    "are",
    "at",
    "but",
    "by",
    "consent",
    "each",
    "every",
    "for",
    "from",
    "has",
    "in",
    "into",
    "is",
    "it",
    "its",
    "no",
    "not",
    "nothing",
    "of",
    "on",
    "one",
    "only",
    "or",
    "other",
    "others",
    "permission",
    "permissions",
    "privileges",
    "rights",
    "so",
    "that",
    "the",
    "their",
    "them",
    "there",
    "these",
    "this",
    "those",
    "to",
    "was",
    "were",
    "what",
    "where",
    "which",
    "who",
    "whose",
    "with",
    "without",
];

/// Whether there is one.
pub(crate) fn holds_one(text: &str) -> bool {
    let lower = text.trim_start().to_lowercase();
    let tokens = tokens(text);
    BEGINNINGS.iter().any(|start| lower.starts_with(start))
        || VERBS.iter().any(|verb| text.trim_start().strip_prefix(verb).is_some_and(|rest| rest.starts_with(' ')))
        || (0..tokens.len()).any(|at| tokens.get(at..).is_some_and(is_statement))
}

/// Words, placeholders, and everything else one by one.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' => rest.find('}').map_or(1, |end| end + 1),
            one if is_of_word(one) => rest.find(|next: char| !is_of_word(next)).unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        found.push(token);
        rest = after.trim_start();
    }
    found
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}

/// A word, a placeholder, or the quote that a name is in; no word of sentences.
fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| is_of_word(first) || matches!(first, '{' | '`' | '"' | '\'' | '\\' | '*'))
        && !OF_SENTENCES.contains(&token.to_lowercase().as_str())
}

fn is_statement(tokens: &[&str]) -> bool {
    let [verb, next, rest @ ..] = tokens else { return false };
    let (lower, second) = (verb.to_lowercase(), next.to_lowercase());
    let third = rest.first();
    let goes_with = |table: &[(&str, &[&str])], word: &str| {
        table.iter().any(|(first, words)| *first == lower && words.contains(&word))
    };
    let is_shouted = VERBS.contains(verb) && (is_name(next) || next.starts_with(is_of_word));
    // What is owned is owned `by` somebody.
    let is_pair = goes_with(PAIRS, &second) && (second == "owned" || third.is_some_and(|third| is_name(third)));
    let is_linked = is_name(next)
        && third.is_some_and(|link| goes_with(LINKED, &link.to_lowercase()))
        && rest.get(1).is_some_and(|last| is_name(last));
    let asks = lower == "select" && (*next == "*" || second == "count" || next.chars().all(|one| one.is_ascii_digit()));
    is_shouted || is_pair || is_linked || asks
}
