//! Roles: their attributes, settings and memberships.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::{Error, Mark, Page, Result, Standing};

use super::reader::{Question, Reader};
use super::{Comment, moment};
use crate::connect::Session;
use crate::note::{self, Given};
use crate::{names, quote};

/// A role as it is.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, clippy::struct_field_names, reason = "they are the catalogue's own columns")]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) superuser: bool,
    pub(crate) inherit: bool,
    pub(crate) create_role: bool,
    pub(crate) create_db: bool,
    pub(crate) login: bool,
    pub(crate) replication: bool,
    pub(crate) bypass_rls: bool,
    pub(crate) connection_limit: i32,
    /// None: for ever.
    pub(crate) valid_until: Option<String>,
    /// `name=value`, for every database.
    pub(crate) settings: Vec<String>,
    pub(crate) comment: Comment,
    /// What its own resource gave it, as its comment notes.
    pub(crate) given: Given,
    /// The administrator, its equal, a role that reaches beyond the databases, or one who can become one of them.
    pub(crate) privileged: bool,
    pub(crate) standing: Standing,
}

/// The role is the last column too, for a sweep. Which roles are powerful is asked once a query, not once a role:
/// `{dangerous}` are those that are so by their names.
const COLUMNS: &str = "\
SELECT r.oid::pg_catalog.text, r.rolname::pg_catalog.text, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb,
       r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit,
       NULLIF(r.rolvaliduntil, 'infinity')::pg_catalog.text, r.rolconfig,
       pg_catalog.shobj_description(r.oid, 'pg_authid'),
       r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls OR EXISTS (
           SELECT FROM pg_catalog.unnest(ARRAY(
                  SELECT high.oid FROM pg_catalog.pg_roles high
                   WHERE high.rolsuper OR high.rolname = SESSION_USER
                      OR high.rolname IN ({dangerous}))) AS powerful (oid)
            WHERE pg_catalog.pg_has_role(r.oid, powerful.oid, 'MEMBER')),
       r.oid < 16384 OR r.rolname = SESSION_USER, r.rolname::pg_catalog.text
  FROM pg_catalog.pg_roles r";

/// What is asked of a role, on the one list of dangerous names.
fn columns() -> String {
    let names: Vec<String> = names::DANGEROUS_ROLES.iter().map(|&name| quote::literal(name)).collect();
    COLUMNS.replace("{dangerous}", &names.join(", "))
}

/// None where there is no such role.
pub(crate) fn find(reader: &mut dyn Reader, name: &str) -> Result<Option<Role>> {
    let query = format!("{} WHERE {{subjects}}", columns());
    let question = Question { query: &query, subjects: "r.rolname = ANY ($1::pg_catalog.name[])", parameters: &[] };
    reader.about(&question, &[name])?.first().map(read).transpose()
}

/// By name: the accounts that log in, or the roles that do not.
pub(crate) fn list(session: &mut Session, page: &Page, log_in: bool) -> Result<Vec<Role>> {
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.size().to_string();
    let query = format!(
        "{} WHERE r.rolcanlogin = ($3 = 'users') AND r.rolname::pg_catalog.text COLLATE \"C\" > $1
         ORDER BY r.rolname::pg_catalog.text COLLATE \"C\" LIMIT $2::pg_catalog.int8",
        columns()
    );
    let which = if log_in { "users" } else { "roles" };
    session.rows(&query, &[after, &limit, which])?.iter().map(read).collect()
}

/// The roles that carry this mark, by name.
pub(crate) fn marked(session: &mut Session, mark: &Mark) -> Result<Vec<Role>> {
    // The nonce is in the comment as it is; the whole mark is compared here.
    let query = format!(
        "{} WHERE pg_catalog.strpos(pg_catalog.shobj_description(r.oid, 'pg_authid'), $1) > 0
         ORDER BY r.rolname::pg_catalog.text COLLATE \"C\"",
        columns()
    );
    let mut found = session.rows(&query, &[&mark.nonce])?.iter().map(read).collect::<Result<Vec<_>>>()?;
    found.retain(|role| role.comment.mark.as_ref() == Some(mark));
    Ok(found)
}

fn read(row: &crate::connect::Row) -> Result<Role> {
    let name: String = row.get(1)?;
    let own: bool = row.get(14)?;
    let standing = match names::role_standing(&name) {
        // The bootstrap superuser may have any name, and the administrator is nobody's to manage.
        Standing::Ordinary if own => Standing::Protected,
        by_name @ (Standing::Ordinary | Standing::Predefined | Standing::Dangerous | Standing::Protected) => by_name,
    };
    let mut comment = Comment::parse(row.text(12)?.as_deref());
    let (words, given) = note::read(comment.words.as_deref());
    comment.words = words;
    Ok(Role {
        id: row.get(0)?,
        superuser: row.get(2)?,
        inherit: row.get(3)?,
        create_role: row.get(4)?,
        create_db: row.get(5)?,
        login: row.get(6)?,
        replication: row.get(7)?,
        bypass_rls: row.get(8)?,
        connection_limit: row.get(9)?,
        valid_until: row.text(10)?,
        settings: row.get::<Option<Vec<String>>>(11)?.unwrap_or_default(),
        comment,
        given,
        privileged: row.get(13)?,
        standing,
        name,
    })
}

/// Which of the names are roles.
pub(crate) fn existing(reader: &mut dyn Reader, wanted: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let question = Question {
        query: "SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r WHERE {subjects}",
        subjects: "r.rolname = ANY ($1::pg_catalog.name[])",
        parameters: &[],
    };
    if wanted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    reader.about(&question, &wanted)?.iter().map(|row| row.get(0)).collect()
}

/// The names of roles by their ids.
pub(crate) fn names_of(session: &mut Session, ids: &[&str]) -> Result<BTreeMap<String, String>> {
    let query = "SELECT r.oid::pg_catalog.text, r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
                  WHERE r.oid = ANY ($1::pg_catalog.oid[])";
    session.rows(query, &[&quote::array(ids)])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Whether one of the first is a member of the second or the second itself, in whichever way: as `pg_has_role` means it,
/// but for superusers, who count as members of every role there.
pub(crate) fn is_member(reader: &mut dyn Reader, members: &[&str], role: &str) -> Result<bool> {
    let question = Question {
        query: "\
SELECT g.rolname::pg_catalog.text, u.rolname::pg_catalog.text
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  JOIN pg_catalog.pg_roles u ON u.oid = m.member WHERE {subjects}",
        subjects: "u.rolname = ANY ($1::pg_catalog.name[])",
        parameters: &[],
    };
    let mut next: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
    let mut known: BTreeSet<String> = next.iter().cloned().collect();
    while !next.is_empty() && !known.contains(role) {
        let subjects: Vec<&str> = next.iter().map(String::as_str).collect();
        let above: Vec<String> =
            reader.about(&question, &subjects)?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        next = above.into_iter().filter(|one| known.insert(one.clone())).collect();
    }
    Ok(known.contains(role))
}

/// Whether the role's time of validity is the stated one, and the stated one as the server reads it.
pub(crate) fn compare_validity(reader: &mut dyn Reader, role: &Role, stated: &str) -> Result<(bool, String)> {
    let expected = if let Some(expected) = moment::as_shown(stated) {
        expected
    } else {
        // Not about the role: in a sweep one answer is for all who state the same.
        let row = reader.row("SELECT ($1::pg_catalog.timestamptz)::pg_catalog.text", &[stated])?;
        row.ok_or_else(|| Error::conflict("the server did not read the time"))?.get(0)?
    };
    Ok((role.valid_until.as_deref().unwrap_or("infinity") == expected, expected))
}
