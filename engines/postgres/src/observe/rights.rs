//! Who holds which right: the access lists of every level, with their grantors.
//!
//! A list that is not there is the server's default, which the owner and, for some kinds, everyone has rights by.
//! Those are read like others and marked implicit: they satisfy a wish, and nobody takes them back.

use dbprovision_sdk::Result;

use crate::connect::{Row, Session};
use crate::grants::right::{Held, INHERIT, Level, MEMBER, Right, SET};
use crate::server::Facts;

/// Whose rights are read.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) id: String,
    /// Those of everyone too.
    pub(crate) everyone: bool,
}

impl Holder {
    fn ids(&self) -> String {
        if self.everyone { format!("{{{},0}}", self.id) } else { format!("{{{}}}", self.id) }
    }
}

const DATABASES: &str = "\
SELECT ARRAY[d.datname::pg_catalog.text], a.privilege_type, a.is_grantable,
       pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text, pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text,
       a.grantee = 0, a.grantee = d.datdba OR (a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY')),
       NULL::pg_catalog.text, NULL::pg_catalog.text
  FROM pg_catalog.pg_database d,
       LATERAL pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
 WHERE a.grantee = ANY ($1::pg_catalog.oid[]) ORDER BY 1, 2, 4";

const SCHEMAS: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text], a.privilege_type,
       a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text, a.grantee = 0,
       a.grantee = n.nspowner OR (a.grantee = 0 AND n.nspname = 'public' AND (a.privilege_type = 'USAGE'
           OR pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 150000)),
       NULL::pg_catalog.text, NULL::pg_catalog.text
  FROM pg_catalog.pg_namespace n,
       LATERAL pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
 WHERE a.grantee = ANY ($1::pg_catalog.oid[])";

const TABLES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text],
       a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, a.grantee = 0, a.grantee = c.relowner,
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       LATERAL pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))) a
 WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.grantee = ANY ($1::pg_catalog.oid[])";

const SEQUENCES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text],
       a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, a.grantee = 0, a.grantee = c.relowner,
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       LATERAL pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('s', c.relowner))) a
 WHERE c.relkind = 'S' AND a.grantee = ANY ($1::pg_catalog.oid[])";

const COLUMNS: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
             t.attname::pg_catalog.text],
       a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, a.grantee = 0, a.grantee = c.relowner,
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text
  FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, LATERAL pg_catalog.aclexplode(t.attacl) a
 WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND a.grantee = ANY ($1::pg_catalog.oid[])";

/// `$2` is the kind of routine that is left out.
const ROUTINES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text,
             p.proname::pg_catalog.text || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'],
       a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(p.proowner)::pg_catalog.text, a.grantee = 0, a.grantee IN (p.proowner, 0),
       pg_catalog.oidvectortypes(p.proargtypes), pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
       LATERAL pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
 WHERE (p.prokind = 'p') = ($2 = 'procedures') AND a.grantee = ANY ($1::pg_catalog.oid[])
   AND (a.grantee <> 0 OR n.nspname NOT IN ('pg_catalog', 'information_schema'))";

/// The rights of row types and array types are those of the table and the element.
const TYPES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text],
       a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(t.typowner)::pg_catalog.text, a.grantee = 0, a.grantee IN (t.typowner, 0),
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace,
       LATERAL pg_catalog.aclexplode(COALESCE(t.typacl, pg_catalog.acldefault('T', t.typowner))) a
 WHERE a.grantee = ANY ($1::pg_catalog.oid[]) AND t.typtype IN ('b', 'c', 'd', 'e', 'r')
   AND (a.grantee <> 0 OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
   AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))";

const DEFAULTS: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text,
             pg_catalog.pg_get_userbyid(d.defaclrole)::pg_catalog.text,
             CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                  WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END]
       || CASE WHEN n.oid IS NULL THEN '{}'::pg_catalog.text[] ELSE ARRAY[n.nspname::pg_catalog.text] END,
       a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(d.defaclrole)::pg_catalog.text, a.grantee = 0,
       a.grantee = d.defaclrole OR (a.grantee = 0 AND d.defaclnamespace = 0 AND d.defaclobjtype IN ('f', 'T')),
       NULL::pg_catalog.text, NULL::pg_catalog.text
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace,
       LATERAL pg_catalog.aclexplode(d.defaclacl) a
 WHERE a.grantee = ANY ($1::pg_catalog.oid[])";

/// Memberships, and rights on every database of the server.
pub(crate) fn shared(session: &mut Session, facts: &Facts, holder: &Holder) -> Result<Vec<Held>> {
    let mut found = memberships(session, facts, &holder.id)?;
    found.extend(level(session, Level::Database, DATABASES, &[&holder.ids()])?);
    Ok(found)
}

/// Rights in the session's database.
pub(crate) fn inside(session: &mut Session, holder: &Holder) -> Result<Vec<Held>> {
    let ids = holder.ids();
    let mut found = Vec::new();
    for (one, query) in [
        (Level::Schema, SCHEMAS),
        (Level::Table, TABLES),
        (Level::Column, COLUMNS),
        (Level::Sequence, SEQUENCES),
        (Level::Type, TYPES),
        (Level::Default, DEFAULTS),
    ] {
        found.extend(level(session, one, query, &[&ids])?);
    }
    found.extend(level(session, Level::Function, ROUTINES, &[&ids, "functions"])?);
    found.extend(level(session, Level::Procedure, ROUTINES, &[&ids, "procedures"])?);
    Ok(found)
}

fn level(session: &mut Session, level: Level, query: &str, parameters: &[&str]) -> Result<Vec<Held>> {
    session.rows(query, parameters)?.iter().map(|row| read(level, row)).collect()
}

fn read(level: Level, row: &Row) -> Result<Held> {
    Ok(Held {
        right: Right { level, object: row.get(0)?, everyone: row.get(5)?, privilege: row.get(1)? },
        grantable: row.get(2)?,
        grantor: row.get(3)?,
        owner: row.get(4)?,
        implicit: row.get(6)?,
        ours: false,
        arguments: row.text(7)?,
        schema_owner: row.text(8)?,
    })
}

/// Whoever creates a role is its administrator from then on, by a grant of the first superuser's: no gift.
const MEMBERSHIPS: &str = "\
SELECT g.rolname::pg_catalog.text, m.admin_option, m.inherit_option, m.set_option,
       pg_catalog.pg_get_userbyid(m.grantor)::pg_catalog.text,
       m.grantor = $2::pg_catalog.oid OR (m.grantor = 10 AND $3 = 'superuser'),
       m.grantor = 10 AND m.admin_option AND NOT m.inherit_option AND NOT m.set_option
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
 WHERE m.member = $1::pg_catalog.oid ORDER BY 1, 5";

const MEMBERSHIPS_WITHOUT_OPTIONS: &str = "\
SELECT g.rolname::pg_catalog.text, m.admin_option, false, false,
       pg_catalog.pg_get_userbyid(m.grantor)::pg_catalog.text,
       m.grantor = $2::pg_catalog.oid OR (m.grantor = 10 AND $3 = 'superuser'), false
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
 WHERE m.member = $1::pg_catalog.oid ORDER BY 1, 5";

fn memberships(session: &mut Session, facts: &Facts, id: &str) -> Result<Vec<Held>> {
    let query = if facts.has_membership_options() { MEMBERSHIPS } else { MEMBERSHIPS_WITHOUT_OPTIONS };
    let superuser = if facts.superuser { "superuser" } else { "" };
    let mut found = Vec::new();
    for row in session.rows(query, &[id, &facts.administrator_id, superuser])? {
        let role: String = row.get(0)?;
        for (privilege, held) in [(MEMBER, true), (INHERIT, row.get(2)?), (SET, row.get(3)?)] {
            if held {
                found.push(Held {
                    right: Right {
                        level: Level::Membership,
                        object: vec![role.clone()],
                        everyone: false,
                        privilege: privilege.to_owned(),
                    },
                    grantable: privilege == MEMBER && row.get(1)?,
                    grantor: row.get(4)?,
                    owner: role.clone(),
                    implicit: row.get(6)?,
                    ours: row.get(5)?,
                    arguments: None,
                    schema_owner: None,
                });
            }
        }
    }
    Ok(found)
}
