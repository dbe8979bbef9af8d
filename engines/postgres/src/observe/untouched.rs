//! Whether an object is as it was made: what is recorded of one of its name was given on another then.
//!
//! An access list that was changed once is never absent again, whatever is taken from it. Deliberately absent: columns
//! and default rights, whose lists go with their last entry; databases, which the host knows.

use dbprovision_sdk::Result;

use super::reader::Reader;
use crate::grants::right::{Level, Right};
use crate::quote;

const RELATIONS: &str = "\
SELECT 1 FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
              AS asked (of_schema, of_name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.of_schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.of_name
 WHERE c.relacl IS NULL LIMIT 1";

const ROUTINES: &str = "\
SELECT 1 FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
              AS asked (of_schema, of_name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.of_schema
  JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid
   AND p.proname::pg_catalog.text || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' = asked.of_name
 WHERE p.proacl IS NULL LIMIT 1";

const TYPES: &str = "\
SELECT 1 FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
              AS asked (of_schema, of_name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.of_schema
  JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = asked.of_name
 WHERE t.typacl IS NULL LIMIT 1";

const SCHEMAS: &str = "\
SELECT 1 FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
              AS asked (of_schema, of_name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.of_schema
 WHERE n.nspacl IS NULL LIMIT 1";

/// Whether one of these rights, all in the reader's database, is on such an object.
pub(crate) fn any(reader: &mut dyn Reader, rights: &[Right]) -> Result<bool> {
    for (levels, query) in [
        (&[Level::Table, Level::Sequence][..], RELATIONS),
        (&[Level::Function, Level::Procedure], ROUTINES),
        (&[Level::Type], TYPES),
        (&[Level::Schema], SCHEMAS),
    ] {
        let (mut schemas, mut names) = (Vec::new(), Vec::new());
        for right in rights.iter().filter(|right| levels.contains(&right.level)) {
            if let [_, schema, inside @ ..] = right.object.as_slice() {
                schemas.push(schema.as_str());
                names.push(inside.first().map_or("", String::as_str));
            }
        }
        if names.is_empty() {
            continue;
        }
        let (schemas, names) = (quote::array(&schemas), quote::array(&names));
        if !reader.rows(query, &[&schemas, &names])?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
