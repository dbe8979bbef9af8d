//! A grant's spec, read and checked as far as it can be without a server. Pure.
//!
//! Which privilege is about which of the named objects is decided here; what the objects are, and what the
//! server's version has, is decided in `resolve`.

use std::collections::BTreeMap;

use dbprovision_sdk::adapter::grants::GrantSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::types::Reference;
use dbprovision_sdk::{Examination, ObjectKind, Result, options};
use postgres_options::{
    PostgresDefaultPrivilegeGrant, PostgresGrant, PostgresGrantConfig, PostgresObjectType, PostgresPublic,
};

use super::privileges::{self, Stated};
use super::right::Level;
use crate::names;
use crate::users::wanted::{dangerous, reference};

/// What a grant resource states.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub(crate) memberships: Vec<Membership>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) defaults: Vec<Defaults>,
}

/// A membership, with the field that states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) role: String,
    pub(crate) admin: Option<bool>,
    pub(crate) inherit: Option<bool>,
    pub(crate) set: Option<bool>,
    pub(crate) path: String,
}

/// Whom an entry is about, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    Grantee,
    Everyone,
    /// Everyone must not have it.
    NotEveryone,
}

/// Rights in one database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) database: String,
    pub(crate) schema: Option<String>,
    pub(crate) groups: Vec<Group>,
    pub(crate) grantable: bool,
    pub(crate) aim: Aim,
    pub(crate) future: bool,
}

/// Objects of one level, and the privileges that are about them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) level: Level,
    /// All that are there, in which case `these` are among them.
    pub(crate) all: bool,
    pub(crate) these: Vec<Named>,
    /// With the field that states each.
    pub(crate) privileges: Vec<(Stated, String)>,
}

/// One named object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// Where the object is a column of the table `name`.
    pub(crate) column: Option<String>,
    pub(crate) path: String,
}

/// Rights on objects that are created later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Defaults {
    pub(crate) path: String,
    pub(crate) database: String,
    pub(crate) schema: Option<String>,
    pub(crate) owner: String,
    pub(crate) kind: PostgresObjectType,
    pub(crate) privileges: Vec<(Stated, String)>,
    pub(crate) grantable: bool,
}

/// The word for all present objects.
const STAR: &str = "*";

impl Asked {
    /// Reads the spec; every problem is named at once.
    pub(crate) fn read(spec: &GrantSpec) -> Result<Self> {
        let block: PostgresGrantConfig = options::parse(spec.options.as_deref())?;
        let mut problems = Problems::default();
        names::check_role(&spec.grantee.name, "grantee", &mut problems);
        let memberships = memberships(spec, &block, &mut problems);
        let grants = block.grants.iter().flatten().enumerate();
        let entries = grants.map(|(at, one)| entry(one, &format!("options.grants[{at}]"), &mut problems)).collect();
        let stated = block.default_privileges.iter().flatten().enumerate();
        let path = |at: usize| format!("options.defaultPrivileges[{at}]");
        let defaults = stated.map(|(at, one)| defaults(one, &path(at), &mut problems)).collect();
        problems.finish()?;
        Ok(Self { memberships, entries, defaults })
    }

    /// What the spec needs and names.
    pub(crate) fn examination(&self) -> Examination {
        let mut references: Vec<Reference> =
            self.memberships.iter().map(|one| reference(&one.role, one.path.clone())).collect();
        let databases = self.entries.iter().map(|one| (&one.database, &one.path));
        let databases = databases.chain(self.defaults.iter().map(|one| (&one.database, &one.path)));
        references.extend(databases.map(|(name, path)| Reference {
            path: format!("{path}.database"),
            kind: ObjectKind::Database,
            name: name.clone(),
            standing: names::database_standing(name),
        }));
        references.extend(self.defaults.iter().map(|one| reference(&one.owner, format!("{}.grantedBy", one.path))));
        Examination { privileges: dangerous(&references).collect(), references, companions: Vec::new() }
    }

    /// Databases that are named, with a field that names each.
    pub(crate) fn databases(&self) -> BTreeMap<&str, &str> {
        let named = self.entries.iter().map(|one| (one.database.as_str(), one.path.as_str()));
        named.chain(self.defaults.iter().map(|one| (one.database.as_str(), one.path.as_str()))).collect()
    }

    /// Something inside the database is stated.
    pub(crate) fn reaches_inside(&self, database: &str) -> bool {
        self.entries.iter().any(|one| one.database == database && one.schema.is_some())
            || self.defaults.iter().any(|one| one.database == database)
    }

    /// Rights of everyone are stated.
    pub(crate) fn speaks_of_everyone(&self) -> bool {
        self.entries.iter().any(|one| one.aim != Aim::Grantee)
    }
}

fn memberships(spec: &GrantSpec, block: &PostgresGrantConfig, problems: &mut Problems) -> Vec<Membership> {
    let mut found: Vec<Membership> = Vec::new();
    let stated = block.memberships.iter().flatten().enumerate().map(|(at, one)| Membership {
        role: one.role.clone(),
        admin: one.admin,
        inherit: one.inherit,
        set: one.set,
        path: format!("options.memberships[{at}]"),
    });
    for one in stated {
        if found.iter().any(|other| other.role == one.role) {
            problems.add(format!("{}.role", one.path), "the role is stated twice");
        }
        found.push(one);
    }
    let plain = spec.roles.iter().enumerate().map(|(at, role)| (role, format!("roles[{at}]")));
    let in_block = block.roles.iter().flatten().enumerate().map(|(at, role)| (role, format!("options.roles[{at}]")));
    for (role, path) in plain.chain(in_block) {
        // The options of a membership may be stated beside its name.
        if !found.iter().any(|other| other.role == *role) {
            found.push(Membership { role: role.clone(), admin: None, inherit: None, set: None, path });
        }
    }
    for one in &found {
        names::check(&one.role, &one.path, problems);
        if one.role == spec.grantee.name {
            problems.add(one.path.clone(), "a role cannot be a member of itself");
        }
        if one.role == "pg_database_owner" {
            problems.add(one.path.clone(), "the server allows no explicit members of this role");
        }
    }
    found
}

fn entry(one: &PostgresGrant, path: &str, problems: &mut Problems) -> Entry {
    names::check(&one.database, &format!("{path}.database"), problems);
    if let Some(schema) = &one.schema {
        check_schema(schema, &format!("{path}.schema"), problems);
    }
    let mut groups = objects(one, path, problems);
    let has_schema = one.schema.is_some();
    if let Some(first) = groups.first().filter(|_| !has_schema) {
        problems.add(format!("{path}.schema"), format!("state the schema that each {} is in", first.level.word()));
    }
    let named: Vec<Level> = groups.iter().map(|group| group.level).collect();
    check_count(&one.privileges, path, problems);
    for (at, word) in one.privileges.iter().enumerate() {
        let path = format!("{path}.privileges[{at}]");
        let stated = Stated::parse(word);
        let levels = stated.as_ref().map(|stated| privileges::recipients(stated, has_schema, &named));
        let (Some(stated), Some(levels)) = (stated, levels.filter(|levels| !levels.is_empty())) else {
            let allowed = privileges::allowed(has_schema, &named);
            problems.add(path, format!("this privilege fits none of the objects: {allowed}"));
            continue;
        };
        for level in levels {
            let at = groups.iter().position(|group| group.level == level).unwrap_or_else(|| {
                // The database or schema itself, or the tables of a schema that is named alone.
                groups.push(Group { level, all: level == Level::Table, these: Vec::new(), privileges: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(at) {
                group.privileges.push((stated.clone(), path.clone()));
            }
        }
    }
    for group in groups.iter().filter(|group| group.privileges.is_empty()) {
        let problem = format!(
            "none of the privileges is one of a {0}: name every {0} in an entry of its own",
            group.level.word()
        );
        problems.add(format!("{path}.{}", field(group.level)), problem);
    }
    let aim = match one.public {
        None => Aim::Grantee,
        Some(PostgresPublic::Granted) => Aim::Everyone,
        Some(PostgresPublic::Revoked) => Aim::NotEveryone,
    };
    let grantable = one.with_grant_option.unwrap_or(false);
    let future = one.future.unwrap_or(false);
    if grantable && aim != Aim::Grantee {
        problems.add(format!("{path}.withGrantOption"), "the server has no grant option for everyone");
    }
    if future && aim == Aim::NotEveryone {
        let problem =
            "what everyone gets on new objects is set for the whole database, not for a schema: leave this out";
        problems.add(format!("{path}.future"), problem);
    }
    if future && !groups.iter().any(|group| group.all) {
        problems.add(format!("{path}.future"), "this goes with `*`, or with a schema whose objects are not named");
    }
    let (path, database, schema) = (path.to_owned(), one.database.clone(), one.schema.clone());
    Entry { path, database, schema, groups, grantable, aim, future }
}

/// The objects that an entry names, without privileges yet.
fn objects(one: &PostgresGrant, path: &str, problems: &mut Problems) -> Vec<Group> {
    let mut groups = Vec::new();
    for (level, names) in [
        (Level::Table, &one.tables),
        (Level::Sequence, &one.sequences),
        (Level::Function, &one.functions),
        (Level::Procedure, &one.procedures),
        (Level::Type, &one.types),
    ] {
        let Some(names) = names.as_ref().filter(|names| !names.is_empty()) else { continue };
        let mut these = Vec::new();
        for (at, name) in names.iter().enumerate().filter(|(_, name)| *name != STAR) {
            let path = format!("{path}.{}[{at}]", field(level));
            // A routine's name comes with its arguments, and is as long as they make it.
            if matches!(level, Level::Function | Level::Procedure) {
                if name.is_empty() || name.contains('\0') {
                    problems.add(path.clone(), "a name must not be empty and must not contain a NUL byte");
                }
            } else {
                names::check(name, &path, problems);
            }
            these.push(Named { name: name.clone(), column: None, path });
        }
        groups.push(Group { level, all: these.len() < names.len(), these, privileges: Vec::new() });
    }
    let mut these = Vec::new();
    for (table, columns) in one.columns.iter().flatten() {
        let path = format!("{path}.columns.{table}");
        names::check(table, &path, problems);
        if columns.is_empty() || table == STAR || columns.iter().any(|column| column == STAR) {
            problems.add(path.clone(), "name the columns of one table; all of them are its `tables` entry");
        }
        for (at, column) in columns.iter().enumerate() {
            let path = format!("{path}[{at}]");
            names::check(column, &path, problems);
            these.push(Named { name: table.clone(), column: Some(column.clone()), path });
        }
    }
    if !these.is_empty() {
        groups.push(Group { level: Level::Column, all: false, these, privileges: Vec::new() });
    }
    groups
}

fn field(level: Level) -> &'static str {
    match level {
        Level::Table => "tables",
        Level::Column => "columns",
        Level::Sequence => "sequences",
        Level::Function => "functions",
        Level::Procedure => "procedures",
        Level::Type => "types",
        Level::Membership => "memberships",
        Level::Schema => "schema",
        Level::Database => "database",
        Level::Default => "objectType",
    }
}

fn defaults(one: &PostgresDefaultPrivilegeGrant, path: &str, problems: &mut Problems) -> Defaults {
    names::check(&one.database, &format!("{path}.database"), problems);
    names::check(&one.granted_by, &format!("{path}.grantedBy"), problems);
    if let Some(schema) = &one.schema {
        check_schema(schema, &format!("{path}.schema"), problems);
    }
    check_count(&one.privileges, path, problems);
    let level = privileges::level_of(one.object_type);
    let mut privileges = Vec::new();
    for (at, word) in one.privileges.iter().enumerate() {
        let path = format!("{path}.privileges[{at}]");
        if let Some(stated) = Stated::parse(word).filter(|stated| stated.fits(level)) {
            privileges.push((stated, path));
        } else {
            let expected = privileges::listed(level);
            problems.add(path, format!("this kind of object has {expected} and ALL"));
        }
    }
    Defaults {
        path: path.to_owned(),
        database: one.database.clone(),
        schema: one.schema.clone(),
        owner: one.granted_by.clone(),
        kind: one.object_type,
        privileges,
        grantable: one.with_grant_option.unwrap_or(false),
    }
}

fn check_count(privileges: &[String], path: &str, problems: &mut Problems) {
    if privileges.is_empty() || privileges.len() > 20 {
        problems.add(format!("{path}.privileges"), "1 to 20 privileges");
    }
}

/// Rights on the engine's own objects are the engine's to give.
fn check_schema(name: &str, path: &str, problems: &mut Problems) {
    names::check(name, path, problems);
    if names::is_engines_schema(name) {
        problems.add(path, "this schema is the server's own and no rights are granted in it");
    }
}
