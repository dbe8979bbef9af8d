//! Users: login roles with their attributes, settings and memberships; and what roles share with them.
//!
//! Everything that changes a role happens in one transaction that holds the role's lock: it reads, compares,
//! changes and commits, so what is reported is what was changed.

pub(crate) mod differences;
pub(crate) mod gone;
mod login;
mod superuser_settings;
pub(crate) mod wanted;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::users::{LoginOutcome, UserInfo, UserSpec};
use dbprovision_sdk::mark::is_same_resource;
use dbprovision_sdk::selection::{report, select_possible};
use dbprovision_sdk::types::Listed;
use dbprovision_sdk::{
    Error, ErrorKind, Examination, Listing, Mark, OwnedObject, Page, Proof, Result, Secret, Selection, UpdateReport,
    Users,
};

use crate::connect::Session;
use crate::difference::Difference;
use crate::note::Given;
use crate::observe::reader::Reader;
use crate::observe::role::{self, Role};
use crate::observe::{self, membership, prove};
use crate::server::{Connected, Facts};
use crate::statements::user;
use crate::{Postgres, apply, errors, names};
use differences::{DEFAULT_ROLE, Observed, differences};
use wanted::Wanted;

/// The lock and the name of a role: users and roles share one namespace on the server.
pub(crate) fn lock(name: &str) -> String {
    format!("role:{name}")
}

pub(crate) fn info(role: Role) -> UserInfo {
    UserInfo {
        name: role.name,
        object_id: Some(role.id),
        mark: role.comment.mark,
        standing: role.standing,
        privileged: role.privileged,
        details: None,
    }
}

fn absent(name: &str) -> Error {
    Error::not_found(format!("the role {name} is not there"))
}

impl Users for Postgres {
    fn examine(spec: &UserSpec) -> Result<Examination> {
        Wanted::read(spec).map(|wanted| wanted.examination())
    }

    fn create(&mut self, spec: &UserSpec, password: Option<&Secret>, mark: &Mark) -> Result<UserInfo> {
        let wanted = Wanted::read(spec)?;
        self.connected()?.locked(&lock(&wanted.name), |session, _| create(session, &wanted, password, mark))
    }

    fn update(
        &mut self,
        spec: &UserSpec,
        mark: &Mark,
        password: Option<&Secret>,
        selection: &Selection,
    ) -> Result<UpdateReport> {
        let wanted = Wanted::read(spec)?;
        update(self.connected()?, &wanted, mark, password, selection)
    }

    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        claim(self.connected()?, name, proof, comment, mark)
    }

    fn drop(&mut self, spec: &UserSpec, proof: &Proof) -> Result<()> {
        names::usable(&spec.name)?;
        gone::remove(self.connected()?, &spec.name, proof)
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        names::usable(name)?;
        Ok(self.connected()?.look(|reader, _| role::find(reader, name))?.is_some())
    }

    fn get_info(&mut self, name: &str) -> Result<Option<UserInfo>> {
        names::usable(name)?;
        Ok(self.connected()?.look(|reader, _| role::find(reader, name))?.map(info))
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        role::list(self.connected()?.main()?, page, true).map(|roles| listing(roles, page))
    }

    fn owned_objects(&mut self, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
        owned_objects(self.connected()?, name, limit)
    }

    fn reassign_owned(&mut self, name: &str, proof: &Proof, heirs: &[String]) -> Result<()> {
        names::usable(name)?;
        gone::reassign(self.connected()?, name, proof, heirs)
    }

    fn terminate_sessions(&mut self, name: &str) -> Result<u32> {
        names::usable(name)?;
        self.connected()?.locked(&lock(name), |session, facts| {
            let role = role::find(session, name)?.ok_or_else(|| absent(name))?;
            names::untouchable(role.standing)?;
            apply::acting_as(session, facts, &BTreeSet::from([name.to_owned()]), |session| {
                gone::terminate(session, &role.id)
            })
        })
    }

    fn try_login(&mut self, name: &str, password: &Secret) -> Result<LoginOutcome> {
        names::usable(name)?;
        login::attempt(self.connected()?, name, password)
    }
}

/// One page of roles.
pub(crate) fn listing(roles: Vec<Role>, page: &Page) -> Listing {
    let listed = |role: Role| Listed { name: role.name, mark: role.comment.mark, standing: role.standing };
    Listing::of(page, roles.into_iter().map(listed))
}

/// What a role owns, in every database.
pub(crate) fn owned_objects(connected: &mut Connected, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
    names::usable(name)?;
    let role = role::find(connected.main()?, name)?.ok_or_else(|| absent(name))?;
    observe::owned::objects(connected, &role.id, limit)
}

/// Writes the mark on a role that matches the proof.
pub(crate) fn claim(
    connected: &mut Connected,
    name: &str,
    proof: &Proof,
    comment: Option<&str>,
    mark: &Mark,
) -> Result<()> {
    names::usable(name)?;
    connected.locked(&lock(name), |session, _| {
        let role = role::find(session, name)?.ok_or_else(|| absent(name))?;
        names::untouchable(role.standing)?;
        let carried = role.comment.mark.as_ref();
        prove(proof, &role.id, carried)?;
        // What another resource gave is nothing that this one has to take back. A mark that somebody took away was ours.
        let is_ours = carried.is_none_or(|carried| is_same_resource(carried, mark));
        let given = if is_ours { role.given } else { Given::default() };
        session.run(&user::comment(name, comment, &given, Some(mark)))
    })
}

/// Brings a role to what is wanted.
pub(crate) fn update(
    connected: &mut Connected,
    wanted: &Wanted,
    mark: &Mark,
    password: Option<&Secret>,
    selection: &Selection,
) -> Result<UpdateReport> {
    if *selection == Selection::Detect {
        // Only that there is a password to be set is told.
        let verifier = password.map(|_| "");
        let found = connected.look(|reader, facts| compare(reader, facts, wanted, verifier, None))?;
        return Ok(report(&found, []));
    }
    connected.locked(&lock(&wanted.name), |session, facts| {
        let verifier = password.map(|password| session.verifier(password)).transpose()?;
        let found = compare(session, facts, wanted, verifier.as_deref(), Some(mark))?;
        let chosen = select_possible(&found, selection)?;
        let (default_role, rest): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|one| one.change.id == DEFAULT_ROLE);
        apply::make(session, facts, &rest)?;
        // It may be a member only since then.
        let lacking = if default_role.is_empty() { None } else { not_a_member(session, wanted)? };
        if lacking.is_none() {
            apply::make(session, facts, &default_role)?;
        } else if let (Selection::Only(_), Some(why)) = (selection, &lacking) {
            return Err(Error::dependency_missing(why));
        }
        note_given(session, facts, wanted)?;
        let made = rest.into_iter().chain(default_role.into_iter().filter(|_| lacking.is_none()));
        let mut report = report(&found, made);
        if lacking.is_some() {
            let told = report.changes.iter_mut().filter(|change| change.id == DEFAULT_ROLE);
            told.for_each(|change| change.lacking.clone_from(&lacking));
        }
        Ok(report)
    })
}

/// Says why the default role cannot be set: the server would take one that the user is no member of, and ignore it with a
/// warning at each login.
fn not_a_member(session: &mut Session, wanted: &Wanted) -> Result<Option<String>> {
    let Some(role) = wanted.default_role() else { return Ok(None) };
    let is_member = wanted.is_superuser() || role::is_member(session, &[wanted.name.as_str()], role)?;
    Ok((!is_member).then(|| no_member_of(wanted, role)))
}

fn no_member_of(wanted: &Wanted, role: &str) -> String {
    format!("{} is not a member of its default role {role}", wanted.name)
}

/// What differs on the role, which has to carry the mark where one is given: somebody may have dropped it since the last
/// look, and made another of its name.
fn compare(
    reader: &mut dyn Reader,
    facts: &Facts,
    wanted: &Wanted,
    verifier: Option<&str>,
    mark: Option<&Mark>,
) -> Result<Vec<Difference>> {
    let observed = observe(reader, facts, wanted)?.ok_or_else(|| absent(&wanted.name))?;
    names::untouchable(observed.role.standing)?;
    prove(&Proof { mark: mark.cloned(), object_id: None }, &observed.role.id, observed.role.comment.mark.as_ref())?;
    Ok(differences(wanted, &observed, verifier, facts))
}

/// Notes which memberships and settings are the resource's own: those that it states, and those that it gave and still
/// has to take back. A membership that it gave and others state too is theirs now.
fn note_given(session: &mut Session, facts: &Facts, wanted: &Wanted) -> Result<()> {
    let role = role::find(session, &wanted.name)?.ok_or_else(|| absent(&wanted.name))?;
    let held = membership::of(session, facts, &role.id)?;
    let ours = held.into_iter().filter(|held| held.ours).map(|held| held.role);
    let stated = |name: &String| wanted.memberships.iter().any(|(role, _)| role == name);
    let is_left = |name: &String| role.given.roles.contains(name) && !wanted.shared.contains(name);
    let roles = ours.filter(|name| stated(name) || is_left(name)).collect();
    let settings = role.settings.iter().filter_map(|one| one.split_once('=')).map(|(name, _)| name);
    let settings = settings.filter(|name| wanted.states_setting(name) || role.given.settings.contains(*name));
    let given = Given { roles, settings: settings.map(str::to_owned).collect() };
    if given == role.given {
        return Ok(());
    }
    session.run(&user::comment(&role.name, role.comment.words.as_deref(), &given, role.comment.mark.as_ref()))
}

/// Creates the role and its mark. One that carries the same mark was created by a call whose answer was lost.
pub(crate) fn create(
    session: &mut Session,
    wanted: &Wanted,
    password: Option<&Secret>,
    mark: &Mark,
) -> Result<UserInfo> {
    let verifier = password.map(|password| session.verifier(password)).transpose()?;
    if let Some(existing) = role::find(session, &wanted.name)? {
        if existing.comment.mark.as_ref() != Some(mark) {
            return Err(taken(&wanted.name));
        }
        if let Some(verifier) = &verifier {
            session.simple(&user::alter(&wanted.name, &user::password(verifier)), "password")?;
        }
        return Ok(info(existing));
    }
    session.run(&user::create(&wanted.name, &wanted.attributes(), verifier.as_deref()))?;
    if let Some(time) = &wanted.block.valid_until {
        session.simple(&user::alter(&wanted.name, &user::valid_until(Some(time))), "options.validUntil")?;
    }
    session.run(&user::comment(&wanted.name, wanted.comment.as_deref(), &Given::default(), Some(mark)))?;
    role::find(session, &wanted.name)?.map(info).ok_or_else(|| absent(&wanted.name))
}

fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a role with the name {name} is there already"),
        "it carries another mark or none",
    )
}

fn observe(reader: &mut dyn Reader, facts: &Facts, wanted: &Wanted) -> Result<Option<Observed>> {
    let Some(role) = role::find(reader, &wanted.name)? else { return Ok(None) };
    let memberships = membership::of(reader, facts, &role.id)?;
    let validity = match &wanted.block.valid_until {
        Some(stated) => Some(role::compare_validity(reader, &role, stated).map_err(unreadable_time)?),
        None => None,
    };
    let mut named: BTreeSet<String> = wanted.memberships.iter().map(|(role, _)| role.clone()).collect();
    named.retain(|role| !memberships.iter().any(|held| held.role == *role));
    named.extend(wanted.block.default_role.iter().filter(|role| *role != "none").cloned());
    let there = role::existing(reader, &named)?;
    let missing_roles = named.difference(&there).cloned().collect();
    let default_role_lacks = default_role_lacks(reader, wanted, &role, &there)?;
    Ok(Some(Observed { role, memberships, validity, default_role_lacks, missing_roles }))
}

/// What the stated default role lacks, where it is not set: it has to be there, and the user a member of it at least by
/// what is stated.
fn default_role_lacks(
    reader: &mut dyn Reader,
    wanted: &Wanted,
    now: &Role,
    there: &BTreeSet<String>,
) -> Result<Option<String>> {
    let Some(stated) = wanted.default_role() else { return Ok(None) };
    if now.settings.iter().any(|one| one.strip_prefix("role=") == Some(stated)) {
        return Ok(None);
    }
    if !there.contains(stated) {
        return Ok(Some(format!("the role {stated} is not there")));
    }
    let joined = wanted.memberships.iter().map(|(role, _)| role.as_str()).filter(|role| there.contains(*role));
    let members: Vec<&str> = joined.chain([wanted.name.as_str()]).collect();
    let is_member = wanted.is_superuser() || role::is_member(reader, &members, stated)?;
    Ok((!is_member).then(|| no_member_of(wanted, stated)))
}

/// The server could not read the stated time.
fn unreadable_time(error: Error) -> Error {
    if errors::code(&error).is_some_and(|code| code.starts_with("22")) {
        let problem = "the server does not read this as a time: for example 2030-12-31T23:59:59Z, or infinity";
        let path = "options.validUntil".to_owned();
        return Error {
            detail: error.detail,
            ..Error::invalid(vec![dbprovision_sdk::OptionProblem { path, problem: problem.to_owned() }])
        };
    }
    error
}

/// Who else may be asked to act: the operations of databases drop and create roles too.
pub(crate) fn remove_companion(connected: &mut Connected, name: &str, mark: &Mark) -> Result<()> {
    gone::remove(connected, name, &Proof { mark: Some(mark.clone()), object_id: None })
}
