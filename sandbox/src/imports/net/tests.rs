//! The rules of a stream, tried as a hostile guest and a hostile server would.

use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::binding::WriteGate;
use crate::contract::TlsMode;
use crate::tls::{TlsContext, TlsSettings};

fn stream(tls_required: bool) -> (Connection, DuplexStream) {
    let (ours, theirs) = duplex(4096);
    (Connection::to_server(Box::new(ours), tls_required, Slot::main(Arc::new(()))), theirs)
}

fn handshake() -> (Arc<rustls::ClientConfig>, ServerName<'static>) {
    let roots = || Arc::new(rustls::RootCertStore::empty());
    TlsContext::new(&TlsSettings::of(TlsMode::Require), "db", roots).unwrap().handshake.unwrap()
}

#[tokio::test]
async fn reads_are_bounded_and_the_end_is_an_empty_list() {
    let (mut ours, mut theirs) = stream(false);
    assert!(matches!(ours.try_read(10), Ok(None)));
    theirs.write_all(b"abcdef").await.unwrap();
    ours.readable().await.unwrap();
    assert_eq!(ours.try_read(4).unwrap(), Some(b"abcd".to_vec()));
    assert_eq!(ours.take(0), b"");
    assert_eq!(ours.take(10), b"ef");
    assert!(ours.is_alive());
    drop(theirs);
    ours.readable().await.unwrap();
    assert_eq!(ours.try_read(10).unwrap(), Some(Vec::new()));
    assert!(!ours.is_alive());
}

#[tokio::test]
async fn last_words_before_the_end_do_not_make_a_stream_alive() {
    let (mut ours, mut theirs) = stream(false);
    theirs.write_all(b"FATAL: shutting down").await.unwrap();
    assert!(ours.is_alive());
    drop(theirs);
    assert!(!ours.is_alive());
    assert_eq!(ours.take(100), b"FATAL: shutting down");
}

#[tokio::test]
async fn two_sides_that_both_write_do_not_wait_for_each_other() {
    let (mut ours, mut theirs) = stream(false);
    let (mine, yours) = (vec![1; 100_000], vec![2; 100_000]);
    let serving = tokio::spawn(async move {
        theirs.write_all(&yours).await.unwrap();
        let mut got = vec![0; 100_000];
        theirs.read_exact(&mut got).await.unwrap();
        theirs
    });
    timeout(Duration::from_secs(5), ours.write(&mine)).await.unwrap().unwrap();
    let _theirs = serving.await.unwrap();
    ours.readable().await.unwrap();
    assert!(!ours.take(1 << 20).is_empty());
}

#[tokio::test]
async fn a_gate_that_shuts_in_the_middle_of_a_write_lets_no_further_piece_through() {
    let open = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&open);
    let (ours, mut theirs) = stream(false);
    let mut ours = ours.gated(Some(WriteGate::new(move || asked.load(Ordering::SeqCst))));
    let bytes = vec![1; 100_000];
    let (written, ()) = tokio::join!(ours.write(&bytes), async {
        // The pipe is full by now, and the writer waits for room.
        open.store(false, Ordering::SeqCst);
        theirs.read_exact(&mut [0; 4096]).await.unwrap();
    });
    assert!(matches!(written, Err(StreamError::Stopped)), "{written:?}");
    let mut rest = Vec::new();
    theirs.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{} bytes more", rest.len());
    assert!(matches!(ours.readable().await, Err(StreamError::Closed)));
}

#[tokio::test]
async fn the_gate_of_a_stream_goes_with_it_to_the_host() {
    let open = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&open);
    let (ours, mut theirs) = stream(false);
    let ours = ours.gated(Some(WriteGate::new(move || asked.load(Ordering::SeqCst))));
    let (mut relayed, _unread, _slot) = ours.into_parts().unwrap();
    relayed.write_all(b"before").await.unwrap();
    open.store(false, Ordering::SeqCst);
    relayed.write_all(b"after").await.unwrap_err();
    relayed.shutdown().await.unwrap_err();
    drop(relayed);
    let mut heard = Vec::new();
    theirs.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"before");
}

#[tokio::test]
async fn nothing_is_encrypted_behind_a_shut_gate() {
    let (ours, mut theirs) = stream(true);
    let mut ours = ours.gated(Some(WriteGate::new(|| false)));
    let (config, name) = handshake();
    let refused = ours.start_tls(config, name, Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(refused, StreamError::Stopped), "{refused:?}");
    assert_eq!(theirs.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn where_tls_is_required_plain_bytes_are_capped_in_both_directions() {
    let (mut ours, mut theirs) = stream(true);
    assert!(!ours.may_carry_secrets());
    ours.write(&[0; 8]).await.unwrap();
    assert!(matches!(ours.write(&[0; 57]).await, Err(StreamError::Denied(_))));
    let talking = tokio::spawn(async move { while theirs.write_all(&[0; 1024]).await.is_ok() {} });
    let refused = loop {
        match ours.readable().await {
            Ok(()) => drop(ours.take(4096)),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StreamError::Denied(_)), "{refused:?}");
    drop(ours);
    talking.await.unwrap();
}

#[tokio::test]
async fn bytes_before_the_handshake_fail_it() {
    for is_read_before in [false, true] {
        let (mut ours, mut theirs) = stream(true);
        theirs.write_all(b"SERROR injected").await.unwrap();
        if is_read_before {
            ours.readable().await.unwrap();
            assert_eq!(ours.take(1), b"S");
        }
        let (config, name) = handshake();
        let refused = ours.start_tls(config, name, Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(refused, StreamError::Injected), "{refused:?}");
        assert!(matches!(NetError::from(refused), NetError::Denied(_)));
        assert!(matches!(ours.write(b"x").await, Err(StreamError::Closed)));
        assert!(!ours.may_carry_secrets());
    }
}

#[tokio::test]
async fn a_server_that_does_not_shake_hands_is_given_up_and_the_stream_with_it() {
    let (mut ours, _theirs) = stream(true);
    let (config, name) = handshake();
    let refused = ours.start_tls(config, name, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(refused, StreamError::Tls(crate::tls::TlsFailure::TimedOut)), "{refused:?}");
    assert!(matches!(ours.readable().await, Err(StreamError::Closed)));
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_an_error_and_no_panic() {
    let (mut ours, mut theirs) = stream(true);
    let serving = tokio::spawn(async move {
        let mut hello = [0; 5];
        theirs.read_exact(&mut hello).await.unwrap();
        theirs.write_all(&[0xff; 300]).await.unwrap();
        theirs
    });
    let (config, name) = handshake();
    let refused = ours.start_tls(config, name, Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(refused, StreamError::Tls(_)), "{refused:?}");
    drop(serving.await);
}

#[tokio::test]
async fn a_closed_stream_answers_closed_and_frees_its_place() {
    let mark = Arc::new(());
    let (ours, _theirs) = duplex(16);
    let mut connection = Connection::to_server(Box::new(ours), false, Slot::main(Arc::clone(&mark)));
    assert_eq!(Arc::strong_count(&mark), 2);
    connection.close();
    assert_eq!(Arc::strong_count(&mark), 1);
    assert!(matches!(connection.try_read(1), Err(StreamError::Closed)));
    assert!(matches!(connection.write(b"x").await, Err(StreamError::Closed)));
    assert!(!connection.may_carry_secrets());
}

#[tokio::test]
async fn a_tools_stream_carries_no_secret_and_no_tls() {
    let (ours, _theirs) = duplex(16);
    let mut tool = Connection::to_tool(Box::new(ours));
    assert!(!tool.may_carry_secrets());
    let (config, name) = handshake();
    assert!(matches!(tool.start_tls(config, name, Duration::from_secs(1)).await, Err(StreamError::Denied(_))));
}

#[tokio::test]
async fn a_wait_in_the_host_ends_with_its_deadline_and_is_not_the_guests_time() {
    let clock = Clock::new(Duration::from_millis(1));
    clock.restart();
    let is_done = AtomicBool::new(false);
    let waited: Result<(), StreamError> = parked(&clock, Duration::from_millis(20), async {
        std::future::pending::<()>().await;
        is_done.store(true, Ordering::Relaxed);
        Ok(())
    })
    .await;
    assert!(matches!(waited, Err(StreamError::TimedOut)));
    assert!(!is_done.load(Ordering::Relaxed));
}

#[tokio::test]
async fn what_the_host_does_while_a_guest_waits_is_the_guests_time() {
    let clock = Clock::new(Duration::from_millis(200));
    clock.restart();
    let waited = parked(&clock, Duration::from_millis(400), std::future::pending::<Result<(), StreamError>>()).await;
    assert!(matches!(waited, Err(StreamError::TimedOut)));
    assert_eq!(clock.violation(), None);
    parked(&clock, Duration::from_secs(5), async {
        // As long as encrypting much of what a guest writes takes.
        std::thread::sleep(Duration::from_millis(400));
        Ok(())
    })
    .await
    .unwrap();
    assert!(clock.violation().is_some());
}
