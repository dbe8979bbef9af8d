//! Other programs' sessions: a database that somebody uses goes only by force, and sessions end where that is asked for.

use sandbox::contract::{DatabaseSpec, ErrorKind, GrantMode, GrantSpec, Grantee, ObjectKind, Selection};
use serde_json::json;

use crate::candidate::{Candidate, mark, proof, refused};
use crate::cases::{By, PASSWORD, Stated};
use crate::objects;

const PLACE: &str = "busy";
const GUEST: &str = "guest";

/// A guest in a database, who is asked to leave in every way.
pub(crate) async fn end_where_that_is_asked_for(candidate: &Candidate) {
    let by = By::Administrator;
    let ours = mark(PLACE);
    for (kind, name) in [(ObjectKind::Database, PLACE), (ObjectKind::User, GUEST)] {
        objects::create(candidate, by, kind, &Stated::new(name, json!({})), &ours).await.unwrap();
    }
    let door = (candidate.table.names.door)(PLACE);
    for sql in &door.prepare {
        candidate.ground.administer(sql).await;
    }
    let right = GrantSpec {
        grantee: Grantee { kind: ObjectKind::User, name: GUEST.to_owned(), options: None },
        roles: Vec::new(),
        options: Some(door.options.to_string()),
        mode: GrantMode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    };
    let mut session = candidate.session(by).await;
    session.grant(&right, &Selection::All).await.unwrap();
    assert_eq!(session.terminate_database_sessions(PLACE).await.unwrap(), 0, "nobody is there");

    let mut guest = candidate.ground.stay(GUEST, PASSWORD, PLACE).await;
    let spec = DatabaseSpec { name: PLACE.to_owned(), owner: None, comment: None, options: None };
    let outcome = session.drop_database(&spec, &proof(&ours), false).await;
    assert!(matches!(refused(outcome, "in use"), ErrorKind::Transient(_)), "a database in use");
    assert!(session.database_exists(PLACE).await.unwrap());
    assert_eq!(session.terminate_database_sessions(PLACE).await.unwrap(), 1);
    assert!(guest.has_ended().await, "the database's sessions");

    let mut guest = candidate.ground.stay(GUEST, PASSWORD, PLACE).await;
    assert_eq!(session.terminate_user_sessions(GUEST).await.unwrap(), 1);
    assert!(guest.has_ended().await, "the user's sessions");

    let mut guest = candidate.ground.stay(GUEST, PASSWORD, PLACE).await;
    let outcome = session.drop_database(&spec, &proof(&mark("another's")), true).await;
    assert_eq!(refused(outcome, "another's"), ErrorKind::Conflict);
    session.drop_database(&spec, &proof(&ours), true).await.unwrap();
    assert!(guest.has_ended().await, "force ends sessions");
    assert!(!session.database_exists(PLACE).await.unwrap());
    drop(session);
    let stated = Stated::new(GUEST, json!({}));
    objects::drop(candidate, by, ObjectKind::User, &stated, &proof(&ours)).await.unwrap();
}
