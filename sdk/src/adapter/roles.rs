//! Roles. See `wit/role.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::role_operations as wit;
use crate::{Error, Examination, Listing, Mark, OwnedObject, Page, Proof, Result, Selection, UpdateReport};

pub use wit::{RoleInfo, RoleSpec};

/// Roles. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Roles {
    /// Pure: checks the spec and says what it needs.
    fn examine(spec: &RoleSpec) -> Result<Examination> {
        Err(Error::unsupported("roles"))
    }

    /// Creates the role with its mark, in one step.
    fn create(&mut self, spec: &RoleSpec, mark: &Mark) -> Result<RoleInfo> {
        Err(Error::unsupported("roles"))
    }

    /// Brings the rest about.
    fn update(&mut self, spec: &RoleSpec, mark: &Mark, selection: &Selection) -> Result<UpdateReport> {
        Err(Error::unsupported("roles"))
    }

    /// Writes the mark on an existing role that matches the proof.
    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        Err(Error::unsupported("roles"))
    }

    /// Takes its rights away and drops it.
    fn drop(&mut self, spec: &RoleSpec, proof: &Proof) -> Result<()> {
        Err(Error::unsupported("roles"))
    }

    /// Whether it is there.
    fn exists(&mut self, name: &str) -> Result<bool> {
        Err(Error::unsupported("roles"))
    }

    /// What is known of it; none where it is positively absent.
    fn get_info(&mut self, name: &str) -> Result<Option<RoleInfo>> {
        Err(Error::unsupported("roles"))
    }

    /// All of them, for discovery.
    fn list(&mut self, page: &Page) -> Result<Listing> {
        Err(Error::unsupported("roles"))
    }

    /// What it owns, in every database.
    fn owned_objects(&mut self, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
        Err(Error::unsupported("roles"))
    }

    /// Gives it up, and what it owns to those of the heirs that own the databases.
    fn reassign_owned(&mut self, name: &str, proof: &Proof, heirs: &[String]) -> Result<()> {
        Err(Error::unsupported("roles"))
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Roles,
{
    fn examine(spec: RoleSpec) -> Result<Examination> {
        crate::start::once();
        <H::Adapter as Roles>::examine(&spec)
    }

    fn create(spec: RoleSpec, mark: Mark) -> Result<RoleInfo> {
        H::with(|adapter| Roles::create(adapter, &spec, &mark))
    }

    fn update(spec: RoleSpec, mark: Mark, selection: Selection) -> Result<UpdateReport> {
        H::with(|adapter| Roles::update(adapter, &spec, &mark, &selection))
    }

    fn claim(name: String, proof: Proof, comment: Option<String>, mark: Mark) -> Result<()> {
        H::with(|adapter| Roles::claim(adapter, &name, &proof, comment.as_deref(), &mark))
    }

    fn drop(spec: RoleSpec, proof: Proof) -> Result<()> {
        H::with(|adapter| Roles::drop(adapter, &spec, &proof))
    }

    fn exists(name: String) -> Result<bool> {
        H::with(|adapter| Roles::exists(adapter, &name))
    }

    fn get_info(name: String) -> Result<Option<RoleInfo>> {
        H::with(|adapter| Roles::get_info(adapter, &name))
    }

    fn list(page: Page) -> Result<Listing> {
        H::with(|adapter| Roles::list(adapter, &page))
    }

    fn owned_objects(name: String, limit: u32) -> Result<Vec<OwnedObject>> {
        H::with(|adapter| Roles::owned_objects(adapter, &name, limit))
    }

    fn reassign_owned(name: String, proof: Proof, heirs: Vec<String>) -> Result<()> {
        H::with(|adapter| Roles::reassign_owned(adapter, &name, &proof, &heirs))
    }
}
