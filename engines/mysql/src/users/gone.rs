//! Dropping a user: every account that was recorded, and no other of the same name.

use dbprovision_sdk::{Error, Proof, Result};

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
            return Err(Error::dependency_missing(format!(
                "{name} is the definer of the {} {}: drop it, or give it another definer",
                first.kind, first.name
            )));
        }
    }
    for one in &ours {
        session.run(&statements::account::drop(name, &one.host))?;
    }
    if others.is_empty() {
        let there = sessions::of_user(session, name)?;
        sessions::end(session, &there)?;
    }
    for one in &ours {
        session.run(&metadata::remove(tracking, Kind::User, name, Some(&one.host)))?;
    }
    if others.is_empty() {
        session.run(&metadata::remove(tracking, Kind::User, name, None))?;
    }
    Ok(())
}

/// Those that carry the mark, and the others. Without a mark in the proof, all of them are meant.
pub(crate) fn split(accounts: Vec<Account>, proof: &Proof) -> (Vec<Account>, Vec<Account>) {
    accounts.into_iter().partition(|one| proof.mark.is_none() || one.kept.mark == proof.mark)
}
