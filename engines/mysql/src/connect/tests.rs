//! Logins and answers that no honest server gives, and what comes of them.

use std::cell::RefCell;
use std::rc::Rc;

use dbprovision_sdk::adapter::Settings;
use dbprovision_sdk::fake::{Script, Turn};
use dbprovision_sdk::native::dial_with;
use dbprovision_sdk::{Error, ErrorKind, Secret, TlsUse, Wire};
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::packets::HandshakePacket;
use mysql_common::proto::MySerialize;

use super::*;
use crate::server::{Lock, take_lock};
use crate::statements::Statement;

const NONCE: [u8; 8] = *b"abcdefgh";
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

fn limits() -> Limits {
    Limits::read(&Settings {
        engine: "mysql".to_owned(),
        database: String::new(),
        options: Some(r#"{"timeout": "1s", "readTimeout": "1s"}"#.to_owned()),
        tracking: None,
        statement_timeout_ms: 1000,
    })
    .unwrap()
}

fn frame(sequence: u8, payload: &[u8]) -> Turn {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    Turn::Answer([&length[..3], &[sequence], payload].concat())
}

fn greeting(plugin: &str, tls: bool) -> Turn {
    let mut capabilities = CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_DEPRECATE_EOF;
    if tls {
        capabilities |= CapabilityFlags::CLIENT_SSL;
    }
    let packet = HandshakePacket::new(
        10,
        &b"8.4.0"[..],
        7,
        NONCE,
        Some(&b"ijklmnopqrst\0"[..]),
        capabilities,
        45,
        StatusFlags::empty(),
        Some(plugin.as_bytes().to_vec()),
    );
    let mut payload = Vec::new();
    packet.serialize(&mut payload);
    payload.push(0);
    frame(0, &payload)
}

/// Whatever the adapter sends there, up to the method's name.
fn response(plugin: &str) -> Turn {
    Turn::ExpectEnding(format!("{plugin}\0").into_bytes())
}

fn dial_script(tls: TlsUse, turns: Vec<Turn>) {
    let turns = RefCell::new(Some(turns));
    dial_with(move || {
        let turns = turns.borrow_mut().take().unwrap_or_default();
        Ok(Rc::new(Script::new(tls, turns)) as Rc<dyn Wire>)
    });
}

fn open(tls: TlsUse, turns: Vec<Turn>) -> std::result::Result<Session, Error> {
    dial_script(tls, turns);
    let password = Secret::Known(b"secret".to_vec());
    log_in(&limits(), Account { name: "u", password: &password }, None, Purpose::Probe)
}

fn failure(tls: TlsUse, turns: Vec<Turn>) -> Error {
    match open(tls, turns) {
        Ok(_) => panic!("it logged in"),
        Err(error) => error,
    }
}

fn switch(plugin: &str) -> Vec<u8> {
    [&[0xfe], plugin.as_bytes(), &[0], &b"abcdefghijklmnopqrst\0"[..]].concat()
}

#[test]
fn a_password_is_never_sent_in_the_clear() {
    for plugin in ["mysql_clear_password", "dialog", "mysql_old_password", "authentication_x\u{7}\n"] {
        let turns = vec![
            greeting("mysql_native_password", false),
            response("mysql_native_password"),
            frame(2, &switch(plugin)),
        ];
        let error = failure(TlsUse::Never, turns);
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "{plugin}: {error:?}");
        assert!(!error.message.contains(['\n', '\u{7}']), "{error:?}");
    }
    // Even where the stream is encrypted.
    let turns = vec![
        greeting("caching_sha2_password", true),
        Turn::ExpectEnding([0; 23].to_vec()),
        Turn::Encrypt(None),
        response("caching_sha2_password"),
        frame(3, &switch("mysql_clear_password")),
    ];
    assert_eq!(failure(TlsUse::Require, turns).kind, ErrorKind::PermissionDenied);
    // A server that wants the password itself, on a plain stream and without a key, gets none.
    let turns = vec![
        greeting("caching_sha2_password", false),
        response("caching_sha2_password"),
        frame(2, &[1, 4]),
        Turn::Expect(vec![1, 0, 0, 3, 2]),
        frame(4, b"\x01-----BEGIN NONSENSE-----"),
    ];
    assert_eq!(failure(TlsUse::Never, turns).kind, ErrorKind::Protocol);
}

#[test]
fn encryption_that_is_asked_for_is_not_given_up() {
    let error = failure(TlsUse::Require, vec![greeting("mysql_native_password", false)]);
    assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
    let turns = vec![greeting("mysql_native_password", true), Turn::ExpectEnding([0; 23].to_vec()), Turn::Close];
    assert!(matches!(failure(TlsUse::Require, turns).kind, ErrorKind::Protocol), "the handshake failed");
}

#[test]
fn a_greeting_of_something_else_is_no_server() {
    for payload in [&b"\x0aX"[..], b"SSH-2.0-x", b"\x09old\0", b"", &[0x0a; 400]] {
        let error = failure(TlsUse::Never, vec![frame(0, payload)]);
        assert_eq!(error.kind, ErrorKind::Protocol, "{}", payload.escape_ascii());
    }
    let full = [&[0xff, 0x10, 0x04], &b"Too many connections"[..]].concat();
    assert_eq!(failure(TlsUse::Never, vec![frame(0, &full)]).kind, ErrorKind::Transient(None));
    let error = failure(TlsUse::Never, vec![frame(3, b"\x0a8.4.0\0")]);
    assert!(error.message.contains("out of order"), "{error:?}");
    let huge = Turn::Answer(vec![0xff, 0xff, 0xff, 0]);
    assert!(failure(TlsUse::Never, vec![huge]).message.contains("larger"));
    assert_eq!(failure(TlsUse::Never, Vec::new()).kind, ErrorKind::TimedOut);
}

/// A session whose server goes on with these turns after each statement.
fn session(turns: Vec<Turn>) -> Session {
    let mut all = vec![greeting("mysql_native_password", false), response("mysql_native_password"), frame(2, OK)];
    all.extend(turns);
    open(TlsUse::Never, all).unwrap()
}

fn query() -> Turn {
    Turn::ExpectEnding(b"SELECT 1".to_vec())
}

#[test]
fn a_request_for_a_local_file_ends_the_session() {
    let mut session = session(vec![query(), frame(1, b"\xfb/etc/passwd")]);
    let error = session.rows("SELECT 1", &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
    assert!(!session.is_usable());
}

#[test]
fn rows_are_read_and_what_is_malformed_ends_the_session() {
    let end = [0xfe, 0, 0, 2, 0, 0, 0];
    let mut good = session(vec![
        query(),
        frame(1, &[2]),
        frame(2, b"column"),
        frame(3, b"column"),
        frame(4, b"\x03abc\xfb"),
        frame(5, b"\x00\x02\xc3\xa4"),
        frame(6, &end),
    ]);
    let rows = good.rows("SELECT 1", &[]).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].get(0).unwrap().as_str(), rows[0].text(1).unwrap()), ("abc", None));
    assert_eq!(rows[1].get(1).unwrap(), "ä");
    assert!(rows[0].get(1).is_err() && rows[0].get(2).is_err() && rows[1].number(0).is_err());
    assert!(good.is_usable());
    for answer in [&b""[..], b"\xfd\xff", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", b"\x00\x01"] {
        let mut bad = session(vec![query(), frame(1, answer)]);
        assert_eq!(bad.rows("SELECT 1", &[]).unwrap_err().kind, ErrorKind::Protocol, "{}", answer.escape_ascii());
        assert!(!bad.is_usable());
    }
    let mut short = session(vec![query(), frame(1, &[1]), frame(2, b"column"), frame(3, b"\x09abc")]);
    assert_eq!(short.rows("SELECT 1", &[]).unwrap_err().kind, ErrorKind::Protocol);
}

#[test]
fn an_error_leaves_the_session_usable_unless_it_is_the_end() {
    let failed = |code: u16| [&[0xff][..], &code.to_le_bytes(), b"#42000words"].concat();
    let mut alive = session(vec![query(), frame(1, &failed(1064)), query(), frame(1, OK)]);
    assert_eq!(alive.simple("SELECT 1", "").unwrap_err().kind, ErrorKind::Engine("1064".to_owned()));
    assert!(alive.is_usable());
    alive.simple("SELECT 1", "").unwrap();
    let mut ended = session(vec![query(), frame(1, &failed(1053))]);
    assert_eq!(ended.simple("SELECT 1", "").unwrap_err().kind, ErrorKind::Transient(None));
    assert!(!ended.is_usable());
    let mut silent = session(vec![query()]);
    assert_eq!(silent.simple("SELECT 1", "").unwrap_err().kind, ErrorKind::TimedOut);
    assert!(!silent.is_usable());
}

#[test]
fn a_session_is_pinned_before_its_first_use() {
    let settings = pinned(Purpose::Administration, &limits(), false);
    assert!(settings[0].starts_with("SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci"), "{settings:?}");
    assert!(settings[1].contains("sql_mode = 'STRICT_TRANS_TABLES") && !settings[1].contains("NO_BACKSLASH"));
    assert!(settings[1].contains("max_execution_time = 1000"), "{settings:?}");
    assert!(pinned(Purpose::Administration, &limits(), true)[1].contains("max_statement_time = 1.000"));
    assert!(pinned(Purpose::Probe, &limits(), true).is_empty());
}

#[test]
fn only_a_script_may_have_several_statements_in_one_text() {
    let several = CapabilityFlags::CLIENT_MULTI_STATEMENTS;
    assert!(handshake::wanted(Purpose::Script).contains(several));
    for purpose in [Purpose::Administration, Purpose::Probe] {
        assert!(!handshake::wanted(purpose).contains(several), "{purpose:?}");
    }
}

fn error(code: u16, words: &str) -> Turn {
    frame(1, &[&[0xff][..], &code.to_le_bytes(), b"#HY000", words.as_bytes()].concat())
}

#[test]
fn a_statement_that_lost_a_race_is_sent_again_and_not_for_ever() {
    let statement = Statement::own("SELECT 1");
    for code in [1020, 1205, 1213] {
        let mut session = session(vec![query(), error(code, "words"), query(), frame(1, OK)]);
        session.run(&statement).unwrap();
    }
    let mut unlucky = session((0..9).flat_map(|_| [query(), error(1213, "words")]).collect());
    assert_eq!(unlucky.run(&statement).unwrap_err().kind, ErrorKind::Transient(Some(200)));
    assert!(unlucky.is_usable());
    // What somebody else's transaction undid is not ours to do again.
    let mut script = session(vec![query(), error(1213, "words")]);
    assert_eq!(script.simple("SELECT 1", "").unwrap_err().kind, ErrorKind::Transient(Some(200)));
    let mut other = session(vec![query(), error(1064, "words")]);
    assert_eq!(other.run(&statement).unwrap_err().kind, ErrorKind::Engine("1064".to_owned()));
}

#[test]
fn where_the_server_gives_nobody_a_lock_work_goes_on_without_one() {
    let of = |answer: Turn| {
        let asked = Turn::ExpectEnding(b"SELECT COALESCE(GET_LOCK('x', CAST('1' AS UNSIGNED)), 0)".to_vec());
        take_lock(&mut session(vec![asked, answer]), "x", "1").map_err(|error| error.kind)
    };
    let cluster = "This version of MariaDB doesn't yet support 'GET_LOCK in cluster (WSREP_ON=ON)'";
    assert_eq!(of(error(1235, cluster)), Ok(Lock::Denied));
    let strict = "Percona-XtraDB-Cluster prohibits use of GET_LOCK with pxc_strict_mode = ENFORCING";
    assert_eq!(of(error(1105, strict)), Ok(Lock::Denied));
    assert_eq!(of(error(3024, "it took too long")), Ok(Lock::Busy));
    assert_eq!(of(error(1105, "words")), Err(ErrorKind::Engine("1105".to_owned())));
    assert_eq!(of(error(1142, "words")), Err(ErrorKind::PermissionDenied));
}
