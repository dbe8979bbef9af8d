//! From what a grant states to single rights: stars, functions without arguments and ALL become what the server has.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::Result;
use dbprovision_sdk::error::Problems;

use super::asked::{Aim, Asked, Defaults, Entry, Group, Named};
use super::privileges::{self, Stated};
use super::right::{INHERIT, Known, Level, MEMBER, Right, SET, kind_word};
use super::wish::Wish;
use crate::observe::database::Reachable;
use crate::observe::objects::{Catalogue, Interest, Object, StatedRoutine};
use crate::server::Facts;

/// What resolution needs of the server.
pub(crate) struct Server<'known> {
    pub(crate) facts: &'known Facts,
    pub(crate) databases: &'known BTreeMap<String, Reachable>,
    /// Those of the named roles that are there.
    pub(crate) roles: BTreeSet<String>,
    /// The grantee has the rights of its roles without SET ROLE.
    pub(crate) inherits: bool,
}

/// The server's own role that whoever owns the database is a member of.
const DATABASE_OWNER: &str = "pg_database_owner";

/// Who must be asked for the rights of an owner.
pub(crate) fn acting_owner<'known>(owner: &'known str, database_owner: &'known str) -> &'known str {
    if owner == DATABASE_OWNER { database_owner } else { owner }
}

/// Memberships and rights on databases.
pub(crate) fn shared(asked: &Asked, server: &Server<'_>) -> Result<Vec<Wish>> {
    let mut problems = Problems::default();
    let mut found = Vec::new();
    for one in &asked.memberships {
        let mut wish = |privilege: &str, wanted: bool, option: Option<bool>| {
            let object = vec![one.role.clone()];
            let right = Right { level: Level::Membership, object, everyone: false, privilege: privilege.to_owned() };
            let (grantable, denies_option) = (option == Some(true), option == Some(false));
            let mut wish = Wish { grantable, denies_option, denied: !wanted, ..Wish::new(right, &one.path) };
            if !server.roles.contains(&one.role) {
                wish = wish.lacking(format!("the role {} is not there", one.role));
            }
            found.push(wish);
        };
        wish(MEMBER, true, one.admin);
        if server.facts.has_membership_options() {
            // What is unstated is given as the server would; only what is stated as false is taken away.
            for (privilege, stated, default) in [(INHERIT, one.inherit, server.inherits), (SET, one.set, true)] {
                if stated.is_some() || default {
                    wish(privilege, stated.unwrap_or(default), None);
                }
            }
        } else {
            for (field, stated) in [("inherit", one.inherit), ("set", one.set)] {
                if stated.is_some() {
                    problems.add(
                        format!("{}.{field}", one.path),
                        format!("this came with PostgreSQL 16; the server is {}", server.facts.version),
                    );
                }
            }
        }
    }
    for (database, path) in asked.databases() {
        let what = match server.databases.get(database) {
            None => format!("the database {database} is not there"),
            Some(there) if !there.accepts_sessions && asked.reaches_inside(database) => {
                format!("the database {database} accepts no connections")
            }
            Some(_) => continue,
        };
        let right = right(Level::Database, &[database], Aim::Grantee, "CONNECT");
        found.push(Wish::new(right, &format!("{path}.database")).standing_in(what));
    }
    for entry in &asked.entries {
        let Some(there) = server.databases.get(&entry.database) else { continue };
        for group in entry.groups.iter().filter(|group| group.level == Level::Database) {
            each_privilege(group, server.facts, &mut problems, |word, path| {
                let right = right(Level::Database, &[&entry.database], entry.aim, word);
                let out_of_reach = there.superusers && !server.facts.superuser;
                found.push(Wish { out_of_reach, ..of_entry(entry, right, path, &[&there.owner], None) });
            });
        }
    }
    problems.finish()?;
    union(found)
}

/// What of a database must be read to resolve the rights in it.
pub(crate) fn interest(asked: &Asked, database: &str, recorded: &[Known]) -> Interest {
    let mut interest = Interest::default();
    for entry in asked.entries.iter().filter(|entry| entry.database == database) {
        let Some(schema) = &entry.schema else { continue };
        interest.schemas.insert(schema.clone());
        for group in &entry.groups {
            interest.levels.insert(group.level);
            for named in &group.these {
                let (text, path) = (named.name.clone(), named.path.clone());
                match group.level {
                    Level::Column => _ = interest.tables_of_columns.insert(text),
                    Level::Function | Level::Procedure => {
                        interest.routines.insert(StatedRoutine { schema: schema.clone(), text, path });
                    }
                    Level::Membership
                    | Level::Database
                    | Level::Schema
                    | Level::Table
                    | Level::Sequence
                    | Level::Type
                    | Level::Default => {}
                }
            }
        }
    }
    for one in asked.defaults.iter().filter(|one| one.database == database) {
        interest.schemas.extend(one.schema.clone());
        interest.roles.insert(one.owner.clone());
    }
    let defaults = recorded.iter().filter(|known| known.right.level == Level::Default);
    interest.roles.extend(defaults.filter_map(|known| known.right.object.get(1).cloned()));
    interest
}

/// The rights in a database. What is recorded tells whose future objects an earlier look found.
pub(crate) fn inside(asked: &Asked, there: &Catalogue, facts: &Facts, recorded: &[Known]) -> Result<Vec<Wish>> {
    let mut problems = Problems::default();
    let mut found = Vec::new();
    for entry in asked.entries.iter().filter(|entry| entry.database == there.database) {
        let Some(schema) = &entry.schema else { continue };
        let Some(schema_owner) = there.schemas.get(schema) else {
            let right = right(Level::Schema, &[&there.database, schema], Aim::Grantee, "USAGE");
            found.push(
                Wish::new(right, &format!("{}.schema", entry.path))
                    .standing_in(format!("the schema {schema} is not there in the database {}", there.database)),
            );
            continue;
        };
        let way_in = acting_owner(&schema_owner.name, &there.owner);
        let is_beyond = |owner: &str, superuser: bool| {
            !facts.superuser && (superuser || (owner == DATABASE_OWNER && there.superusers))
        };
        for group in entry.groups.iter().filter(|group| group.level != Level::Database) {
            if group.level == Level::Schema {
                each_privilege(group, facts, &mut problems, |word, path| {
                    let right = right(Level::Schema, &[&there.database, schema], entry.aim, word);
                    let out_of_reach = is_beyond(&schema_owner.name, schema_owner.superuser);
                    found.push(Wish { out_of_reach, ..of_entry(entry, right, path, &[way_in], None) });
                });
                continue;
            }
            let (objects, missing) = objects(group, schema, there, &mut problems);
            each_privilege(group, facts, &mut problems, |word, path| {
                for object in &objects {
                    let mut names = vec![there.database.as_str(), schema, &object.name];
                    names.extend(object.column.as_deref());
                    let right = right(group.level, &names, entry.aim, word);
                    let owner = acting_owner(&object.owner, &there.owner);
                    let out_of_reach = is_beyond(&object.owner, object.superusers);
                    let wish = of_entry(entry, right, path, &[owner, way_in], object.arguments.clone());
                    found.push(Wish { out_of_reach, ..wish });
                }
                for (named, what) in &missing {
                    let mut names = vec![there.database.as_str(), schema, &named.name];
                    names.extend(named.column.as_deref());
                    let right = right(group.level, &names, entry.aim, word);
                    found.push(Wish::new(right, &named.path).lacking(what.clone()));
                }
                if entry.future && group.all {
                    found.extend(future(entry, group, word, path, there, facts, recorded));
                }
            });
        }
    }
    for one in asked.defaults.iter().filter(|one| one.database == there.database) {
        defaults(one, there, facts, &mut problems, &mut found);
    }
    problems.finish()?;
    union(found)
}

fn right(level: Level, object: &[&str], aim: Aim, privilege: &str) -> Right {
    Right {
        level,
        object: object.iter().map(|&name| name.to_owned()).collect(),
        everyone: aim != Aim::Grantee,
        privilege: privilege.to_owned(),
    }
}

fn of_entry(entry: &Entry, right: Right, path: &str, owners: &[&str], arguments: Option<String>) -> Wish {
    Wish {
        grantable: entry.grantable,
        acts_as: owners.iter().map(|&owner| owner.to_owned()).collect(),
        arguments,
        denied: entry.aim == Aim::NotEveryone,
        ..Wish::new(right, path)
    }
}

/// Every privilege of a group, with its path; one that the version lacks is a problem.
fn each_privilege(group: &Group, facts: &Facts, problems: &mut Problems, mut then: impl FnMut(&str, &str)) {
    for (stated, path) in &group.privileges {
        for word in expand(stated, path, group.level, facts, problems) {
            then(word, path);
        }
    }
}

fn expand(stated: &Stated, path: &str, level: Level, facts: &Facts, problems: &mut Problems) -> Vec<&'static str> {
    stated.expand(level, facts.number).unwrap_or_else(|| {
        let allowed = privileges::on(level, facts.number).join(", ");
        let problem = format!(
            "this privilege came with PostgreSQL 17; the server is {}, where a {} has {allowed} and ALL",
            facts.version,
            level.word()
        );
        problems.add(path, problem);
        Vec::new()
    })
}

/// The objects that a group names, and those of them that are not there.
fn objects<'known>(
    group: &'known Group,
    schema: &str,
    there: &'known Catalogue,
    problems: &mut Problems,
) -> (Vec<&'known Object>, Vec<(&'known Named, String)>) {
    let candidates: Vec<&Object> =
        there.objects.iter().filter(|one| one.level == group.level && one.schema == schema).collect();
    let mut found: Vec<&Object> = Vec::new();
    let mut missing = Vec::new();
    if group.all {
        found.extend(candidates.iter().filter(|one| !one.beyond));
    }
    for named in &group.these {
        let signed = there.signatures.get(&(schema.to_owned(), named.name.clone()));
        let same = |one: &&&Object| match (&one.arguments, signed) {
            (Some(_), Some(signed)) => one.name == *signed,
            (Some(_), None) => one.bare() == named.name,
            (None, _) => one.name == named.name && one.column == named.column,
        };
        let matching: Vec<&Object> = candidates.iter().filter(same).copied().collect();
        match matching.as_slice() {
            [] => {
                let column = named.column.as_ref().map(|column| format!(".{column}")).unwrap_or_default();
                let name = format!("{schema}.{}{column}", named.name);
                missing.push((
                    named,
                    format!("the {} {name} is not there in the database {}", group.level.word(), there.database),
                ));
            }
            [one] if one.beyond => {
                let problem = "this belongs to an extension that a superuser installed: no rights are given on it";
                problems.add(named.path.clone(), problem);
            }
            [one] => {
                if !found.iter().any(|other| other == one) {
                    found.push(one);
                }
            }
            many => {
                let names: Vec<&str> = many.iter().map(|one| one.name.as_str()).collect();
                problems.add(
                    named.path.clone(),
                    format!("several have this name: state the one with its arguments: {}", names.join(", ")),
                );
            }
        }
    }
    (found, missing)
}

/// What later objects of a star give, for each owner that is known to create such objects there.
fn future(
    entry: &Entry,
    group: &Group,
    word: &str,
    path: &str,
    there: &Catalogue,
    facts: &Facts,
    recorded: &[Known],
) -> Vec<Wish> {
    let (Some(schema), Some(kind)) = (&entry.schema, privileges::kind_of(group.level)) else { return Vec::new() };
    let kind = kind_word(kind);
    let same = |one: &&Object| one.level == group.level && one.schema == *schema && !one.of_extension;
    let mut owners: BTreeSet<&str> =
        there.objects.iter().filter(same).map(|one| acting_owner(&one.owner, &there.owner)).collect();
    // The first superuser's schemas are everybody's to create in: the database's owner is who does.
    owners.extend(there.schemas.get(schema).map(|owner| {
        if owner.superuser && !facts.superuser { &there.owner } else { acting_owner(&owner.name, &there.owner) }
    }));
    // An owner whose last object is gone may come back.
    for known in recorded.iter().filter(|known| known.right.level == Level::Default) {
        if let [database, owner, of_kind, inside] = known.right.object.as_slice()
            && (database, inside, of_kind.as_str()) == (&there.database, schema, kind)
            && there.roles.contains(owner)
        {
            owners.insert(owner);
        }
    }
    let wish = |owner: &str| {
        let right = right(Level::Default, &[&there.database, owner, kind, schema], entry.aim, word);
        of_entry(entry, right, path, &[owner], None)
    };
    owners.into_iter().map(wish).collect()
}

fn defaults(one: &Defaults, there: &Catalogue, facts: &Facts, problems: &mut Problems, found: &mut Vec<Wish>) {
    let kind = kind_word(one.kind);
    let lacking = if there.roles.contains(&one.owner) {
        let missing = one.schema.as_ref().filter(|schema| !there.schemas.contains_key(*schema));
        missing.map(|schema| format!("the schema {schema} is not there in the database {}", there.database))
    } else {
        Some(format!("the role {} is not there", one.owner))
    };
    for (stated, path) in &one.privileges {
        for word in expand(stated, path, privileges::level_of(one.kind), facts, problems) {
            let mut object = vec![there.database.as_str(), &one.owner, kind];
            object.extend(one.schema.as_deref());
            let right = right(Level::Default, &object, Aim::Grantee, word);
            found.push(Wish {
                grantable: one.grantable,
                acts_as: vec![one.owner.clone()],
                lacking: lacking.clone(),
                ..Wish::new(right, path)
            });
        }
    }
}

/// The same right of several fields is one wish. To give and to take the same is a contradiction.
fn union(wishes: Vec<Wish>) -> Result<Vec<Wish>> {
    let mut problems = Problems::default();
    let mut found: BTreeMap<Right, Wish> = BTreeMap::new();
    for wish in wishes {
        match found.get_mut(&wish.right) {
            Some(same) if same.denied != wish.denied => {
                problems.add(wish.path.clone(), format!("{} says the opposite", same.path));
            }
            Some(same) => {
                same.grantable |= wish.grantable;
                same.stands_in &= wish.stands_in;
                same.lacking = same.lacking.take().or(wish.lacking);
            }
            None => _ = found.insert(wish.right.clone(), wish),
        }
    }
    problems.finish()?;
    Ok(found.into_values().collect())
}
