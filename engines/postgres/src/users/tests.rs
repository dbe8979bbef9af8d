//! What the examination of a user's spec tells.

use dbprovision_sdk::{Privilege, Standing};
use serde_json::json;

use super::*;

fn examine(options: &serde_json::Value, roles: &[&str]) -> Result<Examination> {
    let roles = roles.iter().map(|&role| role.to_owned()).collect();
    let spec = UserSpec {
        name: "app".to_owned(),
        roles,
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options.to_string()),
    };
    <Postgres as Users>::examine(&spec)
}

#[test]
fn every_privilege_is_requested_by_its_path() {
    let all = json!({"superuser": true, "replication": true, "bypassRLS": true, "createRole": true, "createDB": true});
    let found: Vec<_> =
        examine(&all, &[]).unwrap().privileges.into_iter().map(|one| (one.path, one.privilege)).collect();
    assert_eq!(
        found,
        [
            ("options.superuser".to_owned(), Privilege::Superuser),
            ("options.createRole".to_owned(), Privilege::CreateRole),
            ("options.replication".to_owned(), Privilege::Replication),
            ("options.bypassRLS".to_owned(), Privilege::BypassRowSecurity),
        ]
    );
    assert!(examine(&json!({"superuser": false}), &[]).unwrap().privileges.is_empty());
}

#[test]
fn every_named_role_is_a_reference_with_its_path() {
    let options = json!({"inRoles": ["team", "pg_read_all_data", "pg_execute_server_program"], "defaultRole": "team"});
    let found = examine(&options, &["readers"]).unwrap();
    let references: Vec<_> =
        found.references.iter().map(|one| (one.path.as_str(), one.name.as_str(), one.standing)).collect();
    assert_eq!(
        references,
        [
            ("roles[0]", "readers", Standing::Ordinary),
            ("options.inRoles[0]", "team", Standing::Ordinary),
            ("options.inRoles[1]", "pg_read_all_data", Standing::Predefined),
            ("options.inRoles[2]", "pg_execute_server_program", Standing::Dangerous),
            ("options.defaultRole", "team", Standing::Ordinary),
        ]
    );
    assert_eq!(found.privileges.len(), 1);
    assert_eq!(found.privileges[0].privilege, Privilege::DangerousRole);
}

#[test]
fn every_problem_is_told_at_once() {
    let options = json!({
        "connectionLimit": -5, "validUntil": "tomorrow", "inRoles": ["", "app"],
        "configParameters": {"role": "x", "a b": "y", "ok": "a\0b"},
    });
    let ErrorKind::InvalidOptions(problems) = examine(&options, &[]).unwrap_err().kind else { panic!() };
    let mut paths: Vec<_> = problems.iter().map(|one| one.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "options.configParameters.a b",
            "options.configParameters.ok",
            "options.configParameters.role",
            "options.connectionLimit",
            "options.inRoles[0]",
            "options.inRoles[1]",
            "options.validUntil",
        ]
    );
}
