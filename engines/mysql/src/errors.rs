//! What an error of the server means to the host, as a table of error numbers.
//!
//! Numbers tell more than SQLSTATEs here: half of all errors share `HY000`. The public message may hold the server's
//! words only for errors that speak of objects and syntax: those that speak of logins, addresses and resources get
//! words of our own. The detail holds the server's words and the statement without its literals.

use dbprovision_sdk::{Error, ErrorKind, OptionProblem};

use crate::quote;

/// An operation that lost a race inside the server is tried again at once; the number marks it, and is the hint
/// for the host where that did not suffice.
const RACE_HINT_MS: u32 = 200;

/// An error as the server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAnswer {
    pub(crate) code: u16,
    pub(crate) message: String,
}

/// What an error is to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Authentication,
    Permission,
    Missing,
    Exists,
    Invalid,
    Race,
    Busy,
    Timeout,
}

const CREDENTIALS: Option<&str> = Some("the server refused the credentials");
/// In a session nobody's password is asked for: by the same numbers the server denies what the session asked for.
const DENIED: &str = "access denied: granting a role needs its ADMIN OPTION, and reading or writing files FILE";
const LOST: Option<&str> = Some("the connection to the server was lost");
const READ_ONLY: Option<&str> = Some("the server is read-only");
const CHANGED: Option<&str> = Some("another session changed the same objects");

/// Both dialects share the numbers below 1900 and from 3000 on; 1900 to 1999 and 4000 to 4999 differ, and only those
/// are here that do not contradict each other. The text, where there is one, replaces the server's words.
const TABLE: &[(u16, Meaning, Option<&str>)] = &[
    (1007, Meaning::Exists, None),
    (1008, Meaning::Missing, None),
    (1020, Meaning::Race, CHANGED),
    (1040, Meaning::Busy, Some("the server has no free connection")),
    (1044, Meaning::Permission, None),
    (1045, Meaning::Authentication, CREDENTIALS),
    (1049, Meaning::Missing, None),
    (1050, Meaning::Exists, None),
    (1053, Meaning::Busy, Some("the server is stopping")),
    (1054, Meaning::Missing, None),
    (1059, Meaning::Invalid, None),
    (1064, Meaning::Invalid, None),
    (1079, Meaning::Busy, Some("the server is stopping")),
    (1080, Meaning::Busy, LOST),
    (1095, Meaning::Permission, None),
    (1102, Meaning::Invalid, None),
    (1115, Meaning::Invalid, None),
    (1129, Meaning::Busy, Some("the server blocks this address after too many failed connections")),
    (1130, Meaning::Authentication, Some("the server lets nobody in from this address")),
    (1133, Meaning::Missing, None),
    (1141, Meaning::Missing, None),
    (1142, Meaning::Permission, None),
    (1143, Meaning::Permission, None),
    (1144, Meaning::Invalid, None),
    (1146, Meaning::Missing, None),
    (1147, Meaning::Missing, None),
    (1152, Meaning::Busy, LOST),
    (1153, Meaning::Invalid, None),
    (1158, Meaning::Busy, LOST),
    (1159, Meaning::Busy, LOST),
    (1160, Meaning::Busy, LOST),
    (1161, Meaning::Busy, LOST),
    (1203, Meaning::Busy, Some("the account has no free connection")),
    (1205, Meaning::Busy, Some("another session holds the lock that is needed")),
    (1211, Meaning::Permission, None),
    (1213, Meaning::Race, CHANGED),
    (1221, Meaning::Invalid, None),
    (1226, Meaning::Busy, Some("the account used up one of its limits")),
    (1227, Meaning::Permission, None),
    (1253, Meaning::Invalid, None),
    (1269, Meaning::Missing, None),
    (1273, Meaning::Invalid, None),
    (1290, Meaning::Busy, READ_ONLY),
    (1305, Meaning::Missing, None),
    (1317, Meaning::Timeout, Some("the statement was interrupted")),
    (1370, Meaning::Permission, None),
    (1396, Meaning::Exists, None),
    (1403, Meaning::Missing, None),
    (1410, Meaning::Permission, None),
    (1449, Meaning::Missing, None),
    (1470, Meaning::Invalid, None),
    (1524, Meaning::Missing, None),
    (1698, Meaning::Authentication, CREDENTIALS),
    (1819, Meaning::Invalid, None),
    (1820, Meaning::Authentication, Some("the account's password has expired")),
    (1836, Meaning::Busy, READ_ONLY),
    (1862, Meaning::Authentication, Some("the account's password has expired")),
    (1927, Meaning::Busy, LOST),
    (1959, Meaning::Missing, None),
    (1969, Meaning::Timeout, Some("the statement took longer than the statement timeout")),
    (3024, Meaning::Timeout, Some("the statement took longer than the statement timeout")),
    (3118, Meaning::Authentication, Some("the account is locked")),
    (3159, Meaning::Permission, Some("the server lets nobody in without TLS")),
    (3523, Meaning::Missing, None),
    (3530, Meaning::Missing, None),
    (3619, Meaning::Invalid, None),
    (3955, Meaning::Authentication, Some("the account is locked after failed logins")),
    (4031, Meaning::Busy, LOST),
    (4151, Meaning::Authentication, Some("the account is locked")),
];

/// One number tells of every option of the server that forbids something; only some of them are given up again.
const FORBIDDEN_BY_AN_OPTION: u16 = 1290;

fn meaning(answer: &ServerAnswer) -> Option<(Meaning, Option<&'static str>)> {
    let words = answer.message.to_ascii_lowercase();
    if answer.code == FORBIDDEN_BY_AN_OPTION && !words.contains("read-only") && !words.contains("read_only") {
        return Some((Meaning::Permission, None));
    }
    look_up(answer.code)
}

fn look_up(code: u16) -> Option<(Meaning, Option<&'static str>)> {
    let at = TABLE.binary_search_by_key(&code, |(code, ..)| *code).ok()?;
    TABLE.get(at).map(|(_, meaning, text)| (*meaning, *text))
}

/// Why a login failed.
pub(crate) fn of_login(answer: &ServerAnswer) -> Error {
    of(answer, "the login", "")
}

/// An error of the server, with the statement it belongs to and the spec's field that the statement serves.
pub(crate) fn of_answer(answer: &ServerAnswer, statement: &str, field: &str) -> Error {
    let error = of(answer, statement, field);
    if matches!(answer.code, 1045 | 1698) {
        return Error::new(ErrorKind::PermissionDenied, DENIED, error.detail);
    }
    error
}

fn of(answer: &ServerAnswer, statement: &str, field: &str) -> Error {
    let code = answer.code.to_string();
    let detail = format!("{code} {} in: {}", answer.message, quote::without_literals(statement));
    let Some((meaning, text)) = meaning(answer) else {
        return Error::new(ErrorKind::Engine(code.clone()), format!("the server answered with error {code}"), detail);
    };
    let message = text.unwrap_or(&answer.message);
    let kind = match meaning {
        Meaning::Authentication => ErrorKind::Authentication,
        Meaning::Permission => ErrorKind::PermissionDenied,
        Meaning::Missing => ErrorKind::DependencyMissing,
        Meaning::Exists => ErrorKind::AlreadyExists,
        Meaning::Race => ErrorKind::Transient(Some(RACE_HINT_MS)),
        Meaning::Busy => ErrorKind::Transient(None),
        Meaning::Timeout => ErrorKind::TimedOut,
        // Without a field the statement was the adapter's own, and the fault is not the spec's.
        Meaning::Invalid if field.is_empty() => ErrorKind::Engine(code),
        Meaning::Invalid => {
            let problem = OptionProblem { path: field.to_owned(), problem: message.to_owned() };
            let error = Error::invalid(vec![problem]);
            return Error::new(error.kind, error.message, detail);
        }
    };
    Error::new(kind, message, detail)
}

/// After these the server has closed the session, or is about to.
pub(crate) fn ends_the_session(answer: &ServerAnswer) -> bool {
    matches!(answer.code, 1053 | 1079 | 1080 | 1152 | 1153 | 1158..=1161 | 1927 | 4031)
}

/// The server refuses plain connections, or this account's: it answers as if the password were wrong.
pub(crate) fn may_want_tls(answer: &ServerAnswer) -> bool {
    matches!(answer.code, 1045 | 3159)
}

/// The server has no such account, or not this password for it.
pub(crate) const ACCESS_DENIED: &str = "1045";
/// The account is there already, is not there, or is in use: the statement tells which.
pub(crate) const ACCOUNT: &str = "1396";
/// No session has this id any more.
pub(crate) const NO_SESSION: &str = "1094";
/// There was nothing to execute: a comment, or nothing at all.
pub(crate) const EMPTY: &str = "1065";
/// Nothing of the kind was granted.
pub(crate) const NO_GRANT: &[&str] = &["1141", "1147", "1403"];
/// What a right is on is gone, or the right is: the server keeps rights whose objects were dropped.
pub(crate) const OUTLIVED: &[&str] = &["1054", "1141", "1146", "1147", "1305", "1403"];

/// Whether the error is one of these.
pub(crate) fn is_one_of(error: &Error, codes: &[&str]) -> bool {
    code(error).is_some_and(|code| codes.contains(&code))
}

/// The operation lost a race inside the server and may be tried again at once.
pub(crate) fn is_race(error: &Error) -> bool {
    error.kind == ErrorKind::Transient(Some(RACE_HINT_MS)) || code(error) == Some("1205")
}

/// The server has locks of sessions and lets nobody take one: clusters have none that count on every member. Galera
/// says that it is not supported yet, and a stricter one of its kind has an unspecific number of its own.
pub(crate) fn denies_locks(error: &Error) -> bool {
    let words = error.detail.split(" in: ").next().unwrap_or_default();
    words.contains("GET_LOCK") && is_one_of(error, &["1105", "1235"])
}

/// The number an error came with.
pub(crate) fn code(error: &Error) -> Option<&str> {
    let word = error.detail.split(' ').next()?;
    (word.len() == 4 && word.bytes().all(|one| one.is_ascii_digit())).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_number_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_number_has_its_meaning_and_others_are_the_engines_own() {
        let of = |code| of_answer(&ServerAnswer { code, message: "words".to_owned() }, "SELECT 'x'", "name").kind;
        assert_eq!(of(1820), ErrorKind::Authentication);
        assert_eq!(of(1054), ErrorKind::DependencyMissing);
        assert_eq!(of(1142), ErrorKind::PermissionDenied);
        assert_eq!(of(1049), ErrorKind::DependencyMissing);
        assert_eq!(of(1205), ErrorKind::Transient(None));
        assert!(matches!(of(1064), ErrorKind::InvalidOptions(_)));
        assert_eq!(of(1234), ErrorKind::Engine("1234".to_owned()));
    }

    #[test]
    fn only_a_server_that_says_so_is_read_only() {
        let of = |words: &str| of_answer(&ServerAnswer { code: 1290, message: words.to_owned() }, "x", "");
        for option in ["--read-only", "read_only=1", "--super-read-only"] {
            let words = format!("The MySQL server is running with the {option} option so it cannot execute this");
            assert_eq!(of(&words).kind, ErrorKind::Transient(None), "{option}");
            assert_eq!(of(&words).message, "the server is read-only");
        }
        let words = "The MySQL server is running with the --skip-grant-tables option so it cannot execute this";
        assert_eq!(of(words).kind, ErrorKind::PermissionDenied);
        assert_eq!(of(words).message, words);
    }

    #[test]
    fn credentials_are_refused_at_the_login_and_nowhere_else() {
        for code in [1045, 1698] {
            let answer = ServerAnswer { code, message: "Access denied for user 'a'@'10.0.0.7'".to_owned() };
            assert_eq!(of_login(&answer).kind, ErrorKind::Authentication);
            assert_eq!(of_login(&answer).message, "the server refused the credentials");
            let denied = of_answer(&answer, "GRANT 'r' TO 'u'@'%'", "");
            assert_eq!(denied.kind, ErrorKind::PermissionDenied);
            assert!(denied.message.contains("ADMIN OPTION") && !denied.message.contains("10.0"), "{denied:?}");
        }
    }

    #[test]
    fn only_a_lock_that_no_server_of_its_kind_gives_is_gone_without() {
        let of = |code, words: &str| {
            let answer = ServerAnswer { code, message: words.to_owned() };
            denies_locks(&of_answer(&answer, "SELECT GET_LOCK('x', 1)", ""))
        };
        assert!(of(1235, "This version of MariaDB doesn't yet support 'GET_LOCK in cluster (WSREP_ON=ON)'"));
        assert!(of(1105, "Percona-XtraDB-Cluster prohibits use of GET_LOCK with pxc_strict_mode = ENFORCING"));
        assert!(!of(1105, "Unknown error"));
        assert!(!of(1205, "Lock wait timeout exceeded; GET_LOCK"));
        assert!(!of(3058, "Deadlock found when trying to get user-level lock; GET_LOCK"));
    }

    #[test]
    fn whatever_speaks_of_logins_or_addresses_has_words_of_ours() {
        for (code, meaning, text) in TABLE {
            if matches!(meaning, Meaning::Authentication | Meaning::Busy | Meaning::Timeout) {
                assert!(text.is_some(), "{code}");
            }
        }
    }

    #[test]
    fn the_detail_has_the_number_first_and_no_literals() {
        let answer = ServerAnswer { code: 1064, message: "near".to_owned() };
        let error = of_answer(&answer, "CREATE USER 'u' IDENTIFIED BY 'secret'", "");
        assert_eq!(code(&error), Some("1064"));
        assert!(!error.detail.contains("secret"), "{error:?}");
    }
}
