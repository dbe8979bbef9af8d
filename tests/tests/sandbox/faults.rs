//! Guests that break off, break the rules of the component model, or keep failing.

use std::sync::Arc;
use std::time::Duration;

use hostile_guests::{Behaviour, MISBEHAVE};
use sandbox::contract::DatabaseSpec;
use sandbox::{CallClass, CallError, Lane, LoadError, Server};

use crate::limits::named;
use crate::trial::{TURN, Trial, assert_clean, assert_replaced, binding, eventually, exists, load, misbehave};

/// The trap is the guest's affair: it is gone, everything else goes on.
async fn assert_trapped(trial: &Trial) -> String {
    assert_trapped_at(&trial.server().await).await
}

async fn assert_trapped_at(server: &Arc<Server>) -> String {
    let error = misbehave(server).await.unwrap_err();
    assert!(matches!(error, CallError::Trapped { .. }), "{error:?}");
    assert_eq!(error.class(), CallClass::Guest);
    assert_eq!(server.counters().traps, 1);
    assert_replaced(server).await;
    error.to_string()
}

pub(crate) async fn a_trap_in_the_middle_closes_its_sessions(trial: &Trial) {
    let neighbours = trial.toy.seen.open();
    let server = trial.server().await;
    assert_trapped_at(&server).await;
    // One session for work and one reserved, and those of the neighbours: nothing half-said is left open.
    eventually("two sessions", || trial.toy.seen.open() == neighbours + 2).await;
}

pub(crate) async fn a_panics_message_is_logged_without_the_password(trial: &Trial) {
    let message = assert_trapped(trial).await;
    assert!(!message.contains("hunter2"), "{message}");
    let log = trial.log();
    let line = log.iter().find(|line| line.contains("the adapter panicked")).expect("the panic is not in the log");
    assert!(line.contains("ERROR"), "{line}");
    assert_clean(line);
}

pub(crate) async fn a_guest_that_closed_its_session_is_not_lent_again(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_replaced(&server).await;
}

async fn assert_left_alone(server: &Arc<Server>) {
    let error = exists(server, "app").await.unwrap_err();
    assert!(matches!(error, CallError::Quarantined { .. }), "{error:?}");
    assert_eq!(error.class(), CallClass::Guest);
}

pub(crate) async fn an_adapter_that_keeps_trapping_is_left_alone_and_no_other(trial: &Trial) {
    let adapter = trial.adapter().await;
    let bind = |name: &str| adapter.bind(binding(name, &trial.toy)).unwrap();
    for name in ["one", "two", "three"] {
        let server = bind(name);
        // What happened at another server is nothing to this one, nor to the adapter's pure functions.
        assert!(exists(&server, "app").await.unwrap());
        adapter.examine_database(&named("app")).await.unwrap();
        for _ in 0..5 {
            let error = exists(&server, MISBEHAVE).await.unwrap_err();
            assert!(matches!(error, CallError::Trapped { .. }), "{error:?}");
        }
        assert_left_alone(&server).await;
        // Binding it again is no way out.
        assert_left_alone(&bind(name)).await;
    }
    // It fails wherever it is called: it is the adapter that is left alone, at every server.
    assert_left_alone(&bind("four")).await;
    let error = adapter.examine_database(&named("app")).await.unwrap_err();
    assert!(matches!(error, CallError::Quarantined { .. }), "{error:?}");
    let error = adapter.check_quarantine().unwrap_err();
    assert!(error.to_string().contains(&adapter.digest().to_string()), "{error}");
    // Loading it again does not bring it back.
    let refusal = trial.refusal().await;
    let LoadError::Describe { source, digest: _ } = &refusal else { panic!("{refusal}") };
    assert!(matches!(**source, CallError::Quarantined { .. }), "{source}");
    let other = load(&trial.sandbox, Behaviour::Honest).await.bind(binding("another adapter", &trial.toy)).unwrap();
    assert!(exists(&other, "app").await.unwrap());
}

pub(crate) async fn a_spec_that_makes_an_examination_trap_is_left_alone_and_no_other(trial: &Trial) {
    let adapter = trial.adapter().await;
    for _ in 0..5 {
        let error = adapter.examine_database(&named(MISBEHAVE)).await.unwrap_err();
        assert!(matches!(error, CallError::Trapped { .. }), "{error:?}");
    }
    let error = adapter.examine_database(&named(MISBEHAVE)).await.unwrap_err();
    assert!(matches!(error, CallError::Quarantined { .. }), "{error:?}");
    // Every other spec is examined, also one that differs in little, and the adapter serves its servers.
    adapter.examine_database(&named("app")).await.unwrap();
    let changed = DatabaseSpec { comment: Some("changed".to_owned()), ..named(MISBEHAVE) };
    let error = adapter.examine_database(&changed).await.unwrap_err();
    assert!(matches!(error, CallError::Trapped { .. }), "{error:?}");
    adapter.check_quarantine().unwrap();
    assert!(exists(&trial.server().await, "app").await.unwrap());
}

pub(crate) async fn a_call_that_nobody_waits_for_ends_its_guest(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    session.ping().await.unwrap();
    let call = session.database_exists(MISBEHAVE);
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err(), "it answered");
    drop(session);
    eventually("its session is closed", || server.counters().sessions_open == 0).await;
    assert_eq!((server.counters().traps, server.counters().deadlines), (0, 0), "a cancel is nobody's fault");
    assert!(exists(&server, "app").await.unwrap());
    assert_eq!(server.counters().guests_started, 2);
}

pub(crate) async fn a_guest_whose_caller_left_is_not_used_by_the_same_session(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    let call = session.database_exists(MISBEHAVE);
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err(), "it answered");
    assert!(session.database_exists("app").await.unwrap());
    assert_eq!(server.counters().sessions_open, 1);
}

macro_rules! traps {
    ($($name:ident,)*) => {$(
        pub(crate) async fn $name(trial: &Trial) {
            assert_trapped(trial).await;
        }
    )*};
}

traps! {
    a_dropped_handle_is_no_handle,
    a_handle_is_dropped_once,
    a_guessed_handle_is_no_handle,
    a_secret_is_no_stream,
    a_broken_text_is_a_trap,
    an_unknown_kind_is_a_trap,
    an_answer_that_is_neither_is_a_trap,
    an_answer_from_nowhere_is_a_trap,
    an_answer_beyond_the_memory_is_a_trap,
    a_write_beyond_the_memory_is_a_trap,
    an_answer_to_nowhere_is_a_trap,
    room_outside_the_memory_is_a_trap,
    a_call_while_making_room_is_a_trap,
}

pub(crate) async fn looking_for_room_without_an_end_is_ended(trial: &Trial) {
    let server = trial.server().await;
    let error = misbehave(&server).await.unwrap_err();
    assert!(matches!(error, CallError::OutOfTime(_)), "{error:?}");
    assert_replaced(&server).await;
}
