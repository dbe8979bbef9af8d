//! Inside a database: schemas and extensions where the adapter has them, and scripts.

use sandbox::contract::{Extension, ObjectKind, OperationGroup, Script, Selection};
use serde_json::json;

use crate::candidate::{Candidate, mark};
use crate::cases::{By, Cast, Sql, Stated};
use crate::objects;

const NAME: &str = "inside";

/// A database of the first user's, where databases have owners.
pub(crate) async fn make(candidate: &Candidate) {
    let mut stated = Stated::new(NAME, json!({}));
    stated.owner = candidate.table.has_owners.then(|| Cast::USERS[0].to_owned());
    let (by, kind) = (By::Administrator, ObjectKind::Database);
    objects::create(candidate, by, kind, &stated, &mark(NAME)).await.unwrap();
    objects::update(candidate, by, kind, &stated, &mark(NAME), &Selection::All).await.unwrap();
}

/// Schemas and extensions come and go one at a time, and asking twice is asking once.
pub(crate) async fn schemas_and_extensions_come_and_go(candidate: &Candidate) {
    let described = candidate.adapter.description().groups.contains(&OperationGroup::Schema);
    assert_eq!(described, candidate.table.inside.is_some(), "the table and the description differ");
    let Some(inside) = &candidate.table.inside else { return };
    let name = "a 'b' \"c\"";
    let mut session = candidate.session(By::Administrator).await;
    let before = session.list_schemas(NAME).await.unwrap();
    assert!(!session.schema_exists(NAME, name).await.unwrap());
    for _ in 0..2 {
        session.create_schema(NAME, name, None).await.unwrap();
    }
    assert!(session.schema_exists(NAME, name).await.unwrap());
    assert!(session.list_schemas(NAME).await.unwrap().iter().any(|one| one == name));
    let wanted = Extension { name: inside.extension.to_owned(), schema: Some(name.to_owned()), version: None };
    session.create_extension(NAME, &wanted).await.unwrap();
    let listed = session.list_extensions(NAME).await.unwrap();
    let found = listed.iter().find(|one| one.name == inside.extension).unwrap();
    assert_eq!(found.schema.as_deref(), Some(name));
    assert!(found.version.is_some());
    session.drop_extension(NAME, inside.extension).await.unwrap();
    assert!(!session.list_extensions(NAME).await.unwrap().iter().any(|one| one.name == inside.extension));
    for _ in 0..2 {
        session.drop_schema(NAME, name).await.unwrap();
    }
    assert_eq!(session.list_schemas(NAME).await.unwrap(), before);
}

/// A script runs in its database up to the first failure, which is told by its number, and leaves no account behind.
pub(crate) async fn scripts_stop_at_the_first_failure(candidate: &Candidate) {
    let scripted = &candidate.table.script;
    let [first, second] = scripted.statements;
    let statements = [first, second, scripted.fails, "never"].map(str::to_owned).to_vec();
    assert_eq!(candidate.ground.administer(&scripted.probe).await, "", "before");
    let users = objects::list(candidate, ObjectKind::User, 500).await;
    let script = Script { statements, as_administrator: false };
    let mut session = candidate.session(By::Administrator).await;
    let report = session.run_script(NAME, &script, &mark(NAME)).await.unwrap();
    let failure = report.failure.unwrap();
    assert_eq!((report.executed, failure.statement), (2, 2), "{:?}", failure.error);
    assert_ne!(candidate.ground.administer(&scripted.probe).await, "", "after");
    session.clean_up(&mark(NAME)).await.unwrap();
    drop(session);
    assert_eq!(objects::list(candidate, ObjectKind::User, 500).await, users, "an account is left");
}

/// The place for a table's probes.
pub(crate) fn probe(text: &str) -> Sql {
    Sql::new(NAME, text)
}
