//! Taking a role away: its sessions, its rights in every database, then itself. Nothing it owns is ever dropped.
//!
//! `DROP OWNED` drops what a role owns beside taking its rights away. So it runs only in a transaction that has
//! just seen that the role owns nothing there. It takes what the owners gave, so what others gave goes before.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::{Deadline, Error, ErrorKind, Proof, Result};

use crate::connect::{Purpose, Session};
use crate::observe::owned::{self, Presence};
use crate::observe::prove;
use crate::observe::rights::{self, Holder};
use crate::observe::role::{self, Role};
use crate::server::{Connected, Facts};
use crate::statements::grant::{self, Target};
use crate::statements::{Statement, user};
use crate::{apply, errors, names, observe};

use super::lock;

/// Something depends on what is to go.
const DEPENDENTS: &str = "2BP01";

/// Sessions that were told to end need a moment.
const SESSIONS_END_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Drops the role; what is absent is dropped already.
pub(crate) fn remove(connected: &mut Connected, name: &str, proof: &Proof) -> Result<()> {
    let Some(role) = connected.locked(&lock(name), |session, _| known(session, name, proof))? else { return Ok(()) };
    refuse_owner(connected, &role)?;
    owned::presences(connected.main()?, &role.id)?.iter().try_for_each(|place| place.check_open(name))?;
    shut_out(connected, &role, proof)?;
    for place in owned::presences(connected.main()?, &role.id)? {
        if let Presence { database: Some(database), has_rights: true, .. } = place {
            take_rights(connected, &role, &database)?;
        }
    }
    connected.locked(&lock(name), |session, facts| {
        let Some(role) = known(session, name, proof)? else { return Ok(()) };
        drop_owned(session, facts, &role)?;
        session.run(&user::drop(name)).map_err(still_needed)
    })
}

/// Sees to it that nobody logs in to the account, and that nobody is logged in any more.
fn shut_out(connected: &mut Connected, role: &Role, proof: &Proof) -> Result<()> {
    let name = role.name.as_str();
    let own = BTreeSet::from([name.to_owned()]);
    let ends = |session: &mut Session, facts: &Facts| {
        apply::acting_as(session, facts, &own, |session| terminate(session, &role.id).map(drop))
    };
    // A session of its own may hold what the rest waits for, such as its own unfinished ALTER USER.
    let facts = connected.facts.clone();
    connected
        .main()?
        .transaction(|session| if known(session, name, proof)?.is_some() { ends(session, &facts) } else { Ok(()) })?;
    connected.locked(&lock(name), |session, facts| {
        let Some(role) = known(session, name, proof)? else { return Ok(()) };
        if role.login {
            session.simple(&user::alter(name, "NOLOGIN"), "")?;
        }
        ends(session, facts)
    })?;
    wait_for_end(connected.main()?, &role.id)
}

/// The server lists what depends on the role beside its message, and nobody else tells that.
fn still_needed(error: Error) -> Error {
    if errors::code(&error) != Some(DEPENDENTS) {
        return error;
    }
    let words = error.detail.split(" in: ").next().unwrap_or_default();
    let words = words.strip_prefix(DEPENDENTS).unwrap_or(words).trim().replace('\n', ", ");
    Error { message: words, ..error }
}

/// The role, if it is there and the one the caller means.
fn known(session: &mut Session, name: &str, proof: &Proof) -> Result<Option<Role>> {
    let Some(role) = role::find(session, name)? else { return Ok(None) };
    names::untouchable(role.standing)?;
    prove(proof, &role.id, role.comment.mark.as_ref())?;
    Ok(Some(role))
}

fn refuse_owner(connected: &mut Connected, role: &Role) -> Result<()> {
    let objects = owned::objects(connected, &role.id, 3)?;
    let Some(first) = objects.first() else { return Ok(()) };
    let place = first.database.as_ref().map(|database| format!(" in the database {database}")).unwrap_or_default();
    let more = if objects.len() > 1 { " and more" } else { "" };
    Err(Error::dependency_missing(format!("{} still owns the {} {}{place}{more}", role.name, first.kind, first.name)))
}

/// Ends every session of the role.
pub(crate) fn terminate(session: &mut Session, role_id: &str) -> Result<u32> {
    let rows = session.rows(user::TERMINATE, &[role_id])?;
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}

fn wait_for_end(session: &mut Session, role_id: &str) -> Result<()> {
    let deadline = Deadline::after(SESSIONS_END_WITHIN);
    loop {
        let left = session.row(
            "SELECT 1 FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = $1::pg_catalog.oid LIMIT 1",
            &[role_id],
        )?;
        if left.is_none() || deadline.left().is_none() {
            return Ok(());
        }
        session.rows("SELECT pg_catalog.pg_sleep(0.05)::pg_catalog.text", &[])?;
    }
}

fn take_rights(connected: &mut Connected, role: &Role, database: &str) -> Result<()> {
    let facts = connected.facts.clone();
    let mut session = connected.inside(database, Purpose::Administration)?;
    let outcome = session.transaction(|session| drop_owned(session, &facts, role));
    session.close();
    outcome
}

/// Takes the rights away in the session's database, in an open transaction.
fn drop_owned(session: &mut Session, facts: &Facts, role: &Role) -> Result<()> {
    if owned::owns_here(session, &role.id)? {
        return Err(Error::dependency_missing(format!("{} owns objects again", role.name)));
    }
    take_from_grantors(session, facts, role)?;
    let mut roles = BTreeSet::from([role.name.clone()]);
    roles.extend(owned::granting_owners(session, &role.id)?);
    apply::acting_as(session, facts, &roles, |session| session.run(&user::drop_owned(&role.name)))
}

/// Takes back what others than the owners gave, here and on databases: `DROP OWNED` revokes in the owners' names, and
/// leaves the entries of everybody else.
fn take_from_grantors(session: &mut Session, facts: &Facts, role: &Role) -> Result<()> {
    let holder = Holder { id: role.id.clone(), everyone: false };
    let mut given = rights::on_databases(session, &holder)?;
    given.extend(rights::inside(session, &holder)?);
    let mut by_grantor: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for held in given.iter().filter(|held| !held.implicit && held.grantor != held.owner) {
        let target = Target::of(&held.right, held.arguments.as_deref(), &role.name);
        by_grantor.entry(held.grantor.clone()).or_default().push(target.revoke_for_good(&held.right.privilege));
    }
    for (grantor, revokes) in by_grantor {
        apply::acting_as(session, facts, &BTreeSet::from([grantor.clone()]), |session| {
            session.run(&grant::as_role(&grantor))?;
            revokes.iter().try_for_each(|sql| session.run(&Statement::own(sql.as_str())))?;
            session.run(&grant::as_oneself())
        })
        .map_err(|error| out_of_reach(error, &grantor, &role.name))?;
    }
    Ok(())
}

fn out_of_reach(error: Error, grantor: &str, name: &str) -> Error {
    if error.kind != ErrorKind::PermissionDenied {
        return error;
    }
    let message = format!("{grantor} gave {name} rights that only it can take back: {}", error.message);
    Error { message, ..error }
}

/// Gives the role up: nobody logs in to it any more, and what it owns goes to the owner of the database that it is in,
/// where that is one of the heirs. Views and functions run with the rights of whoever owns them, so nobody else gets any.
pub(crate) fn reassign(connected: &mut Connected, name: &str, proof: &Proof, heirs: &[String]) -> Result<()> {
    let Some(role) = connected.locked(&lock(name), |session, _| known(session, name, proof))? else {
        return Err(Error::not_found(format!("the role {name} is not there")));
    };
    shut_out(connected, &role, proof)?;
    let places: Vec<Presence> =
        owned::presences(connected.main()?, &role.id)?.into_iter().filter(|one| one.owns).collect();
    places.iter().try_for_each(|place| place.check_open(name))?;
    // REASSIGN OWNED takes what all databases share along, wherever it runs.
    if places.iter().any(|place| place.database.is_none()) {
        return Err(Error::dependency_missing(format!(
            "{name} owns a database or a tablespace: give it to another role"
        )));
    }
    let facts = connected.facts.clone();
    let mut stays = None;
    for database in places.into_iter().filter_map(|place| place.database) {
        let owner = observe::database::owner(connected.main()?, &database)?;
        if !heirs.contains(&owner) {
            stays.get_or_insert_with(|| {
                format!(
                    "{name} owns objects in the database {database}, whose owner {owner} must not get them: views and \
                     functions would run with its rights; {name} cannot log in any more"
                )
            });
            continue;
        }
        let mut session = connected.inside(&database, Purpose::Administration)?;
        let outcome = session.transaction(|session| give(session, &facts, name, &owner));
        session.close();
        outcome?;
    }
    stays.map_or(Ok(()), |why| Err(Error::dependency_missing(why)))
}

fn give(session: &mut Session, facts: &Facts, name: &str, to: &str) -> Result<()> {
    let roles = BTreeSet::from([name.to_owned(), to.to_owned()]);
    apply::acting_as(session, facts, &roles, |session| session.run(&user::reassign(name, to)))
}
