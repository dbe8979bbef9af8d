//! Whether the server takes a password: by logging in with it.

use dbprovision_sdk::adapter::users::LoginOutcome;
use dbprovision_sdk::{ErrorKind, Result, Secret};

use crate::connect::{self, Purpose, Session};
use crate::errors;
use crate::observe::account::{self, Encryption};
use crate::server::Connected;

use super::wanted::ANYWHERE;

/// Logs in and out.
pub(crate) fn attempt(connected: &mut Connected, name: &str, password: &Secret) -> Result<LoginOutcome> {
    let (session, facts, tracking) = connected.parts()?;
    let accounts = account::find(session, facts, tracking, name)?;
    // The server refuses a wrong password and whatever else is wrong in the same words. Only where exactly one
    // account can be meant, and nothing but the password can be wrong, is a refusal about the password.
    let clear = match accounts.as_slice() {
        [one] => {
            one.host == ANYWHERE
                && !one.locked
                && !one.expired
                && (one.encryption == Encryption::None || (one.encryption == Encryption::Any && session.is_encrypted()))
                && !account::has_anonymous(session, facts)?
        }
        _ => false,
    };
    if accounts.is_empty() {
        return Ok(LoginOutcome::Unknown);
    }
    let who = connect::Account { name, password };
    match connected.as_account(who, Purpose::Probe, None) {
        Ok(session) => who_came_in(session, name),
        Err(error) if clear && errors::code(&error) == Some(errors::ACCESS_DENIED) => Ok(LoginOutcome::Rejected),
        Err(error) => match (&error.kind, errors::code(&error)) {
            // The server spoke: it is there, and nothing can be told of the password.
            (ErrorKind::PermissionDenied, _) | (_, Some(_)) => Ok(LoginOutcome::Unknown),
            _ => Err(error),
        },
    }
}

/// An account without a name lets everybody in.
fn who_came_in(mut session: Session, name: &str) -> Result<LoginOutcome> {
    let row = session.row("SELECT CURRENT_USER()", &[]);
    session.close();
    match row {
        Ok(row) => {
            let account = row.map_or(Ok(String::new()), |row| row.get(0))?;
            let came = account.rsplit_once('@').is_some_and(|(user, _)| user == name);
            Ok(if came { LoginOutcome::Accepted } else { LoginOutcome::Unknown })
        }
        // An expired password lets in, and lets nothing be done.
        Err(error) if error.kind == ErrorKind::Authentication => Ok(LoginOutcome::Accepted),
        Err(error) => Err(error),
    }
}
