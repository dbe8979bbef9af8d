//! Logins against a scripted server: what is encrypted, what is refused, and that no password leaves before.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use dbprovision_sdk::adapter::Settings;
use dbprovision_sdk::fake::{Script, Turn};
use dbprovision_sdk::native::dial_with;
use dbprovision_sdk::{NetError, SecretError, TlsUse, Wire};

use super::*;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const CLEARTEXT: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 3];
const MD5: [u8; 13] = [b'R', 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4];

/// A server that answers in a fixed order and remembers what it was sent.
#[derive(Default)]
struct Recorded {
    tls: Option<TlsUse>,
    answers: RefCell<VecDeque<Vec<u8>>>,
    /// The channel binding; none: the handshake fails.
    handshake: Option<Vec<u8>>,
    sent: RefCell<Vec<u8>>,
    revealed: Cell<bool>,
}

impl Wire for Recorded {
    fn tls(&self) -> TlsUse {
        self.tls.unwrap_or(TlsUse::Never)
    }

    fn try_read(&self, max: u32) -> std::result::Result<Option<Vec<u8>>, NetError> {
        let mut answers = self.answers.borrow_mut();
        let Some(mut answer) = answers.pop_front() else { return Ok(None) };
        if answer.len() > max as usize {
            answers.push_front(answer.split_off(max as usize));
        }
        Ok(Some(answer))
    }

    fn wait_readable(&self, _: u32) -> std::result::Result<(), NetError> {
        if self.answers.borrow().is_empty() { Err(NetError::TimedOut) } else { Ok(()) }
    }

    fn write(&self, bytes: &[u8]) -> std::result::Result<(), NetError> {
        self.sent.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    fn start_tls(&self) -> std::result::Result<Option<Vec<u8>>, NetError> {
        self.handshake.clone().map(Some).ok_or_else(|| NetError::Tls("the certificate is not trusted".to_owned()))
    }

    fn reveal(&self, secret: &Secret) -> std::result::Result<Vec<u8>, SecretError> {
        self.revealed.set(true);
        match secret {
            Secret::Known(value) => Ok(value.clone()),
            Secret::Host(_) => Err(SecretError::InsecureConnection),
        }
    }
}

fn wire(tls: TlsUse, answers: &[&[u8]], handshake: Option<Vec<u8>>) -> Rc<Recorded> {
    let answers = RefCell::new(answers.iter().map(|answer| answer.to_vec()).collect());
    Rc::new(Recorded { tls: Some(tls), answers, handshake, ..Recorded::default() })
}

fn try_login(wires: &[Rc<Recorded>], options: &str) -> Error {
    let queue: RefCell<VecDeque<Rc<Recorded>>> = RefCell::new(wires.iter().cloned().collect());
    dial_with(move || queue.borrow_mut().pop_front().map(|wire| wire as Rc<dyn Wire>).ok_or(NetError::Exhausted));
    let settings = Settings {
        engine: "postgres".to_owned(),
        database: "postgres".to_owned(),
        options: Some(options.to_owned()),
        tracking: None,
        statement_timeout_ms: 1000,
    };
    let limits = Limits::read(&settings).unwrap();
    let password = Secret::Known(b"hunter2".to_vec());
    let who = Account { name: "admin", password: &password };
    match log_in(&limits, who, "postgres", Purpose::Administration) {
        Ok(_) => panic!("the script ends before a login could succeed"),
        Err(error) => error,
    }
}

fn says(wire: &Recorded, text: &str) -> bool {
    wire.sent.borrow().windows(text.len()).any(|window| window == text.as_bytes())
}

fn sasl(mechanisms: &[&str]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 10];
    for mechanism in mechanisms {
        body.extend_from_slice(mechanism.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut message = vec![b'R'];
    message.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend(body);
    message
}

fn refused(code: &str) -> Vec<u8> {
    let body = format!("SFATAL\0VFATAL\0C{code}\0Mno pg_hba.conf entry for host \"10.1.2.3\"\0\0");
    let mut message = vec![b'E'];
    message.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend_from_slice(body.as_bytes());
    message
}

#[test]
fn a_server_that_asks_for_the_password_on_a_plain_stream_gets_nothing() {
    for demand in [&CLEARTEXT[..], &MD5[..]] {
        let fragments: Vec<&[u8]> = demand.chunks(1).collect();
        for answers in [vec![demand], fragments] {
            let server = wire(TlsUse::Never, &answers, None);
            let error = try_login(std::slice::from_ref(&server), "{}");
            assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
            assert!(error.message.contains("unencrypted"), "{}", error.message);
            assert!(!says(&server, "hunter2") && !says(&server, "md5"));
        }
    }
}

#[test]
fn a_server_without_tls_is_refused_before_anything_is_revealed() {
    let script = Script::new(TlsUse::Require, [Turn::Expect(SSL_REQUEST.to_vec()), Turn::Answer(b"N".to_vec())]);
    let script = Rc::new(script);
    let wire: Rc<dyn Wire> = script.clone();
    let outcome = negotiate::upgrade(
        wire,
        negotiate::attempts(TlsUse::Require).0,
        Deadline::after(std::time::Duration::from_secs(1)),
    );
    assert_eq!(outcome.err().unwrap().kind, ErrorKind::PermissionDenied);
    assert!(script.rest().is_empty());
    let server = wire_of(TlsUse::Require, b"N");
    let error = try_login(std::slice::from_ref(&server), "{}");
    assert_eq!(error.kind, ErrorKind::PermissionDenied);
    assert!(!server.revealed.get());
    assert_eq!(*server.sent.borrow(), SSL_REQUEST);
}

fn wire_of(tls: TlsUse, answer: &[u8]) -> Rc<Recorded> {
    wire(tls, &[answer], None)
}

#[test]
fn a_failed_handshake_is_final_where_tls_is_required_and_goes_on_plain_where_it_is_preferred() {
    let server = wire_of(TlsUse::Require, b"S");
    let error = try_login(std::slice::from_ref(&server), "{}");
    assert!(error.message.contains("certificate"), "{error:?}");
    assert!(!server.revealed.get());
    let (first, second) = (wire_of(TlsUse::Prefer, b"S"), wire(TlsUse::Prefer, &[&CLEARTEXT], None));
    let error = try_login(&[first.clone(), second.clone()], "{}");
    assert!(error.message.contains("unencrypted"), "{error:?}");
    assert!(!first.revealed.get() && says(&second, "admin"));
    assert!(!second.sent.borrow().starts_with(&SSL_REQUEST));
}

#[test]
fn where_tls_is_preferred_a_server_without_it_is_spoken_to_on_the_same_connection() {
    let server = wire(TlsUse::Prefer, &[b"N", &CLEARTEXT], None);
    try_login(std::slice::from_ref(&server), "{}");
    assert!(server.sent.borrow().starts_with(&SSL_REQUEST) && says(&server, "admin"));
}

#[test]
fn where_tls_is_allowed_it_is_asked_for_when_the_server_refuses_plain() {
    let refusal = refused("28000");
    let (first, second) = (wire(TlsUse::Allow, &[&refusal], None), wire_of(TlsUse::Allow, b"N"));
    let error = try_login(&[first.clone(), second.clone()], "{}");
    assert!(!first.sent.borrow().starts_with(&SSL_REQUEST) && second.sent.borrow().starts_with(&SSL_REQUEST));
    assert!(!error.message.contains("10.1.2.3"), "{error:?}");
    // A refused password is no reason to try again.
    let refusal = refused("28P01");
    let (first, second) = (wire(TlsUse::Allow, &[&refusal], None), wire_of(TlsUse::Allow, b"S"));
    assert_eq!(try_login(&[first, second.clone()], "{}").kind, ErrorKind::Authentication);
    assert!(second.sent.borrow().is_empty());
}

#[test]
fn the_login_is_bound_to_the_channel_where_the_server_offers_it() {
    let offer = sasl(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    let server = wire(TlsUse::Require, &[b"S", &offer], Some(vec![7; 32]));
    try_login(std::slice::from_ref(&server), "{}");
    assert!(says(&server, "SCRAM-SHA-256-PLUS\0") && says(&server, "p=tls-server-end-point,,"));
    let server = wire(TlsUse::Require, &[b"S", &offer], Some(vec![7; 32]));
    try_login(std::slice::from_ref(&server), r#"{"channelBinding": "disable"}"#);
    assert!(!says(&server, "SCRAM-SHA-256-PLUS\0") && says(&server, "SCRAM-SHA-256\0"));
}

#[test]
fn a_server_that_does_not_offer_the_demanded_binding_learns_nothing() {
    let offer = sasl(&["SCRAM-SHA-256"]);
    for answers in [[&b"S"[..], &offer[..]], [&b"S"[..], &CLEARTEXT[..]]] {
        let server = wire(TlsUse::Require, &answers, Some(vec![7; 32]));
        let error = try_login(std::slice::from_ref(&server), r#"{"channelBinding": "require"}"#);
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
        assert!(!says(&server, "SCRAM") && !says(&server, "hunter2"));
    }
}

#[test]
fn something_that_is_no_postgresql_is_told_so() {
    let server = wire_of(TlsUse::Prefer, b"H");
    assert_eq!(try_login(std::slice::from_ref(&server), "{}").kind, ErrorKind::Protocol);
    assert!(!server.revealed.get());
}

#[test]
fn a_session_is_pinned_by_its_first_packet() {
    let server = wire(TlsUse::Never, &[&CLEARTEXT], None);
    try_login(std::slice::from_ref(&server), r#"{"applicationName": "mine"}"#);
    for words in [
        "-c search_path=pg_catalog,pg_temp",
        "-c role=none",
        "-c quote_all_identifiers=off",
        "read\\ committed",
        "-c statement_timeout=1000",
        "-c lock_timeout=500",
        "application_name\0mine\0",
        "client_encoding\0UTF8\0",
    ] {
        assert!(says(&server, words), "{words}");
    }
    for unknown in ["idle_session_timeout", "transaction_timeout"] {
        assert!(!says(&server, unknown), "an older server would refuse {unknown}");
    }
}

#[test]
fn a_limit_is_pinned_where_the_version_has_it() {
    let settings = Settings {
        engine: "postgres".to_owned(),
        database: "postgres".to_owned(),
        options: None,
        tracking: None,
        statement_timeout_ms: 1000,
    };
    let limits = Limits::read(&settings).unwrap();
    let pinned = |version: i32, purpose: Purpose| {
        let text = options(purpose, &Limits { version, ..limits.clone() });
        (text.contains("-c idle_session_timeout=0"), text.contains("-c transaction_timeout=0"))
    };
    for purpose in [Purpose::Administration, Purpose::AdministratorScript] {
        assert_eq!(pinned(0, purpose), (false, false));
        assert_eq!(pinned(130_022, purpose), (false, false));
        assert_eq!(pinned(140_000, purpose), (true, false));
        assert_eq!(pinned(170_001, purpose), (true, true));
    }
    assert_eq!(pinned(170_001, Purpose::OwnerScript), (false, false));
}
