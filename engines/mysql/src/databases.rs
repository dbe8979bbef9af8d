//! Databases: created after their mark was recorded, the rest by comparison, removed by proof.

mod create;
pub(crate) mod differences;
mod gone;
mod script;
pub(crate) mod wanted;

#[cfg(test)]
mod tests;

use dbprovision_sdk::adapter::databases::{DatabaseInfo, DatabaseSpec, Script, ScriptReport};
use dbprovision_sdk::selection::{report, select};
use dbprovision_sdk::types::Listed;
use dbprovision_sdk::{
    Databases, Error, Examination, Listing, Mark, OptionProblem, Page, Proof, Result, Secret, Selection, UpdateReport,
};
use mysql_options::MySqlDatabaseStatus;

use crate::connect::{Session, Tracking};
use crate::difference::Difference;
use crate::observe::database::{self, Database};
use crate::observe::marks::Kept;
use crate::observe::reader::Reader;
use crate::observe::{prove, sessions};
use crate::server::Facts;
use crate::statements::metadata::{self, Kind, RowOf};
use crate::{MySql, apply, names};
use wanted::Wanted;

fn lock(name: &str) -> String {
    format!("database:{name}")
}

fn absent(name: &str) -> Error {
    Error::not_found(format!("the database {name} is not there"))
}

/// What the name and the place of the marks tell.
fn standing(name: &str, tracking: &Tracking) -> dbprovision_sdk::Standing {
    if name == tracking.database { dbprovision_sdk::Standing::Protected } else { names::database_standing(name) }
}

/// What the host learns; `size` is not asked for in a sweep.
fn info(size: Option<u64>, tracking: &Tracking, found: Database) -> DatabaseInfo {
    let status = MySqlDatabaseStatus { charset: Some(found.charset), collation: Some(found.collation) };
    DatabaseInfo {
        size_bytes: size,
        standing: standing(&found.name, tracking),
        name: found.name,
        object_id: None,
        owner: None,
        mark: found.kept.mark,
        details: serde_json::to_string(&status).ok(),
    }
}

/// Writes the mark and the words of a database that is there.
fn keep(session: &mut Session, tracking: &Tracking, name: &str, words: Option<&str>, mark: &Mark) -> Result<()> {
    let kept = Kept {
        mark: Some(mark.clone()),
        words: words.map(str::to_owned),
        roles: Vec::new(),
        adopted: false,
        finished: true,
    };
    let (mark, details) = kept.text();
    let row = RowOf { kind: Kind::Database, name, host: "", mark: &mark, details: &details, finished: true };
    session.run(&metadata::put(tracking, &row))
}

/// What differs.
fn compare(
    reader: &mut dyn Reader,
    facts: &Facts,
    tracking: &Tracking,
    wanted: &Wanted,
    mark: &Mark,
) -> Result<Vec<Difference>> {
    wanted.check_against(facts, tracking)?;
    let observed = database::find(reader, tracking, &wanted.name)?.ok_or_else(|| absent(&wanted.name))?;
    let charset = match &wanted.block.collation {
        Some(collation) if wanted.block.charset.is_none() => database::charset_of(reader, collation)?,
        Some(_) | None => None,
    };
    Ok(differences::differences(wanted, &observed, charset.as_deref(), tracking, mark))
}

impl Databases for MySql {
    fn examine(spec: &DatabaseSpec) -> Result<Examination> {
        Wanted::read(spec).map(|_| Wanted::examination())
    }

    fn create(&mut self, spec: &DatabaseSpec, mark: &Mark) -> Result<DatabaseInfo> {
        let wanted = Wanted::read(spec)?;
        self.connected()?.locked(&lock(&wanted.name), |session, facts, tracking| {
            wanted.check_against(facts, tracking)?;
            create::create(session, facts, tracking, &wanted, mark)
        })
    }

    fn update(
        &mut self,
        spec: &DatabaseSpec,
        mark: &Mark,
        _: &[(String, Secret)],
        selection: &Selection,
    ) -> Result<UpdateReport> {
        let wanted = Wanted::read(spec)?;
        if *selection == Selection::Detect {
            let look = |reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking| {
                compare(reader, facts, tracking, &wanted, mark)
            };
            return Ok(report(&self.connected()?.look(look)?, []));
        }
        self.connected()?.locked(&lock(&wanted.name), |session, facts, tracking| {
            let found = compare(session, facts, tracking, &wanted, mark)?;
            let chosen = select(&found, selection)?;
            apply::make(session, &chosen)?;
            Ok(report(&found, chosen))
        })
    }

    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        names::usable_database(name)?;
        self.connected()?.locked(&lock(name), |session, _, tracking| {
            let found = database::find(session, tracking, name)?.ok_or_else(|| absent(name))?;
            names::untouchable(standing(name, tracking))?;
            prove(proof, found.kept.mark.as_ref())?;
            keep(session, tracking, name, comment, mark)
        })
    }

    fn drop(&mut self, spec: &DatabaseSpec, proof: &Proof, force: bool) -> Result<()> {
        names::usable_database(&spec.name)?;
        self.connected()?.locked(&lock(&spec.name), |session, facts, tracking| {
            gone::remove(session, facts, tracking, &spec.name, proof, force)
        })
    }

    fn clean_up(&mut self, mark: &Mark) -> Result<()> {
        let connected = self.connected()?;
        script::clean_up(connected, mark)?;
        create::clean_up(connected, mark)
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        names::usable_database(name)?;
        Ok(self.connected()?.look(|reader, _, tracking| database::find(reader, tracking, name))?.is_some())
    }

    fn get_info(&mut self, name: &str) -> Result<Option<DatabaseInfo>> {
        names::usable_database(name)?;
        let connected = self.connected()?;
        // A name that is nobody's in itself: the place alone makes it the operator's, and the place can be another.
        let is_ordinary = names::database_standing(name) == dbprovision_sdk::Standing::Ordinary;
        if name == connected.limits.tracking.database && is_ordinary {
            let problem = wanted::HOLDS_MARKS.to_owned();
            return Err(Error::invalid(vec![OptionProblem { path: "name".to_owned(), problem }]));
        }
        let found = connected.look(|reader, _, tracking| database::find(reader, tracking, name))?;
        let Some(found) = found else { return Ok(None) };
        let size = if connected.sweeps() { None } else { Some(database::size(connected.main()?, name)?) };
        Ok(Some(info(size, &connected.limits.tracking, found)))
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        let (session, _, tracking) = self.connected()?.parts()?;
        let found = database::list(session, tracking, page)?;
        let listed = |one: database::Database| Listed {
            standing: standing(&one.name, tracking),
            name: one.name,
            mark: one.kept.mark,
        };
        Ok(Listing::of(page, found.into_iter().map(listed)))
    }

    fn terminate_sessions(&mut self, name: &str) -> Result<u32> {
        names::usable_database(name)?;
        let (session, _, tracking) = self.connected()?.parts()?;
        database::find(session, tracking, name)?.ok_or_else(|| absent(name))?;
        names::untouchable(standing(name, tracking))?;
        let there = sessions::in_database(session, name)?;
        sessions::end(session, &there)
    }

    fn run_script(&mut self, name: &str, script: &Script, mark: &Mark) -> Result<ScriptReport> {
        names::usable_database(name)?;
        script::run(self.connected()?, name, script, mark)
    }
}
