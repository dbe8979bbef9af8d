//! The sandbox itself: one wasmtime engine with its pools, the ticker, and what all adapters share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use rustls::RootCertStore;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::counters::{Counters, Tally};
use crate::digest::Digest;
use crate::processor::{Ticker, locked};
use crate::quarantine::Quarantine;
use crate::room::Room;

/// Core instances, memories and tables that one guest may have; see `Limits::instances`.
const PARTS_OF_A_GUEST: u32 = 30;

/// How large the sandbox is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Guests that live at one time; an instance in use has up to three. A twentieth, and one at least, is for calls
    /// without a server. Where there are more servers than room, those that rest make way. Costs address space, not
    /// memory.
    pub guests: u32,
    /// The most memory that any guest's limits may allow, in bytes.
    pub memory_bytes: usize,
    /// The largest table that any guest's limits may allow, in elements.
    pub table_elements: usize,
    /// Where compiled code is kept; none: it is compiled at every start. Only the operator may write there, because
    /// what lies there is run without a check.
    pub cache_directory: Option<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { guests: 500, memory_bytes: 128 << 20, table_elements: 50_000, cache_directory: None }
    }
}

/// The sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The directory for compiled code is not usable.
    #[error("cannot use the cache directory {}", .directory.display())]
    OpenCache {
        /// Which one.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// wasmtime refuses the configuration, or has no address space for the pools.
    #[error("cannot set up the WebAssembly engine")]
    CreateEngine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The ticker's thread does not start.
    #[error("cannot start the guests' ticker")]
    StartTicker(#[source] std::io::Error),
}

/// Where adapters are loaded and run. Clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) compiled: Option<compiled::Folder>,
    pub(crate) ticker: Ticker,
    pub(crate) tally: Arc<Tally>,
    pub(crate) room: Room,
    pub(crate) started: Instant,
    quarantines: Mutex<BTreeMap<Digest, Arc<Quarantine>>>,
    system_roots: OnceLock<Arc<RootCertStore>>,
}

impl Sandbox {
    /// Sets the sandbox up.
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let open = |directory: &PathBuf| {
            compiled::Folder::open(directory)
                .map_err(|source| SandboxError::OpenCache { directory: directory.clone(), source })
        };
        let compiled = config.cache_directory.as_ref().map(open).transpose()?;
        let engine = Engine::new(&engine_config(config)).map_err(|error| SandboxError::CreateEngine(error.into()))?;
        let ticker = Ticker::start(&engine).map_err(SandboxError::StartTicker)?;
        Ok(Self(Arc::new(Inner {
            engine,
            compiled,
            ticker,
            tally: Arc::new(Tally::default()),
            room: Room::new(config.guests),
            started: Instant::now(),
            quarantines: Mutex::default(),
            system_roots: OnceLock::new(),
        })))
    }

    /// The counters of all servers together.
    pub fn counters(&self) -> Counters {
        self.0.tally.read()
    }

    /// How often running guests were interrupted so far. It stands still while no guest runs.
    pub fn ticks(&self) -> u64 {
        self.0.ticker.ticks()
    }
}

impl Inner {
    pub(crate) fn quarantine(&self, digest: Digest) -> Arc<Quarantine> {
        Arc::clone(locked(&self.quarantines).entry(digest).or_default())
    }

    /// The system's certificate authorities, read at their first use.
    pub(crate) fn system_roots(&self) -> Arc<RootCertStore> {
        Arc::clone(self.system_roots.get_or_init(|| Arc::new(crate::tls::system_roots())))
    }
}

fn engine_config(config: &SandboxConfig) -> Config {
    let parts = config.guests.saturating_mul(4).max(PARTS_OF_A_GUEST);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(config.guests)
        .total_stacks(config.guests)
        // Most guests are of one language and have three or four parts; a few have many.
        .total_core_instances(parts)
        .total_tables(parts)
        .total_memories(config.guests.saturating_mul(2))
        .max_core_instances_per_component(PARTS_OF_A_GUEST)
        .max_memories_per_component(PARTS_OF_A_GUEST)
        .max_tables_per_component(PARTS_OF_A_GUEST)
        .max_tables_per_module(PARTS_OF_A_GUEST)
        .max_memory_size(config.memory_bytes)
        .table_elements(config.table_elements);
    let mut wasm = Config::new();
    wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        // Every address that a guest can name lies within its reservation, so compiled code checks none of them: a
        // third less code, which stays resident for as long as the operator runs.
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .generate_address_map(false)
        .native_unwind_info(false)
        .epoch_interruption(true)
        .consume_fuel(false)
        .concurrency_support(false)
        // The lines of a guest's stack in a trap are for its author; the host's environment must not change them.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    wasm
}
