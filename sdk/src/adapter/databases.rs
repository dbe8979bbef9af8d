//! Databases. See `wit/database.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::database_operations as wit;
use crate::{Error, Examination, Listing, Mark, Page, Proof, Result, Secret, Selection, UpdateReport};

pub use wit::{DatabaseInfo, DatabaseSpec, Script, ScriptReport};

/// Databases. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Databases {
    /// Pure: checks the spec and says what it needs.
    fn examine(spec: &DatabaseSpec) -> Result<Examination> {
        Err(Error::unsupported("databases"))
    }

    /// Creates it with its mark, and nothing inside it.
    fn create(&mut self, spec: &DatabaseSpec, mark: &Mark) -> Result<DatabaseInfo> {
        Err(Error::unsupported("databases"))
    }

    /// Brings the rest of the spec about.
    fn update(
        &mut self,
        spec: &DatabaseSpec,
        mark: &Mark,
        passwords: &[(String, Secret)],
        selection: &Selection,
    ) -> Result<UpdateReport> {
        Err(Error::unsupported("databases"))
    }

    /// Writes the mark on an existing object that matches the proof.
    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        Err(Error::unsupported("databases"))
    }

    /// Drops it; what is absent is dropped already.
    fn drop(&mut self, spec: &DatabaseSpec, proof: &Proof, force: bool) -> Result<()> {
        Err(Error::unsupported("databases"))
    }

    /// Removes what a creation or a script of this mark left behind.
    fn clean_up(&mut self, mark: &Mark) -> Result<()> {
        Err(Error::unsupported("databases"))
    }

    /// Whether it is there.
    fn exists(&mut self, name: &str) -> Result<bool> {
        Err(Error::unsupported("databases"))
    }

    /// What is known of it; none where it is positively absent.
    fn get_info(&mut self, name: &str) -> Result<Option<DatabaseInfo>> {
        Err(Error::unsupported("databases"))
    }

    /// All of them, for discovery.
    fn list(&mut self, page: &Page) -> Result<Listing> {
        Err(Error::unsupported("databases"))
    }

    /// Ends all sessions in it but our own.
    fn terminate_sessions(&mut self, name: &str) -> Result<u32> {
        Err(Error::unsupported("databases"))
    }

    /// Runs statements one by one and stops at the first failure.
    fn run_script(&mut self, name: &str, script: &Script, mark: &Mark) -> Result<ScriptReport> {
        Err(Error::unsupported("databases"))
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Databases,
{
    fn examine(spec: DatabaseSpec) -> Result<Examination> {
        crate::start::once();
        <H::Adapter as Databases>::examine(&spec)
    }

    fn create(spec: DatabaseSpec, mark: Mark) -> Result<DatabaseInfo> {
        H::with(|adapter| Databases::create(adapter, &spec, &mark))
    }

    fn update(
        spec: DatabaseSpec,
        mark: Mark,
        passwords: Vec<wit::CompanionPassword>,
        selection: Selection,
    ) -> Result<UpdateReport> {
        let passwords: Vec<_> = passwords.into_iter().map(|one| (one.name, Secret::from(one.password))).collect();
        H::with(|adapter| Databases::update(adapter, &spec, &mark, &passwords, &selection))
    }

    fn claim(name: String, proof: Proof, comment: Option<String>, mark: Mark) -> Result<()> {
        H::with(|adapter| Databases::claim(adapter, &name, &proof, comment.as_deref(), &mark))
    }

    fn drop(spec: DatabaseSpec, proof: Proof, force: bool) -> Result<()> {
        H::with(|adapter| Databases::drop(adapter, &spec, &proof, force))
    }

    fn clean_up(mark: Mark) -> Result<()> {
        H::with(|adapter| Databases::clean_up(adapter, &mark))
    }

    fn exists(name: String) -> Result<bool> {
        H::with(|adapter| Databases::exists(adapter, &name))
    }

    fn get_info(name: String) -> Result<Option<DatabaseInfo>> {
        H::with(|adapter| Databases::get_info(adapter, &name))
    }

    fn list(page: Page) -> Result<Listing> {
        H::with(|adapter| Databases::list(adapter, &page))
    }

    fn terminate_sessions(name: String) -> Result<u32> {
        H::with(|adapter| Databases::terminate_sessions(adapter, &name))
    }

    fn run_script(name: String, script: Script, mark: Mark) -> Result<ScriptReport> {
        H::with(|adapter| Databases::run_script(adapter, &name, &script, &mark))
    }
}
