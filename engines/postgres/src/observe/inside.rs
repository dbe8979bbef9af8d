//! What is in one database, read in a session there.

use std::collections::BTreeMap;

use dbprovision_sdk::Result;

use super::reader::Reader;

/// An installed extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) schema: String,
    pub(crate) relocatable: bool,
    pub(crate) owner: String,
}

/// An extension that could be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Available {
    pub(crate) versions: Vec<String>,
    /// It insists on a schema.
    pub(crate) schema: Option<String>,
}

/// One right that objects get when they are created.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DefaultRight {
    /// Whose future objects.
    pub(crate) role: String,
    /// None: in every schema.
    pub(crate) schema: Option<String>,
    /// `r`, `S`, `f`, `T`, `n` as the catalogue has them.
    pub(crate) kind: String,
    pub(crate) grantee: String,
    pub(crate) privilege: String,
}

/// What is in a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) extensions: Vec<Extension>,
    pub(crate) available: BTreeMap<String, Available>,
    /// With their owners.
    pub(crate) schemas: BTreeMap<String, String>,
    pub(crate) default_rights: Vec<DefaultRight>,
}

/// Reads everything but what could be installed, which the server looks up in files.
pub(crate) fn read(reader: &mut dyn Reader) -> Result<Inside> {
    Ok(Inside {
        extensions: extensions(reader)?,
        available: BTreeMap::new(),
        schemas: schemas(reader)?,
        default_rights: default_rights(reader)?,
    })
}

/// Installed extensions, by name.
pub(crate) fn extensions(reader: &mut dyn Reader) -> Result<Vec<Extension>> {
    let rows = reader.rows(
        "SELECT e.extname::pg_catalog.text, e.extversion, n.nspname::pg_catalog.text, e.extrelocatable,
                pg_catalog.pg_get_userbyid(e.extowner)::pg_catalog.text
           FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Extension {
                name: row.get(0)?,
                version: row.get(1)?,
                schema: row.get(2)?,
                relocatable: row.get(3)?,
                owner: row.get(4)?,
            })
        })
        .collect()
}

/// The versions of an extension that could be installed; none where the server has no such extension.
pub(crate) fn available(reader: &mut dyn Reader, name: &str) -> Result<Option<Available>> {
    let rows = reader.rows(
        "SELECT v.version, v.schema::pg_catalog.text FROM pg_catalog.pg_available_extension_versions v
          WHERE v.name = $1::pg_catalog.name ORDER BY 1",
        &[name],
    )?;
    let mut found = None::<Available>;
    for row in rows {
        let one = found.get_or_insert_default();
        one.versions.push(row.get(0)?);
        one.schema = row.text(1)?;
    }
    Ok(found)
}

/// Schemas with their owners, without those that belong to sessions.
pub(crate) fn schemas(reader: &mut dyn Reader) -> Result<BTreeMap<String, String>> {
    let rows = reader.rows(
        "SELECT n.nspname::pg_catalog.text, pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text
           FROM pg_catalog.pg_namespace n
          WHERE NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_toast')
            AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_temp_')",
        &[],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

fn default_rights(reader: &mut dyn Reader) -> Result<Vec<DefaultRight>> {
    let rows = reader.rows(
        "SELECT pg_catalog.pg_get_userbyid(d.defaclrole)::pg_catalog.text, n.nspname::pg_catalog.text,
                d.defaclobjtype::pg_catalog.text,
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END,
                a.privilege_type
           FROM pg_catalog.pg_default_acl d
           LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace,
                LATERAL pg_catalog.aclexplode(d.defaclacl) a
          ORDER BY 1, 2, 3, 4, 5",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            Ok(DefaultRight {
                role: row.get(0)?,
                schema: row.text(1)?,
                kind: row.get(2)?,
                grantee: row.get(3)?,
                privilege: row.get(4)?,
            })
        })
        .collect()
}
