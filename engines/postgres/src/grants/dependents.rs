//! Why the server does not take a right: the grantee gave it on, and the operator never takes what others have along.
//! Who has it from the grantee is told, because the server does not say so.
//!
//! Read after the transaction that failed: nothing is asked of the server where nothing is wrong.

use std::collections::BTreeSet;

use dbprovision_sdk::{Error, Result};

use super::differences::takes;
use crate::connect::Session;
use crate::errors;
use crate::observe::rights::Passed;
use crate::observe::role;

/// The server does not take what somebody gave on.
const DEPENDENTS: &str = "2BP01";
/// The id of no role, in an access list.
const EVERYONE: &str = "0";
/// A message is no list of everything.
const MOST: usize = 5;

/// The error, in words that tell what must go first where that is what it is about. `changes` are the ids of what was
/// to be made; `passed` reads what others have from the grantee.
pub(super) fn explain(
    error: Error,
    session: &mut Session,
    grantee: &str,
    changes: &BTreeSet<&str>,
    passed: impl FnOnce(&mut Session) -> Result<Vec<Passed>>,
) -> Error {
    if errors::code(&error) != Some(DEPENDENTS) {
        return error;
    }
    // What cannot be read now is read at the next try.
    let mut found = passed(session).unwrap_or_default();
    found.retain(|one| changes.iter().any(|id| takes(id, &one.right)));
    let ids: Vec<&str> = found.iter().map(|one| one.to.as_str()).collect();
    let names = role::names_of(session, &ids).unwrap_or_default();
    let mut list: Vec<String> = found
        .iter()
        .take(MOST)
        .map(|one| {
            let holder = names.get(&one.to).map_or(one.to.as_str(), String::as_str);
            let to = if one.to == EVERYONE { "everyone" } else { holder };
            format!("{} to {to}", one.right)
        })
        .collect();
    if found.len() > MOST {
        list.push("and more".to_owned());
    }
    let list = if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
    let message = format!("{grantee} gave on what is to be taken from it{list}: that must be taken back first");
    Error { message, ..error }
}
