//! What a PostgreSQL server holds, reduced to what a test compares: roles, databases and everything of ours in them.
//!
//! Only objects whose names contain a test's own word count, and whatever the operator leaves unfinished
//! (`dbops_...`), so that tests can share a server.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use testkit::postgres::PostgresEndpoint;

/// Names and attributes, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Roles with their attributes, memberships and settings.
    pub roles: BTreeMap<String, String>,
    /// Databases with their attributes.
    pub databases: BTreeMap<String, String>,
    /// Schemas and extensions of those databases.
    pub contents: BTreeMap<String, String>,
}

/// Attributes of a role. The random part of a mark and the password's salt differ from run to run.
const ROLES: &str = "SELECT r.rolname, pg_catalog.concat_ws(' ', \
     'super', r.rolsuper, 'inherit', r.rolinherit, 'createrole', r.rolcreaterole, 'createdb', r.rolcreatedb, \
     'login', r.rolcanlogin, 'replication', r.rolreplication, 'limit', r.rolconnlimit, 'bypass', r.rolbypassrls, \
     'until', r.rolvaliduntil, 'password', pg_catalog.left(a.rolpassword, 13), \
     'marked', pg_catalog.shobj_description(r.oid, 'pg_authid') IS NOT NULL, \
     'settings', (SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0), \
     'member of', (SELECT pg_catalog.string_agg(g.rolname, ',' ORDER BY g.rolname) FROM pg_catalog.pg_auth_members m \
        JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), \
     'members', (SELECT pg_catalog.string_agg(DISTINCT g.rolname, ',' ORDER BY g.rolname) FROM pg_catalog.pg_auth_members m \
        JOIN pg_catalog.pg_roles g ON g.oid = m.member WHERE m.roleid = r.oid)) \
     FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_authid a ON a.oid = r.oid WHERE ";

const DATABASES: &str = "SELECT d.datname, pg_catalog.concat_ws(' ', \
     'owner', pg_catalog.pg_get_userbyid(d.datdba), 'encoding', pg_catalog.pg_encoding_to_char(d.encoding), \
     'collate', d.datcollate, 'template', d.datistemplate, 'connections', d.datallowconn, 'limit', d.datconnlimit, \
     'acl', d.datacl, 'marked', pg_catalog.shobj_description(d.oid, 'pg_database') IS NOT NULL) \
     FROM pg_catalog.pg_database d WHERE ";

const CONTENTS: &str = "SELECT 'schema ' || n.nspname, pg_catalog.concat_ws(' ', 'owner', \
     pg_catalog.pg_get_userbyid(n.nspowner), 'acl', n.nspacl) FROM pg_catalog.pg_namespace n \
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
     UNION ALL SELECT 'extension ' || e.extname, e.extversion FROM pg_catalog.pg_extension e \
     UNION ALL SELECT 'relation ' || c.oid::pg_catalog.regclass::text, pg_catalog.pg_get_userbyid(c.relowner) \
     FROM pg_catalog.pg_class c WHERE c.relnamespace = 'public'::pg_catalog.regnamespace";

impl Catalogue {
    /// Reads everything whose name contains `word`.
    pub async fn read(server: &PostgresEndpoint, word: &str) -> Result<Self> {
        let ours = |column: &str| format!("{column} LIKE '%{}%' ESCAPE '!'", word.replace('_', "!_"));
        let session = server.superuser_session("postgres").await?;
        let roles = pairs(session.rows(&format!("{ROLES}{}", ours("r.rolname"))).await?)?;
        let databases = pairs(session.rows(&format!("{DATABASES}{}", ours("d.datname"))).await?)?;
        let mut contents = BTreeMap::new();
        for (database, attributes) in &databases {
            if attributes.contains("connections t") {
                for (name, what) in pairs(server.query(database, CONTENTS).await?)? {
                    contents.insert(format!("{database}: {name}"), what);
                }
            }
        }
        Ok(Self { roles, databases, contents })
    }

    /// Fails, telling what is there, unless there is nothing whose name contains `word`.
    pub async fn expect_nothing(server: &PostgresEndpoint, word: &str) -> Result<()> {
        let found = Self::read(server, word).await?;
        ensure!(found.is_empty(), "on the server is still {found:#?}");
        Ok(())
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What an operator began and did not finish, on a server that no other test uses.
    pub async fn leftovers(server: &PostgresEndpoint) -> Result<Vec<String>> {
        let sql = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname LIKE 'dbops!_%' ESCAPE '!' \
                   UNION ALL SELECT datname::text FROM pg_catalog.pg_database WHERE datname LIKE 'dbops!_%' ESCAPE '!'";
        let rows = server.query("postgres", sql).await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }
}

fn pairs(rows: Vec<Vec<Option<String>>>) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for row in rows {
        let mut cells = row.into_iter();
        let name = cells.next().flatten().context("a row has no name")?;
        pairs.insert(name, cells.next().flatten().unwrap_or_default());
    }
    Ok(pairs)
}
