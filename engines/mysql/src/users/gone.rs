//! Dropping a user: every account that was recorded, and no other of the same name.

use dbprovision_sdk::{Error, ErrorKind, Proof, Result};

use crate::connect::{Session, Tracking};
use crate::names;
use crate::observe::account::{self, Account};
use crate::observe::{owned, prove, sessions};
use crate::server::Facts;
use crate::statements;
use crate::statements::metadata::{self, Kind};

/// Drops it, and ends its sessions: the server would let them live on. What is absent is dropped already.
pub(crate) fn remove(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    name: &str,
    proof: &Proof,
) -> Result<()> {
    names::untouchable(account::standing(facts, name))?;
    let accounts = account::find(session, facts, tracking, name)?;
    let (ours, others) = split(accounts, proof);
    if ours.is_empty() && !others.is_empty() {
        return prove(proof, others.iter().find_map(|one| one.kept.mark.as_ref()));
    }
    for one in &ours {
        let owned = owned::objects(session, name, &one.host, 1)?;
        if let Some(first) = owned.first() {
            return Err(Error::dependency_missing(keeps(name, &[owned::shown(first)])));
        }
    }
    for one in &ours {
        session.run(&statements::account::drop(name, &one.host))?;
    }
    if others.is_empty() {
        let there = sessions::of_user(session, name)?;
        sessions::end_where_allowed(session, &there, name)?;
    }
    for one in &ours {
        session.run(&metadata::remove(tracking, Kind::User, name, Some(&one.host)))?;
    }
    if others.is_empty() {
        session.run(&metadata::remove(tracking, Kind::User, name, None))?;
    }
    Ok(())
}

/// Why an account that is the definer of something is not dropped.
pub(crate) fn keeps(name: &str, objects: &[String]) -> String {
    format!("{name} is the definer of the {}: drop them, or give them another definer", objects.join(", the "))
}

/// Locks what is given up and cannot be dropped, because it is the definer of something: that goes on working, and
/// nobody logs in any more. What is said then.
pub(crate) fn give_up(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    name: &str,
    proof: &Proof,
) -> Result<Error> {
    names::untouchable(account::standing(facts, name))?;
    let (ours, others) = split(account::find(session, facts, tracking, name)?, proof);
    if ours.is_empty() {
        prove(proof, others.iter().find_map(|one| one.kept.mark.as_ref()))?;
        return Ok(Error::not_found(format!("the user {name} is not there")));
    }
    for one in &ours {
        session.simple(&statements::account::alter(name, &one.host, "ACCOUNT LOCK"), "")?;
    }
    for one in &ours {
        let there = sessions::of_account(session, name, &one.host)?;
        sessions::end_where_allowed(session, &there, name)?;
    }
    let message = format!(
        "the server cannot give an account's objects to another: {name} stays, locked, for what it is the definer of"
    );
    Ok(Error::new(ErrorKind::Unsupported, message, ""))
}

/// Those that carry the mark, and the others. Without a mark in the proof, all of them are meant.
pub(crate) fn split(accounts: Vec<Account>, proof: &Proof) -> (Vec<Account>, Vec<Account>) {
    accounts.into_iter().partition(|one| proof.mark.is_none() || one.kept.mark == proof.mark)
}
