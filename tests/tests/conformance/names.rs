//! Names are taken literally: quotes, patterns, statements and the longest name are names like any other, and what the
//! server could not keep is refused before anything is done.

use sandbox::contract::{
    ErrorKind, GrantMode, GrantSpec, Grantee, LoginOutcome, Mark, ObjectKind, Selection, Standing,
};
use serde_json::json;

use crate::candidate::{Answer, Candidate, mark, proof, refused, secret};
use crate::cases::{By, PASSWORD, Sql, Stated};
use crate::objects;

/// Names that hurt whoever forgets to quote, or to compare exactly. At most 32 characters, which every engine takes.
const HOSTILE: [&str; 16] = [
    "quote\"quote",
    "tick'tick",
    "back`tick",
    "back\\slash\\'",
    "x'; DROP DATABASE x; --",
    "x\"; DROP ROLE x; --",
    "ünï çødé ßäö",
    "per%cent_under*score",
    "Upper",
    "upper",
    "select",
    "with@at",
    "dot.dot",
    "a b",
    "$1 ? {0} %s",
    "[dbops:1 cluster=x;]",
];

fn all(candidate: &Candidate, kind: ObjectKind) -> Vec<String> {
    let names = &candidate.table.names;
    let mut all: Vec<String> = HOSTILE.iter().chain(&names.hostile).map(|&name| name.to_owned()).collect();
    all.push((names.longest)(kind));
    all
}

/// Objects of a kind with every name, all there at once, so that a pattern would hit a neighbour.
pub(crate) async fn are_taken_literally(candidate: &Candidate, kind: ObjectKind) {
    let names = all(candidate, kind);
    let by = By::Administrator;
    for (at, name) in names.iter().enumerate() {
        let stated = Stated { comment: Some(name.clone()), ..Stated::new(name, json!({})) };
        let outcome = objects::create(candidate, by, kind, &stated, &numbered(at)).await;
        let made = outcome.unwrap_or_else(|error| panic!("{kind:?} {name}: {error:?}"));
        assert_eq!(&made.name, name, "{kind:?}");
        let applied = objects::update(candidate, by, kind, &stated, &numbered(at), &Selection::All).await;
        applied.unwrap_or_else(|error| panic!("{kind:?} {name}: {error:?}"));
        let left = objects::update(candidate, by, kind, &stated, &numbered(at), &Selection::Detect).await.unwrap();
        assert_eq!(left.changes, [], "{kind:?} {name}");
    }
    let listed = objects::list(candidate, kind, 500).await;
    let mut sweep = candidate.sweep(by).await;
    for (at, name) in names.iter().enumerate() {
        let found = listed.iter().find(|one| one.name == *name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!((&found.mark, found.standing), (&Some(numbered(at)), Standing::Ordinary), "{kind:?} {name}");
        let known = objects::info(candidate, kind, name).await.unwrap().unwrap();
        assert_eq!((&known.name, &known.mark), (name, &Some(numbered(at))), "{kind:?}");
        let swept = objects::info_in(&mut sweep, kind, name).await.unwrap();
        assert_eq!(swept, Some(known), "{kind:?} {name}: in a sweep");
        if kind == ObjectKind::User {
            logs_in(candidate, name).await;
        }
    }
    drop(sweep);
    for (at, name) in names.iter().enumerate() {
        let stated = Stated::new(name, json!({}));
        let outcome = objects::drop(candidate, by, kind, &stated, &proof(&mark("another's"))).await;
        assert_eq!(refused(outcome, name), ErrorKind::Conflict, "{kind:?} {name}");
        let outcome = objects::drop(candidate, by, kind, &stated, &proof(&numbered(at))).await;
        outcome.unwrap_or_else(|error| panic!("{kind:?} {name}: {error:?}"));
        assert!(!objects::exists(candidate, kind, name).await.unwrap(), "{kind:?} {name}");
        for other in names.iter().skip(at + 1) {
            assert!(objects::exists(candidate, kind, other).await.unwrap(), "{kind:?} {name} took {other} along");
        }
    }
}

/// A nonce is part of a name at times: it has none of the letters that hurt.
fn numbered(at: usize) -> Mark {
    mark(&format!("n{at}"))
}

async fn logs_in(candidate: &Candidate, name: &str) {
    let hello = Sql::new(candidate.ground.database(), "SELECT 1");
    let answer = candidate.ground.act(name, PASSWORD, &hello).await;
    assert!(matches!(answer, Answer::Done(_)), "{name}: {answer:?}");
    let outcome = candidate.session(By::Administrator).await.try_login(name, &secret(PASSWORD)).await.unwrap();
    assert_eq!(outcome, LoginOutcome::Accepted, "{name}");
}

/// A right on a database of a hostile name is one on that database, and none on those that a pattern would match.
pub(crate) async fn in_grants_are_no_patterns(candidate: &Candidate) {
    let by = By::Administrator;
    for (at, (name, neighbour)) in
        [("x_`y\"'", "xx`y\"'"), ("p%", "pq"), ("back\\_s", "backXs"), ("Größe_", "GrößeX"), ("a*b?", "aab?")]
            .into_iter()
            .enumerate()
    {
        let mut doors = Vec::new();
        for one in [name, neighbour] {
            let stated = Stated::new(one, json!({}));
            let made = objects::create(candidate, by, ObjectKind::Database, &stated, &numbered(at)).await;
            made.unwrap_or_else(|error| panic!("{one}: {error:?}"));
            let door = (candidate.table.names.door)(one);
            for sql in &door.prepare {
                candidate.ground.administer(sql).await;
            }
            doors.push(door);
        }
        let who = format!("n'{at}`\"\\_%");
        let stated = Stated::new(&who, json!({}));
        objects::create(candidate, by, ObjectKind::User, &stated, &numbered(at)).await.unwrap();
        let [door, other] = doors.as_slice() else { panic!("two doors") };
        candidate.assert_may_not(&who, &[door.opens.clone(), other.opens.clone()], name).await;
        let grantee = Grantee { kind: ObjectKind::User, name: who.clone(), options: None };
        let spec = GrantSpec {
            grantee: grantee.clone(),
            roles: Vec::new(),
            options: Some(door.options.to_string()),
            mode: GrantMode::Additive,
            recorded: Vec::new(),
            shared: Vec::new(),
        };
        let mut session = candidate.session(by).await;
        let held = session.grant(&spec, &Selection::All).await.unwrap().held;
        candidate.assert_may(&who, std::slice::from_ref(&door.opens), name).await;
        candidate.assert_may_not(&who, std::slice::from_ref(&other.opens), neighbour).await;
        let after = GrantSpec { recorded: held, ..spec };
        assert_eq!(session.grant(&after, &Selection::Detect).await.unwrap().update.changes, [], "{name}");
        session.revoke(&after).await.unwrap();
        candidate.assert_may_not(&who, std::slice::from_ref(&door.opens), name).await;
        assert_eq!(session.get_grants(&grantee).await.unwrap(), [], "{name}");
    }
}

/// What the server would change, cut off or not take is refused by the field, and nothing is made.
pub(crate) async fn that_cannot_be_kept_are_refused(candidate: &Candidate) {
    let names = &candidate.table.names;
    let mut refused_names: Vec<(ObjectKind, String)> =
        names.refused.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
    for kind in objects::KINDS {
        refused_names.push((kind, String::new()));
        refused_names.push((kind, "a\0b".to_owned()));
        refused_names.push((kind, format!("{}x", (names.longest)(kind))));
    }
    for (kind, name) in refused_names {
        let what = format!("{kind:?} {name:?}");
        let before = objects::list(candidate, kind, 500).await;
        let stated = Stated::new(&name, json!({}));
        let outcome = objects::create(candidate, By::Administrator, kind, &stated, &mark("r")).await;
        let ErrorKind::InvalidOptions(problems) = refused(outcome, &what) else { panic!("{what}: another kind") };
        assert_eq!(problems.first().map(|one| one.path.as_str()), Some("name"), "{what}: {problems:?}");
        assert_eq!(objects::list(candidate, kind, 500).await, before, "{what}");
    }
}
