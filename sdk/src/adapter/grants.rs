//! Rights and memberships. See `wit/grant.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::grant_operations as wit;
use crate::{Error, Examination, Result, Selection};

pub use wit::{GrantReport, GrantSpec, Granted, Grantee, Mode};

/// Rights and memberships. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Grants {
    /// Pure: checks the spec and says what it needs.
    fn examine(spec: &GrantSpec) -> Result<Examination> {
        Err(Error::unsupported("grants"))
    }

    /// Makes only the difference; nothing that stays is missing for a moment.
    fn grant(&mut self, spec: &GrantSpec, selection: &Selection) -> Result<GrantReport> {
        Err(Error::unsupported("grants"))
    }

    /// Takes back what is recorded and not shared.
    fn revoke(&mut self, spec: &GrantSpec) -> Result<()> {
        Err(Error::unsupported("grants"))
    }

    /// Everything the grantee holds, on every level.
    fn get_grants(&mut self, grantee: &Grantee) -> Result<Vec<Granted>> {
        Err(Error::unsupported("grants"))
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Grants,
{
    fn examine(spec: GrantSpec) -> Result<Examination> {
        crate::start::once();
        <H::Adapter as Grants>::examine(&spec)
    }

    fn grant(spec: GrantSpec, selection: Selection) -> Result<GrantReport> {
        H::with(|adapter| Grants::grant(adapter, &spec, &selection))
    }

    fn revoke(spec: GrantSpec) -> Result<()> {
        H::with(|adapter| Grants::revoke(adapter, &spec))
    }

    fn get_grants(grantee: Grantee) -> Result<Vec<Granted>> {
        H::with(|adapter| Grants::get_grants(adapter, &grantee))
    }
}
