//! The rights that a grantee should have beside those that it has. Pure.
//!
//! A user is several accounts: a right is held where every one of them has it. What is missing is given before anything
//! is taken, and exactly that is taken which nobody states any more, so that nothing that stays is ever missing.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::adapter::grants::Granted;

use crate::difference::Difference;
use crate::observe::rights::{Object, Right};
use crate::quote::plain_name;
use crate::server::Dialect;
use crate::statements::grant::{self, Grantee};

use super::hidden::Entries;
use super::rights::{granted, id, membership, recorded, recorded_role};

/// What one account or role holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Holding {
    pub(crate) rights: BTreeSet<Right>,
    pub(crate) roles: BTreeSet<String>,
    /// Of the roles, those that are active from the login on.
    pub(crate) active: BTreeSet<String>,
}

/// Everything that decides.
pub(crate) struct Claims<'known> {
    /// Each with the field that states it.
    pub(crate) rights: &'known BTreeMap<Right, String>,
    pub(crate) roles: &'known BTreeMap<String, String>,
    pub(crate) recorded: &'known [Granted],
    pub(crate) shared: &'known [Granted],
    /// What no resource states goes too.
    pub(crate) authoritative: bool,
    /// Databases and roles that are stated and not there.
    pub(crate) missing: &'known BTreeSet<String>,
    /// What is stated inside of a database and not there, in words.
    pub(crate) absent: &'known BTreeMap<Object, String>,
    pub(crate) dialect: Dialect,
    /// The database in a grant is a pattern.
    pub(crate) patterns: bool,
}

/// Every difference, in the order of application.
pub(crate) fn differences(claims: &Claims<'_>, now: &BTreeMap<Grantee, Holding>) -> Vec<Difference> {
    let mut found = Vec::new();
    let known = Known::of(claims);
    let leaves: BTreeSet<&Right> =
        now.values().flat_map(|held| &held.rights).filter(|right| known.leaves(right)).collect();
    // Where no name is a pattern, none hides another.
    let entries: BTreeMap<&Grantee, Entries<'_>> = now
        .iter()
        .filter(|_| claims.patterns)
        .map(|(grantee, held)| {
            let stays = held.rights.iter().filter(|right| !leaves.contains(right));
            (grantee, Entries::of(grantee, stays, claims.rights.keys()))
        })
        .collect();
    for (right, path) in claims.rights {
        let without: Vec<&Grantee> =
            now.iter().filter(|(_, held)| !holds(held, right)).map(|(grantee, _)| grantee).collect();
        if without.is_empty() {
            continue;
        }
        let one = BTreeSet::from([right.clone()]);
        let lacking = database_of(right)
            .filter(|database| claims.missing.contains(*database))
            .map(|database| plain_name(database).unwrap_or_else(|| database.to_owned()))
            .map(|database| format!("the database {database} is not there"))
            .or_else(|| claims.absent.get(&right.object).cloned())
            .or_else(|| without.iter().find_map(|grantee| entries.get(grantee)?.obstacle(right)));
        let difference = Difference::new(
            format!("grant:{}", id(&granted(right, claims.patterns))),
            path.clone(),
            "granted",
            "not granted",
        );
        let sql = without.iter().flat_map(|grantee| grant::give(&one, grantee));
        found.push(sql.fold(difference, Difference::by).lacking(lacking));
    }
    for (role, path) in claims.roles {
        let without = now.iter().filter(|(_, held)| !held.roles.contains(role)).map(|(grantee, _)| grantee);
        let sql: Vec<String> = without.map(|grantee| grant::join(role, grantee, claims.dialect)).collect();
        if !sql.is_empty() {
            let lacking = claims.missing.contains(&role_key(role)).then(|| format!("the role {role} is not there"));
            let difference =
                Difference::new(format!("grant:{}", id(&membership(role))), path.clone(), "member", "no member");
            found.push(sql.into_iter().fold(difference, Difference::by).lacking(lacking));
        }
    }
    found.extend(superfluous(claims, &known, &leaves, now));
    found
}

/// The key of a missing role among missing databases.
pub(crate) fn role_key(role: &str) -> String {
    format!("role {role}")
}

/// Rights that somebody is still to be given.
pub(crate) fn wanting<'known>(
    rights: &'known BTreeMap<Right, String>,
    now: &BTreeMap<Grantee, Holding>,
) -> impl Iterator<Item = &'known Right> {
    rights.keys().filter(|right| now.values().any(|held| !holds(held, right)))
}

/// A right that may also be granted on holds as one that need not be.
fn holds(held: &Holding, right: &Right) -> bool {
    held.rights.contains(right)
        || (!right.grantable && held.rights.contains(&Right { grantable: true, ..right.clone() }))
}

fn database_of(right: &Right) -> Option<&str> {
    match &right.object {
        Object::Global => None,
        // The pattern is looked up under the name that it was made of.
        Object::Database(name) | Object::Table(name, _) | Object::Column(name, ..) | Object::Routine(_, name, _) => {
            Some(name)
        }
    }
}

/// Whose the rights are that may be held.
struct Known<'known> {
    claims: &'known Claims<'known>,
    ours: BTreeSet<Right>,
    shared: BTreeSet<Right>,
}

impl<'known> Known<'known> {
    fn of(claims: &'known Claims<'known>) -> Self {
        let read = |all: &[Granted]| all.iter().filter_map(|one| recorded(one, claims.patterns)).collect();
        Self { claims, ours: read(claims.recorded), shared: read(claims.shared) }
    }

    /// This resource or another states it.
    fn is_stated(&self, right: &Right) -> bool {
        self.claims.rights.contains_key(right) || self.shared.contains(right)
    }

    /// It is taken, because nobody states it any more.
    fn leaves(&self, right: &Right) -> bool {
        (self.claims.authoritative || self.ours.contains(right)) && !self.is_stated(right)
    }
}

/// What is held and not stated by anybody any more.
fn superfluous(
    claims: &Claims<'_>,
    known: &Known<'_>,
    leaves: &BTreeSet<&Right>,
    now: &BTreeMap<Grantee, Holding>,
) -> Vec<Difference> {
    let shared_roles: BTreeSet<&str> = claims.shared.iter().filter_map(recorded_role).collect();
    let mut gone: Vec<&Right> = leaves.iter().copied().collect();
    // A table's rights take those on its columns along, which can then not be revoked any more.
    gone.sort_by_key(|right| !matches!(right.object, Object::Column(..)));
    let mut found = Vec::new();
    for right in &gone {
        let right = *right;
        // Of a dynamic privilege the right to grant it on cannot be taken without the privilege itself.
        let stays = known.is_stated(&Right { grantable: !right.grantable, ..right.clone() });
        if stays && !right.grantable {
            continue;
        }
        let one = BTreeSet::from([right.clone()]);
        let with = now.iter().filter(|(_, held)| held.rights.contains(right));
        let difference = Difference::new(
            format!("revoke:{}", id(&granted(right, claims.patterns))),
            "options.grants",
            "not granted",
            "granted",
        );
        let sql = with.flat_map(|(grantee, held)| {
            // A column that is not there is waited for, and cannot be given anything.
            let stated = claims.rights.keys().filter(|right| !claims.absent.contains_key(&right.object));
            let back = columns_of(right, held.rights.iter().chain(stated), &gone);
            let mut statements = grant::take(&one, grantee);
            statements.extend(grant::give(&back, grantee));
            statements
        });
        // What was given by this resource is not somebody else's.
        found.push(
            sql.fold(difference, Difference::by).destructive_if(!known.ours.contains(right)).impossible_if(stays),
        );
    }
    let ours: BTreeSet<&str> = claims.recorded.iter().filter_map(recorded_role).collect();
    let held: BTreeSet<&String> = now.values().flat_map(|held| &held.roles).collect();
    for role in held {
        let stated = claims.roles.contains_key(role) || shared_roles.contains(role.as_str());
        if stated || !(claims.authoritative || ours.contains(role.as_str())) {
            continue;
        }
        let with = now.iter().filter(|(_, held)| held.roles.contains(role)).map(|(grantee, _)| grantee);
        let difference =
            Difference::new(format!("revoke:{}", id(&membership(role))), "options.roles", "no member", "member");
        let sql = with.map(|grantee| grant::leave(role, grantee, claims.dialect));
        found.push(sql.fold(difference, Difference::by).destructive_if(!ours.contains(role.as_str())));
    }
    found
}

/// The rights on columns that a right on their table takes along although they stay: the next statement gives them
/// again. It is the one narrowing that these servers cannot make without a moment between the two.
fn columns_of<'known>(
    table: &Right,
    candidates: impl Iterator<Item = &'known Right>,
    gone: &[&Right],
) -> BTreeSet<Right> {
    let Object::Table(database, name) = &table.object else { return BTreeSet::new() };
    let belongs = |right: &&Right| match &right.object {
        Object::Column(other, same, _) => other == database && same == name && right.privilege == table.privilege,
        Object::Global | Object::Database(_) | Object::Table(..) | Object::Routine(..) => false,
    };
    candidates.filter(belongs).filter(|right| !gone.contains(right)).cloned().collect()
}
