//! Guests that tell the password, want it too early, or reach for what is not theirs.

use hostile_guests::MISBEHAVE;
use sandbox::contract::{ErrorKind, Mark, Selection, TlsMode};
use sandbox::{CallClass, CallError, Lane, TlsSettings};

use crate::certificates::{Algorithm, Authority};
use crate::limits::named;
use crate::toy::{Offer, PASSWORD, Toy};
use crate::trial::{TURN, Trial, assert_clean, assert_kept, eventually, exists, misbehave};

pub(crate) async fn the_password_in_an_error_is_redacted(trial: &Trial) {
    let server = trial.server().await;
    let error = misbehave(&server).await.unwrap_err();
    assert_clean(&error.to_string());
    let CallError::Adapter(error) = error else { panic!("{error:?}") };
    let ErrorKind::InvalidOptions(problems) = &error.kind else { panic!("{error:?}") };
    for text in [&error.message, &error.detail, &problems[0].path, &problems[0].problem] {
        assert_clean(text);
    }
    assert_clean(&format!("{error:?}"));
    assert_kept(&server).await;
}

pub(crate) async fn the_password_in_the_log_is_redacted(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    let log = trial.log();
    assert_eq!(log.len(), 5, "{log:?}");
    for line in &log {
        assert_clean(line);
    }
}

pub(crate) async fn the_password_in_progress_is_redacted(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    let progress = session.progress();
    assert!(session.database_exists(MISBEHAVE).await.unwrap());
    let status = progress.borrow().clone().expect("nothing was reported");
    assert_clean(&status.phase);
    assert_eq!(status.percent, Some(100), "there is no more than all");
}

pub(crate) async fn the_password_in_a_report_is_redacted(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    let word = || "word".to_owned();
    let mark = Mark { cluster: word(), operator: word(), kind: word(), namespace: word(), name: word(), nonce: word() };
    let report = session.update_database(&named("app"), &mark, &[], &Selection::Detect).await.unwrap();
    let [change] = report.changes.as_slice() else { panic!("{report:?}") };
    let details = report.details.as_ref().unwrap();
    for text in [&change.field, &change.expected, &change.actual, details] {
        assert_clean(text);
    }
    assert_eq!((change.id.as_str(), report.applied.as_slice()), ("owner", ["owner".to_owned()].as_slice()));
}

pub(crate) async fn the_password_in_a_name_is_an_error_of_the_call(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    // A name that was changed would be recorded as another name.
    for place in ["name", "id", "owner"] {
        let error = session.get_database_info(place).await.unwrap_err();
        assert!(matches!(error, CallError::SecretInAnswer), "{place}: {error:?}");
        assert_eq!(error.class(), CallClass::Guest);
    }
    assert_eq!(session.get_database_info("app").await.unwrap().unwrap().name, "app");
    assert_eq!(server.counters().traps, 0, "it may be chance, and nobody's fault");
}

pub(crate) async fn an_examination_reaches_nothing(trial: &Trial) {
    let accepted = trial.toy.seen.accepted();
    trial.adapter().await.examine_database(&named(MISBEHAVE)).await.unwrap();
    assert_eq!(trial.toy.seen.accepted(), accepted);
}

pub(crate) async fn the_only_role_is_primary(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
}

pub(crate) async fn a_third_session_is_refused(trial: &Trial) {
    let server = trial.server().await;
    assert!(misbehave(&server).await.unwrap());
    // The second one was dropped with the call: its place is free for the other guests.
    eventually("the second session is closed", || server.counters().sessions_open == 2).await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
}

/// A server with a certificate, and an instance that requires it.
async fn encrypted() -> (Toy, TlsSettings) {
    let authority = Authority::new(Algorithm::Ecdsa, "our authority");
    let identity = authority.identity("localhost");
    let toy = Toy::start(Offer { tls: Some(identity.acceptor(None)), tls_only: false }).await;
    let settings =
        TlsSettings { authorities: Some(authority.pem().into_bytes()), ..TlsSettings::of(TlsMode::VerifyFull) };
    (toy, settings)
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

pub(crate) async fn no_password_is_revealed_before_tls(trial: &Trial) {
    let (toy, tls) = encrypted().await;
    let server = trial.bound(&toy, tls).await;
    assert!(misbehave(&server).await.unwrap());
    // One for each of the two logins, and none for the tries.
    assert_eq!(server.counters().reveals, 2);
    assert!(!contains(&toy.seen.plain(), PASSWORD));
    assert_kept(&server).await;
}

pub(crate) async fn little_is_sent_before_tls(trial: &Trial) {
    let (toy, tls) = encrypted().await;
    let server = trial.bound(&toy, tls).await;
    assert!(misbehave(&server).await.unwrap());
    let plain = String::from_utf8(toy.seen.plain()).unwrap();
    assert!(plain.matches("TALK").count() <= 6, "{plain}");
    assert_eq!(toy.seen.plain_logins(), 0);
    assert!(exists(&server, "app").await.unwrap());
}

pub(crate) async fn a_stream_is_encrypted_once(trial: &Trial) {
    let (toy, tls) = encrypted().await;
    let server = trial.bound(&toy, tls).await;
    assert!(misbehave(&server).await.unwrap());
    assert_kept(&server).await;
}
