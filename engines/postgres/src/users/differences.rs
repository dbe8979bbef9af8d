//! A user as it is beside the user as it should be. Pure.
//!
//! What the API documents as a default is enforced where the field is unstated: attributes, the connection limit,
//! the time of validity, the default role. Where `configParameters` is stated it is the whole list of settings; where
//! it is not, those that an earlier spec stated are taken back, and all others are left alone.
//! Memberships that an earlier spec stated and this one does not are changes, and destructive ones, unless other
//! resources state them too: then only the note of who gave them changes. All others are left alone: a grant resource
//! may have given them, or a person.

use std::collections::BTreeSet;

use dbprovision_sdk::ObjectKind;

use crate::difference::Difference;
use crate::note::Given;
use crate::observe::membership::Membership;
use crate::observe::role::Role;
use crate::server::Facts;
use crate::statements::{membership, user};

use super::wanted::{FLAGS, Wanted};

/// What is known of the user on the server.
pub(crate) struct Observed {
    pub(crate) role: Role,
    pub(crate) memberships: Vec<Membership>,
    /// Where a time is stated: whether it is the role's, and how the server reads it.
    pub(crate) validity: Option<(bool, String)>,
    /// What the stated default role lacks to be set, in a sentence.
    pub(crate) default_role_lacks: Option<String>,
    /// Roles to be a member of that are not there.
    pub(crate) missing_roles: BTreeSet<String>,
}

/// Every difference, in the order of application.
pub(crate) fn differences(
    wanted: &Wanted,
    observed: &Observed,
    verifier: Option<&str>,
    facts: &Facts,
) -> Vec<Difference> {
    let mut found = flags(wanted, &observed.role);
    if wanted.kind == ObjectKind::User {
        found.extend(limits(wanted, observed));
    }
    found.extend(memberships(wanted, observed, facts));
    if wanted.kind == ObjectKind::User {
        found.extend(settings(wanted, &observed.role));
        found.extend(default_role(wanted, observed));
    }
    let role = &observed.role;
    if wanted.comment != role.comment.words {
        let shown = |words: &Option<String>| words.clone().unwrap_or_default();
        found.push(
            Difference::new("comment", "comment", shown(&wanted.comment), shown(&role.comment.words)).by_all([
                user::comment(&wanted.name, wanted.comment.as_deref(), &role.given, role.comment.mark.as_ref()),
            ]),
        );
    }
    if let Some(verifier) = verifier {
        found.push(
            Difference::new("password", "password", "the password of the Secret", "unknown")
                .by(user::alter(&wanted.name, &user::password(verifier))),
        );
    }
    found
}

fn flags(wanted: &Wanted, role: &Role) -> Vec<Difference> {
    let mut found = Vec::new();
    for flag in &FLAGS {
        let (expected, actual) = (flag.wanted(&wanted.block), (flag.observed)(role));
        if expected != actual {
            found.push(
                Difference::new(
                    flag.field,
                    format!("options.{}", flag.field),
                    expected.to_string(),
                    actual.to_string(),
                )
                .by(user::alter(&wanted.name, flag.word(expected)))
                .destructive_if(actual),
            );
        }
    }
    found
}

fn limits(wanted: &Wanted, observed: &Observed) -> Vec<Difference> {
    let role = &observed.role;
    let alter = |attribute: &str| user::alter(&wanted.name, attribute);
    let mut found = Vec::new();
    let limit = wanted.connection_limit();
    if limit != role.connection_limit {
        found.push(
            Difference::new(
                "connectionLimit",
                "options.connectionLimit",
                limit.to_string(),
                role.connection_limit.to_string(),
            )
            .by(alter(&format!("CONNECTION LIMIT {limit}"))),
        );
    }
    let actual = role.valid_until.clone().unwrap_or_else(|| "infinity".to_owned());
    let (same, expected) = match &observed.validity {
        Some((same, read)) => (*same, read.clone()),
        None => (role.valid_until.is_none(), "infinity".to_owned()),
    };
    if !same {
        found.push(
            Difference::new("validUntil", "options.validUntil", expected, actual)
                .by(alter(&user::valid_until(wanted.block.valid_until.as_deref()))),
        );
    }
    found
}

fn memberships(wanted: &Wanted, observed: &Observed, facts: &Facts) -> Vec<Difference> {
    let mut found = Vec::new();
    for (role, path) in &wanted.memberships {
        let held: Vec<&Membership> = observed.memberships.iter().filter(|held| held.role == *role).collect();
        if !held.iter().any(|held| held.acts()) {
            // The server leaves the options of an entry that is there as they are, unless they are stated.
            let sql = if held.is_empty() {
                membership::grant(role, &wanted.name)
            } else {
                membership::give_use(role, &wanted.name, observed.role.inherit)
            };
            let lacking = observed.missing_roles.contains(role).then(|| format!("the role {role} is not there"));
            found.push(
                Difference::new(format!("member:{role}"), path.clone(), "member", "no member").by(sql).lacking(lacking),
            );
        }
    }
    let mut extra: Vec<&Membership> = observed.memberships.iter().collect();
    extra.retain(|held| held.ours && observed.role.given.roles.contains(&held.role));
    extra.retain(|held| !wanted.memberships.iter().any(|(role, _)| *role == held.role));
    let (shared, extra): (Vec<_>, Vec<_>) = extra.into_iter().partition(|held| wanted.shared.contains(&held.role));
    if !shared.is_empty() {
        let left = observed.role.given.roles.iter().filter(|role| !shared.iter().any(|held| held.role == **role));
        let names: BTreeSet<&str> = shared.iter().map(|held| held.role.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let role = &observed.role;
        let left = Given { roles: left.cloned().collect(), settings: role.given.settings.clone() };
        let note = user::comment(&wanted.name, role.comment.words.as_deref(), &left, role.comment.mark.as_ref());
        found.push(
            Difference::new("sharedRoles", "options.inRoles", "given by others", format!("own: {}", names.join(", ")))
                .by_all([note]),
        );
    }
    for held in extra {
        let grantor = facts.has_membership_options().then_some(held.grantor.as_str());
        let revoke = membership::revoke(&held.role, &wanted.name, grantor);
        let id = format!("member:{}", held.role);
        match found.iter_mut().find(|one: &&mut Difference| one.change.id == id) {
            Some(same) => *same = same.clone().by(revoke),
            None => found
                .push(Difference::new(id, "options.inRoles", "no member", "member").by(revoke).destructive_if(true)),
        }
    }
    found
}

fn settings(wanted: &Wanted, role: &Role) -> Vec<Difference> {
    let held: Vec<(&str, &str)> = role.settings.iter().filter_map(|one| one.split_once('=')).collect();
    let mut found = Vec::new();
    for (name, value) in wanted.block.config_parameters.iter().flatten() {
        let actual = held.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        if !actual.is_some_and(|actual| user::same_value(name, actual, value)) {
            let field = format!("options.configParameters.{name}");
            found.push(
                Difference::new(format!("config:{name}"), field, value.clone(), actual.unwrap_or_default())
                    .by(user::set(&wanted.name, name, value)),
            );
        }
    }
    let is_whole_list = wanted.block.config_parameters.is_some();
    for (name, value) in held {
        let is_stated = name.eq_ignore_ascii_case("role") || wanted.states_setting(name);
        if !is_stated && (is_whole_list || role.given.settings.contains(name)) {
            found.push(
                Difference::new(format!("config:{name}"), "options.configParameters", "", value)
                    .by(user::reset(&wanted.name, name)),
            );
        }
    }
    found
}

/// The id of the change of the role that is active from the login on.
pub(crate) const DEFAULT_ROLE: &str = "defaultRole";

fn default_role(wanted: &Wanted, observed: &Observed) -> Option<Difference> {
    let actual = observed.role.settings.iter().find_map(|one| one.strip_prefix("role="));
    let expected = wanted.block.default_role.as_deref();
    if actual == expected {
        return None;
    }
    let statement = match expected {
        Some(role) => user::set(&wanted.name, "role", role),
        None => user::reset(&wanted.name, "role"),
    };
    Some(
        Difference::new(DEFAULT_ROLE, "options.defaultRole", expected.unwrap_or_default(), actual.unwrap_or_default())
            .by(statement)
            .lacking(observed.default_role_lacks.clone()),
    )
}
