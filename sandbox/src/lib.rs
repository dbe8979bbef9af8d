//! The sandbox: runs an engine's adapter, a WebAssembly component, with no authority but what it is handed.
//!
//! [`Sandbox`] loads a component and proves what it is ([`Adapter`]). An adapter that is bound to one database
//! server is a [`Server`]: a few guests, each with its session, lent out as a [`Session`] with one typed method
//! for each function of the contract. Guests reach nothing but the six host interfaces in `imports`: streams to
//! their own server, on addresses that were checked, with TLS that ends here; secrets of that server; log, clock,
//! randomness, progress. WASI is absent, and refused by name. Every wait has a deadline, every string that comes
//! out is scrubbed, and nothing a guest does panics the host.
//!
//! Absent: Kubernetes, engines, and every decision what to do.

mod adapter;
mod addresses;
mod binding;
pub mod contract;
mod counters;
mod dial;
mod digest;
mod engine;
mod error;
mod guest;
mod imports;
mod lanes;
mod limits;
mod load;
mod processor;
mod quarantine;
mod room;
mod scrub;
mod secret_value;
mod server;
mod session;
mod state;
mod tls;

pub use adapter::Adapter;
pub use addresses::{AddressPolicy, AddressRefused};
pub use binding::{Binding, Credentials, Endpoint, WriteGate};
pub use counters::Counters;
pub use digest::{Digest, DigestSyntax};
pub use engine::{Sandbox, SandboxConfig, SandboxError};
pub use error::{CallClass, CallError, NetFailure};
pub use imports::net::ByteStream;
pub use lanes::Lane;
pub use limits::Limits;
pub use load::{Grant, Interface, LoadError};
pub use scrub::REDACTED;
pub use secret_value::SecretValue;
pub use server::Server;
pub use session::{RelayEnd, Relayed, Session};
pub use tls::{TlsFailure, TlsSettings, TlsSettingsError};
