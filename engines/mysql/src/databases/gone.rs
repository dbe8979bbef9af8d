//! Dropping a database: the object that was recorded, and only that. Rights on it go first, because the server would
//! keep them for the next database of this name.

use std::collections::BTreeSet;

use dbprovision_sdk::{Error, ErrorKind, Proof, Result};

use crate::connect::{Session, Tracking};
use crate::errors;
use crate::names;
use crate::observe::{database, prove, rights, sessions};
use crate::server::Facts;
use crate::statements::database as statements;
use crate::statements::grant::{self, Grantee};
use crate::statements::metadata::{self, Kind};

use super::{script, standing};

/// Drops it, and what belongs to it alone. What is absent is dropped already.
pub(crate) fn remove(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    name: &str,
    proof: &Proof,
    force: bool,
) -> Result<()> {
    names::untouchable(standing(name, tracking))?;
    let found = database::find(session, tracking, name)?;
    if let Some(found) = &found {
        prove(proof, found.kept.mark.as_ref())?;
    } else {
        // Only the one whose record it is tidies up behind a drop whose answer was lost.
        let kept = crate::observe::marks::of(session, tracking, Kind::Database, name)?.remove("");
        if kept.is_none_or(|kept| proof.mark.is_none() || kept.mark != proof.mark) {
            return Ok(());
        }
    }
    let there = sessions::in_database(session, name)?;
    if force {
        sessions::end_where_allowed(session, &there, name)?;
    } else if !there.is_empty() {
        return Err(Error::new(
            ErrorKind::Transient(None),
            format!("{} sessions use the database {name}", there.len()),
            "the drop is not forced",
        ));
    }
    let fences = close(session, facts, name)?;
    if found.is_some() {
        session.run(&statements::drop(name))?;
    }
    script::remove_definers(session, facts, tracking, &fences)?;
    session.run(&metadata::remove(tracking, Kind::Database, name, None))
}

/// Takes every right on a database of this name: the server keeps them whether there is one or not. Returns the
/// temporary accounts of scripts that had any.
pub(super) fn close(session: &mut Session, facts: &Facts, name: &str) -> Result<BTreeSet<String>> {
    let mut fences = BTreeSet::new();
    for ((user, host), held) in rights::on_database(session, facts, name)? {
        if user.starts_with(names::SCRIPT_ACCOUNT) {
            fences.insert(user.clone());
        }
        for statement in grant::take(&held, &Grantee { user, host }) {
            match session.simple(&statement, "") {
                // Somebody else took it away meanwhile.
                Err(error) if errors::is_one_of(&error, errors::NO_GRANT) => {}
                Err(error) if error.kind == ErrorKind::PermissionDenied => {
                    return Err(Error {
                        message: format!(
                            "somebody has a right on databases with the name {name} that the administrator lacks and so \
                             cannot take away: the next database of this name would be open to them"
                        ),
                        ..error
                    });
                }
                outcome => outcome?,
            }
        }
    }
    Ok(fences)
}
