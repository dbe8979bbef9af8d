//! A database's spec, read and checked. Pure.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::types::{Companion, Reference};
use dbprovision_sdk::{Examination, ObjectKind, Result, options};
use postgres_options::{PostgresDatabaseConfig, PostgresObjectType};

use crate::grants::privileges;
use crate::names;
use crate::users::wanted::{dangerous, reference};

/// What a database should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// The stated owner, or the companion role.
    pub(crate) owner: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) block: PostgresDatabaseConfig,
    pub(crate) companions: Option<Companions>,
}

/// The owner role and the application user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Companions {
    pub(crate) role: String,
    pub(crate) user: String,
    pub(crate) default_privileges: bool,
    pub(crate) drop_on_delete: bool,
}

pub(crate) const ROLE_PATH: &str = "options.ownership.roleName";
pub(crate) const USER_PATH: &str = "options.ownership.userName";

impl Wanted {
    /// Reads the spec; every problem is named at once.
    pub(crate) fn read(spec: &DatabaseSpec) -> Result<Self> {
        let block: PostgresDatabaseConfig = options::parse(spec.options.as_deref())?;
        let mut problems = Problems::default();
        names::check_database(&spec.name, "name", &mut problems);
        if spec.comment.as_deref().is_some_and(|comment| comment.contains('\0')) {
            problems.add("comment", "a comment must not contain a NUL byte");
        }
        if let Some(owner) = &spec.owner {
            names::check(owner, "owner", &mut problems);
        }
        let companions = companions(&spec.name, &block);
        if let Some(Companions { role, user, .. }) = &companions {
            names::check_role(role, ROLE_PATH, &mut problems);
            names::check_role(user, USER_PATH, &mut problems);
            if role == user {
                problems.add(USER_PATH, "the application user must be another than the owner role");
            }
            if spec.owner.as_ref().is_some_and(|owner| owner != role) {
                problems.add(
                    "owner",
                    "with `ownership.autoOwnership` the database belongs to its own role: leave this out",
                );
            }
        }
        check_block(&block, &mut problems);
        problems.finish()?;
        let owner = companions.as_ref().map(|one| one.role.clone()).or_else(|| spec.owner.clone());
        let comment = spec.comment.clone().filter(|text| !text.is_empty());
        Ok(Self { name: spec.name.clone(), owner, comment, block, companions })
    }

    /// Something inside the database is stated.
    pub(crate) fn reaches_inside(&self) -> bool {
        let Self { block, companions, .. } = self;
        companions.as_ref().is_some_and(|one| one.default_privileges)
            || block.extensions.as_ref().is_some_and(|list| !list.is_empty())
            || block.schemas.as_ref().is_some_and(|list| !list.is_empty())
            || block.default_privileges.as_ref().is_some_and(|list| !list.is_empty())
    }

    pub(crate) fn allows_connections(&self) -> bool {
        self.block.allow_connections.unwrap_or(true)
    }

    /// What the spec needs and names.
    pub(crate) fn examination(&self) -> Examination {
        let own: BTreeSet<&str> =
            self.companions.iter().flat_map(|one| [one.role.as_str(), one.user.as_str()]).collect();
        let mut references: Vec<Reference> = Vec::new();
        let mut name = |name: &str, path: String| {
            if !own.contains(name) {
                references.push(reference(name, path));
            }
        };
        if let Some(owner) = &self.owner {
            name(owner, "owner".to_owned());
        }
        for (at, schema) in self.block.schemas.iter().flatten().enumerate() {
            if let Some(owner) = &schema.owner {
                name(owner, format!("options.schemas[{at}].owner"));
            }
        }
        for (at, one) in self.block.default_privileges.iter().flatten().enumerate() {
            name(&one.role, format!("options.defaultPrivileges[{at}].role"));
            if let Some(grantee) = one.grantee.as_deref().filter(|grantee| !grantee.eq_ignore_ascii_case("public")) {
                name(grantee, format!("options.defaultPrivileges[{at}].grantee"));
            }
        }
        if let Some(template) = self.block.template.as_deref().filter(|one| !matches!(*one, "template0" | "template1"))
        {
            // Whoever may copy a database reads all of it.
            references.push(Reference {
                path: "options.template".to_owned(),
                kind: ObjectKind::Database,
                name: template.to_owned(),
                standing: names::database_standing(template),
            });
        }
        let privileges = dangerous(&references).collect();
        let companions = self.companions.iter().flat_map(|one| {
            [(ROLE_PATH, ObjectKind::Role, &one.role, false), (USER_PATH, ObjectKind::User, &one.user, true)]
        });
        let companions = companions.map(|(path, kind, name, wants_password)| Companion {
            path: path.to_owned(),
            kind,
            name: name.clone(),
            wants_password,
        });
        Examination { privileges, references, companions: companions.collect() }
    }
}

fn companions(database: &str, block: &PostgresDatabaseConfig) -> Option<Companions> {
    let ownership = block.ownership.as_ref().filter(|one| one.auto_ownership == Some(true))?;
    Some(Companions {
        role: ownership.role_name.clone().unwrap_or_else(|| format!("db_{database}_owner")),
        user: ownership.user_name.clone().unwrap_or_else(|| format!("db_{database}_app")),
        default_privileges: ownership.set_default_privileges.unwrap_or(true),
        drop_on_delete: ownership.drop_on_delete.unwrap_or(false),
    })
}

fn check_block(block: &PostgresDatabaseConfig, problems: &mut Problems) {
    if block.connection_limit.is_some_and(|limit| limit < -1) {
        problems.add("options.connectionLimit", "it is -1 for no limit, or a number of connections");
    }
    for (value, path) in [
        (&block.encoding, "options.encoding"),
        (&block.lc_collate, "options.lcCollate"),
        (&block.lc_ctype, "options.lcCtype"),
        (&block.tablespace, "options.tablespace"),
        (&block.template, "options.template"),
    ] {
        if let Some(value) = value {
            names::check(value, path, problems);
        }
    }
    if block.tablespace.as_deref() == Some("pg_global") {
        problems.add("options.tablespace", "only the server's shared catalogues are in pg_global");
    }
    let mut seen = BTreeSet::new();
    for (at, one) in block.extensions.iter().flatten().enumerate() {
        let path = format!("options.extensions[{at}]");
        names::check(&one.name, &format!("{path}.name"), problems);
        if let Some(schema) = one.schema.as_ref().filter(|schema| *schema != "pg_catalog") {
            check_schema(schema, &format!("{path}.schema"), problems);
        }
        if one.version.as_deref().is_some_and(|version| version.is_empty() || version.contains('\0')) {
            problems.add(format!("{path}.version"), "a version must not be empty and must not contain a NUL byte");
        }
        if !seen.insert(&one.name) {
            problems.add(format!("{path}.name"), "the extension is stated twice");
        }
    }
    let mut seen = BTreeSet::new();
    for (at, one) in block.schemas.iter().flatten().enumerate() {
        check_schema(&one.name, &format!("options.schemas[{at}].name"), problems);
        if let Some(owner) = &one.owner {
            names::check(owner, &format!("options.schemas[{at}].owner"), problems);
        }
        if !seen.insert(&one.name) {
            problems.add(format!("options.schemas[{at}].name"), "the schema is stated twice");
        }
    }
    for (at, one) in block.default_privileges.iter().flatten().enumerate() {
        let path = format!("options.defaultPrivileges[{at}]");
        names::check(&one.role, &format!("{path}.role"), problems);
        names::check(&one.schema, &format!("{path}.schema"), problems);
        if let Some(grantee) = &one.grantee {
            names::check(grantee, &format!("{path}.grantee"), problems);
        }
        if one.privileges.is_empty() {
            problems.add(format!("{path}.privileges"), "at least one privilege");
        }
        for (index, privilege) in one.privileges.iter().enumerate() {
            if !known(one.object_type).contains(&privilege.as_str()) && !is_all(privilege) {
                let expected = privileges::listed(privileges::level_of(one.object_type));
                problems
                    .add(format!("{path}.privileges[{index}]"), format!("this kind of object has {expected} and ALL"));
            }
        }
    }
}

fn check_schema(name: &str, path: &str, problems: &mut Problems) {
    names::check(name, path, problems);
    // Whoever owned one of these would have code of its own run by every session, the administrator's included.
    if names::is_engines_schema(name) {
        problems.add(path, "`information_schema` and names that begin with `pg_` are the server's own");
    }
}

/// `ALL` and its longer form.
pub(crate) fn is_all(privilege: &str) -> bool {
    matches!(privilege, "ALL" | "ALL PRIVILEGES")
}

/// The privileges that a kind of object has. `MAINTAIN` came with 17.
pub(crate) fn known(kind: PostgresObjectType) -> &'static [&'static str] {
    match kind {
        PostgresObjectType::Tables => {
            &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"]
        }
        PostgresObjectType::Sequences => &["USAGE", "SELECT", "UPDATE"],
        PostgresObjectType::Functions => &["EXECUTE"],
        PostgresObjectType::Types => &["USAGE"],
    }
}
