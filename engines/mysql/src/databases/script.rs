//! Running a user's statements in a database.
//!
//! A database has no owner whose rights could be borrowed, so a script runs as a temporary account: marked, with every
//! right on this database and none beyond, its password known to nobody else. It is dropped afterwards whatever
//! happened. Views, routines, triggers and events run with the rights of the account that made them: where a script
//! made some, its account stays, locked, and goes with the database.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::databases::{Script, ScriptReport};
use dbprovision_sdk::groups::database_operations::ScriptFailure;
use dbprovision_sdk::{Error, ErrorKind, Mark, Result, Secret, random};
use sha2::{Digest as _, Sha256};

use crate::connect::{Account, Purpose, Session, Tracking};
use crate::observe::marks::Kept;
use crate::observe::rights::{self, Object, Right};
use crate::observe::{account, database, owned, sessions};
use crate::server::{Connected, Facts};
use crate::statements::Statement;
use crate::statements::account as statements;
use crate::statements::grant::{self, Grantee};
use crate::statements::metadata::{self, Kind};
use crate::users::differences::keep;
use crate::users::hash::Plugin;
use crate::users::wanted::ANYWHERE;
use crate::{errors, names, privileges, quote, users};

use super::{absent, standing};

/// Runs the statements one by one and stops at the first failure.
pub(crate) fn run(connected: &mut Connected, name: &str, script: &Script, mark: &Mark) -> Result<ScriptReport> {
    let (session, _, tracking) = connected.parts()?;
    database::find(session, tracking, name)?.ok_or_else(|| absent(name))?;
    names::untouchable(standing(name, tracking))?;
    if script.as_administrator {
        let mut session = connected.inside(name)?;
        let report = execute(&mut session, &script.statements);
        session.close();
        return Ok(report);
    }
    let fence = fence_name(mark);
    let outcome = fenced(connected, name, &fence, script, mark);
    // A leftover is found again by its mark: the script's own outcome is what the caller must learn.
    let removed = remove(connected, &fence, mark, true);
    let report = outcome?;
    removed?;
    Ok(report)
}

/// A nonce may be of any length, and an account's name has 32 characters.
fn fence_name(mark: &Mark) -> String {
    let digest = hex::encode(Sha256::digest(mark.nonce.as_bytes()));
    format!("{}{}", names::SCRIPT_ACCOUNT, digest.get(..24).unwrap_or(&digest))
}

fn fenced(
    connected: &mut Connected,
    database: &str,
    fence: &str,
    script: &Script,
    mark: &Mark,
) -> Result<ScriptReport> {
    let password = Secret::Known(random::hex(24)?.into_bytes());
    connected.locked(&users::lock(fence), |session, facts, tracking| {
        let plugin =
            if facts.plugins.contains(Plugin::CachingSha2.name()) { Plugin::CachingSha2 } else { Plugin::Native };
        let authentication = plugin.authentication(&session.reveal(&password)?)?;
        let there = account::find(session, facts, tracking, fence)?;
        if there.iter().any(|one| one.kept.mark.as_ref() != Some(mark)) {
            return Err(Error::conflict("the account of a script with the same nonce belongs to another resource"));
        }
        if there.is_empty() {
            let kept = Kept { mark: Some(mark.clone()), finished: true, ..Kept::default() };
            let mut clauses = Vec::new();
            if facts.uses_attributes {
                clauses.push(statements::attribute(&kept));
            } else {
                session.run(&keep(fence, ANYWHERE, &kept, facts, tracking))?;
            }
            for statement in statements::create(fence, &[ANYWHERE], &authentication, &clauses, facts.dialect) {
                session.run(&Statement::own(statement.sql))?;
            }
        } else {
            // An earlier script of this resource made something that needs the account.
            for clause in [authentication.clause(facts.dialect), "ACCOUNT UNLOCK".to_owned()] {
                session.simple(&statements::alter(fence, ANYWHERE, &clause), "")?;
            }
        }
        give_everything_inside(session, facts, database, fence)
    })?;
    let account = Account { name: fence, password: &password };
    let mut session = connected.as_account(account, Purpose::Script, Some(database))?;
    let report = execute(&mut session, &script.statements);
    session.close();
    Ok(report)
}

/// All that there is, or where the administrator does not have all of it, what it has.
fn give_everything_inside(session: &mut Session, facts: &Facts, database: &str, fence: &str) -> Result<()> {
    let outcome = session.run(&grant::all_in_database(database, facts.patterns, fence, ANYWHERE));
    let Err(error) = outcome else { return Ok(()) };
    if error.kind != ErrorKind::PermissionDenied {
        return Err(error);
    }
    let own = rights::of(session, facts, &facts.administrator, &facts.administrator_host)?;
    let pattern = if facts.patterns { quote::escaped_pattern(database) } else { database.to_owned() };
    let inside: BTreeSet<Right> = own
        .into_iter()
        .filter(|right| right.object == Object::Global && privileges::DATABASE.contains(&right.privilege.as_str()))
        .map(|right| Right { object: Object::Database(pattern.clone()), ..right })
        .collect();
    if inside.is_empty() {
        return Err(error);
    }
    let fence = Grantee { user: fence.to_owned(), host: ANYWHERE.to_owned() };
    grant::give(&inside, &fence).iter().try_for_each(|statement| session.simple(statement, ""))
}

/// Each text may have several statements: it is executed where all of them are.
fn execute(session: &mut Session, statements: &[String]) -> ScriptReport {
    let mut executed = 0;
    for statement in statements {
        match session.simple(statement, "") {
            Ok(()) => {}
            // A comment behind the last statement.
            Err(error) if errors::code(&error) == Some(errors::EMPTY) => {}
            Err(error) => {
                let failure = ScriptFailure { statement: executed, error: public(error) };
                return ScriptReport { executed, failure: Some(failure) };
            }
        }
        executed += 1;
    }
    // A transaction that the script began and never ended would be lost, although every statement was executed.
    match session.simple("COMMIT", "") {
        Ok(()) => ScriptReport { executed, failure: None },
        Err(error) => {
            let statement = executed.saturating_sub(1);
            ScriptReport { executed: statement, failure: Some(ScriptFailure { statement, error: public(error) }) }
        }
    }
}

/// The author of a script needs the server's words, which the table gives only for the errors that are about it.
fn public(error: Error) -> Error {
    let ErrorKind::Engine(code) = &error.kind else { return error };
    let words = error.detail.split(" in: ").next().unwrap_or_default();
    let words = words.strip_prefix(code.as_str()).unwrap_or(words).trim();
    Error { message: format!("{code}: {words}"), ..error }
}

/// Removes a leftover of this mark, unless it is in use.
pub(crate) fn clean_up(connected: &mut Connected, mark: &Mark) -> Result<()> {
    remove(connected, &fence_name(mark), mark, false)
}

/// Drops the temporary account, or locks it where something needs it. Without `end_sessions`, one in use stays.
fn remove(connected: &mut Connected, fence: &str, mark: &Mark, end_sessions: bool) -> Result<()> {
    connected.locked(&users::lock(fence), |session, facts, tracking| {
        let accounts = account::find(session, facts, tracking, fence)?;
        if accounts.is_empty() {
            return session.run(&metadata::remove(tracking, Kind::User, fence, None));
        }
        if accounts.iter().any(|one| one.kept.mark.as_ref() != Some(mark)) {
            return Err(Error::conflict("the account of a script with the same nonce belongs to another resource"));
        }
        let there = sessions::of_user(session, fence)?;
        if !end_sessions && !there.is_empty() {
            return Err(Error::new(ErrorKind::Transient(None), "a script of this resource is still running", ""));
        }
        sessions::end_where_allowed(session, &there, fence)?;
        if owned::objects(session, fence, ANYWHERE, 1)?.is_empty() {
            return drop(session, tracking, fence);
        }
        session.simple(&statements::alter(fence, ANYWHERE, "ACCOUNT LOCK"), "")
    })
}

fn drop(session: &mut Session, tracking: &Tracking, fence: &str) -> Result<()> {
    session.run(&statements::drop(fence, ANYWHERE))?;
    session.run(&metadata::remove(tracking, Kind::User, fence, None))
}

/// Drops the accounts that stayed for what scripts made in a database which is gone now.
pub(crate) fn remove_definers(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    fences: &BTreeSet<String>,
) -> Result<()> {
    for fence in fences {
        let accounts = account::find(session, facts, tracking, fence)?;
        let marked = accounts.iter().any(|one| one.kept.mark.is_some());
        if marked && owned::objects(session, fence, ANYWHERE, 1)?.is_empty() {
            drop(session, tracking, fence)?;
        }
    }
    Ok(())
}
