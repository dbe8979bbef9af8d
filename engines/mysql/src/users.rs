//! Users: every account of one name, with what it may use and the roles it is a member of.
//!
//! Everything that changes a user happens while its lock is held: it reads, compares and changes, so what is reported
//! is what was changed.

pub(crate) mod differences;
mod gone;
pub(crate) mod hash;
mod login;
pub(crate) mod wanted;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::adapter::users::{LoginOutcome, UserInfo, UserSpec};
use dbprovision_sdk::mark::is_same_resource;
use dbprovision_sdk::selection::{report, select_possible};
use dbprovision_sdk::types::Listed;
use dbprovision_sdk::{
    Error, ErrorKind, Examination, Listing, Mark, OwnedObject, Page, Proof, Result, Secret, Selection, UpdateReport,
    Users, log, random,
};

use crate::connect::{Session, Tracking};
use crate::observe::account::{self, Account};
use crate::observe::marks::Kept;
use crate::observe::reader::Reader;
use crate::observe::{owned, power, prove, rights, sessions};
use crate::server::{Connected, Facts};
use crate::statements::account::{Authentication, Hash, attribute};
use crate::statements::metadata::{self, Kind};
use crate::{MySql, apply, errors, names, statements};
use differences::{Context, Observed, differences, keep};
use wanted::Wanted;

/// The lock and the name of an account: users and roles share one namespace on the server.
pub(crate) fn lock(name: &str) -> String {
    format!("account:{name}")
}

fn info(reader: &mut dyn Reader, facts: &Facts, name: &str, accounts: &[Account]) -> Result<UserInfo> {
    let mut privileged = name == facts.administrator;
    for one in accounts {
        privileged = privileged || power::is_privileged(reader, facts, name, &one.host)?;
    }
    Ok(UserInfo {
        name: name.to_owned(),
        object_id: None,
        mark: accounts.iter().find_map(|one| one.kept.mark.clone()),
        standing: account::standing(facts, name),
        privileged,
        details: None,
    })
}

/// So many of the objects that keep an account are named.
const DEFINED: u32 = 5;

fn absent(name: &str) -> Error {
    Error::not_found(format!("the user {name} is not there"))
}

/// A password that nobody knows: an account always has one.
pub(crate) fn nobodys(plugin: hash::Plugin) -> Result<Authentication> {
    plugin.authentication(random::hex(32)?.as_bytes())
}

impl Users for MySql {
    fn examine(spec: &UserSpec) -> Result<Examination> {
        Wanted::read(spec).map(|wanted| wanted.examination())
    }

    fn create(&mut self, spec: &UserSpec, password: Option<&Secret>, mark: &Mark) -> Result<UserInfo> {
        let wanted = Wanted::read(spec)?;
        self.connected()?.locked(&lock(&wanted.name), |session, facts, tracking| {
            wanted.check_against(facts)?;
            create(session, facts, tracking, &wanted, password, mark)
        })
    }

    fn update(
        &mut self,
        spec: &UserSpec,
        mark: &Mark,
        password: Option<&Secret>,
        selection: &Selection,
    ) -> Result<UpdateReport> {
        let wanted = Wanted::read(spec)?;
        if *selection == Selection::Detect {
            return detect(self.connected()?, &wanted, password.is_some());
        }
        self.connected()?.locked(&lock(&wanted.name), |session, facts, tracking| {
            wanted.check_against(facts)?;
            names::untouchable(account::standing(facts, &wanted.name))?;
            let plugin = wanted.plugin(facts);
            let password = match password {
                Some(password) => Some(plugin.authentication(&session.reveal(password)?)?),
                None => None,
            };
            let observed = observe(session, facts, tracking, &wanted)?;
            // Somebody may have dropped it since the last look, and made another of its name.
            let proof = Proof { mark: Some(mark.clone()), object_id: None };
            prove(&proof, observed.accounts.iter().find_map(|one| one.kept.mark.as_ref()))?;
            let others = match observed.accounts.iter().find(|one| one.kept.mark.is_some()) {
                Some(one) => account::authentication(session, facts, &wanted.name, &one.host)?,
                None => None,
            };
            // An account that nobody could log in with is no reason to let everybody in.
            let others = match others {
                None => nobodys(plugin)?,
                Some(others) => others,
            };
            let password = password.as_ref();
            let context = Context { facts, tracking, password, method: password, others: Some(&others) };
            let mut found = differences(&wanted, &observed, &context)?;
            if *selection == Selection::All {
                // Nobody waits for what nobody agreed to.
                found.iter_mut().filter(|one| one.needs_consent).for_each(|one| one.change.lacking = None);
            }
            let mut chosen = select_possible(&found, selection)?;
            chosen.retain(|one| !one.needs_consent || *selection != Selection::All);
            apply::make(session, &chosen)?;
            if !facts.activates && chosen.iter().any(|one| one.change.id.starts_with("member:")) {
                let name = &wanted.name;
                let message =
                    format!("the administrator may not choose which roles of {name} are active from the login on");
                log::write(log::Level::Warn, &message);
            }
            for host in chosen.iter().filter_map(|one| differences::dropped_host(&wanted, &one.change.id)) {
                let there = sessions::of_account(session, &wanted.name, host)?;
                sessions::end_where_allowed(session, &there, &wanted.name)?;
            }
            Ok(report(&found, chosen))
        })
    }

    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        names::usable_user(name)?;
        self.connected()?.locked(&lock(name), |session, facts, tracking| {
            names::untouchable(account::standing(facts, name))?;
            let accounts = account::find(session, facts, tracking, name)?;
            if accounts.is_empty() {
                return Err(absent(name));
            }
            prove(proof, accounts.iter().find_map(|one| one.kept.mark.as_ref()))?;
            for one in gone::split(accounts, proof).0 {
                let is_ours = one.kept.mark.as_ref().is_some_and(|carried| is_same_resource(carried, mark));
                let kept = Kept {
                    mark: Some(mark.clone()),
                    words: comment.map(str::to_owned),
                    // What another resource gave is nothing that this one has to take back.
                    roles: if is_ours { one.kept.roles } else { Vec::new() },
                    adopted: one.kept.adopted || !is_ours,
                    finished: true,
                };
                session.run(&keep(name, &one.host, &kept, facts, tracking))?;
            }
            Ok(())
        })
    }

    fn drop(&mut self, spec: &UserSpec, proof: &Proof) -> Result<()> {
        names::usable_user(&spec.name)?;
        self.connected()?.locked(&lock(&spec.name), |session, facts, tracking| {
            gone::remove(session, facts, tracking, &spec.name, proof)
        })
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        names::usable_user(name)?;
        let look =
            |reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking| account::find(reader, facts, tracking, name);
        Ok(!self.connected()?.look(look)?.is_empty())
    }

    fn get_info(&mut self, name: &str) -> Result<Option<UserInfo>> {
        names::usable_user(name)?;
        self.connected()?.look(|reader, facts, tracking| {
            let accounts = account::find(reader, facts, tracking, name)?;
            if accounts.is_empty() { Ok(None) } else { info(reader, facts, name, &accounts).map(Some) }
        })
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        let (session, facts, tracking) = self.connected()?.parts()?;
        let found = account::list(session, facts, tracking, page)?;
        let listed = |(name, mark): (String, _)| Listed { standing: account::standing(facts, &name), name, mark };
        Ok(Listing::of(page, found.into_iter().map(listed)))
    }

    fn owned_objects(&mut self, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
        names::usable_user(name)?;
        let (session, facts, tracking) = self.connected()?.parts()?;
        let accounts = account::find(session, facts, tracking, name)?;
        if accounts.is_empty() {
            return Err(absent(name));
        }
        let mut found = Vec::new();
        for one in &accounts {
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            found.extend(owned::objects(session, name, &one.host, left)?);
        }
        Ok(found)
    }

    fn reassign_owned(&mut self, name: &str, proof: &Proof, _: &[String]) -> Result<()> {
        // The servers have no statement for it: each object would have to be made anew.
        names::usable_user(name)?;
        self.connected()?
            .locked(&lock(name), |session, facts, tracking| Err(gone::give_up(session, facts, tracking, name, proof)?))
    }

    fn terminate_sessions(&mut self, name: &str) -> Result<u32> {
        names::usable_user(name)?;
        let (session, facts, tracking) = self.connected()?.parts()?;
        names::untouchable(account::standing(facts, name))?;
        if account::find(session, facts, tracking, name)?.is_empty() {
            return Err(absent(name));
        }
        let there = sessions::of_user(session, name)?;
        sessions::end(session, &there)
    }

    fn try_login(&mut self, name: &str, password: &Secret) -> Result<LoginOutcome> {
        names::usable_user(name)?;
        login::attempt(self.connected()?, name, password)
    }
}

/// Creates the accounts with their marks. Those that carry the same mark were created by a call whose answer was lost.
fn create(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    wanted: &Wanted,
    password: Option<&Secret>,
    mark: &Mark,
) -> Result<UserInfo> {
    let name = wanted.name.as_str();
    let plugin = wanted.plugin(facts);
    let authentication = match password {
        Some(password) => plugin.authentication(&session.reveal(password)?)?,
        None => nobodys(plugin)?,
    };
    let there = account::find(session, facts, tracking, name)?;
    if there.iter().any(|one| one.kept.mark.as_ref() != Some(mark)) {
        return Err(taken(name));
    }
    let begun = there.first().map(|one| one.kept.roles.clone()).unwrap_or_default();
    let kept =
        Kept { mark: Some(mark.clone()), words: wanted.comment.clone(), roles: begun, adopted: false, finished: false };
    for one in &there {
        let clause = authentication.clause(facts.dialect);
        session.simple(&statements::account::alter(name, &one.host, &clause), "password")?;
    }
    let missing: Vec<&str> =
        wanted.hosts.iter().map(String::as_str).filter(|host| !there.iter().any(|one| one.host == **host)).collect();
    let mut clauses = wanted.clauses(facts);
    if facts.uses_attributes {
        // All of them are made by one statement.
        clauses.push(attribute(&Kept { finished: true, ..kept.clone() }));
        if !missing.is_empty() {
            for statement in statements::account::create(name, &missing, &authentication, &clauses, facts.dialect) {
                session.run(&statement).map_err(|error| explained(error, name))?;
            }
        }
    } else {
        for host in missing {
            session.run(&keep(name, host, &kept, facts, tracking))?;
            for statement in statements::account::create(name, &[host], &authentication, &clauses, facts.dialect) {
                let Err(error) = session.run(&statement) else { continue };
                // Nothing was created: a record of it would claim whatever gets this name next.
                if session.is_usable() {
                    session.run(&metadata::remove(tracking, Kind::User, name, Some(host)))?;
                }
                return Err(explained(error, name));
            }
        }
        session.run(&metadata::finish(tracking, Kind::User, name))?;
    }
    let accounts = account::find(session, facts, tracking, name)?;
    if accounts.is_empty() { Err(absent(name)) } else { info(session, facts, name, &accounts) }
}

fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("an account with the name {name} is there already"),
        "it carries another mark or none",
    )
}

/// The server uses one number for an account that is there and for one that is not.
fn explained(error: Error, name: &str) -> Error {
    if errors::code(&error) == Some(errors::ACCOUNT) { Error { detail: error.detail, ..taken(name) } } else { error }
}

/// Looks and changes nothing.
fn detect(connected: &mut Connected, wanted: &Wanted, has_password: bool) -> Result<UpdateReport> {
    // Only that there is a password to be set is told.
    let unsaid = Authentication { plugin: String::new(), hash: Hash::Text(String::new()) };
    let found = connected.look(|reader, facts, tracking| {
        wanted.check_against(facts)?;
        names::untouchable(account::standing(facts, &wanted.name))?;
        let observed = observe(reader, facts, tracking, wanted)?;
        let password = has_password.then_some(&unsaid);
        let context = Context { facts, tracking, password, method: Some(&unsaid), others: Some(&unsaid) };
        differences(wanted, &observed, &context)
    })?;
    Ok(report(&found, []))
}

fn observe(reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking, wanted: &Wanted) -> Result<Observed> {
    let accounts = account::find(reader, facts, tracking, &wanted.name)?;
    if accounts.is_empty() {
        return Err(absent(&wanted.name));
    }
    let mut named: BTreeSet<String> = wanted.roles.iter().cloned().collect();
    named.retain(|role| accounts.iter().any(|one| !one.roles.contains(role)));
    let there = account::existing_roles(reader, facts, &named)?;
    let missing_roles = named.difference(&there).cloned().collect();
    let is_ours = |one: &&Account| one.kept.mark.is_some();
    let grows = wanted.hosts.iter().any(|host| !accounts.iter().any(|one| one.host == **host && one.kept.finished));
    let rights = match differences::model(accounts.iter().filter(is_ours)).filter(|_| grows) {
        Some(sibling) => rights::of(reader, facts, &wanted.name, &sibling.host)?,
        None => BTreeSet::new(),
    };
    let mut defined = BTreeMap::new();
    for one in accounts.iter().filter(is_ours).filter(|one| !wanted.hosts.contains(&one.host)) {
        let objects = owned::objects(reader, &wanted.name, &one.host, DEFINED)?;
        defined.insert(one.host.clone(), objects.iter().map(owned::shown).collect());
    }
    Ok(Observed { accounts, missing_roles, rights, defined })
}
