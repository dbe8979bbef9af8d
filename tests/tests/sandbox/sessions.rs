//! What honest guests may count on: few sessions, used again, closed when idle, and a lane that is never full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hostile_guests::{Behaviour, SECOND_SESSION, WAIT, WAIT_AND_GO_ON};
use sandbox::{Binding, CallClass, CallError, Lane, Limits, Sandbox, Server, WriteGate};
use tokio::task::JoinSet;

use crate::toy::{Offer, Toy};
use crate::trial::{TURN, Trial, assert_kept, binding, eventually, exists, load, misbehave, sandbox};

async fn honest(toy: &Toy, change: impl FnOnce(&mut Binding)) -> (Sandbox, Arc<Server>) {
    let sandbox = sandbox();
    let mut binding = binding("honest", toy);
    binding.limits = Limits::default();
    change(&mut binding);
    let server = load(&sandbox, Behaviour::Honest).await.bind(binding).unwrap();
    (sandbox, server)
}

/// What every other guest is compared with.
pub(crate) async fn an_honest_guest_is_let_alone(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
    assert_eq!((server.counters().traps, server.counters().deadlines), (0, 0));
    assert_eq!(trial.log(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_callers_share_four_sessions() {
    let toy = Toy::start(Offer::default()).await;
    let (_sandbox, server) = honest(&toy, |_| {}).await;
    let mut callers = JoinSet::new();
    for number in 0..20 {
        let server = Arc::clone(&server);
        callers.spawn(async move {
            for round in 0..5 {
                if (number + round) % 5 == 0 {
                    server.lane(Lane::Reserved, TURN).await.unwrap().ping().await.unwrap();
                } else if (number + round) % 5 == 1 {
                    assert!(exists(&server, SECOND_SESSION).await.unwrap());
                } else {
                    assert!(exists(&server, "app").await.unwrap());
                }
                assert!(server.counters().sessions_open <= 4, "{:?}", server.counters());
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    assert!((2..=4).contains(&toy.seen.most_open()), "{} were open at one time", toy.seen.most_open());
    // The three main sessions stay; twenty second ones came and went.
    assert_eq!(server.counters().sessions_opened, 3 + 20);
    assert_eq!(server.counters().guests_started, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_open_three_sessions_at_most() {
    let toy = Toy::start(Offer::default()).await;
    let (_sandbox, server) = honest(&toy, |_| {}).await;
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let server = Arc::clone(&server);
        callers.spawn(async move {
            for _ in 0..10 {
                assert!(exists(&server, "app").await.unwrap());
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let counters = server.counters();
    assert!(counters.sessions_opened <= 3, "{counters:?}");
    assert_eq!(counters.reveals, counters.sessions_opened);
    assert_eq!(toy.seen.plain_logins(), toy.seen.accepted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_while_both_guests_are_busy() {
    let toy = Toy::start(Offer::default()).await;
    let (_sandbox, server) = honest(&toy, |_| {}).await;
    let mut busy = JoinSet::new();
    for _ in 0..2 {
        let server = Arc::clone(&server);
        busy.spawn(async move { exists(&server, WAIT).await.unwrap() });
    }
    eventually("both wait", || toy.seen.waiting() == 2).await;
    let refused = server.lane(Lane::Work, Duration::from_millis(20)).await.err().unwrap();
    assert!(matches!(refused, CallError::Busy(_)), "{refused}");
    let started = Instant::now();
    server.lane(Lane::Reserved, TURN).await.unwrap().ping().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    toy.release();
    while let Some(answer) = busy.join_next().await {
        assert!(answer.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_take_as_long_as_its_binding_says_and_no_longer() {
    let toy = Toy::start(Offer::default()).await;
    let short = Duration::from_millis(300);
    let (_one, patient) = honest(&toy, |binding| binding.limits.wall = Duration::from_hours(1)).await;
    let (_other, hasty) = honest(&toy, |binding| binding.limits.wall = short).await;
    let waiting = tokio::spawn(async move { exists(&patient, WAIT).await });
    eventually("one waits", || toy.seen.waiting() == 1).await;
    let error = exists(&hasty, WAIT).await.unwrap_err();
    assert!(matches!(error, CallError::DeadlineExceeded(after) if after == short), "{error:?}");
    toy.release();
    assert!(waiting.await.unwrap().unwrap(), "it was answered later than the other call could wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_shut_gate_nothing_more_is_sent_even_in_the_middle_of_a_call() {
    let toy = Toy::start(Offer::default()).await;
    let open = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&open);
    let gate = WriteGate::new(move || asked.load(Ordering::SeqCst));
    let (_sandbox, server) = honest(&toy, |binding| binding.gate = Some(gate)).await;
    let caller = Arc::clone(&server);
    let calling = tokio::spawn(async move { exists(&caller, WAIT_AND_GO_ON).await });
    eventually("it waits", || toy.seen.waiting() == 1).await;
    let said = toy.seen.plain();
    open.store(false, Ordering::SeqCst);
    toy.release();
    let error = calling.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Stopped), "{error:?}");
    assert_eq!(error.class(), CallClass::Host);
    eventually("its session is closed", || server.counters().sessions_open == 0 && toy.seen.open() == 0).await;
    for _ in 0..6 {
        let error = exists(&server, "app").await.unwrap_err();
        assert!(matches!(error, CallError::Stopped), "{error:?}");
    }
    assert_eq!(toy.seen.plain(), said, "no login, no good-bye");
    assert_eq!((server.counters().traps, server.counters().reveals), (0, 7), "nobody is to blame");
    open.store(true, Ordering::SeqCst);
    assert!(exists(&server, "app").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_are_closed_politely_and_opened_again() {
    let toy = Toy::start(Offer::default()).await;
    let (_sandbox, server) = honest(&toy, |binding| binding.idle = Duration::from_millis(200)).await;
    assert!(exists(&server, "app").await.unwrap());
    server.lane(Lane::Reserved, TURN).await.unwrap().ping().await.unwrap();
    eventually("both are closed", || server.counters().sessions_open == 0 && toy.seen.open() == 0).await;
    assert_eq!(toy.seen.quits(), 2, "they said good-bye");
    assert!(exists(&server, "app").await.unwrap());
    assert_eq!(server.counters().sessions_opened, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_ticks_while_no_guest_runs() {
    let toy = Toy::start(Offer::default()).await;
    let (sandbox, server) = honest(&toy, |_| {}).await;
    assert!(exists(&server, "app").await.unwrap());
    // The tick that was under way when the call ended may still be counted.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ticks = sandbox.ticks();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sandbox.ticks(), ticks, "a session is open, and no guest runs");
    assert_eq!(server.counters().sessions_open, 1);
    server.close().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ticks = sandbox.ticks();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sandbox.ticks(), ticks, "nothing is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_away_costs_a_login_and_no_call() {
    let toy = Toy::start(Offer::default()).await;
    let (_sandbox, server) = honest(&toy, |_| {}).await;
    assert!(exists(&server, "app").await.unwrap());
    let address = toy.address;
    drop(toy);
    let error = {
        let mut outcome = exists(&server, "app").await;
        // The end of the stream may arrive after the first look.
        while let Ok(true) | Err(CallError::Adapter(_)) = outcome {
            outcome = exists(&server, "app").await;
        }
        outcome.unwrap_err()
    };
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    let again = Toy::start_at(address, Offer::default()).await;
    assert!(exists(&server, "app").await.unwrap());
    assert_eq!(again.seen.plain_logins(), 1);
}
