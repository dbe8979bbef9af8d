//! How much a guest may use, and the part of it that wasmtime asks about: memory, tables, instances.
//!
//! Every number has its own [`Violation`], so that an operator who reads a refusal knows which one to raise.
//! Time on the processor is counted in `processor`, time on the wall in `guest`.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// The limits of one guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All linear memories together, in bytes.
    pub memory_bytes: usize,
    /// The same for a guest that serves a sweep, which remembers whole catalogues for as long as the sweep takes.
    pub sweep_memory_bytes: usize,
    /// All tables together, in elements.
    pub table_elements: usize,
    /// Core instances, memories and tables, each.
    pub instances: usize,
    /// Connections and secrets that the guest holds at one time.
    pub handles: usize,
    /// What a guest may pass in one call, in either direction, in bytes.
    pub call_bytes: usize,
    /// Time on the processor for one call. Waiting in the host is not counted.
    pub processor: Duration,
    /// Time on the wall for one call, waits in the host included, unless the session was given another.
    pub wall: Duration,
    /// Resolving the server's name and dialling its addresses.
    pub dial: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 32 << 20,
            sweep_memory_bytes: 128 << 20,
            table_elements: 50_000,
            // A Rust guest has three core instances; interpreters that were linked from parts have a dozen.
            instances: 30,
            handles: 256,
            // Everything that a grantee holds on ten thousand tables fits.
            call_bytes: 4 << 20,
            processor: Duration::from_secs(5),
            wall: Duration::from_mins(1),
            dial: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// For the guest of a sweep.
    #[must_use]
    pub fn sweep(&self) -> Self {
        Self { memory_bytes: self.sweep_memory_bytes, ..self.clone() }
    }

    /// For calls that only look at their arguments: no wait is due, so little time is.
    #[must_use]
    pub fn pure(&self) -> Self {
        Self {
            processor: self.processor.min(Duration::from_secs(1)),
            wall: self.wall.min(Duration::from_secs(5)),
            ..self.clone()
        }
    }
}

/// What a guest did beyond its limits or against the contract, with one exception. It ends the call as a trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("it needs more than {0} bytes of memory")]
    Memory(usize),
    #[error("it needs tables of more than {0} elements")]
    Table(usize),
    #[error("it ran for more than {0:?}")]
    Processor(Duration),
    #[error("it holds more than {0} handles")]
    Handles(usize),
    #[error("it called `{0}` where no import may be called")]
    Import(&'static str),
    #[error("{0}")]
    Contract(&'static str),
    /// Nothing the guest did: the host may send nothing more.
    #[error("nothing more may be sent")]
    Stopped,
}

/// Counts memory and tables over all instances of a store.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    memory: usize,
    elements: usize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), memory: 0, elements: 0 }
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.limits.memory_bytes {
            // A guest that is told `-1` usually aborts with a message that names no limit.
            return Err(wasmtime::Error::new(Violation::Memory(self.limits.memory_bytes)));
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current));
        if total > self.limits.table_elements {
            return Err(wasmtime::Error::new(Violation::Table(self.limits.table_elements)));
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        self.limits.instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories() {
        let limits = Limits { memory_bytes: 3 << 16, ..Limits::default() };
        let mut budget = Budget::new(&limits);
        assert!(budget.memory_growing(0, 2 << 16, None).is_ok());
        assert!(budget.memory_growing(0, 1 << 16, None).is_ok());
        let refused = budget.memory_growing(0, 1 << 16, None).unwrap_err();
        assert_eq!(refused.downcast_ref::<Violation>(), Some(&Violation::Memory(3 << 16)));
    }

    #[test]
    fn tables_are_counted_over_all_tables() {
        let limits = Limits { table_elements: 10, ..Limits::default() };
        let mut budget = Budget::new(&limits);
        assert!(budget.table_growing(0, 10, None).is_ok());
        assert!(budget.table_growing(10, 11, None).is_err());
    }
}
