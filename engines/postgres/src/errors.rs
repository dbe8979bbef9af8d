//! What an error of the server means to the host, as a table of SQLSTATEs.
//!
//! The public message may hold the server's primary message only for classes that speak of objects and syntax:
//! those that speak of logins, addresses and resources get words of our own. The detail holds the server's
//! words and the statement without its literals.

use std::error::Error as _;

use dbprovision_sdk::{Error, ErrorKind, NetError, OptionProblem};
use tokio_postgres::error::DbError;

use crate::connect::guard::Refusal;
use crate::quote;

/// An operation that lost a race inside the server is tried again at once; the number marks it, and is the hint
/// for the host where that did not suffice.
const RACE_HINT_MS: u32 = 200;

/// What a class of SQLSTATEs is to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Authentication,
    Permission,
    Missing,
    Exists,
    Invalid,
    Unsupported,
    Race,
    Busy,
    Timeout,
}

/// The longest prefix of an SQLSTATE decides. The text, where there is one, replaces the server's words.
const TABLE: &[(&str, Meaning, Option<&str>)] = &[
    ("08", Meaning::Busy, Some("the connection to the server was lost")),
    ("0A", Meaning::Unsupported, None),
    ("0LP01", Meaning::Permission, None),
    ("22", Meaning::Invalid, None),
    ("25006", Meaning::Busy, Some("the server is read-only: a standby takes no changes")),
    ("28", Meaning::Authentication, Some("the server refused the credentials")),
    ("2BP01", Meaning::Missing, None),
    ("3D000", Meaning::Missing, None),
    ("3F000", Meaning::Missing, None),
    ("40001", Meaning::Race, Some("another session changed the same objects")),
    ("40P01", Meaning::Race, Some("another session changed the same objects")),
    ("42", Meaning::Invalid, None),
    ("42501", Meaning::Permission, None),
    ("42704", Meaning::Missing, None),
    ("42710", Meaning::Exists, None),
    ("42723", Meaning::Exists, None),
    ("42883", Meaning::Missing, None),
    ("42P01", Meaning::Missing, None),
    ("42P04", Meaning::Exists, None),
    ("42P06", Meaning::Exists, None),
    ("42P07", Meaning::Exists, None),
    ("53", Meaning::Busy, Some("the server is short of connections, memory or disk")),
    ("53300", Meaning::Busy, Some("the server has no free connection")),
    ("55006", Meaning::Busy, None),
    ("55P03", Meaning::Busy, Some("another session holds the lock that is needed")),
    ("57014", Meaning::Timeout, Some("the statement took longer than the statement timeout")),
    ("57P", Meaning::Busy, Some("the server is starting, stopping or ended the session")),
    ("58P01", Meaning::Missing, None),
];

/// The meaning of an SQLSTATE and the text for it.
fn look_up(code: &str) -> Option<(Meaning, Option<&'static str>)> {
    TABLE
        .iter()
        .filter(|(prefix, ..)| code.starts_with(prefix))
        .max_by_key(|(prefix, ..)| prefix.len())
        .map(|(_, meaning, text)| (*meaning, *text))
}

/// An error of a client call, with the statement it belongs to and the spec's field that the statement serves.
pub(crate) fn of_statement(error: &tokio_postgres::Error, statement: &str, field: &str) -> Error {
    match error.as_db_error() {
        Some(answer) => of_answer(answer, statement, field),
        None => of_transport(error, &quote::without_literals(statement)),
    }
}

fn of_answer(answer: &DbError, statement: &str, field: &str) -> Error {
    let code = answer.code().code();
    let detail = format!(
        "{code} {}{}{} in: {}",
        answer.message(),
        answer.detail().map(|text| format!("; {text}")).unwrap_or_default(),
        answer.hint().map(|text| format!("; {text}")).unwrap_or_default(),
        quote::without_literals(statement)
    );
    // The server has no SQLSTATE of its own for this race; the words are not translated.
    if code == "XX000" && answer.message().starts_with("tuple concurrently") {
        return Error::new(ErrorKind::Transient(Some(RACE_HINT_MS)), "another session changed the same object", detail);
    }
    let Some((meaning, text)) = look_up(code) else {
        return Error::new(
            ErrorKind::Engine(code.to_owned()),
            format!("the server answered with error {code}"),
            detail,
        );
    };
    let message = text.unwrap_or(answer.message());
    // The settings there are do not come later, as roles and tablespaces do: an unknown one is the spec's fault.
    let meaning =
        if code == "42704" && field.starts_with("options.configParameters") { Meaning::Invalid } else { meaning };
    let kind = match meaning {
        Meaning::Authentication => ErrorKind::Authentication,
        Meaning::Permission => ErrorKind::PermissionDenied,
        Meaning::Missing => ErrorKind::DependencyMissing,
        Meaning::Exists => ErrorKind::AlreadyExists,
        Meaning::Unsupported => ErrorKind::Unsupported,
        Meaning::Race => ErrorKind::Transient(Some(RACE_HINT_MS)),
        Meaning::Busy => ErrorKind::Transient(None),
        Meaning::Timeout => ErrorKind::TimedOut,
        // Without a field the statement was the adapter's own, and the fault is not the spec's.
        Meaning::Invalid if field.is_empty() => ErrorKind::Engine(code.to_owned()),
        Meaning::Invalid => {
            let problem = OptionProblem { path: field.to_owned(), problem: message.to_owned() };
            let error = Error::invalid(vec![problem]);
            return Error::new(error.kind, error.message, detail);
        }
    };
    Error::new(kind, message, detail)
}

/// An error that no server spoke: the stream's, the guard's, or the client library's own.
fn of_transport(error: &tokio_postgres::Error, context: &str) -> Error {
    let mut chain = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let carried = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(net) = carried.and_then(|carried| carried.downcast_ref::<NetError>()) {
            return Error::from(net.clone());
        }
        if let Some(refusal) = carried.and_then(|carried| carried.downcast_ref::<Refusal>()) {
            return refusal.to_error();
        }
        chain.push(inner.to_string());
        cause = inner.source();
    }
    let words = chain.join(": ");
    if error.is_closed() || words.contains("unexpected end of file") {
        return Error::new(ErrorKind::Transient(None), "the server closed the connection", context);
    }
    if words.starts_with("authentication error") {
        // Never a refused password, which the server says itself: the two could not agree on a safe login.
        return Error::new(ErrorKind::PermissionDenied, format!("the login was given up: {words}"), context);
    }
    Error::protocol("the server spoke in a way the adapter does not understand", format!("{words} in: {context}"))
}

/// The operation lost a race and may be tried again at once.
pub(crate) fn is_race(error: &Error) -> bool {
    error.kind == ErrorKind::Transient(Some(RACE_HINT_MS))
}

/// The SQLSTATE an error came with.
pub(crate) fn code(error: &Error) -> Option<&str> {
    error.detail.split(' ').next().filter(|word| word.len() == 5 && word.bytes().all(|one| one.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        for (code, meaning) in [
            ("28P01", Meaning::Authentication),
            ("42501", Meaning::Permission),
            ("42601", Meaning::Invalid),
            ("42704", Meaning::Missing),
            ("42710", Meaning::Exists),
            ("42P04", Meaning::Exists),
            ("22007", Meaning::Invalid),
            ("25006", Meaning::Busy),
            ("53300", Meaning::Busy),
            ("57014", Meaning::Timeout),
            ("57P03", Meaning::Busy),
            ("40P01", Meaning::Race),
            ("08006", Meaning::Busy),
            ("55006", Meaning::Busy),
            ("0A000", Meaning::Unsupported),
        ] {
            assert_eq!(look_up(code).map(|found| found.0), Some(meaning), "{code}");
        }
        assert_eq!(look_up("XX001"), None);
    }

    #[test]
    fn every_class_that_speaks_of_logins_or_addresses_has_words_of_ours() {
        for code in ["28000", "28P01", "08001", "53300", "57P03"] {
            assert!(look_up(code).unwrap().1.is_some(), "{code}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_names_each_prefix_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
