//! How an object comes, is told from others, and goes: by its mark and by proof, and never by its name alone.

use sandbox::contract::{ErrorKind, ObjectKind, Proof, Standing};
use serde_json::json;

use crate::candidate::{Candidate, mark, proof, refused};
use crate::cases::{By, Stated};
use crate::objects;

/// The life of one object of a kind.
pub(crate) async fn is_told_by_marks(candidate: &Candidate, kind: ObjectKind) {
    let by = By::Administrator;
    let what = format!("{kind:?}");
    let stated = Stated { comment: Some("the user's [own] words".to_owned()), ..Stated::new("life", json!({})) };
    let (ours, theirs) = (mark("ours"), mark("theirs"));
    assert!(!objects::exists(candidate, kind, "life").await.unwrap());
    assert_eq!(objects::info(candidate, kind, "life").await.unwrap(), None);

    let made = objects::create(candidate, by, kind, &stated, &ours).await.unwrap();
    assert_eq!((made.name.as_str(), &made.mark, made.standing), ("life", &Some(ours.clone()), Standing::Ordinary));
    assert!(!made.privileged, "{what}");
    assert!(objects::exists(candidate, kind, "life").await.unwrap());
    // The answer was lost: the same object, not another.
    let again = objects::create(candidate, by, kind, &stated, &ours).await.unwrap();
    assert_eq!((&again.object_id, &again.mark), (&made.object_id, &made.mark), "{what}");
    let outcome = objects::create(candidate, by, kind, &stated, &theirs).await;
    assert_eq!(refused(outcome, &what), ErrorKind::AlreadyExists);
    let known = objects::info(candidate, kind, "life").await.unwrap().unwrap();
    assert_eq!((&known.mark, &known.object_id), (&Some(ours.clone()), &made.object_id), "{what}: nothing was taken");

    listed(candidate, kind).await;
    claimed(candidate, kind, &stated, made.object_id).await;

    let (ours, theirs) = (mark("claimed"), mark("ours"));
    let mut wrong = vec![proof(&theirs)];
    if known.object_id.is_some() {
        let id = Some("another object".to_owned());
        wrong.push(Proof { mark: None, object_id: id.clone() });
        wrong.push(Proof { mark: Some(ours.clone()), object_id: id });
    }
    for proof in wrong {
        let outcome = objects::drop(candidate, by, kind, &stated, &proof).await;
        assert_eq!(refused(outcome, &what), ErrorKind::Conflict, "{what}: {proof:?}");
        assert!(objects::exists(candidate, kind, "life").await.unwrap(), "{what}");
    }
    for round in ["first", "again, of what is gone"] {
        let outcome = objects::drop(candidate, by, kind, &stated, &proof(&ours)).await;
        outcome.unwrap_or_else(|error| panic!("{what}: dropped {round}: {error:?}"));
    }
    assert!(!objects::exists(candidate, kind, "life").await.unwrap());
    assert_eq!(objects::info(candidate, kind, "life").await.unwrap(), None);
    assert!(!objects::list(candidate, kind, 100).await.iter().any(|one| one.name == "life"), "{what}");
}

/// Every page size tells the same, and each object with its mark.
async fn listed(candidate: &Candidate, kind: ObjectKind) {
    let all = objects::list(candidate, kind, 500).await;
    for limit in [1, 2] {
        assert_eq!(objects::list(candidate, kind, limit).await, all, "{kind:?}: pages of {limit}");
    }
    let found = all.iter().find(|one| one.name == "life").unwrap();
    assert_eq!((&found.mark, found.standing), (&Some(mark("ours")), Standing::Ordinary), "{kind:?}");
    assert!(kind == ObjectKind::Database || all.len() > 1, "{kind:?}: too few to page through: {all:?}");
}

/// A mark is written only where the proof holds, and the user's words beside it.
async fn claimed(candidate: &Candidate, kind: ObjectKind, stated: &Stated, id: Option<String>) {
    let what = format!("{kind:?}");
    let name = &stated.name;
    let to = mark("claimed");
    let mut wrong = vec![proof(&mark("somebody's"))];
    if id.is_some() {
        wrong.push(Proof { mark: Some(mark("ours")), object_id: Some("another object".to_owned()) });
    }
    for proof in wrong {
        let outcome = objects::claim(candidate, kind, name, &proof, None, &to).await;
        assert_eq!(refused(outcome, &what), ErrorKind::Conflict, "{what}: {proof:?}");
    }
    let before = objects::info(candidate, kind, name).await.unwrap().unwrap();
    assert_eq!(before.mark, Some(mark("ours")), "{what}: nothing was written");
    let known = Proof { mark: Some(mark("ours")), object_id: id };
    objects::claim(candidate, kind, name, &known, stated.comment.as_deref(), &to).await.unwrap();
    let after = objects::info(candidate, kind, name).await.unwrap().unwrap();
    assert_eq!(after.mark, Some(to), "{what}");
    assert_eq!(after.object_id, before.object_id, "{what}");
    let nothing = Proof { mark: None, object_id: None };
    let outcome = objects::claim(candidate, kind, "nothing of the kind", &nothing, None, &mark("x")).await;
    assert_eq!(refused(outcome, &what), ErrorKind::NotFound);
}

/// What somebody else made is seen and left alone, until it is adopted by an express claim.
pub(crate) async fn is_never_taken(candidate: &Candidate, kind: ObjectKind) {
    let by = By::Administrator;
    let what = format!("{kind:?}");
    let (stated, ours) = (Stated::new("theirs", json!({})), mark("ours"));
    candidate.ground.administer(&(candidate.table.theirs)(kind)).await;
    let known = objects::info(candidate, kind, "theirs").await.unwrap().unwrap();
    assert_eq!((&known.mark, known.standing), (&None, Standing::Ordinary), "{what}");
    let listed = objects::list(candidate, kind, 500).await;
    assert!(listed.iter().any(|one| one.name == "theirs" && one.mark.is_none()), "{what}: {listed:?}");
    let outcome = objects::create(candidate, by, kind, &stated, &ours).await;
    assert_eq!(refused(outcome, &what), ErrorKind::AlreadyExists, "{what}");
    let outcome = objects::drop(candidate, by, kind, &stated, &proof(&ours)).await;
    assert_eq!(refused(outcome, &what), ErrorKind::Conflict, "{what}");
    assert_eq!(objects::info(candidate, kind, "theirs").await.unwrap(), Some(known.clone()), "{what}: as it was");
    // Another object than the one that was looked at is not adopted.
    if known.object_id.is_some() {
        let other = Proof { mark: None, object_id: Some("another object".to_owned()) };
        let outcome = objects::claim(candidate, kind, "theirs", &other, None, &ours).await;
        assert_eq!(refused(outcome, &what), ErrorKind::Conflict, "{what}");
    }
    let seen = Proof { mark: None, object_id: known.object_id.clone() };
    objects::claim(candidate, kind, "theirs", &seen, None, &ours).await.unwrap();
    let adopted = objects::info(candidate, kind, "theirs").await.unwrap().unwrap();
    assert_eq!((adopted.mark, adopted.object_id), (Some(ours.clone()), known.object_id), "{what}");
    objects::drop(candidate, by, kind, &stated, &proof(&ours)).await.unwrap();
    assert!(!objects::exists(candidate, kind, "theirs").await.unwrap(), "{what}");
}
