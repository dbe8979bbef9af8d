//! The server itself.

use dbprovision_sdk::{Error, ErrorKind, Result};

use crate::connect::Session;
use crate::errors;
use crate::server::Facts;

const FACTS: &str = "\
SELECT pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
       (pg_catalog.pg_control_system()).system_identifier::pg_catalog.text,
       r.rolname::pg_catalog.text, r.oid::pg_catalog.text, r.rolsuper
  FROM pg_catalog.pg_roles r WHERE r.rolname = SESSION_USER";

const OLDEST: i32 = 130_000;

/// Reads the facts.
pub(crate) fn facts(session: &mut Session) -> Result<Facts> {
    let row = session.row(FACTS, &[]).map_err(|error| match errors::code(&error) {
        // Everyone may call it unless somebody revoked that. Nothing else tells servers apart for good.
        Some("42501") => Error::new(
            ErrorKind::PermissionDenied,
            "the administrator may not call pg_control_system(), by which servers are told apart: grant EXECUTE on it",
            error.detail,
        ),
        _ => error,
    })?;
    let row = row.ok_or_else(|| Error::protocol("the server does not know the account that is logged in", ""))?;
    let facts = Facts {
        version: row.get(0)?,
        number: row.get(1)?,
        identity: row.get(2)?,
        administrator: row.get(3)?,
        administrator_id: row.get(4)?,
        superuser: row.get(5)?,
    };
    if facts.number < OLDEST {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("PostgreSQL {} is older than 13, the oldest version that is served", facts.version),
            "",
        ));
    }
    Ok(facts)
}
