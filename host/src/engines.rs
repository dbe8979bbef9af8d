//! The engines that this operator has: found by name, fed by sources, exchangeable while it runs.
//!
//! Nothing here knows an engine by name. Deliberately absent: what an engine can do, which its adapter says.

pub mod catalogue;
pub mod compile;
pub mod folder;
mod options;

use std::collections::BTreeSet;
use std::sync::Arc;

use sandbox::Adapter;
use sandbox::contract::{BlockOwner, ObjectKind, OperationGroup};
use serde_json::Value;
use tokio::sync::watch;

pub use catalogue::{Catalogue, FindEngineError, SourceId};
pub use options::Problem;

use catalogue::Named;
use options::Blocks;

/// An adapter with what the host checks before it calls it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Engine {
    adapter: Adapter,
    blocks: Arc<Blocks>,
}

impl Engine {
    /// Takes an adapter on; an error says why its description is of no use.
    pub fn new(adapter: Adapter) -> Result<Self, String> {
        let blocks = Arc::new(Blocks::compile(adapter.description())?);
        Ok(Self { adapter, blocks })
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The engine's first name, which aliases stand for.
    pub fn name(&self) -> &str {
        self.adapter.description().engines.first().map_or("", |engine| engine.name.as_str())
    }

    /// The proper name of the engine that answers to this word.
    pub fn proper_name(&self, word: &str) -> &str {
        let engines = &self.adapter.description().engines;
        let named =
            engines.iter().find(|engine| engine.name == word || engine.aliases.iter().any(|alias| alias == word));
        named.map_or_else(|| self.name(), |engine| engine.name.as_str())
    }

    /// The key of the option block that the engine reads of such a resource; none: it has no options there.
    pub fn block_key(&self, owner: BlockOwner) -> Option<&str> {
        self.blocks.key(owner)
    }

    /// What is wrong with an option block that a resource states under this key. Paths are below the block.
    pub fn validate(&self, owner: BlockOwner, block_key: &str, value: &Value) -> Vec<Problem> {
        self.blocks.validate(self.name(), owner, block_key, value)
    }

    /// Whether the engine does anything in a group of operations.
    pub fn serves(&self, group: OperationGroup) -> bool {
        self.adapter.description().groups.contains(&group)
    }

    /// The longest name of such an object, in bytes, where the engine states one.
    pub fn name_limit(&self, kind: ObjectKind) -> Option<usize> {
        let limits = &self.adapter.description().name_limits;
        let limit = limits.iter().find(|limit| limit.kind == kind)?;
        usize::try_from(limit.bytes).ok()
    }

    /// The fields of such a resource whose present value can be read back.
    pub fn readable_fields(&self, owner: BlockOwner) -> &[String] {
        let fields = &self.adapter.description().fields;
        fields.iter().find(|list| list.owner == owner).map_or(&[], |list| list.readable.as_slice())
    }
}

impl Named for Engine {
    fn names(&self) -> BTreeSet<String> {
        let engines = &self.adapter.description().engines;
        engines.iter().flat_map(|engine| std::iter::once(&engine.name).chain(&engine.aliases)).cloned().collect()
    }
}

/// All engines. Sources put them in and may replace them at any time; whoever asked before keeps what it got.
#[derive(Debug)]
pub struct Registry {
    catalogue: watch::Sender<Catalogue<Engine>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { catalogue: watch::Sender::new(Catalogue::default()) }
    }
}

impl Registry {
    /// The engine that answers to the name.
    pub fn find(&self, name: &str) -> Result<Engine, FindEngineError> {
        self.catalogue.borrow().find(name).cloned()
    }

    /// Adds a source's engine or replaces it; an error is the reason why it cannot be used, and replaces nothing that
    /// can.
    pub fn put(&self, source: SourceId, loaded: Result<Engine, String>) {
        self.catalogue.send_modify(|catalogue| catalogue.put(source, loaded));
    }

    /// Removes a source's engine.
    pub fn remove(&self, source: &SourceId) {
        self.catalogue.send_modify(|catalogue| catalogue.remove(source));
    }

    /// Whether an engine of this source can be used.
    pub fn has(&self, source: &SourceId) -> bool {
        self.catalogue.borrow().available().any(|(known, _)| known == source)
    }

    /// How many engines can be used, and how many cannot.
    pub fn counts(&self) -> (usize, usize) {
        let catalogue = self.catalogue.borrow();
        (catalogue.available().count(), catalogue.unavailable().count())
    }

    /// The sources that cannot be used, each with its reason.
    pub fn unavailable(&self) -> Vec<(SourceId, String)> {
        let catalogue = self.catalogue.borrow();
        catalogue.unavailable().map(|(source, reason)| (source.clone(), reason.to_owned())).collect()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Catalogue<Engine>> {
        self.catalogue.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_to_who_waits_for_it() {
        let registry = Registry::default();
        let mut changes = registry.changes();
        assert!(!changes.has_changed().unwrap());
        let source = SourceId { origin: "folder", name: "x.wasm".to_owned() };
        registry.put(source.clone(), Err("broken".to_owned()));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        registry.remove(&source);
        assert!(changes.has_changed().unwrap());
        assert_eq!(registry.counts(), (0, 0));
    }
}
