//! What a spec asks for, resolved and compared without a server.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::{Change, ErrorKind, ObjectKind, Privilege, Standing};
use serde_json::{Value, json};

use super::differences::{Comparison, Index};
use super::resolve;
use super::right::{Held, Level, Right};
use super::wish::Wish;
use super::*;
use crate::difference::Difference;
use crate::observe::database::Reachable;
use crate::observe::objects::{Catalogue, Object, SchemaOwner};
use crate::server::Facts;

fn spec(options: &Value) -> GrantSpec {
    GrantSpec {
        grantee: Grantee { kind: ObjectKind::User, name: "app".to_owned(), options: None },
        roles: Vec::new(),
        options: Some(options.to_string()),
        mode: Mode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    }
}

fn problems(options: &Value) -> Vec<String> {
    let ErrorKind::InvalidOptions(problems) = <Postgres as Grants>::examine(&spec(options)).unwrap_err().kind else {
        panic!("{options}")
    };
    problems.into_iter().map(|one| one.path).collect()
}

fn facts(number: i32) -> Facts {
    Facts {
        version: "x".to_owned(),
        number,
        identity: "1".to_owned(),
        administrator: "admin".to_owned(),
        administrator_id: "9".to_owned(),
        superuser: false,
    }
}

fn object(level: Level, name: &str, owner: &str) -> Object {
    let arguments = name.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    Object {
        level,
        schema: "s".to_owned(),
        name: name.to_owned(),
        arguments,
        column: None,
        owner: owner.to_owned(),
        superusers: false,
        beyond: false,
        of_extension: false,
    }
}

fn catalogue() -> Catalogue {
    let extensions =
        Object { beyond: true, of_extension: true, ..object(Level::Function, "crypt(text, text)", "root") };
    Catalogue {
        database: "d".to_owned(),
        owner: "owner".to_owned(),
        superusers: false,
        schemas: BTreeMap::from([(
            "s".to_owned(),
            SchemaOwner { name: "pg_database_owner".to_owned(), superuser: false },
        )]),
        objects: vec![
            object(Level::Table, "t", "owner"),
            object(Level::Table, "u", "other"),
            object(Level::Function, "f(integer)", "owner"),
            object(Level::Function, "f(text)", "owner"),
            extensions,
        ],
        signatures: BTreeMap::from([(("s".to_owned(), "f(int)".to_owned()), "f(integer)".to_owned())]),
        roles: BTreeSet::from(["owner".to_owned()]),
    }
}

fn wishes(options: &Value, number: i32) -> Vec<Wish> {
    let asked = Asked::read(&spec(options)).unwrap();
    resolve::inside(&asked, &catalogue(), &facts(number), &[]).unwrap()
}

fn names(wishes: &[Wish]) -> Vec<String> {
    wishes.iter().map(|wish| wish.right.to_string()).collect()
}

fn entry(entry: &Value) -> Value {
    let mut entry = entry.clone();
    entry["database"] = json!("d");
    json!({"grants": [entry]})
}

#[test]
fn every_name_in_a_grant_is_a_reference_with_its_path() {
    let options = json!({
        "roles": ["team"], "memberships": [{"role": "pg_execute_server_program"}],
        "grants": [{"database": "d", "privileges": ["CONNECT"]}],
        "defaultPrivileges": [{"database": "e", "grantedBy": "owner", "objectType": "tables", "privileges": ["ALL"]}],
    });
    let found = <Postgres as Grants>::examine(&spec(&options)).unwrap();
    let references: Vec<_> =
        found.references.iter().map(|one| (one.path.as_str(), one.kind, one.name.as_str(), one.standing)).collect();
    assert_eq!(
        references,
        [
            ("options.memberships[0]", ObjectKind::Role, "pg_execute_server_program", Standing::Dangerous),
            ("options.roles[0]", ObjectKind::Role, "team", Standing::Ordinary),
            ("options.grants[0].database", ObjectKind::Database, "d", Standing::Ordinary),
            ("options.defaultPrivileges[0].database", ObjectKind::Database, "e", Standing::Ordinary),
            ("options.defaultPrivileges[0].grantedBy", ObjectKind::Role, "owner", Standing::Ordinary),
        ]
    );
    assert_eq!(found.privileges.len(), 1);
    assert_eq!(found.privileges[0].privilege, Privilege::DangerousRole);
}

#[test]
fn what_fits_nothing_is_refused_by_its_path() {
    for (one, paths) in [
        (json!({"privileges": ["SELECT"]}), vec!["options.grants[0].privileges[0]"]),
        (json!({"privileges": ["CONNECT", "SELEKT"]}), vec!["options.grants[0].privileges[1]"]),
        (json!({"privileges": []}), vec!["options.grants[0].privileges"]),
        (
            json!({"tables": ["t"], "privileges": ["CONNECT"]}),
            vec!["options.grants[0].schema", "options.grants[0].tables"],
        ),
        (
            json!({"schema": "s", "tables": ["t"], "privileges": ["EXECUTE"]}),
            vec!["options.grants[0].privileges[0]", "options.grants[0].tables"],
        ),
        (
            json!({"schema": "s", "tables": ["t"], "functions": ["f"], "privileges": ["SELECT"]}),
            vec!["options.grants[0].functions"],
        ),
        (
            json!({"schema": "s", "columns": {"t": ["*"]}, "privileges": ["SELECT"]}),
            vec!["options.grants[0].columns.t"],
        ),
        (
            json!({"schema": "s", "columns": {"t": ["a"]}, "privileges": ["DELETE"]}),
            vec!["options.grants[0].privileges[0]", "options.grants[0].columns"],
        ),
        (json!({"schema": "pg_catalog", "functions": ["f"], "privileges": ["ALL"]}), vec!["options.grants[0].schema"]),
        (
            json!({"schema": "s", "tables": ["t"], "privileges": ["ALL"], "future": true}),
            vec!["options.grants[0].future"],
        ),
        (
            json!({"privileges": ["ALL"], "public": "Granted", "withGrantOption": true}),
            vec!["options.grants[0].withGrantOption"],
        ),
        (
            json!({"schema": "s", "privileges": ["ALL"], "public": "Revoked", "future": true}),
            vec!["options.grants[0].future"],
        ),
    ] {
        assert_eq!(problems(&entry(&one)), paths, "{one}");
    }
    assert_eq!(problems(&json!({"roles": ["app", "pg_database_owner"]})), ["options.roles[0]", "options.roles[1]"]);
    let twice = json!({"memberships": [{"role": "a"}, {"role": "a"}]});
    assert_eq!(problems(&twice), ["options.memberships[1].role"]);
    let unfit = json!({"defaultPrivileges": [{"database": "d", "grantedBy": "o", "objectType": "types", "privileges": ["SELECT"]}]});
    assert_eq!(problems(&unfit), ["options.defaultPrivileges[0].privileges[0]"]);
    let protected = GrantSpec {
        grantee: Grantee { kind: ObjectKind::Role, name: "rdsadmin".to_owned(), options: None },
        ..spec(&json!({}))
    };
    assert!(<Postgres as Grants>::examine(&protected).is_err());
}

#[test]
fn a_star_is_what_is_there_and_the_future_is_the_owners() {
    let all = entry(&json!({"schema": "s", "privileges": ["SELECT"], "future": true}));
    assert_eq!(
        names(&wishes(&all, 150_000)),
        [
            "SELECT on the table d.s.t",
            "SELECT on the table d.s.u",
            "SELECT on future tables of other in d.s",
            "SELECT on future tables of owner in d.s",
        ]
    );
    let functions = entry(&json!({"schema": "s", "functions": ["*"], "privileges": ["EXECUTE"]}));
    let functions = wishes(&functions, 150_000);
    assert_eq!(names(&functions), ["EXECUTE on the function d.s.f(integer)", "EXECUTE on the function d.s.f(text)"]);
    // Who owns the schema by owning the database opens the way to what is in it.
    assert_eq!(functions[0].acts_as, ["owner", "owner"]);
    let signed = entry(&json!({"schema": "s", "functions": ["f(int)"], "privileges": ["ALL"]}));
    assert_eq!(names(&wishes(&signed, 150_000)), ["EXECUTE on the function d.s.f(integer)"]);
    let unsigned =
        Asked::read(&spec(&entry(&json!({"schema": "s", "functions": ["f"], "privileges": ["ALL"]})))).unwrap();
    let error = resolve::inside(&unsigned, &catalogue(), &facts(150_000), &[]).unwrap_err();
    assert!(error.message.contains("f(integer), f(text)"), "{}", error.message);
    let beyond =
        Asked::read(&spec(&entry(&json!({"schema": "s", "functions": ["crypt"], "privileges": ["ALL"]})))).unwrap();
    let error = resolve::inside(&beyond, &catalogue(), &facts(150_000), &[]).unwrap_err();
    assert!(
        error.message.starts_with("options.grants[0].functions[0]: this belongs to an extension"),
        "{}",
        error.message
    );
    let missing = wishes(&entry(&json!({"schema": "s", "tables": ["gone"], "privileges": ["SELECT"]})), 150_000);
    assert_eq!(missing[0].lacking.as_deref(), Some("the table s.gone is not there in the database d"));
}

fn held(level: Level, object: &[&str], privilege: &str, grantor: &str) -> Held {
    Held {
        right: Right {
            level,
            object: object.iter().map(|&name| name.to_owned()).collect(),
            everyone: false,
            privilege: privilege.to_owned(),
        },
        grantable: false,
        grantor: grantor.to_owned(),
        owner: "owner".to_owned(),
        implicit: false,
        ours: false,
        arguments: None,
        schema_owner: None,
    }
}

fn compare(
    wishes: &[Wish],
    held: &[Held],
    recorded: &[Known],
    shared: &[Known],
    authoritative: bool,
) -> Vec<Difference> {
    let facts = facts(170_000);
    let comparison = Comparison {
        facts: &facts,
        grantee: "app",
        database_owner: &|_| "owner".to_owned(),
        wishes,
        held,
        recorded,
        authoritative,
        index: Index::of(wishes, held, recorded, shared),
    };
    comparison.differences()
}

fn sql(differences: &[Difference]) -> Vec<&str> {
    differences.iter().flat_map(|one| &one.statements).map(|one| one.sql.as_str()).collect()
}

#[test]
fn only_the_difference_is_made_and_what_comes_goes_before_what_leaves() {
    let tables = wishes(&entry(&json!({"schema": "s", "tables": ["t"], "privileges": ["SELECT", "INSERT"]})), 170_000);
    let there = [
        held(Level::Table, &["d", "s", "t"], "SELECT", "owner"),
        held(Level::Table, &["d", "s", "u"], "SELECT", "owner"),
        held(Level::Table, &["d", "s", "u"], "DELETE", "other"),
    ];
    let recorded: Vec<Known> = there.iter().map(Held::known).collect();
    let found = compare(&tables, &there, &recorded, &[], false);
    assert_eq!(
        sql(&found),
        [
            "GRANT INSERT ON TABLE \"s\".\"t\" TO \"app\"",
            "SET LOCAL ROLE \"other\"",
            "REVOKE DELETE ON TABLE \"s\".\"u\" FROM \"app\"",
            "SET LOCAL ROLE NONE",
            "REVOKE SELECT ON TABLE \"s\".\"u\" FROM \"app\"",
        ]
    );
    let Change { id, field, expected, actual, destructive, impossible, lacking } = found[0].change.clone();
    assert_eq!(id, "grant:table:[\"d\",\"s\",\"t\"]:INSERT");
    assert_eq!(field, "options.grants[0].privileges[1]");
    assert_eq!((expected.as_str(), actual.as_str()), ("INSERT on the table d.s.t", "not granted"));
    assert!(!destructive && !impossible && lacking.is_none());
    // What others state stays, what is foreign stays unless the resource is the authority.
    assert_eq!(compare(&tables, &there, &recorded, &recorded, false).len(), 1);
    assert_eq!(compare(&tables, &there, &[], &[], false).len(), 1);
    let all = compare(&tables, &there, &[], &[], true);
    assert_eq!(all.iter().map(|one| one.change.destructive).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn what_columns_keep_is_given_again_after_the_tables_right_is_taken() {
    let there = [
        held(Level::Table, &["d", "s", "t"], "SELECT", "owner"),
        Held { grantable: true, ..held(Level::Column, &["d", "s", "t", "a"], "SELECT", "owner") },
        held(Level::Column, &["d", "s", "t", "b"], "SELECT", "other"),
        held(Level::Column, &["d", "s", "u", "a"], "SELECT", "owner"),
    ];
    let recorded = [there[0].known()];
    assert_eq!(
        sql(&compare(&[], &there, &recorded, &[], false)),
        [
            "REVOKE SELECT ON TABLE \"s\".\"t\" FROM \"app\"",
            "GRANT SELECT (\"a\") ON TABLE \"s\".\"t\" TO \"app\" WITH GRANT OPTION",
        ]
    );
}

#[test]
fn a_grant_option_is_taken_without_the_right() {
    let one = Held { grantable: true, ..held(Level::Table, &["d", "s", "t"], "SELECT", "owner") };
    let wish = wishes(&entry(&json!({"schema": "s", "tables": ["t"], "privileges": ["SELECT"]})), 170_000);
    let there = [one.clone()];
    let found = compare(&wish, &there, &[one.known()], &[], false);
    assert_eq!(sql(&found), ["REVOKE GRANT OPTION FOR SELECT ON TABLE \"s\".\"t\" FROM \"app\""]);
    assert!(compare(&wish, &there, &[one.known()], &[one.known()], false).is_empty(), "another resource states it");
    let implicit = [Held { implicit: true, ..one.clone() }];
    assert!(compare(&[], &implicit, &[one.known()], &[], true).is_empty(), "the owner's own is nobody's to take");
}

#[test]
fn what_nobody_here_can_give_is_there_where_everyone_has_it() {
    let usage = entry(&json!({"schema": "s", "privileges": ["USAGE"]}));
    let wishes = |superusers: bool, options: &Value| {
        let asked = Asked::read(&spec(options)).unwrap();
        resolve::inside(&asked, &Catalogue { superusers, ..catalogue() }, &facts(140_000), &[]).unwrap()
    };
    let public = held(Level::Schema, &["d", "s"], "USAGE", "root");
    let everyones = Held { right: Right { everyone: true, ..public.right.clone() }, implicit: true, ..public };
    let there = [everyones];
    assert!(compare(&wishes(true, &usage), &there, &[], &[], true).is_empty());
    assert_eq!(compare(&wishes(true, &usage), &[], &[], &[], true).len(), 1, "it is not there at all");
    assert_eq!(compare(&wishes(false, &usage), &there, &[], &[], true).len(), 1, "its owner can give it");
    let grantable = entry(&json!({"schema": "s", "privileges": ["USAGE"], "withGrantOption": true}));
    assert_eq!(compare(&wishes(true, &grantable), &there, &[], &[], true).len(), 1, "nobody has this from everyone");
}

#[test]
fn a_change_that_takes_a_right_is_known_by_its_id() {
    let there = [
        held(Level::Table, &["d", "s", "t"], "SELECT", "owner"),
        held(Level::Table, &["d", "s", "t"], "INSERT", "owner"),
    ];
    let recorded: Vec<Known> = there.iter().map(Held::known).collect();
    let found = compare(&[], &there, &recorded, &[], false);
    let takes = |held: &Held| super::differences::takes(&found[0].change.id, &held.right);
    assert!(there.iter().all(takes));
    assert!(!takes(&held(Level::Table, &["d", "s", "t"], "UPDATE", "owner")));
    assert!(!takes(&held(Level::Table, &["d", "s", "u"], "SELECT", "owner")));
    assert!(!takes(&held(Level::Sequence, &["d", "s", "t"], "SELECT", "owner")));
    let wish = wishes(&entry(&json!({"schema": "s", "tables": ["t"], "privileges": ["SELECT"]})), 170_000);
    let given = compare(&wish, &[], &[], &[], false);
    assert!(!super::differences::takes(&given[0].change.id, &there[0].right), "what gives takes nothing");
}

#[test]
fn options_of_a_membership_are_rights_of_their_own() {
    let asked =
        Asked::read(&spec(&json!({"memberships": [{"role": "team", "admin": true, "inherit": false}]}))).unwrap();
    let databases: BTreeMap<String, Reachable> = BTreeMap::new();
    let facts = facts(170_000);
    let server = |there: &[&str]| resolve::Server {
        facts: &facts,
        databases: &databases,
        roles: there.iter().map(|&name| name.to_owned()).collect(),
        inherits: true,
    };
    let missing = resolve::shared(&asked, &server(&[])).unwrap();
    assert_eq!(missing[0].lacking.as_deref(), Some("the role team is not there"));
    let wishes = resolve::shared(&asked, &server(&["team"])).unwrap();
    let found = compare(&wishes, &[], &[], &[], false);
    assert_eq!(sql(&found), ["GRANT \"team\" TO \"app\" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE"]);
    let row = |privilege: &str, grantable: bool| Held {
        ours: true,
        grantable,
        ..held(Level::Membership, &["team"], privilege, "admin")
    };
    let there = [row("MEMBER", true), row("INHERIT", false), row("SET", false)];
    let found = compare(&wishes, &there, &[], &[], false);
    assert_eq!(sql(&found), ["REVOKE INHERIT OPTION FOR \"team\" FROM \"app\" GRANTED BY \"admin\""]);
    let recorded: Vec<Known> = there.iter().map(Held::known).collect();
    let found = compare(&[], &there, &recorded, &[], false);
    assert_eq!(sql(&found), ["REVOKE \"team\" FROM \"app\" GRANTED BY \"admin\""], "its options go with it");
}

#[test]
fn many_objects_are_compared_in_good_time() {
    let right = |at: usize| held(Level::Table, &["d", "s", &format!("t{at}")], "SELECT", "owner");
    let there: Vec<Held> = (0..20_000).map(right).collect();
    let recorded: Vec<Known> = there.iter().map(Held::known).collect();
    let begun = std::time::Instant::now();
    assert_eq!(compare(&[], &there, &recorded, &recorded, true).len(), 0);
    assert_eq!(compare(&[], &there, &recorded, &[], false).len(), 20_000);
    // Each with each would be some minutes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}
