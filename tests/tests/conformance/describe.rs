//! What the adapter says of itself is true: the engines, the names, the blocks; and every field that it describes has
//! a case in the table, or a reason for having none.

use std::collections::BTreeSet;

use sandbox::CallError;
use sandbox::contract::{
    BackupSpec, BlockOwner, DatabaseSpec, ErrorKind, Extension, GrantMode, GrantSpec, Grantee, ObjectKind,
    OperationGroup, RestoreSpec,
};
use serde_json::{Value, json};

use crate::candidate::{Candidate, mark, proof, refused};
use crate::cases::{By, Stated, paths};
use crate::{objects, schema};

/// The blocks whose fields need cases, by the word that the tables use; and the objects whose fields drift.
const BLOCKS: [(BlockOwner, &str, Option<ObjectKind>); 5] = [
    (BlockOwner::Instance, "instance", None),
    (BlockOwner::Database, "database", Some(ObjectKind::Database)),
    (BlockOwner::User, "user", Some(ObjectKind::User)),
    (BlockOwner::Role, "role", Some(ObjectKind::Role)),
    (BlockOwner::Grant, "grant", None),
];

/// Names, limits and schemas.
pub(crate) async fn is_consistent(candidate: &Candidate) {
    let described = candidate.adapter.description();
    let engine = candidate.table.engine;
    assert!(described.engines.iter().any(|one| one.name == engine), "{:?}", described.engines);
    assert!(!described.adapter_version.is_empty());
    for one in &described.servers {
        let known = described.engines.iter().any(|engine| engine.name == one.engine);
        assert!(known && !one.oldest.is_empty() && !one.newest.is_empty(), "{one:?}");
    }
    for kind in objects::KINDS {
        let limit = described.name_limits.iter().find(|limit| limit.kind == kind).unwrap();
        let longest = (candidate.table.names.longest)(kind);
        assert!(longest.len() <= limit.bytes as usize, "{kind:?}: the host would refuse {longest}");
    }
    for block in &described.blocks {
        let parsed: Value = serde_json::from_str(&block.schema).unwrap();
        assert!(!schema::fields(&parsed).is_empty(), "{:?}", block.owner);
        assert!(schema::is_closed(&parsed), "{:?}: a block takes fields that nobody knows", block.owner);
    }
    let mut session = candidate.session(By::Administrator).await;
    let facts = session.server().await.unwrap();
    assert!(facts.version.starts_with(candidate.table.version), "{facts:?}");
}

/// Every described field is tried, and every readable one is changed by somebody else; or a reason says why not.
pub(crate) fn has_a_case_for_every_field(candidate: &Candidate) {
    let described = candidate.adapter.description();
    let mut lacking = Vec::new();
    for (owner, word, kind) in BLOCKS {
        let Some(block) = described.blocks.iter().find(|block| block.owner == owner) else { continue };
        let readable: BTreeSet<String> = described
            .fields
            .iter()
            .filter(|list| list.owner == owner)
            .flat_map(|list| list.readable.iter().cloned())
            .collect();
        let all: BTreeSet<String> =
            schema::fields(&serde_json::from_str(&block.schema).unwrap()).union(&readable).cloned().collect();
        lacking.extend(uncovered(word, "case", &all, &tried(candidate, owner), &candidate.table.without_case));
        if let Some(kind) = kind {
            let drifted = drifted(candidate, kind);
            lacking.extend(uncovered(word, "drift", &readable, &drifted, &candidate.table.without_drift));
        }
    }
    assert!(lacking.is_empty(), "the table of {} says nothing of:\n{}", candidate.table.engine, lacking.join("\n"));
}

/// Fields without a case or drift and without a reason; and reasons for what has one, or is no field any more.
fn uncovered(
    block: &str,
    lack: &str,
    all: &BTreeSet<String>,
    covered: &BTreeSet<String>,
    reasons: &[(&str, &str, &str)],
) -> Vec<String> {
    let excused: BTreeSet<String> =
        reasons.iter().filter(|(of, _, _)| *of == block).map(|(_, field, _)| (*field).to_owned()).collect();
    assert!(reasons.iter().all(|(_, _, reason)| !reason.is_empty()), "{block}: an exclusion without a reason");
    // What is said of a field is said of what is inside it.
    let is_excused = |field: &str| {
        excused.iter().any(|one| field.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    let missing = all.iter().filter(|field| !covered.contains(*field) && !is_excused(field));
    let idle = excused.iter().filter(|field| covered.contains(*field) || !all.contains(*field));
    missing
        .map(|field| format!("{block}: {field} has no {lack}"))
        .chain(idle.map(|field| format!("{block}: {field} needs no exclusion")))
        .collect()
}

/// The fields that the table states.
fn tried(candidate: &Candidate, owner: BlockOwner) -> BTreeSet<String> {
    let table = &candidate.table;
    let cases = |kind: ObjectKind| table.cases(kind).iter().flat_map(|case| case.stated.fields()).collect();
    match owner {
        BlockOwner::Database => cases(ObjectKind::Database),
        BlockOwner::User => cases(ObjectKind::User),
        BlockOwner::Role => cases(ObjectKind::Role),
        BlockOwner::Instance => below(table.settings.iter().map(|one| &one.options)),
        BlockOwner::Grant => {
            let levels = table.grants.levels.iter();
            let mut all =
                below(levels.flat_map(|one| {
                    std::iter::once(&one.options).chain(one.wider.as_ref().map(|(options, _)| options))
                }));
            // The room of grants joins a role on every server.
            all.insert("roles".to_owned());
            all
        }
        BlockOwner::Backup | BlockOwner::Restore => BTreeSet::new(),
    }
}

fn below<'stated>(blocks: impl Iterator<Item = &'stated Value>) -> BTreeSet<String> {
    let mut found = Vec::new();
    blocks.for_each(|block| paths("options", block, &mut found));
    found.into_iter().collect()
}

/// The fields that drift in the table: the field of a drift, and what it is inside of.
fn drifted(candidate: &Candidate, kind: ObjectKind) -> BTreeSet<String> {
    let drifts = candidate.table.cases(kind).iter().filter_map(|case| case.drift.as_ref());
    drifts
        .map(|drift| {
            let field = drift.field.split('[').next().unwrap();
            let mut words = field.split('.');
            match (words.next(), words.next()) {
                (Some(first), Some(second)) => format!("{first}.{second}"),
                _ => field.to_owned(),
            }
        })
        .collect()
}

/// A group that is not described does nothing at all.
pub(crate) async fn does_nothing_else(candidate: &Candidate) {
    let groups = &candidate.adapter.description().groups;
    for group in [
        OperationGroup::Database,
        OperationGroup::User,
        OperationGroup::Role,
        OperationGroup::Grant,
        OperationGroup::Schema,
        OperationGroup::Backup,
        OperationGroup::Restore,
        OperationGroup::Script,
    ] {
        if groups.contains(&group) {
            continue;
        }
        for (call, kind) in answers(candidate, group).await {
            assert_eq!(kind, ErrorKind::Unsupported, "{group:?} is not described, and {call} answers");
        }
    }
}

/// What the calls of a group answer.
async fn answers(candidate: &Candidate, group: OperationGroup) -> Vec<(&'static str, ErrorKind)> {
    match group {
        OperationGroup::Database => of_kind(candidate, ObjectKind::Database).await,
        OperationGroup::User => of_kind(candidate, ObjectKind::User).await,
        OperationGroup::Role => of_kind(candidate, ObjectKind::Role).await,
        OperationGroup::Grant => of_grants(candidate).await,
        OperationGroup::Schema => of_schemas(candidate).await,
        OperationGroup::Backup => {
            let spec = BackupSpec { database: "a".to_owned(), options: None };
            let mut session = candidate.session(By::Administrator).await;
            vec![
                kind("examine", candidate.adapter.examine_backup(&spec).await),
                kind("plan", session.plan_backup(&spec).await),
            ]
        }
        OperationGroup::Restore => {
            let spec = RestoreSpec { database: "a".to_owned(), format: "sql".to_owned(), options: None };
            let mut session = candidate.session(By::Administrator).await;
            vec![
                kind("examine", candidate.adapter.examine_restore(&spec).await),
                kind("plan", session.plan_restore(&spec).await),
                kind("finish", session.finish_restore(&spec).await),
            ]
        }
        OperationGroup::Script => {
            let script = sandbox::contract::Script { statements: vec!["x".to_owned()], as_administrator: false };
            let mut session = candidate.session(By::Administrator).await;
            vec![kind("run-script", session.run_script("a", &script, &mark("a")).await)]
        }
        // It has no calls of its own: it is the listings of the others.
        OperationGroup::Discovery => Vec::new(),
    }
}

fn kind<T: std::fmt::Debug>(call: &'static str, outcome: Result<T, CallError>) -> (&'static str, ErrorKind) {
    (call, refused(outcome, call))
}

async fn of_kind(candidate: &Candidate, of: ObjectKind) -> Vec<(&'static str, ErrorKind)> {
    let stated = Stated::new("a", json!({}));
    let by = By::Administrator;
    vec![
        kind("examine", objects::examine(candidate, of, &stated).await),
        kind("create", objects::create(candidate, by, of, &stated, &mark("a")).await),
        kind("drop", objects::drop(candidate, by, of, &stated, &proof(&mark("a"))).await),
        kind("exists", objects::exists(candidate, of, "a").await),
        kind("get-info", objects::info(candidate, of, "a").await),
        kind("claim", objects::claim(candidate, of, "a", &proof(&mark("a")), None, &mark("b")).await),
    ]
}

async fn of_grants(candidate: &Candidate) -> Vec<(&'static str, ErrorKind)> {
    let grantee = Grantee { kind: ObjectKind::User, name: "a".to_owned(), options: None };
    let spec = GrantSpec {
        grantee: grantee.clone(),
        roles: Vec::new(),
        options: None,
        mode: GrantMode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    };
    let mut session = candidate.session(By::Administrator).await;
    vec![
        kind("examine", candidate.adapter.examine_grant(&spec).await),
        kind("grant", session.grant(&spec, &sandbox::contract::Selection::Detect).await),
        kind("revoke", session.revoke(&spec).await),
        kind("get-grants", session.get_grants(&grantee).await),
    ]
}

async fn of_schemas(candidate: &Candidate) -> Vec<(&'static str, ErrorKind)> {
    let extension = Extension { name: "e".to_owned(), schema: None, version: None };
    let mut session = candidate.session(By::Administrator).await;
    vec![
        kind("create-schema", session.create_schema("a", "s", None).await),
        kind("drop-schema", session.drop_schema("a", "s").await),
        kind("schema-exists", session.schema_exists("a", "s").await),
        kind("list-schemas", session.list_schemas("a").await),
        kind("create-extension", session.create_extension("a", &extension).await),
        kind("drop-extension", session.drop_extension("a", "e").await),
        kind("list-extensions", session.list_extensions("a").await),
    ]
}

/// What databases' owners are called with where there are none: the field is refused.
pub(crate) async fn owners_are_refused_where_there_are_none(candidate: &Candidate) {
    if candidate.table.has_owners {
        return;
    }
    let spec = DatabaseSpec { name: "a".to_owned(), owner: Some("b".to_owned()), comment: None, options: None };
    let outcome = candidate.adapter.examine_database(&spec).await;
    let ErrorKind::InvalidOptions(problems) = refused(outcome, "an owner") else { panic!("another kind") };
    assert_eq!(problems.first().map(|one| one.path.as_str()), Some("owner"));
}
