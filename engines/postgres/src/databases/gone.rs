//! Dropping a database: the object that was recorded, and only that.

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use std::collections::BTreeSet;

use dbprovision_sdk::{Deadline, Error, ErrorKind, Proof, Result, options};
use postgres_options::PostgresDatabaseConfig;

use crate::observe::{database, prove, role};
use crate::quote::identifier;
use crate::server::Connected;
use crate::statements::Statement;
use crate::statements::database as statements;
use crate::{apply, names, users};

use super::lock;

/// Sessions that were told to end need a moment.
const SESSIONS_END_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Drops it, and the companions where the options ask for it. What is absent is dropped already.
pub(crate) fn remove(connected: &mut Connected, spec: &DatabaseSpec, proof: &Proof, force: bool) -> Result<()> {
    let name = spec.name.as_str();
    let application_name = connected.limits.application_name.clone();
    let there = connected.locked(&lock(name), |session, facts| {
        let Some(found) = database::find(session, name)? else { return Ok(false) };
        names::untouchable(found.standing)?;
        prove(proof, &found.id, found.comment.mark.as_ref())?;
        if found.is_invalid() {
            return Ok(true);
        }
        // Only its owner may drop a database, and `DROP DATABASE` is no part of a transaction: a borrowed
        // membership would outlive a crash. The administrator becomes the owner first.
        let owner = found.owner;
        apply::acting_as(session, facts, &[owner.clone()].into(), |session| {
            if found.is_template {
                session.run(&Statement::own(statements::alter(name, "IS_TEMPLATE false")))?;
            }
            if !facts.superuser && owner != facts.administrator {
                let clause = format!("OWNER TO {}", identifier(&facts.administrator));
                session.run(&Statement::own(statements::alter(name, &clause)))?;
            }
            Ok(true)
        })
    })?;
    if there {
        if force {
            terminate(connected, name)?;
            // A superuser's session is nobody else's to end; FORCE would fail on it for good.
            if database::sessions(connected.main()?, name)? > 0 {
                return Err(busy(""));
            }
        } else {
            connected.main()?.rows(statements::TERMINATE_OWN, &[name, &application_name])?;
        }
        connected.main()?.run(&statements::drop(name, force)).map_err(in_use)?;
    }
    drop_companions(connected, spec, proof)
}

fn in_use(error: Error) -> Error {
    if crate::errors::code(&error) == Some("55006") {
        return busy(error.detail);
    }
    error
}

fn busy(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Transient(None), "the database is in use by other sessions", detail)
}

/// The companions that own nothing else, where the options ask for it. Which they are is read from their marks:
/// the options may have named others, or none, when they were created.
fn drop_companions(connected: &mut Connected, spec: &DatabaseSpec, proof: &Proof) -> Result<()> {
    let Some(mark) = &proof.mark else { return Ok(()) };
    // Options that cannot be read ask for nothing, and must not hold up a deletion.
    let asks = options::parse::<PostgresDatabaseConfig>(spec.options.as_deref())
        .ok()
        .and_then(|block| block.ownership?.drop_on_delete)
        .unwrap_or(false);
    if !asks {
        return Ok(());
    }
    for role in role::marked(connected.main()?, mark)? {
        match users::remove_companion(connected, &role.name, mark) {
            // One that owns something else, or belongs to another resource by now, stays.
            Err(Error {
                kind: ErrorKind::DependencyMissing | ErrorKind::Conflict | ErrorKind::PermissionDenied,
                ..
            })
            | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends the sessions in a database and waits for their end. Only a member of an account may end its sessions.
pub(crate) fn terminate(connected: &mut Connected, name: &str) -> Result<u32> {
    let ended = connected.locked(&lock(name), |session, facts| {
        let users = session.rows(statements::USERS, &[name])?;
        let users = users.iter().map(|row| row.get(0)).collect::<Result<BTreeSet<String>>>()?;
        apply::acting_as(session, facts, &users, |session| session.rows(statements::TERMINATE, &[name]))
    })?;
    let session = connected.main()?;
    let deadline = Deadline::after(SESSIONS_END_WITHIN);
    while database::sessions(session, name)? > 0 && deadline.left().is_some() {
        session.rows("SELECT pg_catalog.pg_sleep(0.05)::pg_catalog.text", &[])?;
    }
    Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX))
}

/// Drops a database that never got its name.
pub(crate) fn drop_unfinished(connected: &mut Connected, unfinished: &str) -> Result<()> {
    connected.main()?.run(&statements::drop(unfinished, false)).map_err(in_use)
}
