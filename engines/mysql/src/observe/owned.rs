//! What runs with an account's rights: views, routines, triggers and events whose definer it is. Nothing else belongs
//! to anybody on these servers.

use dbprovision_sdk::{OwnedObject, Result};

use super::reader::Reader;

const OBJECTS: &str = "\
SELECT * FROM (
  SELECT table_schema AS place, table_name AS name, 'view' AS kind FROM information_schema.views WHERE BINARY definer = ?
  UNION ALL SELECT routine_schema, routine_name, LOWER(routine_type) FROM information_schema.routines
             WHERE BINARY definer = ?
  UNION ALL SELECT trigger_schema, trigger_name, 'trigger' FROM information_schema.triggers WHERE BINARY definer = ?
  UNION ALL SELECT event_schema, event_name, 'event' FROM information_schema.events WHERE BINARY definer = ?
) objects ORDER BY 1, 3, 2 LIMIT ";

/// The objects of one account, in every database; at most `limit`.
pub(crate) fn objects(reader: &mut dyn Reader, name: &str, host: &str, limit: u32) -> Result<Vec<OwnedObject>> {
    let definer = format!("{name}@{host}");
    let rows = reader.rows(&format!("{OBJECTS}{limit}"), &[&definer, &definer, &definer, &definer])?;
    rows.iter()
        .map(|row| Ok(OwnedObject { database: row.text(0)?, schema: None, name: row.get(1)?, kind: row.get(2)? }))
        .collect()
}

/// The object, as a message names it.
pub(crate) fn shown(object: &OwnedObject) -> String {
    let place = object.database.as_deref().unwrap_or_default();
    format!("{} {place}.{}", object.kind, object.name)
}
