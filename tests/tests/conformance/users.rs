//! Passwords and logins, as the adapter tells them and as an application meets them.

use sandbox::contract::{ErrorKind, LoginOutcome, ObjectKind, Selection, UserSpec};
use serde_json::json;

use crate::candidate::{Answer, Candidate, mark, refused, secret};
use crate::cases::{By, PASSWORD, Sql, Stated};
use crate::objects;

const NEW: &str = "another 'one' \\ \"ß\" `x`";

fn spec(name: &str) -> UserSpec {
    UserSpec { name: name.to_owned(), roles: Vec::new(), shared_roles: Vec::new(), comment: None, options: None }
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
    let look = session.update_user(&spec(name), &mark(name), Some(&secret(NEW)), &Selection::Detect).await.unwrap();
    let ids: Vec<&str> = look.changes.iter().map(|change| change.id.as_str()).collect();
    assert_eq!((ids.as_slice(), look.applied.as_slice()), (["password"].as_slice(), [].as_slice()));
    assert!(lets_in(candidate, name, PASSWORD).await);
    let only = Selection::Only(vec!["password".to_owned()]);
    let set = session.update_user(&spec(name), &mark(name), Some(&secret(NEW)), &only).await.unwrap();
    assert_eq!(set.applied, ["password"]);
    assert_eq!(session.try_login(name, &secret(PASSWORD)).await.unwrap(), LoginOutcome::Rejected);
    assert_eq!(session.try_login(name, &secret(NEW)).await.unwrap(), LoginOutcome::Accepted);
    assert!(!lets_in(candidate, name, PASSWORD).await, "the old password");
    assert!(lets_in(candidate, name, NEW).await, "the new password");
    // What is said of a password never holds it.
    let told = format!("{look:?}{set:?}");
    assert!(!told.contains("another 'one'"), "{told}");
    let all = session.update_user(&spec(name), &mark(name), Some(&secret(PASSWORD)), &Selection::All).await.unwrap();
    assert_eq!(all.applied, ["password"]);
    assert!(lets_in(candidate, name, PASSWORD).await);
    let again = session.update_user(&spec(name), &mark(name), None, &Selection::Detect).await.unwrap();
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
    assert_eq!(session.update_user(&spec(name), &mark(name), None, &Selection::Detect).await.unwrap().changes, []);
    session.update_user(&spec(name), &mark(name), Some(&secret(PASSWORD)), &Selection::All).await.unwrap();
    assert!(lets_in(candidate, name, PASSWORD).await);
}

/// The end of an account is the end of its logins.
pub(crate) async fn a_dropped_user_is_not_let_in(candidate: &Candidate) {
    let stated = Stated::new("leaving", json!({}));
    let ours = mark("leaving");
    objects::create(candidate, By::Administrator, ObjectKind::User, &stated, &ours).await.unwrap();
    let mut session = candidate.session(By::Administrator).await;
    assert_eq!(session.user_owned_objects("leaving", 5).await.unwrap(), []);
    assert_eq!(session.terminate_user_sessions("leaving").await.unwrap(), 0);
    drop(session);
    assert!(lets_in(candidate, "leaving", PASSWORD).await);
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

/// An account that owns something stays until that has gone: nothing is dropped with it.
pub(crate) async fn an_owner_is_not_dropped(candidate: &Candidate) {
    let by = By::Administrator;
    let (stated, ours) = (Stated::new("keeper", json!({})), mark("keeper"));
    let owned = &candidate.table.owned;
    objects::create(candidate, by, ObjectKind::User, &stated, &ours).await.unwrap();
    candidate.ground.administer(&owned.made).await;
    let found = candidate.session(by).await.user_owned_objects("keeper", 10).await.unwrap();
    assert_eq!(found.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), [owned.kind], "{found:?}");
    let proof = crate::candidate::proof(&ours);
    let outcome = objects::drop(candidate, by, ObjectKind::User, &stated, &proof).await;
    assert_eq!(refused(outcome, "an owner"), ErrorKind::DependencyMissing);
    assert!(lets_in(candidate, "keeper", PASSWORD).await, "it is as it was");
    candidate.ground.administer(&owned.gone).await;
    assert_eq!(candidate.session(by).await.user_owned_objects("keeper", 10).await.unwrap(), []);
    objects::drop(candidate, by, ObjectKind::User, &stated, &proof).await.unwrap();
}

/// A role that is not there is waited for, and told by the field that names it; the rest is made meanwhile.
pub(crate) async fn a_missing_role_is_waited_for(candidate: &Candidate) {
    let by = By::Administrator;
    let kind = ObjectKind::User;
    let with = |roles: &[&str]| Stated {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..Stated::new("early", json!({}))
    };
    let ours = mark("early");
    for role in ["first role", "other role"] {
        objects::create(candidate, by, ObjectKind::Role, &Stated::new(role, json!({})), &mark(role)).await.unwrap();
    }
    let before = with(&["first role"]);
    objects::create(candidate, by, kind, &before, &ours).await.unwrap();
    objects::update(candidate, by, kind, &before, &ours, &Selection::All).await.unwrap();
    let stated = with(&["late role", "other role"]);
    let found = objects::update(candidate, by, kind, &stated, &ours, &Selection::Detect).await.unwrap();
    let late = found.changes.iter().find(|change| change.field == "roles[0]").unwrap();
    assert!(late.lacking.as_ref().is_some_and(|lacking| lacking.contains("late role")), "{late:?}");
    let outcome = objects::update(candidate, by, kind, &stated, &ours, &Selection::Only(vec![late.id.clone()])).await;
    assert_eq!(refused(outcome, "no such role"), ErrorKind::DependencyMissing);
    let mut session = candidate.session(by).await;
    let new = UserSpec { roles: stated.roles.clone(), ..spec("early") };
    let made = session.update_user(&new, &ours, Some(&secret(NEW)), &Selection::All).await.unwrap();
    assert!(made.changes.contains(late) && !made.applied.contains(&late.id), "{made:?}");
    assert!(lets_in(candidate, "early", NEW).await, "the password waits for nothing");
    let found = objects::update(candidate, by, kind, &stated, &ours, &Selection::Detect).await.unwrap();
    assert_eq!(found.changes.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), [late.id.as_str()]);
    objects::create(candidate, by, ObjectKind::Role, &Stated::new("late role", json!({})), &mark("late"))
        .await
        .unwrap();
    objects::update(candidate, by, kind, &stated, &ours, &Selection::All).await.unwrap();
    let left = objects::update(candidate, by, kind, &stated, &ours, &Selection::Detect).await.unwrap();
    assert_eq!(left.changes, []);
}
