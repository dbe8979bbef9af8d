//! The spec of a user or a role, read and checked. Pure.
//!
//! Both are roles of the server and differ in what is stated of them: a role has fewer attributes.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::types::{PrivilegeRequest, Reference};
use dbprovision_sdk::{Examination, ObjectKind, Privilege, Result, options};
use postgres_options::{PostgresRoleConfig, PostgresUserConfig};

use super::superuser_settings;
use crate::names;
use crate::observe::role::Role;

/// What a user or role should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// A role has neither a password nor anything else that is about its own logins.
    pub(crate) kind: ObjectKind,
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
    pub(crate) block: PostgresUserConfig,
    /// Every role it should be a member of, with the field that says so.
    pub(crate) memberships: Vec<(String, String)>,
    /// Roles that other resources make it a member of.
    pub(crate) shared: BTreeSet<String>,
}

/// One attribute that is on or off. Unstated, it is what the API documents, and that is enforced.
pub(crate) struct Flag {
    pub(crate) field: &'static str,
    pub(crate) on: &'static str,
    pub(crate) off: &'static str,
    pub(crate) default: bool,
    /// What the server gives a role that is created without a word.
    pub(crate) servers_default: bool,
    stated: fn(&PostgresUserConfig) -> Option<bool>,
    pub(crate) observed: fn(&Role) -> bool,
    privilege: Option<Privilege>,
}

impl Flag {
    pub(crate) fn wanted(&self, block: &PostgresUserConfig) -> bool {
        (self.stated)(block).unwrap_or(self.default)
    }

    pub(crate) fn word(&self, value: bool) -> &'static str {
        if value { self.on } else { self.off }
    }
}

macro_rules! flag {
    ($field:literal, $on:literal, $off:literal, $default:literal, $server:literal, $member:ident, $privilege:expr) => {
        Flag {
            field: $field,
            on: $on,
            off: $off,
            default: $default,
            servers_default: $server,
            stated: |block| block.$member,
            observed: |role| role.$member,
            privilege: $privilege,
        }
    };
}

/// Every attribute that is on or off.
pub(crate) const FLAGS: [Flag; 7] = [
    flag!("login", "LOGIN", "NOLOGIN", true, false, login, None),
    flag!("superuser", "SUPERUSER", "NOSUPERUSER", false, false, superuser, Some(Privilege::Superuser)),
    flag!("createDB", "CREATEDB", "NOCREATEDB", false, false, create_db, None),
    flag!("createRole", "CREATEROLE", "NOCREATEROLE", false, false, create_role, Some(Privilege::CreateRole)),
    flag!("inherit", "INHERIT", "NOINHERIT", true, true, inherit, None),
    flag!("replication", "REPLICATION", "NOREPLICATION", false, false, replication, Some(Privilege::Replication)),
    flag!("bypassRLS", "BYPASSRLS", "NOBYPASSRLS", false, false, bypass_rls, Some(Privilege::BypassRowSecurity)),
];

/// Times whose meaning moves: a difference would come back each day.
const MOVING_TIMES: &[&str] = &["now", "today", "tomorrow", "yesterday", "allballs"];

impl Wanted {
    /// The role that is active from the login on, where one is stated.
    pub(crate) fn default_role(&self) -> Option<&str> {
        self.block.default_role.as_deref().filter(|role| *role != "none")
    }

    /// A superuser may become any role.
    pub(crate) fn is_superuser(&self) -> bool {
        self.block.superuser == Some(true)
    }

    /// Reads a user's spec; every problem is named at once.
    pub(crate) fn read(spec: &UserSpec) -> Result<Self> {
        let block: PostgresUserConfig = options::parse(spec.options.as_deref())?;
        let shared = spec.shared_roles.iter().cloned().collect();
        Ok(Self { shared, ..Self::of(ObjectKind::User, &spec.name, &spec.roles, spec.comment.as_ref(), block)? })
    }

    /// Reads a role's spec. Its `grants` are no part of it: they are rights like any other, and the grant operations
    /// serve them, with the role as the grantee.
    pub(crate) fn read_role(spec: &RoleSpec) -> Result<Self> {
        let PostgresRoleConfig {
            login,
            inherit,
            create_db,
            create_role,
            superuser,
            replication,
            bypass_rls,
            in_roles,
            grants: _,
        } = options::parse(spec.options.as_deref())?;
        let block = PostgresUserConfig {
            login: Some(login.unwrap_or(false)),
            inherit,
            create_db,
            create_role,
            superuser,
            replication,
            bypass_rls,
            in_roles,
            ..PostgresUserConfig::default()
        };
        let shared = spec.shared_roles.iter().cloned().collect();
        Ok(Self { shared, ..Self::of(ObjectKind::Role, &spec.name, &[], spec.comment.as_ref(), block)? })
    }

    fn of(
        kind: ObjectKind,
        name: &str,
        roles: &[String],
        comment: Option<&String>,
        block: PostgresUserConfig,
    ) -> Result<Self> {
        let mut problems = Problems::default();
        names::check_role(name, "name", &mut problems);
        check_block(&block, &mut problems);
        let mut memberships: Vec<(String, String)> = Vec::new();
        let mut seen = BTreeSet::new();
        let in_roles = block.in_roles.iter().flatten().enumerate();
        let stated = (roles.iter().enumerate().map(|(at, role)| (role, format!("roles[{at}]"))))
            .chain(in_roles.map(|(at, role)| (role, format!("options.inRoles[{at}]"))));
        for (role, path) in stated {
            names::check(role, &path, &mut problems);
            if role == name {
                problems.add(path.clone(), "a role cannot be a member of itself");
            }
            if role == "pg_database_owner" {
                problems.add(path.clone(), "the server allows no explicit members of this role");
            }
            if seen.insert(role.clone()) {
                memberships.push((role.clone(), path));
            }
        }
        if comment.is_some_and(|comment| comment.contains('\0')) {
            problems.add("comment", "a comment must not contain a NUL byte");
        }
        problems.finish()?;
        Ok(Self {
            kind,
            name: name.to_owned(),
            comment: comment.cloned().filter(|text| !text.is_empty()),
            block,
            memberships,
            shared: BTreeSet::new(),
        })
    }

    /// The attributes as `CREATE ROLE` takes them: only those that the server would not give anyway.
    pub(crate) fn attributes(&self) -> Vec<String> {
        let mut attributes: Vec<String> = FLAGS
            .iter()
            .filter(|flag| flag.wanted(&self.block) != flag.servers_default)
            .map(|flag| flag.word(flag.wanted(&self.block)).to_owned())
            .collect();
        if self.connection_limit() != -1 {
            attributes.push(format!("CONNECTION LIMIT {}", self.connection_limit()));
        }
        attributes
    }

    pub(crate) fn connection_limit(&self) -> i32 {
        self.block.connection_limit.unwrap_or(-1)
    }

    /// Whether the setting is one of `configParameters`. Names of settings know no case.
    pub(crate) fn states_setting(&self, name: &str) -> bool {
        self.block.config_parameters.iter().flatten().any(|(stated, _)| stated.eq_ignore_ascii_case(name))
    }

    /// What the spec needs and names.
    pub(crate) fn examination(&self) -> Examination {
        let mut privileges: Vec<PrivilegeRequest> = FLAGS
            .iter()
            .filter(|flag| flag.wanted(&self.block))
            .filter_map(|flag| Some((flag.field, flag.privilege?)))
            .map(|(field, privilege)| PrivilegeRequest { path: format!("options.{field}"), privilege })
            .collect();
        let settings = self.block.config_parameters.iter().flatten().map(|(name, _)| name);
        privileges.extend(settings.filter(|name| superuser_settings::contains(name)).map(|name| PrivilegeRequest {
            path: format!("options.configParameters.{name}"),
            privilege: Privilege::Superuser,
        }));
        let mut references: Vec<Reference> =
            self.memberships.iter().map(|(role, path)| reference(role, path.clone())).collect();
        if let Some(role) = self.block.default_role.as_deref().filter(|role| *role != self.name && *role != "none") {
            references.push(reference(role, "options.defaultRole".to_owned()));
        }
        privileges.extend(dangerous(&references));
        Examination { privileges, references, companions: Vec::new() }
    }
}

/// A role that a spec names.
pub(crate) fn reference(name: &str, path: String) -> Reference {
    Reference { path, kind: ObjectKind::Role, name: name.to_owned(), standing: names::role_standing(name) }
}

/// A dangerous name is a privilege too: the instance's ceiling decides.
pub(crate) fn dangerous(references: &[Reference]) -> impl Iterator<Item = PrivilegeRequest> {
    references
        .iter()
        .filter(|one| one.standing == dbprovision_sdk::Standing::Dangerous)
        .map(|one| PrivilegeRequest { path: one.path.clone(), privilege: Privilege::DangerousRole })
}

fn check_block(block: &PostgresUserConfig, problems: &mut Problems) {
    if block.connection_limit.is_some_and(|limit| limit < -1) {
        problems.add("options.connectionLimit", "it is -1 for no limit, or a number of connections");
    }
    if let Some(time) = &block.valid_until {
        let word = time.trim().to_ascii_lowercase();
        if word.is_empty() || time.contains('\0') || MOVING_TIMES.contains(&word.as_str()) {
            problems.add("options.validUntil", "a fixed time, for example 2030-12-31T23:59:59Z, or infinity");
        }
    }
    if let Some(role) = &block.default_role {
        names::check(role, "options.defaultRole", problems);
    }
    for (name, value) in block.config_parameters.iter().flatten() {
        let path = format!("options.configParameters.{name}");
        if !is_setting(name) {
            problems.add(
                path.clone(),
                "this is no name of a setting: letters, digits and underscores, with dots between parts",
            );
        }
        if name.eq_ignore_ascii_case("role") {
            problems.add(path.clone(), "the role of a session is set by `defaultRole`");
        }
        if name.eq_ignore_ascii_case("session_authorization") {
            problems.add(path.clone(), "the server does not take this setting from a role");
        }
        if value.contains('\0') {
            problems.add(path, "a value must not contain a NUL byte");
        }
    }
}

fn is_setting(name: &str) -> bool {
    name.len() <= names::LONGEST
        && name.split('.').all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && part.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '$'))
        })
}
