//! Rights and memberships of users and roles: compared as sets, and only the difference is made.
//!
//! What is recorded is this resource's share, what is shared is the others': of a right that several resources state,
//! nothing is taken before the last of them lets go. Where the mode is authoritative, what nobody states goes too.
//! A name in a spec is a name, whatever characters it has; a pattern has a field of its own.

mod activation;
pub(crate) mod differences;
mod hidden;
pub(crate) mod rights;
pub(crate) mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::adapter::grants::{GrantReport, GrantSpec, Granted, Grantee as Named};
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::groups::grant_operations::Mode;
use dbprovision_sdk::selection::{report, select_possible};
use dbprovision_sdk::{Error, ErrorKind, Examination, Grants, ObjectKind, Result, Selection, log, options};
use mysql_options::{MySqlGrantConfig, MySqlUserConfig};

use crate::connect::{Session, Tracking};
use crate::difference::Difference;
use crate::observe::reader::Reader;
use crate::observe::rights::{Object, Right, known, of};
use crate::observe::{account, database, inside, role};
use crate::quote::escaped_pattern;
use crate::server::Facts;
use crate::statements::Statement;
use crate::statements::grant::Grantee;
use crate::users::wanted::ANYWHERE;
use crate::{MySql, apply, errors, names, users};
use differences::{Claims, Holding, differences, role_key, wanting};
use wanted::Stated;

fn read(spec: &GrantSpec) -> Result<Stated> {
    let block: MySqlGrantConfig = options::parse(spec.options.as_deref())?;
    let mut problems = Problems::default();
    names::check_user_name(&spec.grantee.name, "grantee", &mut problems);
    let generic = spec.roles.iter().enumerate().map(|(at, role)| (role.clone(), format!("roles[{at}]")));
    let own = block.roles.iter().flatten().enumerate();
    let own = own.map(|(at, role)| (role.clone(), format!("options.roles[{at}]")));
    let roles: Vec<_> = generic.chain(own).collect();
    let stated = Stated::read(&spec.grantee.name, roles, block.grants.as_deref(), &mut problems);
    if let Some(path) = stated.roles.get(&spec.grantee.name).filter(|_| spec.grantee.kind == ObjectKind::Role) {
        problems.add(path.clone(), "a role cannot be a member of itself");
    }
    problems.finish()?;
    Ok(stated)
}

impl Grants for MySql {
    fn examine(spec: &GrantSpec) -> Result<Examination> {
        read(spec).map(|stated| stated.examination())
    }

    fn grant(&mut self, spec: &GrantSpec, selection: &Selection) -> Result<GrantReport> {
        let stated = read(spec)?;
        if *selection == Selection::Detect {
            let look = |reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking| {
                compare(reader, facts, tracking, spec, &stated)
            };
            let connected = self.connected()?;
            let Compared { spec, rights, now, found, grantees: _ } = connected.look(look)?;
            let patterns = connected.facts.patterns;
            let update = report(&found, []);
            return Ok(GrantReport {
                update,
                held: held(&spec, &rights, &stated, &now, patterns),
                stated: all(&rights, &stated, patterns),
                // Rights are on a name here, whatever has it.
                renewed: false,
            });
        }
        self.connected()?.locked(&users::lock(&spec.grantee.name), |session, facts, tracking| {
            let Compared { spec, rights: wanted_rights, now, found, grantees } =
                compare(session, facts, tracking, spec, &stated)?;
            let chosen = select_possible(&found, selection)?;
            apply::make(session, &chosen)?;
            let before = now;
            let now = if chosen.is_empty() { before.clone() } else { holdings(session, facts, &grantees)? };
            if chosen.iter().any(|one| activation::is_touched_by(&one.change.id)) {
                activate(
                    session,
                    facts,
                    &spec.grantee,
                    &activation::statements(&stated.roles, &before, &now, facts.dialect),
                )?;
            }
            let held = held(&spec, &wanted_rights, &stated, &now, facts.patterns);
            let stated = all(&wanted_rights, &stated, facts.patterns);
            Ok(GrantReport { update: report(&found, chosen), held, stated, renewed: false })
        })
    }

    fn revoke(&mut self, spec: &GrantSpec) -> Result<()> {
        names::usable_user(&spec.grantee.name)?;
        self.connected()?.locked(&users::lock(&spec.grantee.name), |session, facts, tracking| {
            // What is gone holds nothing.
            let Some((grantees, own)) = absent_is_none(holders(session, facts, tracking, &spec.grantee))? else {
                return Ok(());
            };
            let spec = sharing(spec, &own);
            let now = holdings(session, facts, &grantees)?;
            let (rights, roles) = (BTreeMap::new(), BTreeMap::new());
            let (missing, absent) = (BTreeSet::new(), BTreeMap::new());
            let claims = Claims {
                rights: &rights,
                roles: &roles,
                recorded: &spec.recorded,
                shared: &spec.shared,
                authoritative: false,
                missing: &missing,
                absent: &absent,
                dialect: facts.dialect,
                patterns: facts.patterns,
            };
            let found = differences(&claims, &now);
            for statement in found.iter().filter(|one| !one.change.impossible).flat_map(|one| &one.statements) {
                match session.run(statement) {
                    Err(error) if errors::is_one_of(&error, errors::NO_GRANT) => {}
                    outcome => outcome?,
                }
            }
            let after = holdings(session, facts, &grantees)?;
            activate(session, facts, &spec.grantee, &activation::statements(&roles, &now, &after, facts.dialect))
        })
    }

    fn get_grants(&mut self, grantee: &Named) -> Result<Vec<Granted>> {
        names::usable_user(&grantee.name)?;
        let (session, facts, tracking) = self.connected()?.parts()?;
        let patterns = facts.patterns;
        let (grantees, _) = grantees(session, facts, tracking, grantee)?;
        let now = holdings(session, facts, &grantees)?;
        let rights: BTreeSet<&Right> = now.values().flat_map(|held| &held.rights).collect();
        let roles: BTreeSet<&String> = now.values().flat_map(|held| &held.roles).collect();
        let roles = roles.into_iter().map(|role| rights::membership(role));
        Ok(rights.into_iter().map(|right| rights::granted(right, patterns)).chain(roles).collect())
    }
}

/// What a grant states beside what is there.
struct Compared {
    /// With the memberships that the user's own resource states among what is shared.
    spec: GrantSpec,
    /// Each with the field that states it.
    rights: BTreeMap<Right, String>,
    grantees: Vec<Grantee>,
    now: BTreeMap<Grantee, Holding>,
    found: Vec<Difference>,
}

fn compare(
    reader: &mut dyn Reader,
    facts: &Facts,
    tracking: &Tracking,
    spec: &GrantSpec,
    stated: &Stated,
) -> Result<Compared> {
    let (grantees, own) = grantees(reader, facts, tracking, &spec.grantee)?;
    let spec = sharing(spec, &own);
    let rights = stated.rights(facts, &known(reader)?)?;
    stated.check_against(tracking)?;
    let missing = missing(reader, facts, tracking, stated)?;
    let now = holdings(reader, facts, &grantees)?;
    let mut absent = BTreeMap::new();
    let on: BTreeSet<&Object> = wanting(&rights, &now).map(|right| &right.object).collect();
    for object in on {
        if let Some(what) = inside::absent(reader, object)? {
            absent.insert(object.clone(), what);
        }
    }
    let claims = Claims {
        rights: &rights,
        roles: &stated.roles,
        recorded: &spec.recorded,
        shared: &spec.shared,
        authoritative: spec.mode == Mode::Authoritative,
        missing: &missing,
        absent: &absent,
        dialect: facts.dialect,
        patterns: facts.patterns,
    };
    let mut found = differences(&claims, &now);
    if spec.grantee.kind == ObjectKind::User {
        found.extend(activation::differences(&stated.roles, &now, facts));
    }
    Ok(Compared { spec, rights, grantees, now, found })
}

/// A membership that the user's own resource states counts like another grant's.
fn sharing(spec: &GrantSpec, own: &BTreeSet<String>) -> GrantSpec {
    let mut spec = spec.clone();
    spec.shared.extend(own.iter().map(|role| rights::membership(role)));
    spec
}

/// Everything that is stated.
fn all(rights: &BTreeMap<Right, String>, stated: &Stated, patterns: bool) -> Vec<Granted> {
    let roles = stated.roles.keys().map(|role| rights::membership(role));
    rights.keys().map(|right| rights::granted(right, patterns)).chain(roles).collect()
}

/// The accounts of a user, or the role; and the roles that it is a member of by its own resource.
fn grantees(
    reader: &mut dyn Reader,
    facts: &Facts,
    tracking: &Tracking,
    named: &Named,
) -> Result<(Vec<Grantee>, BTreeSet<String>)> {
    let name = named.name.as_str();
    names::untouchable(account::standing(facts, name))?;
    if named.kind == ObjectKind::Role {
        names::untouchable(names::role_standing(name))?;
    }
    match named.kind {
        ObjectKind::Role => match role::find(reader, facts, tracking, name)? {
            Some(_) => Ok((vec![role::grantee(facts, name)], BTreeSet::new())),
            None => Err(Error::dependency_missing(format!("the role {name} is not there"))),
        },
        ObjectKind::User => {
            let block: MySqlUserConfig = options::parse(named.options.as_deref())?;
            let hosts = block.allowed_hosts.unwrap_or_else(|| vec![ANYWHERE.to_owned()]);
            let accounts = account::find(reader, facts, tracking, name)?;
            if let Some(host) = hosts.iter().find(|host| !accounts.iter().any(|one| one.host == **host)) {
                return Err(Error::dependency_missing(format!("the account {name}@{host} is not there")));
            }
            let own = accounts.into_iter().flat_map(|one| one.kept.roles).collect();
            Ok((hosts.into_iter().map(|host| Grantee { user: name.to_owned(), host }).collect(), own))
        }
        ObjectKind::Database => Err(Error::new(ErrorKind::Unsupported, "a database holds no rights", "")),
    }
}

/// Every account that may hold what was given: those that are stated as far as they are there, and those of the name
/// that are ours. A host may have come or gone since, or its owner's options may be gone.
fn holders(
    reader: &mut dyn Reader,
    facts: &Facts,
    tracking: &Tracking,
    named: &Named,
) -> Result<(Vec<Grantee>, BTreeSet<String>)> {
    if named.kind != ObjectKind::User {
        return grantees(reader, facts, tracking, named);
    }
    names::untouchable(account::standing(facts, &named.name))?;
    let block: MySqlUserConfig = options::parse(named.options.as_deref())?;
    let stated = block.allowed_hosts.unwrap_or_else(|| vec![ANYWHERE.to_owned()]);
    let mut accounts = account::find(reader, facts, tracking, &named.name)?;
    accounts.retain(|one| one.kept.mark.is_some() || stated.contains(&one.host));
    let own = accounts.iter().flat_map(|one| one.kept.roles.clone()).collect();
    Ok((accounts.into_iter().map(|one| Grantee { user: named.name.clone(), host: one.host }).collect(), own))
}

fn absent_is_none<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Err(error) if error.kind == ErrorKind::DependencyMissing => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn holdings(reader: &mut dyn Reader, facts: &Facts, grantees: &[Grantee]) -> Result<BTreeMap<Grantee, Holding>> {
    let mut found = BTreeMap::new();
    for one in grantees {
        let rights = of(reader, facts, &one.user, &one.host)?;
        let (roles, active) = account::memberships(reader, facts, &one.user)?.remove(&one.host).unwrap_or_default();
        found.insert(one.clone(), Holding { rights, roles, active });
    }
    Ok(found)
}

/// The server would take a right on a database that is not there, and open whatever gets the name.
fn missing(reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking, stated: &Stated) -> Result<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    for name in stated.databases().into_keys() {
        if database::find(reader, tracking, &name)?.is_none() {
            missing.insert(escaped_pattern(&name));
            missing.insert(name);
        }
    }
    let named: BTreeSet<String> = stated.roles.keys().cloned().collect();
    let there = account::existing_roles(reader, facts, &named)?;
    missing.extend(named.difference(&there).map(|role| role_key(role)));
    Ok(missing)
}

/// Makes roles active. Where the administrator may not, the memberships are there nevertheless.
fn activate(session: &mut Session, facts: &Facts, grantee: &Named, statements: &[Statement]) -> Result<()> {
    if grantee.kind != ObjectKind::User || !facts.activates {
        return Ok(());
    }
    for statement in statements {
        match session.run(statement) {
            Err(error) if error.kind == ErrorKind::PermissionDenied => {
                let message = format!("a role of {} is not active from the login on: {}", grantee.name, error.message);
                log::write(log::Level::Warn, &message);
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

/// This resource's share of what is held now: what it states, and what it gave before and could not take back yet.
fn held(
    spec: &GrantSpec,
    rights: &BTreeMap<Right, String>,
    stated: &Stated,
    now: &BTreeMap<Grantee, Holding>,
    patterns: bool,
) -> Vec<Granted> {
    let granted = |right: &Right| rights::granted(right, patterns);
    let has = |right: &Right| now.values().any(|held| held.rights.contains(right));
    let is_member = |role: &str| now.values().any(|held| held.roles.contains(role));
    let mut found: Vec<Granted> = rights.keys().filter(|right| has(right)).map(granted).collect();
    found.extend(stated.roles.keys().filter(|role| is_member(role)).map(|role| rights::membership(role)));
    // In the form in which it would be recorded now, whatever form it has.
    let now_recorded = |before: &Granted| match rights::recorded(before, patterns) {
        Some(right) => granted(&right),
        None => before.clone(),
    };
    let shared: Vec<Granted> = spec.shared.iter().map(now_recorded).collect();
    for before in &spec.recorded {
        let still = match (rights::recorded(before, patterns), rights::recorded_role(before)) {
            (Some(right), _) => has(&right),
            (None, Some(role)) => is_member(role),
            (None, None) => false,
        };
        let before = now_recorded(before);
        if still && !found.contains(&before) && !shared.contains(&before) {
            found.push(before);
        }
    }
    found
}
