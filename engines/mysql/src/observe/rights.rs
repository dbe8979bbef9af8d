//! Rights as the server keeps them: of one account on every level, and of everybody on one database.
//!
//! The information schema has the rights on databases, tables and columns of every account, in both dialects; those on
//! routines are only in the server's own table, and MariaDB's global ones only as bits. That a right may be granted
//! on belongs to the whole object on these servers, and so it is a right of its own here; only MySQL's dynamic
//! privileges have it one by one.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::Result;

use super::reader::{Question, Reader};
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

/// The information schema's word for an account, which it does not escape.
fn grantee(user: &str, host: &str) -> String {
    format!("'{user}'@'{host}'")
}

/// MariaDB's global rights, as bits.
const BITS_OF: &str = "\
SELECT CAST(JSON_VALUE(u.Priv, '$.access') AS UNSIGNED), u.Host, u.User FROM mysql.global_priv u WHERE {subjects}";

const GLOBAL: &str = "\
SELECT GROUP_CONCAT(privilege_type), is_grantable, MAX(grantee) FROM information_schema.user_privileges
 WHERE {subjects} GROUP BY BINARY grantee, is_grantable";

const ON_DATABASES: &str = "\
SELECT MAX(table_schema), GROUP_CONCAT(privilege_type), is_grantable, MAX(grantee)
  FROM information_schema.schema_privileges
 WHERE {subjects} GROUP BY BINARY grantee, BINARY table_schema, is_grantable";

const ON_TABLES: &str = "\
SELECT MAX(table_schema), MAX(table_name), GROUP_CONCAT(privilege_type), is_grantable, MAX(grantee)
  FROM information_schema.table_privileges
 WHERE {subjects} GROUP BY BINARY grantee, BINARY table_schema, BINARY table_name, is_grantable";

const ON_COLUMNS: &str = "\
SELECT MAX(table_schema), MAX(table_name), MAX(column_name), GROUP_CONCAT(privilege_type), is_grantable, MAX(grantee)
  FROM information_schema.column_privileges
 WHERE {subjects} GROUP BY BINARY grantee, BINARY table_schema, BINARY table_name, BINARY column_name, is_grantable";

const ON_ROUTINES: &str = "\
SELECT u.Db, u.Routine_type, u.Routine_name, u.Proc_priv, u.Host, u.User FROM mysql.procs_priv u WHERE {subjects}";

/// Everything that one account or role holds. Rights on one object are one row, so that a sweep has room for many.
pub(crate) fn of(reader: &mut dyn Reader, facts: &Facts, user: &str, host: &str) -> Result<BTreeSet<Right>> {
    let mut found = Found::default();
    let grantee = grantee(user, host);
    let mut held = |query: &str| {
        reader.about(&Question { query, subjects: "BINARY grantee {among}", parameters: &[] }, &[&grantee])
    };
    for row in held(ON_DATABASES)? {
        found.add_all(&Object::Database(row.get(0)?), &row.get(1)?, row.flag(2)?);
    }
    for row in held(ON_TABLES)? {
        found.add_all(&Object::Table(row.get(0)?, row.get(1)?), &row.get(2)?, row.flag(3)?);
    }
    for row in held(ON_COLUMNS)? {
        // The table's own line is left out where only columns have more than that.
        found.add(&Object::Table(row.get(0)?, row.get(1)?), "USAGE", row.flag(4)?);
        found.add_all(&Object::Column(row.get(0)?, row.get(1)?, row.get(2)?), &row.get(3)?, false);
    }
    if !facts.is_mariadb() {
        for row in held(GLOBAL)? {
            let grantable = row.flag(1)?;
            for privilege in row.get(0)?.split(',') {
                if is_dynamic(privilege) {
                    let privilege = privilege.to_owned();
                    found.rights.insert(Right { object: Object::Global, privilege, grantable });
                } else {
                    found.add(&Object::Global, privilege, grantable);
                }
            }
        }
    }
    let mut of_name =
        |query: &str| reader.about(&Question { query, subjects: "BINARY u.User {among}", parameters: &[] }, &[user]);
    if facts.is_mariadb() {
        for row in of_name(BITS_OF)? {
            if row.get(1)? != host {
                continue;
            }
            let bits = row.number(0)?;
            for (at, privilege) in BITS.iter().enumerate() {
                if bits >> at & 1 == 1 {
                    found.add(&Object::Global, privilege, false);
                }
            }
        }
    }
    for row in of_name(ON_ROUTINES)? {
        if row.get(4)? != host {
            continue;
        }
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
    /// Privileges with commas between them.
    fn add_all(&mut self, object: &Object, privileges: &str, may_grant: bool) {
        privileges.split(',').for_each(|privilege| self.add(object, privilege, may_grant));
    }

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
pub(crate) fn known(reader: &mut dyn Reader) -> Result<BTreeSet<String>> {
    let rows = reader.rows("SHOW PRIVILEGES", &[])?;
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
