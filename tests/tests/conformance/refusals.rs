//! What is refused, and how: by the field that is wrong, with what would be right, and with nothing changed.

use sandbox::CallError;
use sandbox::contract::{
    BlockOwner, ErrorKind, GrantMode, GrantSpec, Grantee, ObjectKind, OptionProblem, Proof, Selection,
};
use serde_json::{Value, json};

use crate::candidate::{Candidate, mark, refused, settings};
use crate::cases::{Block, By, Cast, Refusal, Stated};
use crate::{objects, schema};

const NAME: &str = "refused";

/// Every field of every block refuses what it cannot be, and a field that nobody knows is refused by its name.
pub(crate) async fn name_the_field(candidate: &Candidate) {
    for described in &candidate.adapter.description().blocks {
        let block = match described.owner {
            BlockOwner::Instance => Block::Instance,
            BlockOwner::Database => Block::Object(ObjectKind::Database),
            BlockOwner::User => Block::Object(ObjectKind::User),
            BlockOwner::Role => Block::Object(ObjectKind::Role),
            BlockOwner::Grant => Block::Grant,
            BlockOwner::Backup | BlockOwner::Restore => continue,
        };
        let schema: Value = serde_json::from_str(&described.schema).unwrap();
        let unknown = ("noSuchField".to_owned(), json!(1));
        for (name, value) in schema::wrong_values(&schema).into_iter().chain([unknown]) {
            let options = json!({ name.as_str(): value });
            let problems = problems(examine(candidate, block, &options).await, &options);
            let path = format!("options.{name}");
            assert!(problems.iter().any(|one| one.path == path), "{block:?} {options}: {problems:?}");
            assert!(problems.iter().all(|one| !one.problem.is_empty()), "{block:?} {options}: {problems:?}");
        }
        let outcome = examine_text(candidate, block, "[no object").await;
        assert!(matches!(refused(outcome, "no JSON"), ErrorKind::InvalidOptions(_)), "{block:?}");
    }
}

/// The refusals of the table: without a server where that can be told, and by the server's calls always.
pub(crate) async fn say_what_would_be_right(candidate: &Candidate) {
    for refusal in &candidate.table.refusals {
        let Refusal { of, options, path, says } = refusal;
        let found = match examine(candidate, *of, options).await {
            Err(error) => problems(Err::<(), _>(error), options),
            Ok(()) => problems(call(candidate, *of, options).await, options),
        };
        let named = found.iter().find(|one| one.path == *path);
        let named = named.unwrap_or_else(|| panic!("{of:?} {options}: {path} is not named: {found:?}"));
        for word in says {
            assert!(named.problem.contains(word), "{of:?} {options}: {word} is not said: {}", named.problem);
        }
        if *of != Block::Instance {
            let again = problems(call(candidate, *of, options).await, options);
            assert!(again.iter().any(|one| one.path == *path), "{of:?} {options}: {again:?}");
        }
        for kind in objects::KINDS {
            assert!(!objects::exists(candidate, kind, NAME).await.unwrap(), "{of:?} {options}: something was made");
        }
    }
}

/// The engine's own objects, and the operator's own account, are never made, changed, claimed or dropped.
pub(crate) async fn protect_the_engines_own(candidate: &Candidate) {
    let own = candidate.ground.administrator().name;
    let by = By::Administrator;
    for (kind, name) in candidate.table.protected.iter().copied().chain([(ObjectKind::User, own.as_str())]) {
        let what = format!("{kind:?} {name}");
        let before = objects::info(candidate, kind, name).await.unwrap();
        let stated = Stated { comment: Some("mine now".to_owned()), ..Stated::new(name, json!({})) };
        let any = Proof { mark: None, object_id: None };
        let created = refused(objects::create(candidate, by, kind, &stated, &mark("p")).await, &what);
        let expected = matches!(created, ErrorKind::InvalidOptions(_) | ErrorKind::AlreadyExists);
        assert!(expected, "{what}: create: {created:?}");
        let updated = objects::update(candidate, by, kind, &stated, &mark("p"), &Selection::All).await;
        let updated = refused(updated, &what);
        let expected =
            matches!(updated, ErrorKind::InvalidOptions(_) | ErrorKind::PermissionDenied | ErrorKind::Conflict);
        assert!(expected, "{what}: update: {updated:?}");
        let claimed = refused(objects::claim(candidate, kind, name, &any, None, &mark("p")).await, &what);
        assert_eq!(claimed, ErrorKind::PermissionDenied, "{what}: claim");
        let dropped = refused(objects::drop(candidate, by, kind, &stated, &any).await, &what);
        assert_eq!(dropped, ErrorKind::PermissionDenied, "{what}: drop");
        assert_eq!(objects::info(candidate, kind, name).await.unwrap(), before, "{what}: it is as it was");
    }
}

async fn examine(candidate: &Candidate, block: Block, options: &Value) -> Result<(), CallError> {
    examine_text(candidate, block, &options.to_string()).await
}

async fn examine_text(candidate: &Candidate, block: Block, options: &str) -> Result<(), CallError> {
    let adapter = &candidate.adapter;
    let text = Some(options.to_owned());
    match block {
        Block::Instance => {
            let mut stated = settings(&*candidate.ground, &candidate.table, &json!({}));
            stated.options = text;
            adapter.examine_instance(&stated).await.map(drop)
        }
        Block::Object(kind) => {
            let name = NAME.to_owned();
            match kind {
                ObjectKind::Database => {
                    let spec = sandbox::contract::DatabaseSpec { name, owner: None, comment: None, options: text };
                    adapter.examine_database(&spec).await.map(drop)
                }
                ObjectKind::User => {
                    let roles = Vec::new();
                    let spec = sandbox::contract::UserSpec {
                        name,
                        roles,
                        shared_roles: Vec::new(),
                        comment: None,
                        options: text,
                    };
                    adapter.examine_user(&spec).await.map(drop)
                }
                ObjectKind::Role => {
                    let spec =
                        sandbox::contract::RoleSpec { name, shared_roles: Vec::new(), comment: None, options: text };
                    adapter.examine_role(&spec).await.map(drop)
                }
            }
        }
        Block::Grant => adapter.examine_grant(&grant(text)).await.map(drop),
    }
}

/// The call that would act on it.
async fn call(candidate: &Candidate, block: Block, options: &Value) -> Result<(), CallError> {
    match block {
        Block::Instance => {
            let mut stated = settings(&*candidate.ground, &candidate.table, options);
            stated.options = Some(options.to_string());
            candidate.adapter.examine_instance(&stated).await.map(drop)
        }
        Block::Object(kind) => {
            let stated = Stated::new(NAME, options.clone());
            objects::create(candidate, By::Administrator, kind, &stated, &mark("r")).await.map(drop)
        }
        Block::Grant => {
            let mut session = candidate.session(By::Administrator).await;
            session.grant(&grant(Some(options.to_string())), &Selection::Detect).await.map(drop)
        }
    }
}

fn grant(options: Option<String>) -> GrantSpec {
    GrantSpec {
        grantee: Grantee { kind: ObjectKind::User, name: Cast::USERS[0].to_owned(), options: None },
        roles: Vec::new(),
        options,
        mode: GrantMode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    }
}

fn problems<T: std::fmt::Debug>(outcome: Result<T, CallError>, options: &Value) -> Vec<OptionProblem> {
    let error = refused(outcome, &options.to_string());
    let ErrorKind::InvalidOptions(problems) = error else { panic!("{options}: another kind of error: {error:?}") };
    problems
}
