//! Who holds which right: the access lists of every level, with their grantors.
//!
//! One entry of a table's list is one row, whatever it gives: a large schema fits into a sweep.
//! A list that is not there is the server's default, which the owner and, for some kinds, everyone has rights by.
//! Those are read like others and marked implicit: they satisfy a wish, and nobody takes them back.

use dbprovision_sdk::Result;

use super::membership::{self, Membership, Options};
use super::reader::{Question, Reader};
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
    /// Nobody's id is everyone's.
    fn ids(&self) -> Vec<&str> {
        if self.everyone { vec![&self.id, "0"] } else { vec![&self.id] }
    }
}

const DATABASES: &str = "\
SELECT ARRAY[d.datname::pg_catalog.text], ARRAY[a.privilege_type], a.is_grantable,
       pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text, pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text,
       a.grantee = 0, a.grantee = d.datdba OR (a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY')),
       NULL::pg_catalog.text, NULL::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_database d,
       LATERAL pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
 WHERE {subjects} ORDER BY 1, 2, 4";

const SCHEMAS: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text], ARRAY[a.privilege_type],
       a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text, a.grantee = 0,
       a.grantee = n.nspowner OR (a.grantee = 0 AND n.nspname = 'public' AND (a.privilege_type = 'USAGE'
           OR pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 150000)),
       NULL::pg_catalog.text, NULL::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_namespace n,
       LATERAL pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
 WHERE {subjects}";

const TABLES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text],
       a.privileges, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, a.grantee = 0, a.grantee = c.relowner,
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       LATERAL (SELECT e.grantee, e.grantor, e.is_grantable, pg_catalog.array_agg(e.privilege_type) AS privileges
                  FROM pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))) e
                 GROUP BY 1, 2, 3) a
 WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND {subjects}
   AND (a.grantee <> c.relowner OR n.nspname NOT IN ('pg_catalog', 'information_schema'))";

const SEQUENCES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text],
       a.privileges, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, a.grantee = 0, a.grantee = c.relowner,
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       LATERAL (SELECT e.grantee, e.grantor, e.is_grantable, pg_catalog.array_agg(e.privilege_type) AS privileges
                  FROM pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('s', c.relowner))) e
                 GROUP BY 1, 2, 3) a
 WHERE c.relkind = 'S' AND {subjects}";

const COLUMNS: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
             t.attname::pg_catalog.text],
       a.privileges, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, a.grantee = 0, a.grantee = c.relowner,
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       LATERAL (SELECT e.grantee, e.grantor, e.is_grantable, pg_catalog.array_agg(e.privilege_type) AS privileges
                  FROM pg_catalog.aclexplode(t.attacl) e
                 GROUP BY 1, 2, 3) a
 WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND {subjects}";

/// `$1` is the kind of routine.
const ROUTINES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text,
             p.proname::pg_catalog.text || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'],
       ARRAY[a.privilege_type], a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(p.proowner)::pg_catalog.text, a.grantee = 0, a.grantee IN (p.proowner, 0),
       pg_catalog.oidvectortypes(p.proargtypes), pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
       LATERAL pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
 WHERE (p.prokind = 'p') = ($1 = 'procedures') AND {subjects}
   AND (a.grantee NOT IN (0, p.proowner) OR n.nspname NOT IN ('pg_catalog', 'information_schema'))";

/// The rights of row types and array types are those of the table and the element.
const TYPES: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text],
       ARRAY[a.privilege_type], a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(t.typowner)::pg_catalog.text, a.grantee = 0, a.grantee IN (t.typowner, 0),
       NULL::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace,
       LATERAL pg_catalog.aclexplode(COALESCE(t.typacl, pg_catalog.acldefault('T', t.typowner))) a
 WHERE {subjects} AND t.typtype IN ('b', 'c', 'd', 'e', 'r')
   AND (a.grantee NOT IN (0, t.typowner) OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
   AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))";

const DEFAULTS: &str = "\
SELECT ARRAY[pg_catalog.current_database()::pg_catalog.text,
             pg_catalog.pg_get_userbyid(d.defaclrole)::pg_catalog.text,
             CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                  WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END]
       || CASE WHEN n.oid IS NULL THEN '{}'::pg_catalog.text[] ELSE ARRAY[n.nspname::pg_catalog.text] END,
       ARRAY[a.privilege_type], a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(d.defaclrole)::pg_catalog.text, a.grantee = 0,
       a.grantee = d.defaclrole OR (a.grantee = 0 AND d.defaclnamespace = 0 AND d.defaclobjtype IN ('f', 'T')),
       NULL::pg_catalog.text, NULL::pg_catalog.text,
       a.grantee::pg_catalog.text
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace,
       LATERAL pg_catalog.aclexplode(d.defaclacl) a
 WHERE {subjects}";

/// Memberships, and rights on every database of the server.
pub(crate) fn shared(reader: &mut dyn Reader, facts: &Facts, holder: &Holder) -> Result<Vec<Held>> {
    let mut found = memberships(reader, facts, &holder.id)?;
    found.extend(on_databases(reader, holder)?);
    Ok(found)
}

/// Rights on every database of the server.
pub(crate) fn on_databases(reader: &mut dyn Reader, holder: &Holder) -> Result<Vec<Held>> {
    level(reader, Level::Database, DATABASES, &[], holder)
}

/// The levels inside a database, with the parameters of their queries.
const INSIDE: &[(Level, &str, &[&str])] = &[
    (Level::Schema, SCHEMAS, &[]),
    (Level::Table, TABLES, &[]),
    (Level::Column, COLUMNS, &[]),
    (Level::Sequence, SEQUENCES, &[]),
    (Level::Type, TYPES, &[]),
    (Level::Default, DEFAULTS, &[]),
    (Level::Function, ROUTINES, &["functions"]),
    (Level::Procedure, ROUTINES, &["procedures"]),
];

/// Rights in the reader's database.
pub(crate) fn inside(reader: &mut dyn Reader, holder: &Holder) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for (one, query, parameters) in INSIDE {
        found.extend(level(reader, *one, query, parameters, holder)?);
    }
    Ok(found)
}

/// A right that somebody has from a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) right: Right,
    /// The id of who has it.
    pub(crate) to: String,
}

/// What others have from the role in the session's database.
pub(crate) fn passed_inside(session: &mut Session, role_id: &str) -> Result<Vec<Passed>> {
    passed(session, INSIDE, role_id)
}

/// What others have from the role on databases and, where the server keeps grantors apart, in memberships.
pub(crate) fn passed_shared(session: &mut Session, facts: &Facts, role_id: &str) -> Result<Vec<Passed>> {
    let mut found = passed(session, &[(Level::Database, DATABASES, &[])], role_id)?;
    if facts.has_membership_options() {
        let query = "SELECT ARRAY[g.rolname::pg_catalog.text], m.member::pg_catalog.text
                       FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                      WHERE m.grantor = $1::pg_catalog.oid";
        for row in session.rows(query, &[role_id])? {
            let (level, privilege) = (Level::Membership, MEMBER.to_owned());
            let right = Right { level, object: row.get(0)?, everyone: false, privilege };
            found.push(Passed { right, to: row.get(1)? });
        }
    }
    Ok(found)
}

fn passed(session: &mut Session, levels: &[(Level, &str, &[&str])], role_id: &str) -> Result<Vec<Passed>> {
    let mut found = Vec::new();
    for (level, query, parameters) in levels {
        let condition = format!("a.grantor = ${}::pg_catalog.oid AND a.grantee <> a.grantor", parameters.len() + 1);
        let query = Question { query, subjects: "", parameters }.with(&condition);
        let parameters: Vec<&str> = parameters.iter().copied().chain([role_id]).collect();
        for row in session.rows(&query, &parameters)? {
            let to: String = row.get(row.columns().saturating_sub(1))?;
            found.extend(read(*level, &row)?.into_iter().map(|held| Passed { right: held.right, to: to.clone() }));
        }
    }
    Ok(found)
}

fn level(
    reader: &mut dyn Reader,
    level: Level,
    query: &str,
    parameters: &[&str],
    holder: &Holder,
) -> Result<Vec<Held>> {
    let subjects = format!("a.grantee = ANY (${}::pg_catalog.oid[])", parameters.len() + 1);
    let question = Question { query, subjects: &subjects, parameters };
    let mut found = Vec::new();
    for row in reader.about(&question, &holder.ids())? {
        found.extend(read(level, &row)?);
    }
    Ok(found)
}

/// The rights of one line of a list: one for each privilege.
fn read(level: Level, row: &Row) -> Result<Vec<Held>> {
    let privileges: Vec<String> = row.get(1)?;
    let of = |privilege: String| -> Result<Held> {
        Ok(Held {
            right: Right { level, object: row.get(0)?, everyone: row.get(5)?, privilege },
            grantable: row.get(2)?,
            grantor: row.get(3)?,
            owner: row.get(4)?,
            implicit: row.get(6)?,
            ours: false,
            arguments: row.text(7)?,
            schema_owner: row.text(8)?,
        })
    };
    privileges.into_iter().map(of).collect()
}

/// A membership, and each option that it has, are rights of their own.
fn memberships(reader: &mut dyn Reader, facts: &Facts, id: &str) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for one in membership::of(reader, facts, id)? {
        let Membership { role, grantor, ours, admin, options, implicit } = one;
        let has = |option: fn(&Options) -> bool| options.as_ref().is_some_and(option);
        let held = [(MEMBER, true), (INHERIT, has(|one| one.inherit)), (SET, has(|one| one.set))];
        found.extend(held.into_iter().filter(|(_, held)| *held).map(|(privilege, _)| Held {
            right: Right {
                level: Level::Membership,
                object: vec![role.clone()],
                everyone: false,
                privilege: privilege.to_owned(),
            },
            grantable: privilege == MEMBER && admin,
            grantor: grantor.clone(),
            owner: role.clone(),
            implicit,
            ours,
            arguments: None,
            schema_owner: None,
        }));
    }
    Ok(found)
}
