//! Rights as the server keeps them: of one account on every level, and of everybody on one database.
//!
//! The information schema has the rights on databases, tables and columns of every account, in both dialects; those on
//! routines are only in the server's own table, and MariaDB's global ones only as bits. That a right may be granted
//! on belongs to the whole object on these servers, and so it is a right of its own here; only MySQL's dynamic
//! privileges have it one by one.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::Result;

use crate::connect::Session;
use crate::quote;
use crate::server::Facts;

/// Where a right is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Global,
    /// As the grant has it: a pattern, unless the server takes none.
    Database(String),
    Table(String, String),
    Column(String, String, String),
    /// The word is `PROCEDURE` or `FUNCTION`, or one of a newer server.
    Routine(String, String, String),
}

/// One right. `GRANT OPTION` is one too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) object: Object,
    pub(crate) privilege: String,
    /// Of a dynamic privilege: it may be granted on.
    pub(crate) grantable: bool,
}

/// The right to grant on what is held.
pub(crate) const GRANT_OPTION: &str = "GRANT OPTION";

/// MariaDB's global privileges, by the bit that stands for each.
const BITS: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "RELOAD",
    "SHUTDOWN",
    "PROCESS",
    "FILE",
    GRANT_OPTION,
    "REFERENCES",
    "INDEX",
    "ALTER",
    "SHOW DATABASES",
    "SUPER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "REPLICATION SLAVE",
    "BINLOG MONITOR",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "CREATE USER",
    "EVENT",
    "TRIGGER",
    "CREATE TABLESPACE",
    "DELETE HISTORY",
    "SET USER",
    "FEDERATED ADMIN",
    "CONNECTION ADMIN",
    "READ_ONLY ADMIN",
    "REPLICATION SLAVE ADMIN",
    "REPLICATION MASTER ADMIN",
    "BINLOG ADMIN",
    "BINLOG REPLAY",
    "SLAVE MONITOR",
    "SHOW CREATE ROUTINE",
];

/// Everything that one account or role holds.
pub(crate) fn of(session: &mut Session, facts: &Facts, user: &str, host: &str) -> Result<BTreeSet<Right>> {
    let mut found = Found::default();
    // The information schema does not escape.
    let grantee = format!("'{user}'@'{host}'");
    if facts.is_mariadb() {
        let query = "SELECT CAST(JSON_VALUE(Priv, '$.access') AS UNSIGNED) FROM mysql.global_priv
                      WHERE BINARY User = ? AND Host = ?";
        let bits = session.row(query, &[user, host])?.map_or(Ok(0), |row| row.number(0))?;
        for (at, privilege) in BITS.iter().enumerate() {
            if bits >> at & 1 == 1 {
                found.add(&Object::Global, privilege, false);
            }
        }
    } else {
        let query = "SELECT privilege_type, is_grantable FROM information_schema.user_privileges
                      WHERE BINARY grantee = ?";
        for row in session.rows(query, &[&grantee])? {
            let privilege = row.get(0)?;
            if is_dynamic(&privilege) {
                found.rights.insert(Right { object: Object::Global, privilege, grantable: row.flag(1)? });
            } else {
                found.add(&Object::Global, &privilege, row.flag(1)?);
            }
        }
    }
    let query = "SELECT table_schema, privilege_type, is_grantable FROM information_schema.schema_privileges
                  WHERE BINARY grantee = ?";
    for row in session.rows(query, &[&grantee])? {
        found.add(&Object::Database(row.get(0)?), &row.get(1)?, row.flag(2)?);
    }
    let query = "SELECT table_schema, table_name, privilege_type, is_grantable FROM information_schema.table_privileges
                  WHERE BINARY grantee = ?";
    for row in session.rows(query, &[&grantee])? {
        found.add(&Object::Table(row.get(0)?, row.get(1)?), &row.get(2)?, row.flag(3)?);
    }
    let query = "SELECT table_schema, table_name, column_name, privilege_type, is_grantable
                   FROM information_schema.column_privileges WHERE BINARY grantee = ?";
    for row in session.rows(query, &[&grantee])? {
        // The table's own line is left out where only columns have more than that.
        found.add(&Object::Table(row.get(0)?, row.get(1)?), "USAGE", row.flag(4)?);
        found.add(&Object::Column(row.get(0)?, row.get(1)?, row.get(2)?), &row.get(3)?, false);
    }
    let query = "SELECT Db, Routine_type, Routine_name, Proc_priv FROM mysql.procs_priv
                  WHERE BINARY User = ? AND Host = ?";
    for row in session.rows(query, &[user, host])? {
        let object = Object::Routine(row.get(1)?, row.get(0)?, row.get(2)?);
        for privilege in row.get(3)?.split(',') {
            let privilege = if privilege == "Grant" { GRANT_OPTION.to_owned() } else { privilege.to_uppercase() };
            found.add(&object, &privilege, false);
        }
    }
    Ok(found.rights)
}

#[derive(Default)]
struct Found {
    rights: BTreeSet<Right>,
}

impl Found {
    /// `USAGE` is nothing by itself; it stands where only the right to grant on is held.
    fn add(&mut self, object: &Object, privilege: &str, may_grant: bool) {
        let mut insert = |privilege: &str| {
            self.rights.insert(Right { object: object.clone(), privilege: privilege.to_owned(), grantable: false });
        };
        if may_grant {
            insert(GRANT_OPTION);
        }
        if !matches!(privilege, "USAGE" | "") {
            insert(privilege);
        }
    }
}

/// MySQL's dynamic privileges are single words with underscores, or at least no word of the grammar.
pub(crate) fn is_dynamic(privilege: &str) -> bool {
    privilege.contains('_')
}

/// Every privilege that this server knows, as it is granted.
pub(crate) fn known(session: &mut Session) -> Result<BTreeSet<String>> {
    let rows = session.rows("SHOW PRIVILEGES", &[])?;
    let names = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<_>>>()?;
    let grantable = |name: &String| !matches!(name.as_str(), "USAGE" | "PROXY" | GRANT_OPTION);
    Ok(names.into_iter().map(|name| name.to_uppercase()).filter(grantable).collect())
}

/// Who holds rights, and which.
pub(crate) type Holders = BTreeMap<(String, String), BTreeSet<Right>>;

/// Every right on a database, by whoever. The server keeps them when the database goes, and gives them back with the
/// next one of this name.
pub(crate) fn on_database(session: &mut Session, facts: &Facts, name: &str) -> Result<Holders> {
    let escaped = if facts.patterns { quote::escaped_pattern(name) } else { name.to_owned() };
    let mut who = BTreeSet::new();
    for query in [
        "SELECT User, Host FROM mysql.db WHERE BINARY Db IN (?, ?)",
        "SELECT User, Host FROM mysql.tables_priv WHERE BINARY Db IN (?, ?)",
        "SELECT User, Host FROM mysql.procs_priv WHERE BINARY Db IN (?, ?)",
    ] {
        for row in session.rows(query, &[&escaped, name])? {
            who.insert((row.get(0)?, row.get(1)?));
        }
    }
    // An unescaped name is a pattern: where it matches another database, it is that one's too.
    let shared = facts.patterns && escaped != name && matches_another(session, name)?;
    let mut found = Holders::new();
    for (user, host) in who {
        let rights = of(session, facts, &user, &host)?.into_iter().filter(|right| match &right.object {
            Object::Global => false,
            Object::Database(pattern) => *pattern == escaped || (pattern == name && !shared),
            Object::Table(database, _) | Object::Column(database, ..) | Object::Routine(_, database, _) => {
                database == name
            }
        });
        found.insert((user, host), rights.collect());
    }
    Ok(found)
}

fn matches_another(session: &mut Session, name: &str) -> Result<bool> {
    let query = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE ? AND BINARY schema_name <> ?";
    Ok(session.row(query, &[name, name])?.map_or(Ok(0), |row| row.number(0))? > 0)
}
