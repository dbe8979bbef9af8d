//! Databases: creation under an unfinished name, the rest by comparison, removal by proof.

mod create;
pub(crate) mod differences;
mod gone;
pub(crate) mod inside;
mod learnt;
mod script;
mod update;
pub(crate) mod wanted;

#[cfg(test)]
mod tests;

use dbprovision_sdk::adapter::databases::{DatabaseInfo, DatabaseSpec, Script, ScriptReport};
use dbprovision_sdk::types::Listed;
use dbprovision_sdk::{
    Databases, Error, Examination, Listing, Mark, Page, Proof, Result, Secret, Selection, UpdateReport,
};
use postgres_options::PostgresDatabaseStatus;

use crate::observe::database::{self, Database};
use crate::observe::prove;
use crate::server::Connected;
use crate::statements;
use crate::{Postgres, apply, names};
use wanted::Wanted;

/// The lock of a database.
fn lock(name: &str) -> String {
    format!("database:{name}")
}

fn absent(name: &str) -> Error {
    Error::not_found(format!("the database {name} is not there"))
}

/// What the host learns of a database from outside. What is inside, an update tells whose spec reaches there.
fn described(found: Database, size_bytes: Option<u64>) -> DatabaseInfo {
    let status = PostgresDatabaseStatus {
        encoding: Some(found.encoding),
        collation: Some(found.collate),
        ..PostgresDatabaseStatus::default()
    };
    DatabaseInfo {
        size_bytes,
        name: found.name,
        object_id: Some(found.id),
        owner: Some(found.owner),
        mark: found.comment.mark,
        standing: found.standing,
        details: serde_json::to_string(&status).ok(),
    }
}

/// The same with its size, for which the server looks at every file of it: not in a sweep.
fn info(connected: &mut Connected, found: Database) -> Result<DatabaseInfo> {
    let size = if connected.sweeps() { None } else { database::size(connected.main()?, &found.id)? };
    Ok(described(found, size))
}

impl Databases for Postgres {
    fn examine(spec: &DatabaseSpec) -> Result<Examination> {
        Wanted::read(spec).map(|wanted| wanted.examination())
    }

    fn create(&mut self, spec: &DatabaseSpec, mark: &Mark) -> Result<DatabaseInfo> {
        let wanted = Wanted::read(spec)?;
        create::create(self.connected()?, &wanted, mark)
    }

    fn update(
        &mut self,
        spec: &DatabaseSpec,
        mark: &Mark,
        passwords: &[(String, Secret)],
        selection: &Selection,
    ) -> Result<UpdateReport> {
        let wanted = Wanted::read(spec)?;
        update::update(self.connected()?, &wanted, mark, passwords, selection)
    }

    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        names::usable(name)?;
        self.connected()?.locked(&lock(name), |session, facts| {
            let found = database::find(session, name)?.ok_or_else(|| absent(name))?;
            names::untouchable(found.standing)?;
            prove(proof, &found.id, found.comment.mark.as_ref())?;
            apply::acting_as(session, facts, &[found.owner].into(), |session| {
                session.run(&statements::database::comment(name, comment, mark))
            })
        })
    }

    fn drop(&mut self, spec: &DatabaseSpec, proof: &Proof, force: bool) -> Result<()> {
        names::usable(&spec.name)?;
        gone::remove(self.connected()?, spec, proof, force)
    }

    fn clean_up(&mut self, mark: &Mark) -> Result<()> {
        let connected = self.connected()?;
        script::clean_up(connected, mark)?;
        create::clean_up(connected, mark)
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        names::usable(name)?;
        Ok(self.connected()?.look(|reader, _| database::find(reader, name))?.is_some())
    }

    fn get_info(&mut self, name: &str) -> Result<Option<DatabaseInfo>> {
        names::usable(name)?;
        let connected = self.connected()?;
        let found = connected.look(|reader, _| database::find(reader, name))?;
        found.map(|found| info(connected, found)).transpose()
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        let found = database::list(self.connected()?.main()?, page)?;
        let listed = |one: Database| Listed { name: one.name, mark: one.comment.mark, standing: one.standing };
        Ok(Listing::of(page, found.into_iter().map(listed)))
    }

    fn terminate_sessions(&mut self, name: &str) -> Result<u32> {
        names::usable(name)?;
        let connected = self.connected()?;
        let found = database::find(connected.main()?, name)?.ok_or_else(|| absent(name))?;
        names::untouchable(found.standing)?;
        gone::terminate(connected, name)
    }

    fn run_script(&mut self, name: &str, script: &Script, mark: &Mark) -> Result<ScriptReport> {
        names::usable(name)?;
        script::run(self.connected()?, name, script, mark)
    }
}
