//! Whether the server takes a password: by logging in with it.

use dbprovision_sdk::adapter::users::LoginOutcome;
use dbprovision_sdk::{ErrorKind, Result, Secret};

use crate::connect::{Account, Purpose};
use crate::errors;
use crate::server::Connected;

/// A database that the account may connect to, the administrator's own before others.
const REACHABLE: &str = "\
SELECT d.datname::pg_catalog.text FROM pg_catalog.pg_database d
 WHERE d.datallowconn AND pg_catalog.has_database_privilege($1::pg_catalog.name, d.oid, 'CONNECT')
 ORDER BY d.datname <> $2::pg_catalog.name, d.oid LIMIT 1";

/// The server refuses the login whatever the password is (host rules, no LOGIN, the password's time is over, limits,
/// the database), or checks passwords before it says so; only 28P01 is about the password itself.
const REJECTED: &str = "28P01";

/// Logs in and out.
pub(crate) fn attempt(connected: &mut Connected, name: &str, password: &Secret) -> Result<LoginOutcome> {
    let preferred = connected.limits.database.clone();
    let session = connected.main()?;
    // The server refuses a wrong password, an outdated one and an unknown account in the same words.
    let can_log_in = session.row(ACCOUNT, &[name])?.map_or(Ok(false), |row| row.get::<bool>(0))?;
    if !can_log_in {
        return Ok(LoginOutcome::Unknown);
    }
    let Some(row) = session.row(REACHABLE, &[name, &preferred])? else { return Ok(LoginOutcome::Unknown) };
    let database: String = row.get(0)?;
    match connected.as_account(Account { name, password }, &database, Purpose::Probe) {
        Ok(session) => {
            session.close();
            Ok(LoginOutcome::Accepted)
        }
        Err(error) if errors::code(&error) == Some(REJECTED) => Ok(LoginOutcome::Rejected),
        Err(error) => match (&error.kind, errors::code(&error)) {
            // The server spoke: it is there, and nothing can be told of the password.
            (ErrorKind::PermissionDenied, _) | (_, Some(_)) => Ok(LoginOutcome::Unknown),
            _ => Err(error),
        },
    }
}

/// Whether an account can log in at all.
const ACCOUNT: &str = "\
SELECT r.rolcanlogin AND COALESCE(r.rolvaliduntil > pg_catalog.now(), true)
  FROM pg_catalog.pg_roles r WHERE r.rolname = $1::pg_catalog.name";
