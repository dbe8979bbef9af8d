//! The server itself.

use dbprovision_sdk::{Error, ErrorKind, Result};

use super::rights::Object;
use super::{marks, power};
use crate::connect::{Session, Tracking};
use crate::server::{Dialect, Facts};

const FACTS: &str = "\
SELECT @@version, CURRENT_USER(), @@lower_case_table_names, @@global.sql_mode, @@global.default_storage_engine";

/// `ALTER USER … ATTRIBUTE`, and all that is read of accounts.
const OLDEST_MYSQL: u32 = 80_021;
const OLDEST_MARIADB: u32 = 100_500;

/// Reads the facts.
pub(crate) fn facts(session: &mut Session, tracking: &Tracking) -> Result<Facts> {
    let row = session.row(FACTS, &[])?.ok_or_else(|| Error::protocol("the server does not know itself", ""))?;
    let version = row.get(0)?;
    let dialect = if session.is_mariadb() { Dialect::MariaDb } else { Dialect::MySql };
    let number =
        number_of(&version).ok_or_else(|| Error::protocol("the server's version cannot be read", version.clone()))?;
    served(dialect, &version, number)?;
    let account = row.get(1)?;
    // A host has no `@`, a user's name may have some.
    let (administrator, host) = account.rsplit_once('@').unwrap_or((account.as_str(), "%"));
    let superuser = session
        .row("SELECT Super_priv, Grant_priv FROM mysql.user WHERE User = ? AND Host = ?", &[administrator, host])
        .map_err(unreadable)?;
    let superuser = superuser.map_or(Ok(false), |row| Ok::<_, Error>(row.flag(0)? && row.flag(1)?))?;
    let literal_patterns = dialect == Dialect::MySql
        && session.row("SELECT @@global.partial_revokes", &[])?.map_or(Ok(false), |row| row.flag(0))?;
    let plugins = session.rows(
        "SELECT plugin_name FROM information_schema.plugins \
         WHERE plugin_type = 'AUTHENTICATION' AND plugin_status = 'ACTIVE'",
        &[],
    )?;
    let mut facts = Facts {
        identity: marks::prepare(session, tracking)?,
        administrator: administrator.to_owned(),
        administrator_host: host.to_owned(),
        folds_names: row.number(2)? != 0,
        sql_mode: row.get(3)?,
        storage_engine: row.get(4)?,
        uses_attributes: dialect == Dialect::MySql && tracking.attributes != Some(false),
        patterns: !literal_patterns,
        plugins: plugins.iter().map(|row| row.get(0)).collect::<Result<_>>()?,
        version,
        number,
        dialect,
        superuser,
        activates: true,
    };
    facts.activates = !facts.is_mariadb() || may_write_accounts(session, &facts)?;
    Ok(facts)
}

fn served(dialect: Dialect, version: &str, number: u32) -> Result<()> {
    let (oldest, name) = match dialect {
        Dialect::MySql => (OLDEST_MYSQL, "MySQL 8.0.21"),
        Dialect::MariaDb => (OLDEST_MARIADB, "MariaDB 10.5"),
    };
    if number >= oldest {
        return Ok(());
    }
    let message = format!("the server's version {version} is older than {name}, the oldest that is served");
    Err(Error::new(ErrorKind::Unsupported, message, ""))
}

/// MariaDB lets nobody choose a default role for another without this.
fn may_write_accounts(session: &mut Session, facts: &Facts) -> Result<bool> {
    let (user, host) = (facts.administrator.as_str(), facts.administrator_host.as_str());
    power::reaches(session, facts, user, host, |right| {
        right.privilege == "UPDATE"
            && match right.object {
                Object::Global => true,
                Object::Database(_) => power::is_on_accounts(right, facts.patterns),
                Object::Table(..) | Object::Column(..) | Object::Routine(..) => false,
            }
    })
}

/// Accounts are read from the server's own tables, which nothing replaces.
fn unreadable(error: Error) -> Error {
    if error.kind == ErrorKind::PermissionDenied {
        let message = "the administrator may not read the server's accounts: grant SELECT on `mysql`.*";
        return Error { message: message.to_owned(), ..error };
    }
    error
}

/// `100619` for `10.6.19-MariaDB`.
fn number_of(version: &str) -> Option<u32> {
    let mut parts = version.split(|one: char| !one.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || parts.next()?.ok();
    let (major, minor) = (next()?, next()?);
    Some(major * 10_000 + minor * 100 + next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number() {
        for (version, number) in [
            ("9.7.4-2", Some(90_704)),
            ("8.0.36", Some(80_036)),
            ("10.11.19-MariaDB-0+deb12u1-log", Some(101_119)),
            ("8.4", Some(80_400)),
            ("unknown", None),
        ] {
            assert_eq!(number_of(version), number, "{version}");
        }
    }

    #[test]
    fn a_version_that_lacks_what_is_read_of_accounts_is_refused_by_its_number() {
        for (dialect, number) in [(Dialect::MySql, 80_021), (Dialect::MySql, 90_704), (Dialect::MariaDb, 100_500)] {
            assert!(served(dialect, "", number).is_ok(), "{number}");
        }
        for (dialect, number) in [(Dialect::MySql, 80_020), (Dialect::MySql, 50_744), (Dialect::MariaDb, 100_499)] {
            let error = served(dialect, "8.0.20", number).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
            assert!(error.message.contains("8.0.20 is older than"), "{error:?}");
        }
    }
}
