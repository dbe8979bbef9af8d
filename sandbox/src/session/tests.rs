//! Sessions over a plain stream to a server that accepts and waits: lanes, limits, reuse, and what ends a guest.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::addresses::AddressPolicy;
use crate::binding::{Binding, Credentials, Endpoint};
use crate::contract::{DatabaseSpec, ErrorKind, Mark, Selection, Settings, TlsMode, UserSpec};
use crate::error::CallClass;
use crate::limits::Limits;
use crate::load::tests::{ERROR, OK, SCRATCH, SERVER, Script, everything, sandbox};
use crate::secret_value::SecretValue;
use crate::tls::TlsSettings;

const WAIT: Duration = Duration::from_secs(5);

/// Accepts, reads and says nothing; counts open streams.
async fn silent_server() -> (SocketAddr, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let serving = tokio::spawn(async move {
        let mut streams = tokio::task::JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = Arc::clone(&count);
            count.fetch_add(1, Ordering::SeqCst);
            streams.spawn(async move {
                let mut sink = Vec::new();
                drop(stream.read_to_end(&mut sink).await);
                count.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, open, serving)
}

fn binding(address: SocketAddr) -> Binding {
    let settings = Settings {
        engine: "mock".to_owned(),
        database: "mock".to_owned(),
        options: None,
        tracking: None,
        statement_timeout_ms: 1000,
    };
    Binding {
        name: "test".to_owned(),
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        addresses: Arc::new(AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
        tls: TlsSettings::of(TlsMode::Disable),
        credentials: Credentials { username: "admin".to_owned(), password: SecretValue::new("hunter2-hunter2") },
        settings,
        limits: Limits { processor: Duration::from_millis(300), wall: Duration::from_secs(2), ..Limits::default() },
        idle: Duration::from_mins(5),
        gate: None,
    }
}

async fn bound(script: Script) -> (Arc<Server>, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let (address, open, serving) = silent_server().await;
    let adapter = sandbox().load(script.component(), &everything(), None).await.unwrap();
    (adapter.bind(binding(address)).unwrap(), open, serving)
}

fn ping_is(body: &str) -> Script {
    Script::connecting().body("connection#ping", body)
}

type Expected = fn(&CallError) -> bool;

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ping(server: &Arc<Server>) -> Result<(), CallError> {
    server.lane(Lane::Work, WAIT).await?.ping().await
}

#[tokio::test]
async fn a_session_connects_once_and_is_reused() {
    let (server, open, _serving) = bound(ping_is(&format!("(i32.const {OK})"))).await;
    assert_eq!(server.counters().sessions_opened, 0);
    for _ in 0..10 {
        ping(&server).await.unwrap();
    }
    let facts = server.lane(Lane::Work, WAIT).await.unwrap().server().await.unwrap();
    assert_eq!(facts.administrator, "primary");
    assert_eq!((server.counters().sessions_opened, server.counters().guests_started), (1, 1));
    eventually("one stream", || open.load(Ordering::SeqCst) == 1).await;
    server.close().await;
    eventually("no stream", || open.load(Ordering::SeqCst) == 0).await;
    assert!(matches!(ping(&server).await, Err(CallError::Closed)));
}

#[tokio::test]
async fn an_idle_session_is_closed_and_nothing_ticks() {
    let sandbox = sandbox();
    let (address, open, _serving) = silent_server().await;
    let adapter = sandbox.load(ping_is(&format!("(i32.const {OK})")).component(), &everything(), None).await.unwrap();
    let server = adapter.bind(Binding { idle: Duration::from_millis(50), ..binding(address) }).unwrap();
    ping(&server).await.unwrap();
    eventually("closed", || server.counters().sessions_open == 0).await;
    eventually("closed at the server", || open.load(Ordering::SeqCst) == 0).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    let ticks = sandbox.ticks();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(sandbox.ticks(), ticks);
    ping(&server).await.unwrap();
    assert_eq!(server.counters().sessions_opened, 2);
}

#[tokio::test]
async fn at_most_two_work_and_one_more_is_reserved() {
    let (server, _open, _serving) = bound(ping_is(&format!("(i32.const {OK})"))).await;
    let _first = server.lane(Lane::Work, WAIT).await.unwrap();
    let _second = server.lane(Lane::Work, WAIT).await.unwrap();
    assert!(matches!(server.lane(Lane::Work, Duration::from_millis(20)).await, Err(CallError::Busy(_))));
    let mut reserved = server.lane(Lane::Reserved, WAIT).await.unwrap();
    reserved.ping().await.unwrap();
}

#[tokio::test]
async fn a_session_that_died_while_idle_is_replaced_before_the_next_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let adapter = sandbox().load(ping_is(&format!("(i32.const {OK})")).component(), &everything(), None).await.unwrap();
    let server = adapter.bind(binding(listener.local_addr().unwrap())).unwrap();
    ping(&server).await.unwrap();
    drop(listener.accept().await.unwrap());
    tokio::time::sleep(Duration::from_millis(20)).await;
    ping(&server).await.unwrap();
    assert_eq!(server.counters().sessions_opened, 2);
}

#[tokio::test]
async fn every_limit_has_its_own_error_and_costs_the_guest() {
    let secrets = Script::connecting().import("secrets", "instance-credentials", "(param i32)").body(
        "connection#ping",
        &format!("(loop (call $instance-credentials (i32.const {SCRATCH})) (br 0)) unreachable"),
    );
    let parked = Script::connecting()
        .import("net", "[method]connection.read", "(param i32 i32 i32 i32)")
        .body("connection#ping", &format!("(loop (call $read (i32.load (i32.const {})) (i32.const 10) (i32.const -1) (i32.const {})) (br 0)) unreachable", SCRATCH + 4, SCRATCH + 64));
    let cases: [(&str, Script, Expected); 6] = [
        ("trap", ping_is("unreachable"), |error| matches!(error, CallError::Trapped { .. })),
        ("loop", ping_is("(loop (br 0)) unreachable"), |error| matches!(error, CallError::OutOfTime(_))),
        (
            "memory",
            ping_is("(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable"),
            |error| matches!(error, CallError::MemoryLimit(_)),
        ),
        ("handles", secrets, |error| matches!(error, CallError::HandleLimit(_))),
        ("parked", parked, |error| matches!(error, CallError::DeadlineExceeded(_))),
        ("bad pointer", ping_is("(i32.const -4)"), |error| matches!(error, CallError::Trapped { .. })),
    ];
    for (what, script, expected) in cases {
        let (server, open, _serving) = bound(script).await;
        let error = ping(&server).await.unwrap_err();
        assert!(expected(&error), "{what}: {error:?}");
        eventually(what, || open.load(Ordering::SeqCst) == 0).await;
        assert_eq!(server.counters().sessions_open, 0, "{what}");
    }
}

#[tokio::test]
async fn too_much_data_in_one_answer_is_its_own_error() {
    // An error whose message is six megabytes.
    let body = format!(
        "(drop (memory.grow (i32.const 100))) (i32.store8 (i32.const {SCRATCH}) (i32.const 1)) (i32.store8 (i32.const {}) (i32.const 5))
         (i32.store (i32.const {}) (i32.const 65536)) (i32.store (i32.const {}) (i32.const 6000000)) (i32.const {SCRATCH})",
        SCRATCH + 4,
        SCRATCH + 16,
        SCRATCH + 20
    );
    let (server, _open, _serving) = bound(ping_is(&body)).await;
    let error = ping(&server).await.unwrap_err();
    assert!(matches!(error, CallError::TooMuchData(_)), "{error:?}");
}

#[tokio::test]
async fn a_loop_does_not_slow_the_other_guests() {
    let adapter = sandbox();
    let (address, _open, _serving) = silent_server().await;
    let looping = adapter.load(ping_is("(loop (br 0)) unreachable").component(), &everything(), None).await.unwrap();
    let good = adapter.load(ping_is(&format!("(i32.const {OK})")).component(), &everything(), None).await.unwrap();
    let (looping, good) = (looping.bind(binding(address)).unwrap(), good.bind(binding(address)).unwrap());
    // One executor thread: the loop gives way at every tick.
    let (slow, quick) = tokio::join!(ping(&looping), async {
        let started = Instant::now();
        ping(&good).await.map(|()| started.elapsed())
    });
    assert!(matches!(slow, Err(CallError::OutOfTime(_))));
    assert!(quick.unwrap() < Duration::from_millis(250));
}

#[tokio::test]
async fn a_secret_in_an_error_does_not_come_out() {
    let (server, _open, _serving) = bound(ping_is(&format!("(i32.const {ERROR})"))).await;
    let CallError::Adapter(error) = ping(&server).await.unwrap_err() else { panic!("another error") };
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(
        (error.message.as_str(), error.detail.as_str()),
        ("the password is [redacted], really", "the password is [redacted], really")
    );
}

#[tokio::test]
async fn a_secret_of_more_than_four_kibibytes_is_lent_to_no_guest() {
    let (address, _open, _serving) = silent_server().await;
    let adapter = sandbox().load(ping_is(&format!("(i32.const {OK})")).component(), &everything(), None).await.unwrap();
    let server = adapter.bind(binding(address)).unwrap();
    let (long, most) = (SecretValue::new(vec![b'x'; 4097]), SecretValue::new(vec![b'x'; 4096]));
    let name = || "x".to_owned();
    let mark = Mark { cluster: name(), operator: name(), kind: name(), namespace: name(), name: name(), nonce: name() };
    let user = UserSpec { name: name(), roles: vec![], shared_roles: vec![], comment: None, options: None };
    let database = DatabaseSpec { name: name(), owner: None, comment: None, options: None };
    let mut session = server.lane(Lane::Work, WAIT).await.unwrap();
    let refused = [
        session.try_login("x", &long).await.map(drop),
        session.create_user(&user, Some(&long), &mark).await.map(drop),
        session.update_user(&user, &mark, Some(&long), &Selection::All).await.map(drop),
        session.update_database(&database, &mark, &[(name(), long.clone())], &Selection::All).await.map(drop),
    ];
    for refused in refused.map(Result::unwrap_err) {
        assert!(matches!(refused, CallError::SecretTooLong(4097)), "{refused:?}");
        assert_eq!(refused.class(), CallClass::Refused);
    }
    assert_eq!(server.counters().sessions_opened, 0);
    // The guest, which can do nothing but ping, is asked.
    assert!(matches!(session.try_login("x", &most).await, Err(CallError::Trapped { .. })));
    let credentials = Credentials { username: name(), password: long };
    let refused = ping(&adapter.bind(Binding { credentials, ..binding(address) }).unwrap()).await.unwrap_err();
    assert!(matches!(refused, CallError::SecretTooLong(4097)), "{refused:?}");
}

#[tokio::test]
async fn an_adapter_that_keeps_trapping_is_quarantined() {
    let (server, _open, _serving) = bound(ping_is("unreachable")).await;
    for _ in 0..5 {
        assert!(matches!(ping(&server).await, Err(CallError::Trapped { .. })));
    }
    let error = ping(&server).await.unwrap_err();
    assert!(matches!(error, CallError::Quarantined { .. }), "{error}");
    assert_eq!(error.class(), CallClass::Guest);
    assert_eq!(server.counters().traps, 5);
}

#[tokio::test]
async fn a_cancelled_call_throws_the_guest_away() {
    let (server, open, _serving) = bound(ping_is("(loop (br 0)) unreachable")).await;
    let mut session = server.lane(Lane::Work, WAIT).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), session.ping()).await.is_err());
    drop(session);
    eventually("gone", || open.load(Ordering::SeqCst) == 0).await;
    assert_eq!(server.counters().guests_started, 1);
}

#[tokio::test]
async fn a_guest_has_one_more_session_and_no_third() {
    // Each ping dials once more and keeps the handle; its answer is `err` when the host refused.
    let body = format!(
        "(call $connect (i32.const 8192) (i32.const 7) (i32.const {SCRATCH}))
         (if (result i32) (i32.load8_u (i32.const {SCRATCH})) (then (i32.const {ERROR})) (else (i32.const {OK})))"
    );
    let (server, open, _serving) = bound(ping_is(&body)).await;
    let mut first = server.lane(Lane::Work, WAIT).await.unwrap();
    first.ping().await.unwrap();
    assert!(matches!(first.ping().await, Err(CallError::Adapter(_))));
    let mut second = server.lane(Lane::Work, WAIT).await.unwrap();
    second.set_call_limit(Duration::from_millis(500));
    // The one turn for a further session is taken by the first guest.
    assert!(second.ping().await.is_err());
    assert!(open.load(Ordering::SeqCst) <= 3);
    drop((first, second));
}

#[tokio::test]
async fn a_refused_address_is_told_as_what_it_is() {
    let adapter = sandbox()
        .load(Script::connecting().body("connection#connect", &dialling_or_error()).component(), &everything(), None)
        .await
        .unwrap();
    let policy = Arc::new(AddressPolicy::default());
    let server = adapter.bind(Binding { addresses: policy, ..binding("127.0.0.1:1".parse().unwrap()) }).unwrap();
    let error = ping(&server).await.unwrap_err();
    assert!(matches!(&error, CallError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.class(), CallClass::Refused);
    assert!(error.to_string().contains("127.0.0.1 is refused: it is a loopback address"), "{error}");
}

fn dialling_or_error() -> String {
    format!(
        "(call $connect (i32.const 8192) (i32.const 7) (i32.const {SCRATCH}))
         (if (result i32) (i32.load8_u (i32.const {SCRATCH})) (then (i32.const {ERROR})) (else (i32.const {SERVER})))"
    )
}

#[tokio::test]
async fn an_examination_reaches_no_server() {
    let examine = format!(
        "(call $connect (i32.const 8192) (i32.const 7) (i32.const {SCRATCH}))
         (if (result i32) (i32.load8_u (i32.const {SCRATCH})) (then (i32.const {ERROR})) (else (i32.const {OK})))"
    );
    let script = Script::connecting().body("database-operations#examine", &examine);
    let adapter = sandbox().load(script.component(), &everything(), None).await.unwrap();
    let spec = DatabaseSpec { name: "x".to_owned(), owner: None, comment: None, options: None };
    let error = adapter.examine_database(&spec).await.unwrap_err();
    assert!(matches!(error, CallError::Adapter(_)), "{error:?}");
}

/// Asks for the credentials and reveals the password on the main session; `err` when the host says no.
fn revealing() -> Script {
    let body = format!(
        "(call $instance-credentials (i32.const {given}))
         (call $reveal (i32.load (i32.const {handle})) (i32.load (i32.const {connection})) (i32.const {answer}))
         (if (result i32) (i32.load8_u (i32.const {answer})) (then (i32.const {ERROR})) (else (i32.const {OK})))",
        given = SCRATCH + 64,
        // ok: the username, then the handle.
        handle = SCRATCH + 64 + 12,
        connection = SCRATCH + 4,
        answer = SCRATCH + 128,
    );
    Script::connecting()
        .import("secrets", "instance-credentials", "(param i32)")
        .import("secrets", "[method]secret.reveal", "(param i32 i32 i32)")
        .body("connection#ping", &body)
}

#[tokio::test]
async fn a_secret_is_revealed_on_a_plain_stream_only_where_tls_is_not_required() {
    let (address, _open, _serving) = silent_server().await;
    let adapter = sandbox().load(revealing().component(), &everything(), None).await.unwrap();
    for (mode, is_revealed) in [(TlsMode::Disable, true), (TlsMode::Prefer, true), (TlsMode::Require, false)] {
        let server = adapter.bind(Binding { tls: TlsSettings::of(mode), ..binding(address) }).unwrap();
        assert_eq!(ping(&server).await.is_ok(), is_revealed, "{mode:?}");
        assert_eq!(server.counters().reveals, u64::from(is_revealed), "{mode:?}");
    }
}

#[tokio::test]
async fn a_relay_hands_both_streams_to_the_host_and_keeps_its_place_among_the_sessions() {
    // The guest drops the tool's stream and answers a new one to the server.
    let body = format!(
        "(call $connect (i32.const 8192) (i32.const 7) (i32.const {SCRATCH})) (call $drop_connection (local.get 0)) (i32.const {SCRATCH})"
    );
    let script = Script::connecting()
        .named_import("net", "[resource-drop]connection", "drop_connection", "(param i32)")
        .body("connection#relay", &body);
    let (server, open, _serving) = bound(script).await;
    let mut session = server.lane(Lane::Work, WAIT).await.unwrap();
    let (tool, other_end) = tokio::io::duplex(64);
    let relayed = session.relay(Box::new(tool), "db").await.unwrap();
    drop(session);
    eventually("two streams", || open.load(Ordering::SeqCst) == 2).await;
    assert_eq!(server.counters().sessions_open, 2);
    drop(other_end);
    drop(relayed);
    eventually("one stream", || open.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.counters().sessions_open, 1);
}

#[test]
fn sessions_can_be_used_from_any_task() {
    fn check<T: Send>(_: &T) {}
    #[expect(dead_code, reason = "only its type is looked at")]
    fn of(session: &mut Session, adapter: &crate::Adapter, spec: &DatabaseSpec) {
        check(&session.ping());
        check(&session.server());
        check(&adapter.examine_database(spec));
    }
}
