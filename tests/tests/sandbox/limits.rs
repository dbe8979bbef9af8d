//! Guests that use more time, space or words than they may.

use std::time::{Duration, Instant};

use hostile_guests::MISBEHAVE;
use sandbox::contract::{DatabaseSpec, ErrorKind};
use sandbox::{CallError, Lane};

use crate::trial::{TURN, Trial, assert_kept, assert_replaced, eventually, exists, misbehave};

/// Misbehaves, expects this error, and expects the guest to be gone.
async fn assert_ended(trial: &Trial, expected: fn(&CallError) -> bool) -> CallError {
    let server = trial.server().await;
    let error = misbehave(&server).await.unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert_replaced(&server).await;
    error
}

pub(crate) fn named(name: &str) -> DatabaseSpec {
    DatabaseSpec { name: name.to_owned(), owner: None, comment: None, options: None }
}

pub(crate) async fn a_loop_is_ended(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::OutOfTime(_))).await;
}

pub(crate) async fn a_loop_in_an_examination_is_ended(trial: &Trial) {
    let adapter = trial.adapter().await;
    let error = adapter.examine_database(&named(MISBEHAVE)).await.unwrap_err();
    assert!(matches!(error, CallError::OutOfTime(_)), "{error:?}");
    adapter.examine_database(&named("app")).await.unwrap();
}

pub(crate) async fn a_loop_instead_of_a_login_is_ended(trial: &Trial) {
    let server = trial.server().await;
    let error = exists(&server, "app").await.unwrap_err();
    assert!(matches!(error, CallError::OutOfTime(_)), "{error:?}");
    assert_eq!(server.counters().sessions_open, 0);
}

/// Closing takes two seconds at most, whatever the guest does with them.
async fn assert_closed_in_time(trial: &Trial) {
    let server = trial.server().await;
    assert!(exists(&server, "app").await.unwrap());
    let started = Instant::now();
    server.close().await;
    assert!(started.elapsed() < Duration::from_secs(6), "closing took {:?}", started.elapsed());
    assert_eq!(server.counters().sessions_open, 0);
    let error = exists(&server, "app").await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error:?}");
}

pub(crate) async fn a_loop_instead_of_a_logout_is_ended(trial: &Trial) {
    assert_closed_in_time(trial).await;
}

pub(crate) async fn waiting_instead_of_logging_out_is_ended(trial: &Trial) {
    assert_closed_in_time(trial).await;
}

pub(crate) async fn a_guest_that_waits_for_hours_is_ended_at_the_deadline(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::DeadlineExceeded(_))).await;
}

pub(crate) async fn no_wait_in_the_host_outlives_the_call(trial: &Trial) {
    let started = Instant::now();
    // The wait ends with the call: whichever is noticed first, the guest cannot be trusted with the stream again.
    assert_ended(trial, |error| {
        matches!(error, CallError::DeadlineExceeded(_))
            || matches!(error, CallError::Adapter(error) if error.kind == ErrorKind::TimedOut)
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

pub(crate) async fn a_recursion_without_an_end_is_a_trap(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::Trapped { .. })).await;
}

pub(crate) async fn too_much_memory_at_once_is_refused(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::MemoryLimit(_))).await;
}

pub(crate) async fn too_much_memory_in_steps_is_refused(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::MemoryLimit(_))).await;
}

pub(crate) async fn too_large_a_table_is_refused(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::TableLimit(_))).await;
}

pub(crate) async fn one_call_dials_a_few_times(trial: &Trial) {
    let server = trial.server().await;
    let before = trial.toy.seen.accepted();
    assert!(misbehave(&server).await.unwrap());
    let dialled = trial.toy.seen.accepted() - before;
    assert!((10..30).contains(&dialled), "one call dialled {dialled} times");
    // It holds on to what is closed.
    assert_replaced(&server).await;
}

pub(crate) async fn too_many_handles_of_secrets_are_refused(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::HandleLimit(_))).await;
}

pub(crate) async fn an_error_of_ten_megabytes_is_too_much(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::TooMuchData(_))).await;
}

pub(crate) async fn one_write_carries_a_mebibyte(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
}

pub(crate) async fn one_write_does_not_carry_two_mebibytes(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert!(trial.toy.seen.plain().len() < 4096, "a part of it was sent");
    assert_kept(&server).await;
}

pub(crate) async fn a_write_beyond_every_measure_is_a_fault(trial: &Trial) {
    assert_ended(trial, |error| matches!(error, CallError::TooMuchData(_))).await;
    assert!(trial.toy.seen.plain().len() < 4096, "a part of it was sent");
}

pub(crate) async fn more_random_bytes_than_one_call_gives_are_a_trap(trial: &Trial) {
    let error = assert_ended(trial, |error| matches!(error, CallError::Trapped { .. })).await;
    assert!(error.to_string().contains("4096 random bytes"), "{error}");
}

pub(crate) async fn a_flood_of_lines_is_cut_off(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
    let log = trial.log();
    assert!((100..=1000).contains(&log.len()), "{} lines were logged", log.len());
    let longest = log.iter().map(String::len).max().unwrap();
    assert!(longest < 16 << 10, "a line of {longest} bytes was logged");
    assert!(log.iter().any(|line| line.contains("logs too much")), "nobody was told");
}

pub(crate) async fn a_flood_of_long_lines_is_cut_off(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
    let log = trial.log();
    let bytes: usize = log.iter().map(String::len).sum();
    assert!((128 << 10..512 << 10).contains(&bytes), "{bytes} bytes were logged");
    let told = log.iter().filter(|line| line.contains("logs too much")).count();
    assert_eq!(told, 1);
}

pub(crate) async fn a_flood_of_progress_is_thinned_out(trial: &Trial) {
    assert_thinned_out(trial).await;
}

pub(crate) async fn the_end_is_told_once(trial: &Trial) {
    assert_thinned_out(trial).await;
}

async fn assert_thinned_out(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    session.ping().await.unwrap();
    let mut progress = session.progress();
    let watching = tokio::spawn(async move {
        let mut changes = 0;
        while progress.changed().await.is_ok() {
            changes += 1;
        }
        changes
    });
    assert!(session.database_exists(MISBEHAVE).await.unwrap());
    drop(session);
    server.close().await;
    let changes = watching.await.unwrap();
    assert!((1..20).contains(&changes), "{changes} reports came through");
    eventually("closed", || server.counters().sessions_open == 0).await;
}

pub(crate) async fn the_largest_numbers_are_taken_for_the_largest_allowed(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
}
