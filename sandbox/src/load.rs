//! From bytes to an adapter, in the order of proof: digest, parse, imports, compile, exports, link, describe.
//!
//! Decided here: which imports a component may have (those of our package that were granted; WASI is not among
//! them) and that a refusal names the import. `load/description.rs` decides what a description may be. Absent:
//! signatures, and components that were compiled elsewhere: compiled code is only ever our own.

mod description;
mod surface;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, Linker};

use crate::adapter::{Adapter, Parts};
use crate::contract::bindings::DatabaseAdapterIndices;
use crate::digest::Digest;
use crate::engine::{Inner, Sandbox};
use crate::error::CallError;
use crate::guest::{Guest, Origin};
use crate::imports::add_to_linker;
use crate::limits::Limits;
use crate::quarantine::Place;
use crate::state::Reach;

/// No component is larger: the largest known, an interpreter with its library, has 18 MB.
const LARGEST: usize = 64 << 20;

/// Compiling the largest takes some seconds on a slow machine.
const COMPILE: Duration = Duration::from_mins(2);

/// The host interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interface {
    /// Streams to the adapter's own server.
    Net,
    /// The secrets of the instance.
    Secrets,
    /// Lines in the operator's log.
    Log,
    /// Time.
    Clock,
    /// Random bytes.
    Random,
    /// How far an operation is.
    Progress,
}

impl Interface {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Net, Self::Secrets, Self::Log, Self::Clock, Self::Random, Self::Progress];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Secrets => "secrets",
            Self::Log => "log",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Progress => "progress",
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What an adapter is allowed. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The host interfaces it may import.
    pub interfaces: BTreeSet<Interface>,
    /// The dump tools it may plan for, by id.
    pub tools: BTreeSet<String>,
}

impl Grant {
    /// All host interfaces and these tools.
    pub fn full(tools: impl IntoIterator<Item = String>) -> Self {
        Self { interfaces: Interface::ALL.into(), tools: tools.into_iter().collect() }
    }
}

/// Why bytes are no adapter.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not those that were asked for.
    #[error("the component is {found}, not {expected}")]
    WrongDigest {
        /// What was asked for.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// Too large to be one.
    #[error("the component has {0} bytes; at most 64 MiB are allowed")]
    TooLarge(usize),
    /// It is WebAssembly, but a core module.
    #[error("{0} is a core WebAssembly module; an adapter is a component (see `wit-component`)")]
    CoreModule(Digest),
    /// It is no WebAssembly, or broken.
    #[error("{digest} is no WebAssembly component: {reason}")]
    Malformed {
        /// Which bytes.
        digest: Digest,
        /// What the parser says.
        reason: String,
    },
    /// It asks for more than an adapter may have.
    #[error("{digest} imports `{import}`, which no adapter may import")]
    ForbiddenImport {
        /// Which component.
        digest: Digest,
        /// What it asks for.
        import: String,
    },
    /// It asks for more than it was granted.
    #[error("{digest} imports `{import}`, which it was not granted")]
    UngrantedImport {
        /// Which component.
        digest: Digest,
        /// What it asks for.
        import: String,
    },
    /// It lacks a part of the contract, or speaks another version.
    #[error("{digest} does not export `{export}`")]
    MissingExport {
        /// Which component.
        digest: Digest,
        /// What is missing.
        export: String,
    },
    /// An import or export has another type than the contract's.
    #[error("{digest} does not fit the contract: {reason}")]
    Mismatch {
        /// Which component.
        digest: Digest,
        /// Where.
        reason: String,
    },
    /// It could not be compiled, for example because it needs more memory than any guest may have.
    #[error("{digest} cannot be compiled: {reason}")]
    Compile {
        /// Which component.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// Its `describe` failed.
    #[error("{digest} does not describe itself")]
    Describe {
        /// Which component.
        digest: Digest,
        /// Why.
        source: Box<CallError>,
    },
    /// Its description is not usable.
    #[error("{digest} describes itself wrongly: {reason}")]
    BadDescription {
        /// Which component.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
}

impl Sandbox {
    /// Proves and prepares a component. Where `expected` is given, no other bytes are looked at.
    pub async fn load(&self, bytes: Vec<u8>, grant: &Grant, expected: Option<Digest>) -> Result<Adapter, LoadError> {
        if bytes.len() > LARGEST {
            return Err(LoadError::TooLarge(bytes.len()));
        }
        let digest = Digest::of(&bytes);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(LoadError::WrongDigest { expected, found: digest });
        }
        // Before the compiler sees it, so that what must be refused costs nothing.
        surface::check_imports(digest, &surface::imports_of(digest, &bytes)?, grant)?;
        let component = self.compile(digest, bytes).await?;
        let surface = surface::of(&self.0.engine, &component);
        surface::check_imports(digest, &surface.imports, grant)?;
        let version = surface::check_exports(digest, &surface.exports)?;
        let mismatch = |error: wasmtime::Error| LoadError::Mismatch { digest, reason: format!("{error:#}") };
        let mut linker = Linker::new(&self.0.engine);
        add_to_linker(&mut linker, &grant.interfaces).map_err(mismatch)?;
        let prepared = linker.instantiate_pre(&component).map_err(mismatch)?;
        let exports = DatabaseAdapterIndices::new(&prepared).map_err(mismatch)?;
        let (sandbox, quarantine) = (Arc::clone(&self.0), self.0.quarantine(digest));
        let origin = Arc::new(Origin { sandbox, digest, prepared, exports, quarantine });
        let broken = |source: CallError| LoadError::Describe { digest, source: Box::new(source) };
        Guest::fits(&origin, &Limits::default().pure()).await.map_err(broken)?.map_err(mismatch)?;
        let description = describe(&origin).await.map_err(broken)?;
        description::check(&description).map_err(|reason| LoadError::BadDescription { digest, reason })?;
        Ok(Adapter::new(origin, Parts { description, version, grant: grant.clone() }))
    }

    /// Whether this component was compiled before, and is kept where the sandbox keeps such.
    pub fn has_compiled(&self, bytes: &[u8]) -> bool {
        let is_kept = |folder: &compiled::Folder| folder.has(&self.0.engine, &Digest::of(bytes).to_string());
        self.0.compiled.as_ref().is_some_and(is_kept)
    }

    async fn compile(&self, digest: Digest, bytes: Vec<u8>) -> Result<Component, LoadError> {
        let sandbox = Arc::clone(&self.0);
        let failed = |reason: String| LoadError::Compile { digest, reason };
        let compiling = tokio::task::spawn_blocking(move || sandbox.component(digest, &bytes));
        match tokio::time::timeout(COMPILE, compiling).await {
            Ok(Ok(component)) => component.map_err(|error| failed(format!("{error:#}"))),
            Ok(Err(_)) => Err(failed("the compiler broke off".to_owned())),
            Err(_) => Err(failed(format!("it took more than {COMPILE:?}"))),
        }
    }
}

impl Inner {
    /// Compiles a component, or takes what was compiled before. Blocks.
    fn component(&self, digest: Digest, bytes: &[u8]) -> wasmtime::Result<Component> {
        let Some(folder) = &self.compiled else { return Component::new(&self.engine, bytes) };
        let digest = digest.to_string();
        if let Some(found) = folder.find(&self.engine, &digest) {
            return Ok(found);
        }
        let compiled = self.engine.precompile_component(bytes)?;
        if let Err(error) = folder.keep(&self.engine, &digest, &compiled) {
            tracing::warn!(%error, "a compiled adapter cannot be kept: it is compiled again at the next start");
        }
        drop(compiled);
        folder.find(&self.engine, &digest).map_or_else(|| Component::new(&self.engine, bytes), Ok)
    }
}

/// Runs `describe` in a guest that may do nothing else.
async fn describe(origin: &Arc<Origin>) -> Result<crate::contract::Description, CallError> {
    let limits = Limits::default().pure();
    let place = Place::question("describe", &[]);
    let mut guest = Guest::start(origin, "describe", &limits, Reach::Nothing, place).await?;
    guest.begin(limits.wall)?;
    let (adapter, store) = guest.parts();
    let calling = adapter.dbprovision_adapter_describe().call_describe(store);
    let outcome = Guest::bounded(origin, limits.wall, calling).await;
    guest.finish_plain(limits.wall, outcome)
}
