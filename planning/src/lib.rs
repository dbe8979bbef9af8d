//! What should happen, as pure functions: the same input gives the same plan.
//!
//! Trouble is a value here ([`Blocked`]), with a place, a reason and a sentence for the person who can mend it.
//! Deliberately absent: async, clocks, environment, randomness, Kubernetes clients, engines. Whatever comes
//! from outside is an argument.

pub mod adoption;
pub mod blocked;
pub mod claim;
pub mod conditions;
pub mod consent;
pub mod deletion;
pub mod discovery;
pub mod drift;
pub mod duration;
pub mod fingerprint;
pub mod init_sql;
pub mod mark;
pub mod names;
pub mod output_secret;
pub mod password;
pub mod references;
pub mod sweep;
pub mod tls;
pub mod tracking;

pub use blocked::{Blocked, Class, Gate};
pub use mark::{Identity, Mark};
