//! What the examination of a database's spec tells.

use dbprovision_sdk::{ErrorKind, ObjectKind, Standing};
use serde_json::json;

use super::*;

fn examine(name: &str, owner: Option<&str>, options: &serde_json::Value) -> Result<Examination> {
    let spec = DatabaseSpec {
        name: name.to_owned(),
        owner: owner.map(str::to_owned),
        comment: None,
        options: Some(options.to_string()),
    };
    <Postgres as Databases>::examine(&spec)
}

fn paths(outcome: Result<Examination>) -> Vec<String> {
    let ErrorKind::InvalidOptions(problems) = outcome.unwrap_err().kind else {
        panic!("the spec is refused for something else")
    };
    problems.into_iter().map(|one| one.path).collect()
}

#[test]
fn every_named_role_and_template_is_a_reference_with_its_path() {
    let options = json!({
        "template": "seed",
        "schemas": [{"name": "a"}, {"name": "b", "owner": "rdsadmin"}],
        "defaultPrivileges": [{"role": "w", "grantee": "r", "schema": "a", "objectType": "tables", "privileges": ["ALL"]}],
    });
    let found = examine("app", Some("team"), &options).unwrap();
    let references: Vec<_> =
        found.references.iter().map(|one| (one.path.as_str(), one.kind, one.name.as_str(), one.standing)).collect();
    assert_eq!(
        references,
        [
            ("owner", ObjectKind::Role, "team", Standing::Ordinary),
            ("options.schemas[1].owner", ObjectKind::Role, "rdsadmin", Standing::Protected),
            ("options.defaultPrivileges[0].role", ObjectKind::Role, "w", Standing::Ordinary),
            ("options.defaultPrivileges[0].grantee", ObjectKind::Role, "r", Standing::Ordinary),
            ("options.template", ObjectKind::Database, "seed", Standing::Ordinary),
        ]
    );
}

#[test]
fn companions_are_named_after_the_database_unless_stated() {
    let named = |options| {
        let found = examine("app", None, &options).unwrap();
        found.companions.into_iter().map(|one| (one.name, one.wants_password)).collect::<Vec<_>>()
    };
    let own = json!({"ownership": {"autoOwnership": true}});
    assert_eq!(named(own), [("db_app_owner".to_owned(), false), ("db_app_app".to_owned(), true)]);
    let stated = json!({"ownership": {"autoOwnership": true, "roleName": "o", "userName": "u"}});
    assert_eq!(named(stated), [("o".to_owned(), false), ("u".to_owned(), true)]);
    assert!(named(json!({"ownership": {"roleName": "o"}})).is_empty());
}

#[test]
fn every_problem_is_told_at_once() {
    let options = json!({
        "connectionLimit": -2, "tablespace": "pg_global",
        "extensions": [{"name": "a"}, {"name": "a", "version": ""}],
        "schemas": [{"name": "pg_mine"}],
        "defaultPrivileges": [{"role": "w", "schema": "a", "objectType": "functions", "privileges": ["SELECT"]}],
        "ownership": {"autoOwnership": true, "roleName": "pg_o"},
    });
    assert_eq!(
        paths(examine("template1", Some("other"), &options)),
        [
            "name",
            "options.ownership.roleName",
            "owner",
            "options.connectionLimit",
            "options.tablespace",
            "options.extensions[1].version",
            "options.extensions[1].name",
            "options.schemas[0].name",
            "options.defaultPrivileges[0].privileges[0]",
        ]
    );
    // The companions' names come from the database's, and may be too long where it is not.
    let long = json!({"ownership": {"autoOwnership": true}});
    assert_eq!(
        paths(examine(&"n".repeat(60), None, &long)),
        ["options.ownership.roleName", "options.ownership.userName"]
    );
}

#[test]
fn one_locale_may_be_spelt_in_several_ways() {
    for (one, other, same) in [
        ("en_US.UTF-8", "en_US.utf8", true),
        ("POSIX", "C", true),
        ("C", "C.UTF-8", false),
        ("POSIX", "C.UTF-8", false),
        ("de_DE.utf8", "en_US.utf8", false),
    ] {
        assert_eq!(differences::same_locale(one, other), same, "{one} {other}");
        assert_eq!(differences::same_locale(other, one), same, "{other} {one}");
    }
}
