//! Guests that do what no adapter should, one behaviour each, in one component.
//!
//! Which behaviour a copy of the component has stands in its own bytes, where [`choose`] writes it: so one build
//! serves all of them, `describe`, which is told nothing, can misbehave too, and every behaviour is an adapter with
//! a digest of its own. A call misbehaves when it is about a database called [`MISBEHAVE`]; all others are answered
//! honestly, over the toy protocol of `toy`.
//!
//! The crate is a library for the tests as well: they need the list, and a behaviour without a test does not compile.
//! Deliberately absent: what the SDK's types make impossible to write; the tests have those guests as text.

mod behaviour;
mod describe;
mod guest;
mod leak;
mod list;
mod misbehave;
mod toy;

pub use behaviour::{Behaviour, choose};
pub use guest::Guest;

/// The database about which a guest misbehaves.
pub const MISBEHAVE: &str = "misbehave";

/// The database for which an honest guest opens a second session for a moment.
pub const SECOND_SESSION: &str = "second-session";

/// The database about which an honest guest waits for the server's word.
pub const WAIT: &str = "wait";

/// The database about which an honest guest waits for the server's word, and then says something more.
pub const WAIT_AND_GO_ON: &str = "wait-and-go-on";

dbprovision_sdk::adapter!(Guest);
