//! From the server's catalogue to what is there. Nothing here changes anything.

pub(crate) mod account;
pub(crate) mod database;
pub(crate) mod inside;
pub(crate) mod marks;
pub(crate) mod owned;
pub(crate) mod power;
pub(crate) mod reader;
pub(crate) mod rights;
pub(crate) mod role;
pub(crate) mod server;
pub(crate) mod sessions;

use dbprovision_sdk::{Error, Mark, Proof, Result};

/// Compares the proof with what the object carries. The engines have no identities of their objects.
pub(crate) fn prove(proof: &Proof, mark: Option<&Mark>) -> Result<()> {
    match &proof.mark {
        Some(expected) if mark != Some(expected) => {
            Err(Error::conflict("the object carries another mark, or none: it is not the one that was recorded"))
        }
        Some(_) | None => Ok(()),
    }
}
