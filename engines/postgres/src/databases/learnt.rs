//! What an update learnt of a database beyond what the server says of it from outside: for the resource's status.

use postgres_options::{
    PostgresDatabaseStatus, PostgresExtensionStatus, PostgresOwnershipPhase, PostgresOwnershipStatus,
};

use crate::names;
use crate::observe::inside::Inside;

use super::differences::Found;
use super::wanted::{Companions, Wanted};

/// A database may have a schema for each of many tenants; a status must not become too large to be written.
const MOST_SCHEMAS: usize = 500;

/// What is inside, where a session was there, and the companions, where there should be some.
pub(crate) fn details(wanted: &Wanted, inside: Option<Inside>, found: Option<Found>) -> Option<String> {
    let mut status = PostgresDatabaseStatus::default();
    if let Some(Inside { extensions, available: _, schemas, default_rights: _ }) = inside {
        let told = |one: crate::observe::inside::Extension| PostgresExtensionStatus {
            name: Some(one.name),
            version: Some(one.version),
        };
        status.installed_extensions = extensions.into_iter().map(told).collect();
        let tenants = |name: &String| !names::is_engines_schema(name);
        status.schemas = schemas.into_keys().filter(tenants).take(MOST_SCHEMAS).collect();
    }
    status.ownership = wanted.companions.as_ref().zip(found).map(|(companions, found)| ownership(companions, &found));
    serde_json::to_string(&status).ok()
}

fn ownership(companions: &Companions, found: &Found) -> PostgresOwnershipStatus {
    let Companions { role, user, default_privileges: _, drop_on_delete: _ } = companions;
    let missing = match (&found.role, &found.user) {
        (None, _) => Some(format!("the role {role} is not there")),
        (_, None) => Some(format!("the user {user} is not there")),
        (Some(_), Some(there)) if !there.login => Some(format!("{user} may not log in")),
        (Some(_), Some(_)) if !found.is_member => Some(format!("{user} is no member of {role}")),
        (Some(_), Some(_)) => None,
    };
    PostgresOwnershipStatus {
        role_name: Some(role.clone()),
        user_name: Some(user.clone()),
        phase: Some(if missing.is_none() { PostgresOwnershipPhase::Ready } else { PostgresOwnershipPhase::Pending }),
        message: missing,
    }
}
