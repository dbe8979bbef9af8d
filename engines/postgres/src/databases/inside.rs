//! What is inside a database beside what should be. Pure.
//!
//! Nothing that is not stated is dropped: an extension, a schema or a default privilege that left the spec stays.

use std::collections::BTreeSet;

use postgres_options::{PostgresDefaultPrivilege, PostgresExtension, PostgresObjectType, PostgresSchema};

use crate::difference::{Difference, Place};
use crate::observe::inside::Inside;
use crate::statements::inside;

use super::wanted::{Companions, Wanted, is_all, known};

const PUBLIC: &str = "public";

/// What the comparison needs beside the spec and the catalogue.
pub(crate) struct Context<'known> {
    /// The owner of the database, once everything outside is done.
    pub(crate) owner: &'known str,
    /// The server has the privilege MAINTAIN.
    pub(crate) has_maintain: bool,
}

/// Every difference, in the order of application.
pub(crate) fn differences(wanted: &Wanted, observed: &Inside, context: &Context<'_>) -> Vec<Difference> {
    let block = &wanted.block;
    let stated: BTreeSet<&str> = block.schemas.iter().flatten().map(|schema| schema.name.as_str()).collect();
    let mut found = Vec::new();
    for (at, one) in block.schemas.iter().flatten().enumerate() {
        found.extend(schema(at, one, observed, context));
    }
    for (at, one) in block.extensions.iter().flatten().enumerate() {
        found.extend(extension(at, one, observed, context, &stated));
    }
    if let Some(companions) = wanted.companions.as_ref().filter(|one| one.default_privileges) {
        found.extend(companion_defaults(companions, observed, context));
    }
    for (at, one) in block.default_privileges.iter().flatten().enumerate() {
        // Two entries for the same objects and grantee are one difference.
        let Some(difference) = default_privileges(at, one, observed, context) else { continue };
        match found.iter_mut().find(|other: &&mut Difference| other.change.id == difference.change.id) {
            Some(same) => {
                same.change.expected = format!("{}, {}", same.change.expected, difference.change.expected);
                same.statements.extend(difference.statements);
            }
            None => found.push(difference),
        }
    }
    found.into_iter().map(|one| one.at(Place::Inside).acting_as([context.owner])).collect()
}

fn schema(at: usize, one: &PostgresSchema, observed: &Inside, context: &Context<'_>) -> Option<Difference> {
    let path = format!("options.schemas[{at}]");
    let owner = one.owner.as_deref();
    match observed.schemas.get(&one.name) {
        None => {
            let owner = owner.unwrap_or(context.owner);
            Some(
                Difference::new(
                    format!("schema:{}", one.name),
                    format!("{path}.name"),
                    format!("owned by {owner}"),
                    "absent",
                )
                .by(inside::create_schema(&one.name, Some(owner)))
                .acting_as([owner]),
            )
        }
        Some(actual) if owner.is_some_and(|owner| owner != actual) => {
            let owner = owner.unwrap_or_default();
            Some(
                Difference::new(format!("schema-owner:{}", one.name), format!("{path}.owner"), owner, actual)
                    .by(inside::schema_owner(&one.name, owner))
                    .acting_as([owner, actual]),
            )
        }
        Some(_) => None,
    }
}

fn extension(
    at: usize,
    one: &PostgresExtension,
    observed: &Inside,
    context: &Context<'_>,
    stated_schemas: &BTreeSet<&str>,
) -> Vec<Difference> {
    let path = format!("options.extensions[{at}]");
    let name = one.name.as_str();
    // A schema that is stated by itself is created by its own difference, before the extensions.
    let new_schema = |schema: &str| !observed.schemas.contains_key(schema) && !stated_schemas.contains(schema);
    let Some(actual) = observed.extensions.iter().find(|installed| installed.name == name) else {
        let available = observed.available.get(name);
        let fixed = available.and_then(|one| one.schema.as_deref());
        let schema = one.schema.as_deref().or(if fixed.is_none() { Some(PUBLIC) } else { None });
        let lacking = match (available, one.version.as_ref()) {
            (None, _) => Some(format!("the extension {name} is not installed on the server's machine")),
            (Some(known), Some(version)) if !known.versions.contains(version) => {
                Some(format!("the extension {name} has no version {version} on the server's machine"))
            }
            (Some(_), _) => None,
        };
        let expected = one.version.as_deref().unwrap_or("installed");
        let mut difference = Difference::new(format!("extension:{name}"), path, expected, "absent").lacking(lacking);
        if let Some(schema) = schema.filter(|schema| new_schema(schema)) {
            difference = difference.by(inside::create_schema(schema, Some(context.owner)));
        }
        return vec![difference.by(inside::create_extension(name, schema, one.version.as_deref()))];
    };
    let mut found = Vec::new();
    if let Some(version) = one.version.as_deref().filter(|version| *version != actual.version) {
        found.push(
            Difference::new(format!("extension-version:{name}"), format!("{path}.version"), version, &actual.version)
                .by(inside::update_extension(name, version))
                .acting_as([actual.owner.as_str()]),
        );
    }
    if let Some(schema) = one.schema.as_deref().filter(|schema| *schema != actual.schema) {
        let difference =
            Difference::new(format!("extension-schema:{name}"), format!("{path}.schema"), schema, &actual.schema);
        found.push(if actual.relocatable {
            let before = new_schema(schema).then(|| inside::create_schema(schema, Some(context.owner)));
            before
                .into_iter()
                .fold(difference, Difference::by)
                .by(inside::move_extension(name, schema))
                .acting_as([actual.owner.as_str()])
                .destructive_if(true)
        } else {
            difference.impossible()
        });
    }
    found
}

fn default_privileges(
    at: usize,
    one: &PostgresDefaultPrivilege,
    observed: &Inside,
    context: &Context<'_>,
) -> Option<Difference> {
    let to = match one.grantee.as_deref() {
        Some(public) if public.eq_ignore_ascii_case(PUBLIC) => "PUBLIC",
        Some(grantee) => grantee,
        None => one.role.as_str(),
    };
    let missing = missing(&one.privileges, one.object_type, &one.role, Some(&one.schema), to, observed, context);
    if missing.is_empty() {
        return None;
    }
    let letter = inside::letter(one.object_type);
    let id = format!("defaultPrivileges:{}:{}:{letter}:{to}", one.role, one.schema);
    let privileges = missing.join(", ");
    let sql = inside::default_privileges(&one.role, Some(&one.schema), &privileges, one.object_type, to);
    Some(
        Difference::new(id, format!("options.defaultPrivileges[{at}]"), privileges, "")
            .by(sql)
            .acting_as([one.role.as_str()]),
    )
}

/// The stated privileges that future objects do not get yet.
fn missing(
    stated: &[String],
    kind: PostgresObjectType,
    role: &str,
    schema: Option<&str>,
    to: &str,
    observed: &Inside,
    context: &Context<'_>,
) -> Vec<String> {
    let all = stated.iter().any(|privilege| is_all(privilege));
    let wanted: Vec<&str> = if all {
        known(kind).iter().copied().filter(|one| *one != "MAINTAIN" || context.has_maintain).collect()
    } else {
        stated.iter().map(String::as_str).collect()
    };
    let held = |privilege: &str| {
        observed.default_rights.iter().any(|right| {
            right.role == role
                && right.schema.as_deref() == schema
                && right.kind == inside::letter(kind)
                && right.grantee == to
                && right.privilege == privilege
        })
    };
    wanted.into_iter().filter(|privilege| !held(privilege)).map(str::to_owned).collect()
}

/// What the application user creates as itself is the owner role's to use.
fn companion_defaults(companions: &Companions, observed: &Inside, context: &Context<'_>) -> Vec<Difference> {
    let kinds = [
        (PostgresObjectType::Tables, "tables"),
        (PostgresObjectType::Sequences, "sequences"),
        (PostgresObjectType::Functions, "functions"),
        (PostgresObjectType::Types, "types"),
    ];
    let all = ["ALL".to_owned()];
    kinds
        .into_iter()
        .filter_map(|(kind, name)| {
            let missing = missing(&all, kind, &companions.user, None, &companions.role, observed, context);
            let sql = inside::default_privileges(&companions.user, None, "ALL", kind, &companions.role);
            (!missing.is_empty()).then(|| {
                let id = format!("ownership-default-privileges:{name}");
                Difference::new(id, "options.ownership.setDefaultPrivileges", missing.join(", "), "")
                    .by(sql)
                    .acting_as([companions.user.as_str()])
            })
        })
        .collect()
}
