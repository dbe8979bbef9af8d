//! Accounts that log in. See `wit/user.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::user_operations as wit;
use crate::{Error, Examination, Listing, Mark, OwnedObject, Page, Proof, Result, Secret, Selection, UpdateReport};

pub use wit::{LoginOutcome, UserInfo, UserSpec};

/// Accounts that log in. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Users {
    /// Pure: checks the spec and says what it needs.
    fn examine(spec: &UserSpec) -> Result<Examination> {
        Err(Error::unsupported("users"))
    }

    /// Creates the account with its mark, in one step.
    fn create(&mut self, spec: &UserSpec, password: Option<&Secret>, mark: &Mark) -> Result<UserInfo> {
        Err(Error::unsupported("users"))
    }

    /// Brings the rest about on the account that carries the mark; a password that is passed is always a change, with the
    /// id `password`.
    fn update(
        &mut self,
        spec: &UserSpec,
        mark: &Mark,
        password: Option<&Secret>,
        selection: &Selection,
    ) -> Result<UpdateReport> {
        Err(Error::unsupported("users"))
    }

    /// Writes the mark on an existing account that matches the proof.
    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        Err(Error::unsupported("users"))
    }

    /// Ends its sessions, takes its rights away, drops it.
    fn drop(&mut self, spec: &UserSpec, proof: &Proof) -> Result<()> {
        Err(Error::unsupported("users"))
    }

    /// Whether it is there.
    fn exists(&mut self, name: &str) -> Result<bool> {
        Err(Error::unsupported("users"))
    }

    /// What is known of it; none where it is positively absent.
    fn get_info(&mut self, name: &str) -> Result<Option<UserInfo>> {
        Err(Error::unsupported("users"))
    }

    /// All of them, for discovery.
    fn list(&mut self, page: &Page) -> Result<Listing> {
        Err(Error::unsupported("users"))
    }

    /// What it owns, in every database.
    fn owned_objects(&mut self, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
        Err(Error::unsupported("users"))
    }

    /// Gives it up, and what it owns to those of the heirs that own the databases.
    fn reassign_owned(&mut self, name: &str, proof: &Proof, heirs: &[String]) -> Result<()> {
        Err(Error::unsupported("users"))
    }

    /// Ends its sessions.
    fn terminate_sessions(&mut self, name: &str) -> Result<u32> {
        Err(Error::unsupported("users"))
    }

    /// Tries to log in as the account and logs out again.
    fn try_login(&mut self, name: &str, password: &Secret) -> Result<LoginOutcome> {
        Err(Error::unsupported("users"))
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Users,
{
    fn examine(spec: UserSpec) -> Result<Examination> {
        crate::start::once();
        <H::Adapter as Users>::examine(&spec)
    }

    fn create(spec: UserSpec, password: Option<wit::Secret>, mark: Mark) -> Result<UserInfo> {
        let password = password.map(Secret::from);
        H::with(|adapter| Users::create(adapter, &spec, password.as_ref(), &mark))
    }

    fn update(spec: UserSpec, mark: Mark, password: Option<wit::Secret>, selection: Selection) -> Result<UpdateReport> {
        let password = password.map(Secret::from);
        H::with(|adapter| Users::update(adapter, &spec, &mark, password.as_ref(), &selection))
    }

    fn claim(name: String, proof: Proof, comment: Option<String>, mark: Mark) -> Result<()> {
        H::with(|adapter| Users::claim(adapter, &name, &proof, comment.as_deref(), &mark))
    }

    fn drop(spec: UserSpec, proof: Proof) -> Result<()> {
        H::with(|adapter| Users::drop(adapter, &spec, &proof))
    }

    fn exists(name: String) -> Result<bool> {
        H::with(|adapter| Users::exists(adapter, &name))
    }

    fn get_info(name: String) -> Result<Option<UserInfo>> {
        H::with(|adapter| Users::get_info(adapter, &name))
    }

    fn list(page: Page) -> Result<Listing> {
        H::with(|adapter| Users::list(adapter, &page))
    }

    fn owned_objects(name: String, limit: u32) -> Result<Vec<OwnedObject>> {
        H::with(|adapter| Users::owned_objects(adapter, &name, limit))
    }

    fn reassign_owned(name: String, proof: Proof, heirs: Vec<String>) -> Result<()> {
        H::with(|adapter| Users::reassign_owned(adapter, &name, &proof, &heirs))
    }

    fn terminate_sessions(name: String) -> Result<u32> {
        H::with(|adapter| Users::terminate_sessions(adapter, &name))
    }

    fn try_login(name: String, password: wit::Secret) -> Result<LoginOutcome> {
        let password = Secret::from(password);
        H::with(|adapter| Users::try_login(adapter, &name, &password))
    }
}
