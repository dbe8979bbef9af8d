//! Names in strings are references: an `owner`, a role to be a member of. Whose the named object is decides
//! whether the resource may name it; and what a resource asks for must be within the instance's ceiling.

use crds::names::{self, reason};
use crds::{DatabaseReferenceGrant, PrivilegeCeiling};

use crate::consent::{Referrer, Target, granted};
use crate::{Blocked, Identity};

/// What kind of object a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedKind {
    /// A database.
    Database,
    /// A user.
    User,
    /// A role.
    Role,
}

/// What the name alone tells, by the engine's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody's.
    Ordinary,
    /// The engine's own, harmless in itself.
    Predefined,
    /// The engine's own, and opens the server.
    Dangerous,
    /// The engine's own, never to be named.
    Protected,
}

/// A name in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameReference {
    /// Where: `spec.owner`.
    pub path: String,
    /// What it means.
    pub kind: NamedKind,
    /// The name.
    pub name: String,
    /// What it tells by itself.
    pub standing: Standing,
}

/// The resource that manages the named object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// It was recorded through the very instance that the naming resource uses. What another instance's server says
    /// of its own identity is that server's word alone: it may ask for consent, and gives none.
    pub through_this_instance: bool,
}

/// What is known about a name.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The resource that manages the object, if one does.
    pub holder: Option<&'a Holder>,
    /// A resource of the naming namespace names the object too, and does not have it yet, or never will.
    pub awaited: bool,
    /// The server says that it is the administrator's equal, or it is the administrator's own account.
    pub privileged: bool,
}

/// The side that names.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The resource.
    pub ours: &'a Identity,
    /// The instance's namespace; none for a cluster-scoped one.
    pub instance_namespace: Option<&'a str>,
    /// What its resources may ask for.
    pub ceiling: &'a PrivilegeCeiling,
}

/// Whether the resource may name the object.
pub fn may_name<'a>(
    reference: &NameReference,
    known: Known<'_>,
    side: Side<'_>,
    grants: impl IntoIterator<Item = &'a DatabaseReferenceGrant>,
) -> Result<(), Blocked> {
    let NameReference { path, kind: _, name, standing } = reference;
    if *standing == Standing::Protected {
        return Err(Blocked::refused(
            reason::PRIVILEGE_DENIED,
            format!(
                "{path} names {name:?}, which belongs to the database server itself and cannot be used: name what a \
                 DatabaseUser, a DatabaseRole or a ClusterDatabaseRole manages, or else an account of nobody's here"
            ),
        ));
    }
    if (*standing == Standing::Dangerous || known.privileged) && !side.ceiling.dangerous_roles {
        return Err(Blocked::refused(
            reason::PRIVILEGE_DENIED,
            format!(
                "{path} names {name:?}, which opens the database server to its holder; \
                 the instance's spec.privilegeCeiling.dangerousRoles does not allow that"
            ),
        ));
    }
    // Who may make a cluster-scoped resource is in the place of a cluster-scoped instance's owner.
    let in_own_namespace = side.instance_namespace.unwrap_or_default() == side.ours.namespace;
    let listed = match standing {
        Standing::Predefined | Standing::Dangerous => side.ceiling.predefined_roles.contains(name),
        Standing::Ordinary | Standing::Protected => side.ceiling.unmanaged_names.contains(name),
    };
    let allowed = match known.holder {
        Some(holder) if holder.namespace == side.ours.namespace => {
            holder.through_this_instance || in_own_namespace || listed
        }
        // No namespace could consent: the instance lists what of the whole cluster may be named.
        Some(holder) if holder.namespace.is_empty() => listed,
        Some(holder) => consents(holder, side.ours, grants),
        // What opens the server was allowed above, by a switch of its own.
        None => in_own_namespace || listed || *standing == Standing::Dangerous,
    };
    if allowed {
        return Ok(());
    }
    if known.awaited && known.holder.is_none() {
        return Err(Blocked::waiting(
            reason::DEPENDENCY_MISSING,
            format!("{path} names {name:?}, which a resource of this namespace names and has not got yet"),
        ));
    }
    // One text for every case: it must not tell whether the object or its resource exists.
    Err(Blocked::refused(
        reason::CONSENT_MISSING,
        format!(
            "{path} names {name:?}, which {}: either the namespace whose resource manages it allows \
             that by a DatabaseReferenceGrant from {}, or, where no resource of a namespace does, the instance lists it \
             in spec.privilegeCeiling.{}",
            if side.ours.namespace.is_empty() {
                "no cluster-scoped resource manages"
            } else {
                "this namespace does not manage"
            },
            if side.ours.namespace.is_empty() {
                format!("kind {} without a namespace", side.ours.kind)
            } else {
                format!("kind {} in namespace {}", side.ours.kind, side.ours.namespace)
            },
            match standing {
                Standing::Predefined | Standing::Dangerous => "predefinedRoles",
                Standing::Ordinary | Standing::Protected => "unmanagedNames",
            },
        ),
    ))
}

fn consents<'a>(
    holder: &Holder,
    ours: &Identity,
    grants: impl IntoIterator<Item = &'a DatabaseReferenceGrant>,
) -> bool {
    granted(
        grants,
        Referrer {
            kind: &ours.kind,
            namespace: Some(ours.namespace.as_str()).filter(|namespace| !namespace.is_empty()),
        },
        Target { group: names::GROUP, kind: &holder.kind, namespace: &holder.namespace, name: &holder.name },
    )
}

/// What a spec asks for beyond the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Everything.
    Superuser,
    /// Reading the write-ahead log.
    Replication,
    /// Ignoring row security.
    BypassRowSecurity,
    /// Making roles.
    CreateRole,
    /// Running a script with the administrator's rights.
    AdministratorScript,
    /// Being a member of a role that opens the server.
    DangerousRole,
}

/// Each of them.
const ALL: [Privilege; 6] = [
    Privilege::Superuser,
    Privilege::Replication,
    Privilege::BypassRowSecurity,
    Privilege::CreateRole,
    Privilege::AdministratorScript,
    Privilege::DangerousRole,
];

/// Whether the ceiling allows it, and the field that says so.
fn switch(privilege: Privilege, ceiling: &PrivilegeCeiling) -> (bool, &'static str) {
    match privilege {
        Privilege::Superuser => (ceiling.superuser, "superuser"),
        Privilege::Replication => (ceiling.replication, "replication"),
        Privilege::BypassRowSecurity => (ceiling.bypass_rls, "bypassRLS"),
        Privilege::CreateRole => (ceiling.create_role, "createRole"),
        Privilege::AdministratorScript => (ceiling.init_sql_as_admin, "initSQLAsAdmin"),
        Privilege::DangerousRole => (ceiling.dangerous_roles, "dangerousRoles"),
    }
}

/// Whether the instance's ceiling allows what is asked for.
pub fn within_ceiling(path: &str, privilege: Privilege, ceiling: &PrivilegeCeiling) -> Result<(), Blocked> {
    let (allowed, field) = switch(privilege, ceiling);
    if allowed {
        return Ok(());
    }
    let on: Vec<&str> =
        ALL.into_iter().map(|one| switch(one, ceiling)).filter(|(on, _)| *on).map(|(_, field)| field).collect();
    let on = if on.is_empty() { "none".to_owned() } else { on.join(", ") };
    Err(Blocked::refused(
        reason::PRIVILEGE_DENIED,
        format!(
            "{path} asks for a privilege that the instance does not allow: \
             its spec.privilegeCeiling.{field} must be true; of these switches it has on: {on}"
        ),
    ))
}

#[cfg(test)]
mod tests;
