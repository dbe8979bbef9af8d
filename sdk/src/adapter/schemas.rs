//! Schemas and extensions. See `wit/schema.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::schema_operations as wit;
use crate::{Error, Result};

pub use wit::Extension;

/// Schemas and extensions. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Schemas {
    /// Creates a schema; one that is there is fine.
    fn create_schema(&mut self, database: &str, name: &str, owner: Option<&str>) -> Result<()> {
        Err(Error::unsupported("schemas"))
    }

    /// Drops an empty schema; what is absent is dropped already.
    fn drop_schema(&mut self, database: &str, name: &str) -> Result<()> {
        Err(Error::unsupported("schemas"))
    }

    /// Whether it is there.
    fn schema_exists(&mut self, database: &str, name: &str) -> Result<bool> {
        Err(Error::unsupported("schemas"))
    }

    /// Every schema that is not the engine's own.
    fn list_schemas(&mut self, database: &str) -> Result<Vec<String>> {
        Err(Error::unsupported("schemas"))
    }

    /// Installs an extension, or brings it to the version.
    fn create_extension(&mut self, database: &str, extension: &Extension) -> Result<()> {
        Err(Error::unsupported("schemas"))
    }

    /// Removes an extension nothing depends on.
    fn drop_extension(&mut self, database: &str, name: &str) -> Result<()> {
        Err(Error::unsupported("schemas"))
    }

    /// Every installed extension.
    fn list_extensions(&mut self, database: &str) -> Result<Vec<Extension>> {
        Err(Error::unsupported("schemas"))
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Schemas,
{
    fn create_schema(database: String, name: String, owner: Option<String>) -> Result<()> {
        H::with(|adapter| Schemas::create_schema(adapter, &database, &name, owner.as_deref()))
    }

    fn drop_schema(database: String, name: String) -> Result<()> {
        H::with(|adapter| Schemas::drop_schema(adapter, &database, &name))
    }

    fn schema_exists(database: String, name: String) -> Result<bool> {
        H::with(|adapter| Schemas::schema_exists(adapter, &database, &name))
    }

    fn list_schemas(database: String) -> Result<Vec<String>> {
        H::with(|adapter| Schemas::list_schemas(adapter, &database))
    }

    fn create_extension(database: String, extension: Extension) -> Result<()> {
        H::with(|adapter| Schemas::create_extension(adapter, &database, &extension))
    }

    fn drop_extension(database: String, name: String) -> Result<()> {
        H::with(|adapter| Schemas::drop_extension(adapter, &database, &name))
    }

    fn list_extensions(database: String) -> Result<Vec<Extension>> {
        H::with(|adapter| Schemas::list_extensions(adapter, &database))
    }
}
