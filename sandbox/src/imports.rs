//! The host's side of the contract: one file for each interface that a guest may import.
//!
//! Each has the same shape: an implementation of the generated `Host` traits for [`GuestState`], which
//! `add_to_linker` offers only where it was granted. What a guest passes is hostile: no function panics, and what
//! the contract forbids ends the call.

mod clock;
mod log;
pub(crate) mod net;
mod progress;
mod random;
pub(crate) mod secrets;

use std::collections::BTreeSet;

use wasmtime::component::{HasSelf, Linker};

use crate::contract::imported;
use crate::load::Interface;
use crate::state::GuestState;

/// Offers what was granted, and nothing else.
pub(crate) fn add_to_linker(linker: &mut Linker<GuestState>, granted: &BTreeSet<Interface>) -> wasmtime::Result<()> {
    for interface in granted {
        match interface {
            Interface::Net => imported::net::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
            Interface::Secrets => imported::secrets::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
            Interface::Log => imported::log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
            Interface::Clock => imported::clock::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
            Interface::Random => imported::random::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
            Interface::Progress => imported::progress::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
        }
    }
    Ok(())
}
