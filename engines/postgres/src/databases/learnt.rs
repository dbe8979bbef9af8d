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

/// What is not there yet is pending. What is there and not as it should be has failed: somebody changed it, or it could
/// not be made so.
fn ownership(companions: &Companions, found: &Found) -> PostgresOwnershipStatus {
    let Companions { role, user, default_privileges, drop_on_delete: _ } = companions;
    let begins_as = found.session_role.as_deref();
    let expected = default_privileges.then_some(role.as_str());
    let (phase, message) = match (&found.role, &found.user) {
        (None, _) => (PostgresOwnershipPhase::Pending, Some(format!("the role {role} is not there"))),
        (_, None) => (PostgresOwnershipPhase::Pending, Some(format!("the user {user} is not there"))),
        (Some(_), Some(there)) if !there.login => {
            (PostgresOwnershipPhase::Failed, Some(format!("{user} may not log in")))
        }
        (Some(_), Some(_)) if !found.is_member => {
            (PostgresOwnershipPhase::Failed, Some(format!("{user} is no member of {role}")))
        }
        (Some(_), Some(_)) if begins_as != expected => {
            let (begins_as, expected) = (begins_as.unwrap_or(user), expected.unwrap_or(user));
            let message = format!("sessions of {user} begin as {begins_as} and not as {expected}");
            (PostgresOwnershipPhase::Failed, Some(message))
        }
        (Some(_), Some(_)) => (PostgresOwnershipPhase::Ready, None),
    };
    PostgresOwnershipStatus {
        role_name: Some(role.clone()),
        user_name: Some(user.clone()),
        phase: Some(phase),
        message,
    }
}
