//! What an author of an engine adapter imports.
//!
//! Implement [`Adapter`] and the traits of the operation groups for a type of yours, and export it with
//! [`adapter!`]. A group that the engine lacks is an empty `impl`: every function then answers
//! `unsupported`. Calls never overlap, so the value is simply `&mut self`.
//!
//! A network client that is written against `AsyncRead` and `AsyncWrite` runs over [`Stream`], driven by
//! [`executor::drive`]: its waits suspend the guest in the host, and every wait has a [`Deadline`].
//!
//! Compiled natively, the same code talks through whatever [`native::dial_with`] was given: a scripted
//! [`fake::Script`] in unit tests, a TCP stream in benchmarks.
//!
//! Deliberately absent: threads, timers, sockets, files, the environment. A guest has none of them.

pub mod adapter;
pub mod bindings;
pub mod clock;
pub mod error;
pub mod executor;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
mod listing;
pub mod log;
pub mod mark;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod options;
pub mod random;
pub mod secret;
pub mod selection;
pub mod start;
pub mod stream;
pub mod sweep;
pub mod wire;

pub use adapter::{Adapter, Backups, Databases, Grants, Restores, Roles, Schemas, Users};
pub use bindings::dbprovision::adapter::net::{NetError, TlsUse};
pub use bindings::dbprovision::adapter::secrets::SecretError;
pub use bindings::dbprovision::adapter::{tools, types};
pub use bindings::exports::dbprovision::adapter as groups;
pub use clock::{Deadline, LONGEST_WAIT};
pub use secret::{Credentials, Secret};
pub use stream::Stream;
pub use types::{
    Change, Error, ErrorKind, Examination, Listing, Mark, ObjectKind, OptionProblem, OwnedObject, Page, Privilege,
    Proof, Selection, Standing, UpdateReport,
};
pub use wire::{Wire, dial};

/// What every function of an adapter answers.
pub type Result<T> = std::result::Result<T, Error>;
