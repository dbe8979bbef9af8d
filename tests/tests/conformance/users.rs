//! Passwords and logins, as the adapter tells them and as an application meets them.

use sandbox::contract::{LoginOutcome, ObjectKind, Selection, UserSpec};
use serde_json::json;

use crate::candidate::{Answer, Candidate, mark, secret};
use crate::cases::{By, PASSWORD, Sql, Stated};
use crate::objects;

const NEW: &str = "another 'one' \\ \"ß\" `x`";

fn spec(name: &str) -> UserSpec {
    UserSpec { name: name.to_owned(), roles: Vec::new(), comment: None, options: None }
}

/// A password is what was set last, and nothing else.
pub(crate) async fn log_in_with_their_last_password(candidate: &Candidate) {
    let name = "login";
    let mut session = candidate.session(By::Administrator).await;
    let outcome = session.try_login(name, &secret(PASSWORD)).await.unwrap();
    assert_eq!(outcome, LoginOutcome::Unknown, "nobody has this name");
    session.create_user(&spec(name), Some(&secret(PASSWORD)), &mark(name)).await.unwrap();
    assert_eq!(session.try_login(name, &secret(PASSWORD)).await.unwrap(), LoginOutcome::Accepted);
    assert_eq!(session.try_login(name, &secret("wrong")).await.unwrap(), LoginOutcome::Rejected);
    assert!(lets_in(candidate, name, PASSWORD).await);
    assert!(!lets_in(candidate, name, "wrong").await);

    // A password that is passed is always a change; looking at it sets nothing.
    let look = session.update_user(&spec(name), Some(&secret(NEW)), &Selection::Detect).await.unwrap();
    let ids: Vec<&str> = look.changes.iter().map(|change| change.id.as_str()).collect();
    assert_eq!((ids.as_slice(), look.applied.as_slice()), (["password"].as_slice(), [].as_slice()));
    assert!(lets_in(candidate, name, PASSWORD).await);
    let only = Selection::Only(vec!["password".to_owned()]);
    let set = session.update_user(&spec(name), Some(&secret(NEW)), &only).await.unwrap();
    assert_eq!(set.applied, ["password"]);
    assert_eq!(session.try_login(name, &secret(PASSWORD)).await.unwrap(), LoginOutcome::Rejected);
    assert_eq!(session.try_login(name, &secret(NEW)).await.unwrap(), LoginOutcome::Accepted);
    assert!(!lets_in(candidate, name, PASSWORD).await, "the old password");
    assert!(lets_in(candidate, name, NEW).await, "the new password");
    // What is said of a password never holds it.
    let told = format!("{look:?}{set:?}");
    assert!(!told.contains("another 'one'"), "{told}");
    let all = session.update_user(&spec(name), Some(&secret(PASSWORD)), &Selection::All).await.unwrap();
    assert_eq!(all.applied, ["password"]);
    assert!(lets_in(candidate, name, PASSWORD).await);
    let again = session.update_user(&spec(name), None, &Selection::Detect).await.unwrap();
    assert_eq!(again.changes, [], "without a password there is nothing to do");
}

/// An account without a password lets nobody in.
pub(crate) async fn without_a_password_nobody_gets_in(candidate: &Candidate) {
    let name = "no password";
    let mut session = candidate.session(By::Administrator).await;
    session.create_user(&spec(name), None, &mark(name)).await.unwrap();
    for guess in ["", PASSWORD, name] {
        assert!(!lets_in(candidate, name, guess).await, "{guess:?}");
        let outcome = session.try_login(name, &secret(guess)).await.unwrap();
        assert_ne!(outcome, LoginOutcome::Accepted, "{guess:?}");
    }
    assert_eq!(session.update_user(&spec(name), None, &Selection::Detect).await.unwrap().changes, []);
    session.update_user(&spec(name), Some(&secret(PASSWORD)), &Selection::All).await.unwrap();
    assert!(lets_in(candidate, name, PASSWORD).await);
}

/// The end of an account is the end of its logins.
pub(crate) async fn a_dropped_user_is_not_let_in(candidate: &Candidate) {
    let stated = Stated::new("leaving", json!({}));
    let ours = mark("leaving");
    objects::create(candidate, By::Administrator, ObjectKind::User, &stated, &ours).await.unwrap();
    assert!(lets_in(candidate, "leaving", PASSWORD).await);
    let mut session = candidate.session(By::Administrator).await;
    assert_eq!(session.user_owned_objects("leaving", 5).await.unwrap(), []);
    assert_eq!(session.terminate_user_sessions("leaving").await.unwrap(), 0);
    drop(session);
    let proof = crate::candidate::proof(&ours);
    objects::drop(candidate, By::Administrator, ObjectKind::User, &stated, &proof).await.unwrap();
    assert!(!lets_in(candidate, "leaving", PASSWORD).await);
}

async fn lets_in(candidate: &Candidate, name: &str, password: &str) -> bool {
    let hello = Sql::new(candidate.ground.database(), "SELECT 1");
    match candidate.ground.act(name, password, &hello).await {
        Answer::Done(_) => true,
        Answer::TurnedAway(_) => false,
        Answer::Denied(said) => panic!("{name} is in and may not even ask for a number: {said}"),
    }
}
