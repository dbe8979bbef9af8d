//! What a spec names and what it asks for is told by the examination, which reaches no server: the host can only ask
//! about what the adapter reports.

use std::collections::BTreeSet;

use sandbox::contract::{
    Examination, GrantMode, GrantSpec, Grantee, ObjectKind, PrivilegeRequest, Reference, Standing,
};
use serde_json::{Value, json};

use crate::candidate::Candidate;
use crate::cases::{Asked, Block, Cast, Stated};
use crate::objects;

/// Every name of the cast that a case or a level states is a reference: with a path, and as somebody's object.
pub(crate) async fn are_all_told(candidate: &Candidate) {
    for kind in objects::KINDS {
        for case in candidate.table.cases(kind) {
            let examined = objects::examine(candidate, kind, &case.stated).await.unwrap();
            let named = case.stated.owner.iter().chain(&case.stated.roles).cloned();
            compare(named.collect(), &case.stated.options, &examined, &format!("{kind:?} {:?}", case.stated));
        }
    }
    for level in &candidate.table.grants.levels {
        for options in std::iter::once(&level.options).chain(level.wider.as_ref().map(|(options, _)| options)) {
            let examined = candidate.adapter.examine_grant(&grant(&level.roles, options)).await.unwrap();
            let what = format!("{} {options}", level.name);
            compare(level.roles.iter().cloned().collect(), options, &examined, &what);
            assert!(examined.companions.is_empty(), "{what}");
        }
    }
}

/// What is beyond the ordinary is asked for by its field, and what is ordinary asks for nothing.
pub(crate) async fn and_privileges_are_told(candidate: &Candidate) {
    for kind in objects::KINDS {
        let plain = objects::examine(candidate, kind, &Stated::new("plain", json!({}))).await.unwrap();
        assert_eq!(plain, Examination { privileges: vec![], references: vec![], companions: vec![] }, "{kind:?}");
    }
    for Asked { of, roles, options, path, privilege } in &candidate.table.asked {
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        let examined = match of {
            Block::Object(kind) => {
                let stated = Stated { roles, ..Stated::new("asking", options.clone()) };
                objects::examine(candidate, *kind, &stated).await.unwrap()
            }
            Block::Grant => candidate.adapter.examine_grant(&grant(&roles, options)).await.unwrap(),
            Block::Instance => panic!("an instance asks for nothing"),
        };
        let expected = PrivilegeRequest { path: (*path).to_owned(), privilege: *privilege };
        assert!(examined.privileges.contains(&expected), "{of:?} {options}: {:?}", examined.privileges);
    }
}

fn grant(roles: &[String], options: &Value) -> GrantSpec {
    GrantSpec {
        grantee: Grantee { kind: ObjectKind::User, name: "somebody".to_owned(), options: None },
        roles: roles.to_vec(),
        options: Some(options.to_string()),
        mode: GrantMode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    }
}

fn compare(mut named: BTreeSet<String>, options: &Value, examined: &Examination, what: &str) {
    words(options, &mut named);
    named.retain(|name| {
        Cast::USERS.contains(&name.as_str()) || Cast::ROLES.contains(&name.as_str()) || name == Cast::PLACE
    });
    for name in named {
        let found = examined.references.iter().find(|one| one.name == name);
        let found = found.unwrap_or_else(|| panic!("{what}: {name} is not told: {:?}", examined.references));
        let Reference { path, kind, name, standing } = found;
        assert!(!path.is_empty() && *standing == Standing::Ordinary, "{what}: {found:?}");
        let is_database = *kind == ObjectKind::Database;
        assert_eq!(is_database, name == Cast::PLACE, "{what}: {found:?}");
    }
}

/// Every text in a block.
fn words(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| words(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
