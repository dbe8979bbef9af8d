//! Which engine answers to which name: pure, and the same whatever engines are made of.
//!
//! Decided here: sources are taken in their order; one that claims a name which an earlier one has is refused
//! as a whole, so that no engine is served by half an adapter. A source that could not be loaded is remembered
//! with its reason, under the name that its file or resource has; one that could be loaded before goes on.

use std::collections::{BTreeMap, BTreeSet};

use crds::names::reason;

/// Where an engine came from. The order is that of precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// What kind of source: `folder`.
    pub origin: &'static str,
    /// Its name there: the file's.
    pub name: String,
}

impl SourceId {
    /// The engine that the source is about by its own name: `postgres` of `postgres.wasm`.
    fn guess(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }
}

impl std::fmt::Display for SourceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.name, self.origin)
    }
}

/// What answers to names.
pub trait Named {
    /// The names and aliases that it answers to.
    fn names(&self) -> BTreeSet<String>;
}

/// Why there is no engine of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindEngineError {
    /// No adapter answers to the name.
    #[error("no engine is called `{name}`; known are: {}", listed(known))]
    Unknown {
        /// The name.
        name: String,
        /// The names that are answered to.
        known: Vec<String>,
    },
    /// There is an adapter, but it cannot be used.
    #[error("the adapter of `{name}` cannot be used: {reason}")]
    Unavailable {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl FindEngineError {
    /// The reason of the condition that says so.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown { name: _, known: _ } => reason::UNKNOWN_ENGINE,
            Self::Unavailable { name: _, reason: _ } => reason::ENGINE_REFUSED,
        }
    }
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// The engines of all sources, and who answers to which name.
#[derive(Clone, Debug)]
pub struct Catalogue<T> {
    sources: BTreeMap<SourceId, Result<T, String>>,
    by_name: BTreeMap<String, SourceId>,
    refused: BTreeMap<SourceId, String>,
    /// What a source has now cannot be used, and why; what it had before serves on.
    outdated: BTreeMap<SourceId, String>,
}

impl<T> Default for Catalogue<T> {
    fn default() -> Self {
        Self { sources: BTreeMap::new(), by_name: BTreeMap::new(), refused: BTreeMap::new(), outdated: BTreeMap::new() }
    }
}

impl<T: Named> Catalogue<T> {
    /// Adds a source or replaces what it had; an error is the reason why it cannot be used, and replaces nothing that
    /// can.
    pub fn put(&mut self, source: SourceId, loaded: Result<T, String>) {
        self.outdated.remove(&source);
        match (loaded, self.sources.get(&source)) {
            (Err(reason), Some(Ok(_))) => drop(self.outdated.insert(source, reason)),
            (loaded, _) => drop(self.sources.insert(source, loaded)),
        }
        self.assign();
    }

    /// Removes a source.
    pub fn remove(&mut self, source: &SourceId) {
        self.sources.remove(source);
        self.outdated.remove(source);
        self.assign();
    }

    /// What answers to the name.
    pub fn find(&self, name: &str) -> Result<&T, FindEngineError> {
        let found = self.by_name.get(name).and_then(|source| self.sources.get(source));
        if let Some(Ok(found)) = found {
            return Ok(found);
        }
        let unavailable = self
            .unavailable()
            .find(|(source, _)| source.guess() == name || self.claims(source).contains(name))
            .map(|(_, reason)| reason.to_owned());
        Err(match unavailable {
            Some(reason) => FindEngineError::Unavailable { name: name.to_owned(), reason },
            None => FindEngineError::Unknown { name: name.to_owned(), known: self.by_name.keys().cloned().collect() },
        })
    }

    /// What cannot be used, by its source, each with its reason.
    pub fn unavailable(&self) -> impl Iterator<Item = (&SourceId, &str)> {
        let broken = self.sources.iter().filter_map(|(source, loaded)| Some((source, loaded.as_ref().err()?.as_str())));
        broken.chain(self.refused.iter().chain(&self.outdated).map(|(source, reason)| (source, reason.as_str())))
    }

    /// The sources that can be used, in their order.
    pub fn available(&self) -> impl Iterator<Item = (&SourceId, &T)> {
        self.sources
            .iter()
            .filter(|(source, _)| !self.refused.contains_key(*source))
            .filter_map(|(source, loaded)| Some((source, loaded.as_ref().ok()?)))
    }

    fn claims(&self, source: &SourceId) -> BTreeSet<String> {
        self.sources.get(source).and_then(|loaded| loaded.as_ref().ok()).map(Named::names).unwrap_or_default()
    }

    fn assign(&mut self) {
        self.by_name.clear();
        self.refused.clear();
        for (source, loaded) in &self.sources {
            let Ok(engine) = loaded else { continue };
            let names = engine.names();
            let taken = names.iter().find_map(|name| Some((name, self.by_name.get(name)?)));
            if let Some((name, owner)) = taken {
                let reason = format!("the engine name `{name}` is already served by {owner}");
                self.refused.insert(source.clone(), reason);
            } else {
                self.by_name.extend(names.into_iter().map(|name| (name, source.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Words(&'static [&'static str]);

    impl Named for Words {
        fn names(&self) -> BTreeSet<String> {
            self.0.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    fn file(name: &str) -> SourceId {
        SourceId { origin: "folder", name: name.to_owned() }
    }

    #[test]
    fn an_engine_is_found_by_its_name_and_its_aliases() {
        let mut catalogue = Catalogue::default();
        catalogue.put(file("postgres.wasm"), Ok(Words(&["postgres", "postgresql"])));
        assert_eq!(catalogue.find("postgres"), Ok(&Words(&["postgres", "postgresql"])));
        assert_eq!(catalogue.find("postgresql"), Ok(&Words(&["postgres", "postgresql"])));
        let known = vec!["postgres".to_owned(), "postgresql".to_owned()];
        assert_eq!(catalogue.find("oracle"), Err(FindEngineError::Unknown { name: "oracle".to_owned(), known }));
    }

    #[test]
    fn the_first_by_name_wins_whatever_the_order_of_arrival_and_the_other_is_refused_as_a_whole() {
        let mut catalogue = Catalogue::default();
        catalogue.put(file("b.wasm"), Ok(Words(&["shared", "only-b"])));
        catalogue.put(file("a.wasm"), Ok(Words(&["shared"])));
        assert_eq!(catalogue.find("shared"), Ok(&Words(&["shared"])));
        let refused = catalogue.find("only-b").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the adapter of `only-b` cannot be used: the engine name `shared` is already served by a.wasm (folder)"
        );
        assert_eq!((catalogue.available().count(), catalogue.unavailable().count()), (1, 1));
        catalogue.remove(&file("a.wasm"));
        assert_eq!(catalogue.find("only-b"), Ok(&Words(&["shared", "only-b"])));
    }

    #[test]
    fn an_instance_of_a_broken_adapter_gets_its_reason() {
        let mut catalogue: Catalogue<Words> = Catalogue::default();
        catalogue.put(file("mysql.wasm"), Err("it imports `wasi:sockets/tcp`".to_owned()));
        let reason = "it imports `wasi:sockets/tcp`".to_owned();
        assert_eq!(catalogue.find("mysql"), Err(FindEngineError::Unavailable { name: "mysql".to_owned(), reason }));
        assert!(matches!(catalogue.find("postgres"), Err(FindEngineError::Unknown { .. })));
    }

    #[test]
    fn what_is_broken_replaces_nothing_and_counts_until_it_is_whole_or_gone() {
        let mut catalogue = Catalogue::default();
        let counts = |catalogue: &Catalogue<Words>| (catalogue.available().count(), catalogue.unavailable().count());
        catalogue.put(file("a.wasm"), Ok(Words(&["a"])));
        catalogue.put(file("a.wasm"), Err("broken".to_owned()));
        assert_eq!(catalogue.find("a"), Ok(&Words(&["a"])));
        assert_eq!(counts(&catalogue), (1, 1));
        catalogue.put(file("a.wasm"), Ok(Words(&["a", "b"])));
        assert_eq!(catalogue.find("b"), Ok(&Words(&["a", "b"])));
        assert_eq!(counts(&catalogue), (1, 0));
        catalogue.put(file("a.wasm"), Err("broken".to_owned()));
        catalogue.remove(&file("a.wasm"));
        assert_eq!(counts(&catalogue), (0, 0));
    }

    #[test]
    fn an_engine_is_replaced_while_others_stay() {
        let mut catalogue = Catalogue::default();
        catalogue.put(file("a.wasm"), Ok(Words(&["a"])));
        catalogue.put(file("b.wasm"), Ok(Words(&["b"])));
        catalogue.put(file("a.wasm"), Ok(Words(&["a", "alpha"])));
        assert_eq!(catalogue.find("alpha"), Ok(&Words(&["a", "alpha"])));
        assert!(catalogue.find("b").is_ok());
    }
}
