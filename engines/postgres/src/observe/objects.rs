//! What is in a database that rights can be about: the objects of the schemas that a grant names, with their owners.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{Error, Result};

use super::reader::{Question, Reader};
use crate::connect::Row;
use crate::errors;
use crate::grants::right::Level;
use crate::server::Facts;

mod types;

/// An object that rights can be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) level: Level,
    pub(crate) schema: String,
    /// A routine's with the types of its arguments.
    pub(crate) name: String,
    pub(crate) arguments: Option<String>,
    /// Where it is a column of the table `name`.
    pub(crate) column: Option<String>,
    pub(crate) owner: String,
    /// The owner is a superuser.
    pub(crate) superusers: bool,
    /// An extension's, and a superuser owns it: who may call it is the extension's to say, and rights on anything
    /// else that is so are only a superuser's to give. A database's owner could not give them either.
    pub(crate) beyond: bool,
    pub(crate) of_extension: bool,
}

impl Object {
    /// A routine's name without its arguments.
    pub(crate) fn bare(&self) -> &str {
        let Some(arguments) = &self.arguments else { return &self.name };
        self.name.strip_suffix(&format!("({arguments})")).unwrap_or(&self.name)
    }
}

/// The owner of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaOwner {
    pub(crate) name: String,
    pub(crate) superuser: bool,
}

/// The objects of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    pub(crate) database: String,
    pub(crate) owner: String,
    /// The owner of the database is a superuser.
    pub(crate) superusers: bool,
    pub(crate) schemas: BTreeMap<String, SchemaOwner>,
    pub(crate) objects: Vec<Object>,
    /// For a schema and a routine as it was stated with arguments: the types as the server writes them.
    pub(crate) signatures: BTreeMap<(String, String), String>,
    /// Those of the roles that were asked for that are there.
    pub(crate) roles: BTreeSet<String>,
}

/// A routine as a spec names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StatedRoutine {
    pub(crate) schema: String,
    pub(crate) text: String,
    pub(crate) path: String,
}

const SCHEMAS: &str = "\
SELECT n.nspname::pg_catalog.text, r.rolname::pg_catalog.text, r.rolsuper, n.nspname::pg_catalog.text
  FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
 WHERE {subjects}";

const RELATIONS: &str = "\
SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' ELSE 'table' END, n.nspname::pg_catalog.text,
       c.relname::pg_catalog.text, NULL::pg_catalog.text, r.rolname::pg_catalog.text, r.rolsuper,
       EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND x.objid = c.oid AND x.deptype = 'e'), NULL::pg_catalog.text,
       n.nspname::pg_catalog.text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
   AND {subjects} AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY 2, 3";

const ROUTINES: &str = "\
SELECT CASE WHEN p.prokind = 'p' THEN 'procedure' ELSE 'function' END, n.nspname::pg_catalog.text,
       p.proname::pg_catalog.text || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')',
       pg_catalog.oidvectortypes(p.proargtypes), r.rolname::pg_catalog.text, r.rolsuper,
       EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND x.objid = p.oid AND x.deptype = 'e'), NULL::pg_catalog.text,
       n.nspname::pg_catalog.text
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
 WHERE {subjects} AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY 2, 3";

const TYPES: &str = "\
SELECT 'type', n.nspname::pg_catalog.text, t.typname::pg_catalog.text, NULL::pg_catalog.text,
       r.rolname::pg_catalog.text, r.rolsuper,
       EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                  AND x.objid = t.oid AND x.deptype = 'e'), NULL::pg_catalog.text,
       n.nspname::pg_catalog.text
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
 WHERE {subjects} AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND t.typtype IN ('b', 'c', 'd', 'e', 'r')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
   AND (t.typtype <> 'c' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
 ORDER BY 2, 3";

/// The subjects are the tables whose columns are named. Nobody is given rights on those of the server's own schemas.
const COLUMNS: &str = "\
SELECT 'column', n.nspname::pg_catalog.text, c.relname::pg_catalog.text, NULL::pg_catalog.text,
       r.rolname::pg_catalog.text, r.rolsuper, false, a.attname::pg_catalog.text, c.relname::pg_catalog.text
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT a.attisdropped
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND {subjects}";

/// Which of a database's objects are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    pub(crate) schemas: BTreeSet<String>,
    pub(crate) levels: BTreeSet<Level>,
    pub(crate) tables_of_columns: BTreeSet<String>,
    pub(crate) routines: BTreeSet<StatedRoutine>,
    pub(crate) roles: BTreeSet<String>,
}

/// Reads the objects of the session's database that matter.
pub(crate) fn read(reader: &mut dyn Reader, facts: &Facts, interest: &Interest) -> Result<Catalogue> {
    let here = "SELECT d.datname::pg_catalog.text, r.rolname::pg_catalog.text, r.rolsuper
                  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
                 WHERE d.datname = pg_catalog.current_database()";
    let row = reader.row(here, &[])?.ok_or_else(|| Error::conflict("the database is gone"))?;
    let (database, owner) = (row.get(0)?, row.get(1)?);
    let mut found = Catalogue { database, owner, superusers: row.get(2)?, ..Catalogue::default() };
    let schemas: Vec<&str> = interest.schemas.iter().map(String::as_str).collect();
    for row in reader.about(&of_schemas(SCHEMAS), &schemas)? {
        found.schemas.insert(row.get(0)?, SchemaOwner { name: row.get(1)?, superuser: row.get(2)? });
    }
    let named = |levels: &[Level]| levels.iter().any(|level| interest.levels.contains(level));
    for (levels, query) in [
        (&[Level::Table, Level::Sequence][..], RELATIONS),
        (&[Level::Function, Level::Procedure], ROUTINES),
        (&[Level::Type], TYPES),
    ] {
        if named(levels) {
            for row in reader.about(&of_schemas(query), &schemas)? {
                found.objects.push(object(facts, &row)?);
            }
        }
    }
    if named(&[Level::Column]) {
        let tables: Vec<&str> = interest.tables_of_columns.iter().map(String::as_str).collect();
        let subjects = "c.relname = ANY ($1::pg_catalog.name[])";
        for row in reader.about(&Question { query: COLUMNS, subjects, parameters: &[] }, &tables)? {
            if interest.schemas.contains(row.get::<&str>(1)?) {
                found.objects.push(object(facts, &row)?);
            }
        }
    }
    for stated in &interest.routines {
        if let Some(types) = signature(reader, &found.objects, stated)? {
            found.signatures.insert((stated.schema.clone(), stated.text.clone()), types);
        }
    }
    found.roles = super::role::existing(reader, &interest.roles)?;
    Ok(found)
}

/// A question about schemas.
fn of_schemas(query: &str) -> Question<'_> {
    Question { query, subjects: "n.nspname = ANY ($1::pg_catalog.name[])", parameters: &[] }
}

fn object(facts: &Facts, row: &Row) -> Result<Object> {
    let level = match row.get::<&str>(0)? {
        "sequence" => Level::Sequence,
        "function" => Level::Function,
        "procedure" => Level::Procedure,
        "type" => Level::Type,
        "column" => Level::Column,
        _ => Level::Table,
    };
    let routine = matches!(level, Level::Function | Level::Procedure);
    let (superuser, of_extension): (bool, bool) = (row.get(5)?, row.get(6)?);
    Ok(Object {
        level,
        schema: row.get(1)?,
        name: row.get(2)?,
        arguments: row.text(3)?,
        column: row.text(7)?,
        owner: row.get(4)?,
        superusers: superuser,
        beyond: of_extension && superuser && (routine || !facts.superuser),
        of_extension,
    })
}

/// The routine that is stated with its arguments, as the server writes it. None where it is stated without, or there
/// is no such routine.
///
/// The server's own reading of a signature is open only to those who may use the schema. So its types of its own are
/// read by the server, where the words are many and mean the same, and those of a schema are compared by name.
fn signature(reader: &mut dyn Reader, objects: &[Object], stated: &StatedRoutine) -> Result<Option<String>> {
    let text = stated.text.as_str();
    let routines: Vec<&Object> =
        objects.iter().filter(|one| one.arguments.is_some() && one.schema == stated.schema).collect();
    let is_name = |name: &str| routines.iter().any(|one| one.bare() == name);
    if is_name(text) {
        return Ok(None);
    }
    // A name may have parentheses of its own: the longest beginning that is a name decides.
    let starts = text.char_indices().rev().filter(|(_, one)| *one == '(').map(|(at, _)| at);
    let split = starts.filter_map(|at| text.split_at_checked(at)).find(|(name, _)| is_name(name));
    let Some((name, rest)) = split else { return Ok(None) };
    let Some(arguments) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return Ok(None) };
    let mut wanted = Vec::new();
    // An aggregate over rows is written with a star and has no arguments.
    for one in types::split(if arguments.trim() == "*" { "" } else { arguments }) {
        let read = match types::qualified(one) {
            Some(key) => Some(key),
            None => builtin(reader, one, &stated.path)?,
        };
        let Some(read) = read else { return Ok(None) };
        wanted.push(read);
    }
    let same = |one: &&&Object| {
        let arguments = one.arguments.as_deref().unwrap_or_default();
        let found =
            types::split(arguments).into_iter().map(|one| types::qualified(one).unwrap_or_else(|| one.to_owned()));
        one.bare() == name && found.eq(wanted.iter().cloned())
    };
    Ok(routines.iter().find(same).map(|one| one.name.clone()))
}

/// A type of the server's own in the server's words; none where there is none.
fn builtin(reader: &mut dyn Reader, text: &str, path: &str) -> Result<Option<String>> {
    let query = "SELECT pg_catalog.format_type(t.type::pg_catalog.oid, NULL)
                   FROM (SELECT pg_catalog.to_regtype($1) AS type) t WHERE t.type IS NOT NULL";
    match reader.row(query, &[text]) {
        Ok(row) => row.map(|row| row.get(0)).transpose(),
        Err(error) if errors::code(&error).is_some_and(|code| matches!(code, "42601" | "22P02" | "42602")) => {
            let mut problems = Problems::default();
            problems.add(path, "the server cannot read these as types of arguments: f(integer, text)");
            Err(problems.finish().err().map_or(error.clone(), |refused| Error { detail: error.detail, ..refused }))
        }
        Err(error) => Err(error),
    }
}
