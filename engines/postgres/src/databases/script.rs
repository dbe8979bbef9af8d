//! Running a user's statements in a database.
//!
//! `SET ROLE` is no fence: `RESET ROLE` leads back to whoever logged in. So a script with the owner's rights runs
//! in a session that logged in as a temporary role: marked, member of the owner and of nothing else, good for one
//! session. It is dropped afterwards whatever happened, and what it owned becomes the owner's.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::databases::{Script, ScriptReport};
use dbprovision_sdk::groups::database_operations::ScriptFailure;
use dbprovision_sdk::{Deadline, Error, ErrorKind, Mark, Result, Secret, random};

use crate::connect::{Account, Purpose, Session};
use crate::note::Given;
use crate::observe::database;
use crate::observe::owned::{self, Presence};
use crate::observe::role::{self, Role};
use crate::server::{Connected, Facts};
use crate::statements::{Statement, membership, script as statements, user};
use crate::{apply, names};

use super::absent;

/// The login comes right after the creation; what counts is that a leftover is of no use.
const VALID_FOR: &str = "SELECT (pg_catalog.now() + '10 minutes'::pg_catalog.interval)::pg_catalog.text";
const SESSIONS_END_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Runs the statements one by one and stops at the first failure.
pub(crate) fn run(connected: &mut Connected, name: &str, script: &Script, mark: &Mark) -> Result<ScriptReport> {
    let found = database::find(connected.main()?, name)?.ok_or_else(|| absent(name))?;
    names::untouchable(found.standing)?;
    if script.as_administrator {
        let mut session = connected.inside(name, Purpose::AdministratorScript)?;
        let report = execute(&mut session, &script.statements);
        session.close();
        return Ok(report);
    }
    let fence = fence_name(mark)?;
    refuse_privileged(connected, &found.owner)?;
    remove(connected, &fence, mark, true)?;
    let outcome = fenced(connected, name, &found.owner, &fence, script, mark);
    // A leftover is found again by its mark: the script's own outcome is what the caller must learn.
    let removed = remove(connected, &fence, mark, true);
    let report = outcome?;
    removed?;
    Ok(report)
}

fn fence_name(mark: &Mark) -> Result<String> {
    let name = format!("{}{}", names::SCRIPT_ROLE, mark.nonce);
    if mark.nonce.is_empty() || name.len() > names::LONGEST || name.contains('\0') {
        return Err(Error::protocol("the mark's nonce cannot be part of a name", ""));
    }
    Ok(name)
}

/// The owner's rights must be less than the administrator's, or they are no fence.
fn refuse_privileged(connected: &mut Connected, owner: &str) -> Result<()> {
    let role = role::find(connected.main()?, owner)?;
    if role.is_some_and(|role| !role.privileged && role.standing == dbprovision_sdk::Standing::Ordinary) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PermissionDenied,
        "the database belongs to an account with the administrator's rights: set an owner, or let the instance allow initSQLAsAdmin",
        format!("the owner is {owner}"),
    ))
}

fn fenced(
    connected: &mut Connected,
    database: &str,
    owner: &str,
    fence: &str,
    script: &Script,
    mark: &Mark,
) -> Result<ScriptReport> {
    let password = Secret::Known(random::hex(32)?.into_bytes());
    let verifier = connected.main()?.verifier(&password)?;
    connected.locked(&crate::users::lock(fence), |session, facts| {
        let until: String = match session.row(VALID_FOR, &[])? {
            Some(row) => row.get(0)?,
            None => return Err(Error::protocol("the server does not tell the time", "")),
        };
        session.run(&statements::create_role(fence, &verifier, &until))?;
        session.run(&user::comment(fence, None, &Given::default(), Some(mark)))?;
        session.run(&membership::lend(owner, fence, facts.has_membership_options()))
    })?;
    let account = Account { name: fence, password: &password };
    let mut session = connected.as_account(account, database, Purpose::OwnerScript)?;
    let outcome =
        session.simple(&statements::become_owner(owner), "").map(|_| execute(&mut session, &script.statements));
    session.close();
    outcome
}

fn execute(session: &mut Session, statements: &[String]) -> ScriptReport {
    let mut executed = 0;
    for statement in statements {
        if let Err(error) = session.simple(statement, "") {
            return ScriptReport {
                executed,
                failure: Some(ScriptFailure { statement: executed, error: public(error) }),
            };
        }
        executed += 1;
    }
    // A transaction that the script began and never ended would be lost, although every statement was executed.
    match session.simple("COMMIT", "") {
        Ok(_) => ScriptReport { executed, failure: None },
        Err(error) => {
            let statement = executed.saturating_sub(1);
            ScriptReport { executed: statement, failure: Some(ScriptFailure { statement, error: public(error) }) }
        }
    }
}

/// The author of a script needs the server's words, which the table gives only for the classes that are about it.
fn public(error: Error) -> Error {
    let ErrorKind::Engine(code) = &error.kind else { return error };
    let words = error.detail.split(" in: ").next().unwrap_or_default();
    let words = words.strip_prefix(code.as_str()).unwrap_or(words).trim();
    Error { message: format!("{code}: {words}"), ..error }
}

/// Removes a leftover of this mark, unless it is in use.
pub(crate) fn clean_up(connected: &mut Connected, mark: &Mark) -> Result<()> {
    remove(connected, &fence_name(mark)?, mark, false)
}

/// Drops the temporary role. Without `end_sessions`, one that is in use stays.
fn remove(connected: &mut Connected, fence: &str, mark: &Mark, end_sessions: bool) -> Result<()> {
    let Some(role) = role::find(connected.main()?, fence)? else { return Ok(()) };
    if role.comment.mark.as_ref() != Some(mark) {
        return Err(Error::conflict("the temporary role of a script with the same nonce belongs to another resource"));
    }
    if !end_sessions && is_in_use(connected.main()?, &role)? {
        return Err(Error::new(ErrorKind::Transient(None), "a script of this resource is still running", ""));
    }
    end(connected, &role)?;
    for place in owned::presences(connected.main()?, &role.id)? {
        place.check_open(fence)?;
        let Presence { database: Some(database), .. } = place else { continue };
        let owner = database::owner(connected.main()?, &database)?;
        let facts = connected.facts.clone();
        let mut session = connected.inside(&database, Purpose::Administration)?;
        let outcome = session.transaction(|session| hand_over(session, &facts, &role, &owner));
        session.close();
        outcome?;
    }
    connected.locked(&crate::users::lock(fence), |session, facts| {
        if owned::owns_here(session, &role.id)? {
            return Err(Error::dependency_missing(
                "the temporary role of a script owns something that all databases share",
            ));
        }
        apply::acting_as(session, facts, &BTreeSet::from([fence.to_owned()]), |session| {
            session.run(&user::drop_owned(fence))
        })?;
        session.run(&user::drop(fence))
    })
}

fn hand_over(session: &mut Session, facts: &Facts, role: &Role, owner: &str) -> Result<()> {
    let mut roles = BTreeSet::from([role.name.clone(), owner.to_owned()]);
    roles.extend(owned::granting_owners(session, &role.id)?);
    apply::acting_as(session, facts, &roles, |session| {
        session.run(&Statement::own(user::reassign(&role.name, owner).sql))?;
        session.run(&user::drop_owned(&role.name))
    })
}

fn is_in_use(session: &mut Session, role: &Role) -> Result<bool> {
    let query = "SELECT 1 FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = $1::pg_catalog.oid LIMIT 1";
    Ok(session.row(query, &[&role.id])?.is_some())
}

/// Ends its sessions and waits until they are gone.
fn end(connected: &mut Connected, role: &Role) -> Result<()> {
    if !is_in_use(connected.main()?, role)? {
        return Ok(());
    }
    connected.locked(&crate::users::lock(&role.name), |session, facts| {
        apply::acting_as(session, facts, &BTreeSet::from([role.name.clone()]), |session| {
            session.rows(user::TERMINATE, &[&role.id]).map(drop)
        })
    })?;
    let session = connected.main()?;
    let deadline = Deadline::after(SESSIONS_END_WITHIN);
    while is_in_use(session, role)? && deadline.left().is_some() {
        session.rows("SELECT pg_catalog.pg_sleep(0.05)::pg_catalog.text", &[])?;
    }
    Ok(())
}
