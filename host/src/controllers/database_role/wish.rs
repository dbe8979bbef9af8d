//! A role's block is about the role itself and about its rights, which are given as a grant's are.

use sandbox::contract::{self, GrantMode, GrantSpec, ObjectKind, RoleSpec, Selection};
use serde_json::{Value, json};

/// What is put before the ids of changes that are about rights.
pub(super) const OF_RIGHTS: &str = "rights ";

/// A role's spec in the adapter's words: the role itself, and the rights of it, which are given as a grant's are.
#[derive(Clone, Debug)]
pub(crate) struct RoleWish {
    pub(super) role: RoleSpec,
    /// As of a grant's block; none where the spec states none.
    pub(super) rights: Option<String>,
}

/// A role's block without its `grants`, and these as a grant's block, where there are any. What cannot be read is
/// passed on as it is: the adapter says what is wrong with it.
pub(super) fn without_grants(block: &str) -> (Option<String>, Option<String>) {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(block) else { return (Some(block.to_owned()), None) };
    let grants = fields.remove("grants").filter(|grants| grants.as_array().is_none_or(|grants| !grants.is_empty()));
    let rights = grants.map(|grants| json!({ "grants": grants }).to_string());
    (Some(Value::Object(fields).to_string()), rights)
}

pub(super) fn stated_rights(spec: &RoleWish) -> Option<GrantSpec> {
    spec.rights.is_some().then(|| rights_of(spec, spec.rights.clone()))
}

pub(super) fn rights_of(spec: &RoleWish, options: Option<String>) -> GrantSpec {
    let RoleSpec { name, shared_roles: _, comment: _, options: own } = spec.role.clone();
    GrantSpec {
        grantee: contract::Grantee { kind: ObjectKind::Role, name, options: own },
        roles: Vec::new(),
        options,
        mode: GrantMode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    }
}

/// What of a selection is about the role itself, and what about its rights.
pub(super) fn divided(selection: Selection) -> (Selection, Selection) {
    match selection {
        Selection::All => (Selection::All, Selection::All),
        Selection::Detect => (Selection::Detect, Selection::Detect),
        Selection::Only(ids) => {
            let (of_rights, own): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.starts_with(OF_RIGHTS));
            let of_rights = of_rights.iter().filter_map(|id| id.strip_prefix(OF_RIGHTS)).map(str::to_owned).collect();
            (Selection::Only(own), Selection::Only(of_rights))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grants_of_a_roles_block_are_those_of_a_grants_block() {
        let (own, rights) = without_grants(r#"{"login":false,"grants":[{"database":"a","privileges":["CONNECT"]}]}"#);
        assert_eq!(own.as_deref(), Some(r#"{"login":false}"#));
        assert_eq!(rights.as_deref(), Some(r#"{"grants":[{"database":"a","privileges":["CONNECT"]}]}"#));
        assert_eq!(without_grants(r#"{"login":true}"#).1, None);
        assert_eq!(without_grants(r#"{"grants":[]}"#).1, None);
    }

    #[test]
    fn a_selection_is_divided_by_what_its_changes_are_about() {
        let only = Selection::Only(vec!["inherit".to_owned(), "rights table:a".to_owned()]);
        let (own, of_rights) = divided(only);
        assert!(matches!(own, Selection::Only(ids) if ids == ["inherit"]));
        assert!(matches!(of_rights, Selection::Only(ids) if ids == ["table:a"]));
    }
}
