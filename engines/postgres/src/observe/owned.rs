//! What depends on a role, in every database: `pg_shdepend` knows it for all of them, names only each database itself.

use dbprovision_sdk::{Error, OwnedObject, Result};

use super::reader::{Question, Reader};
use crate::connect::{Purpose, Session};
use crate::server::Connected;

/// Where a role has something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    /// None: what all databases share.
    pub(crate) database: Option<String>,
    pub(crate) access: Access,
    pub(crate) owns: bool,
    pub(crate) has_rights: bool,
}

/// Whether a session can be opened in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    Closed,
    /// A drop of it was interrupted.
    Unusable,
}

impl Presence {
    /// Refuses to go on where something of the role's is in a database that cannot be entered.
    pub(crate) fn check_open(&self, role: &str) -> Result<()> {
        let Some(database) = &self.database else { return Ok(()) };
        match self.access {
            Access::Open => Ok(()),
            Access::Closed => Err(Error::dependency_missing(format!(
                "{role} has rights or objects in the database {database}, which accepts no connections: allow them \
                 for as long as this takes, or drop the database"
            ))),
            Access::Unusable => Err(Error::dependency_missing(format!(
                "{role} has rights or objects in the database {database}, which an interrupted drop left unusable: \
                 drop it"
            ))),
        }
    }
}

/// What a line of `pg_shdepend` must be to tell of an object that the role owns. Default privileges and user mappings
/// of the role's own are none: they cannot be given to anybody, and `DROP OWNED` takes them as it takes rights.
const OWNS: &str = "\
s.deptype = 'o' AND s.classid NOT IN ('pg_catalog.pg_default_acl'::pg_catalog.regclass,
                                       'pg_catalog.pg_user_mapping'::pg_catalog.regclass)";

/// Every place where something depends on the role.
pub(crate) fn presences(reader: &mut dyn Reader, role_id: &str) -> Result<Vec<Presence>> {
    let query = format!(
        "SELECT d.datname::pg_catalog.text, COALESCE(d.datallowconn, true), COALESCE(d.datconnlimit = -2, false),
                pg_catalog.bool_or({OWNS}), pg_catalog.bool_or(NOT ({OWNS})), s.refobjid::pg_catalog.text
           FROM pg_catalog.pg_shdepend s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
          WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND {{subjects}}
          GROUP BY 1, 2, 3, 6 ORDER BY 1 NULLS FIRST"
    );
    let subjects = "s.refobjid = ANY ($1::pg_catalog.oid[])";
    let question = Question { query: &query, subjects, parameters: &[] };
    let rows = reader.about(&question, &[role_id])?;
    rows.iter()
        .map(|row| {
            Ok(Presence {
                database: row.text(0)?,
                access: match (row.get(1)?, row.get(2)?) {
                    (_, true) => Access::Unusable,
                    (true, false) => Access::Open,
                    (false, false) => Access::Closed,
                },
                owns: row.get(3)?,
                has_rights: row.get(4)?,
            })
        })
        .collect()
}

/// `{owns}` is what owning means.
const NAMES: &str = "\
SELECT o.type, o.schema, COALESCE(o.name, o.identity)
  FROM pg_catalog.pg_shdepend s,
       LATERAL pg_catalog.pg_identify_object(s.classid, s.objid, s.objsubid) o
 WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = $1::pg_catalog.oid AND {owns}
   AND s.dbid = (SELECT COALESCE(pg_catalog.max(d.oid), 0::pg_catalog.oid) FROM pg_catalog.pg_database d
                  WHERE $2 = 'inside' AND d.datname = pg_catalog.current_database())
 ORDER BY s.classid, s.objid LIMIT $3::pg_catalog.int8";

/// What the role owns, by name; at most `limit`. Temporary tables are the sessions', and go with them.
pub(crate) fn objects(connected: &mut Connected, role_id: &str, limit: u32) -> Result<Vec<OwnedObject>> {
    let mut found = Vec::new();
    for presence in presences(connected.main()?, role_id)?.into_iter().filter(|place| place.owns) {
        let left = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(found.len());
        if left == 0 {
            break;
        }
        match presence.database {
            None => found.extend(named(connected.main()?, role_id, None, left)?),
            Some(name) if presence.access == Access::Open => {
                let mut session = connected.inside(&name, Purpose::Administration)?;
                let outcome = named(&mut session, role_id, Some(&name), left);
                session.close();
                found.extend(outcome?);
            }
            Some(name) => found.push(OwnedObject {
                name: "objects whose names cannot be read: the database accepts no connections".to_owned(),
                database: Some(name),
                schema: None,
                kind: "object".to_owned(),
            }),
        }
    }
    Ok(found)
}

fn named(session: &mut Session, role_id: &str, database: Option<&str>, limit: usize) -> Result<Vec<OwnedObject>> {
    let place = if database.is_some() { "inside" } else { "" };
    let rows = session.rows(&NAMES.replace("{owns}", OWNS), &[role_id, place, &limit.to_string()])?;
    let mut found = Vec::new();
    for row in rows {
        let object = OwnedObject {
            database: database.map(str::to_owned),
            schema: row.text(1)?,
            name: row.text(2)?.unwrap_or_default(),
            kind: row.text(0)?.unwrap_or_default(),
        };
        if !object.schema.as_deref().is_some_and(|schema| schema.starts_with("pg_temp")) {
            found.push(object);
        }
    }
    Ok(found)
}

/// Who owns the objects on which the role has rights, here and of what all databases share: only they can take
/// the rights back. The database's owner is always among them: what belongs to `pg_database_owner`, such as the
/// schema public, has no line in `pg_shdepend`, because that role is the server's own.
pub(crate) fn granting_owners(session: &mut Session, role_id: &str) -> Result<Vec<String>> {
    let rows = session.rows(
        "SELECT DISTINCT pg_catalog.pg_get_userbyid(o.refobjid)::pg_catalog.text
           FROM pg_catalog.pg_shdepend a JOIN pg_catalog.pg_shdepend o
             ON o.dbid = a.dbid AND o.classid = a.classid AND o.objid = a.objid AND o.deptype = 'o'
          WHERE a.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND a.refobjid = $1::pg_catalog.oid
            AND a.deptype <> 'o' AND a.dbid IN (0, (SELECT d.oid FROM pg_catalog.pg_database d
                                                      WHERE d.datname = pg_catalog.current_database()))
         UNION
         SELECT pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text
           FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
        &[role_id],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whether the role owns anything in the session's database.
pub(crate) fn owns_here(session: &mut Session, role_id: &str) -> Result<bool> {
    let query = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid OR s.dbid = 0
                         WHERE d.datname = pg_catalog.current_database() AND {OWNS}
                           AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                           AND s.refobjid = $1::pg_catalog.oid)"
    );
    let row = session.row(&query, &[role_id])?;
    row.map_or(Ok(false), |row| row.get(0))
}
