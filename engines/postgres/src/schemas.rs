//! Schemas and extensions one at a time, for callers that do not go through a database's spec.

use dbprovision_sdk::adapter::schemas::Extension;
use dbprovision_sdk::{Error, Result, Schemas};

use crate::connect::{Purpose, Session};
use crate::observe::{database, inside};
use crate::server::Facts;
use crate::statements::{Statement, inside as statements};
use crate::{Postgres, apply, names};

impl Postgres {
    /// Does `work` in one transaction in the database; it is told the database's owner.
    fn within<T>(
        &mut self,
        database: &str,
        name: &str,
        changes: bool,
        mut work: impl FnMut(&mut Session, &Facts, &str) -> Result<T>,
    ) -> Result<T> {
        names::usable(database)?;
        names::usable(name)?;
        let connected = self.connected()?;
        let found = database::find(connected.main()?, database)?
            .ok_or_else(|| Error::not_found(format!("the database {database} is not there")))?;
        if changes {
            names::untouchable(found.standing)?;
        }
        let facts = connected.facts.clone();
        let mut session = connected.inside(database, Purpose::Administration)?;
        let outcome = session.transaction(|session| work(session, &facts, &found.owner));
        session.close();
        outcome
    }
}

fn run(session: &mut Session, facts: &Facts, roles: &[&str], field: &str, sql: String) -> Result<()> {
    let roles = roles.iter().map(|&role| role.to_owned()).collect();
    apply::acting_as(session, facts, &roles, |session| session.run(&Statement::of(field, sql)))
}

impl Schemas for Postgres {
    fn create_schema(&mut self, database: &str, name: &str, owner: Option<&str>) -> Result<()> {
        owner.map_or(Ok(()), names::usable)?;
        self.within(database, name, true, |session, facts, database_owner| {
            let owner = owner.unwrap_or(database_owner);
            run(session, facts, &[owner, database_owner], "name", statements::create_schema(name, Some(owner)))
        })
    }

    fn drop_schema(&mut self, database: &str, name: &str) -> Result<()> {
        self.within(database, name, true, |session, facts, _| {
            let Some(owner) = inside::schemas(session)?.remove(name) else { return Ok(()) };
            run(session, facts, &[&owner], "name", statements::drop_schema(name))
        })
    }

    fn schema_exists(&mut self, database: &str, name: &str) -> Result<bool> {
        self.within(database, name, false, |session, _, _| Ok(inside::schemas(session)?.contains_key(name)))
    }

    fn list_schemas(&mut self, database: &str) -> Result<Vec<String>> {
        let engines_own = |name: &String| !name.starts_with("pg_") && name != "information_schema";
        self.within(database, database, false, |session, _, _| {
            Ok(inside::schemas(session)?.into_keys().filter(engines_own).collect())
        })
    }

    fn create_extension(&mut self, database: &str, extension: &Extension) -> Result<()> {
        extension.schema.as_deref().map_or(Ok(()), names::usable)?;
        self.within(database, &extension.name, true, |session, facts, owner| {
            let installed = inside::extensions(session)?.into_iter().find(|one| one.name == extension.name);
            match (installed, extension.version.as_deref()) {
                (None, version) => {
                    let sql = statements::create_extension(&extension.name, extension.schema.as_deref(), version);
                    run(session, facts, &[owner], "extension", sql)
                }
                (Some(installed), Some(version)) if installed.version != version => {
                    let sql = statements::update_extension(&extension.name, version);
                    run(session, facts, &[owner, &installed.owner], "extension", sql)
                }
                (Some(_), _) => Ok(()),
            }
        })
    }

    fn drop_extension(&mut self, database: &str, name: &str) -> Result<()> {
        self.within(database, name, true, |session, facts, owner| {
            let Some(installed) = inside::extensions(session)?.into_iter().find(|one| one.name == name) else {
                return Ok(());
            };
            run(session, facts, &[owner, &installed.owner], "name", statements::drop_extension(name))
        })
    }

    fn list_extensions(&mut self, database: &str) -> Result<Vec<Extension>> {
        self.within(database, database, false, |session, _, _| {
            let found = inside::extensions(session)?;
            Ok(found
                .into_iter()
                .map(|one| Extension { name: one.name, schema: Some(one.schema), version: Some(one.version) })
                .collect())
        })
    }
}
