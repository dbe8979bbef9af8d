//! A metric family whose label sets are forgotten together with the object they are about.
//!
//! Without this, every database that ever existed would stay in /metrics until the operator restarts.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::object_key::ObjectKey;

/// A label set.
pub trait Labels: EncodeLabelSet + Clone + Hash + Eq + std::fmt::Debug + Send + Sync + 'static {}

impl<T: EncodeLabelSet + Clone + Hash + Eq + std::fmt::Debug + Send + Sync + 'static> Labels for T {}

/// A kind of metric.
pub trait Metric: EncodeMetric + TypedMetric + Clone + std::fmt::Debug + Send + Sync + 'static {}

impl<T: EncodeMetric + TypedMetric + Clone + std::fmt::Debug + Send + Sync + 'static> Metric for T {}

/// The family, and which of its label sets are about which object.
#[derive(Debug)]
pub struct Tracked<L: Labels, M: Metric> {
    family: Family<L, M, fn() -> M>,
    of_object: Mutex<HashMap<ObjectKey, HashSet<L>>>,
}

impl<L: Labels, M: Metric> Tracked<L, M> {
    /// A family under this name, whose metrics are made by `constructor`.
    pub fn register(registry: &mut Registry, name: &str, help: &str, constructor: fn() -> M) -> Self {
        let family = Family::new_with_constructor(constructor);
        registry.register(name, help, family.clone());
        Self { family, of_object: Mutex::default() }
    }

    /// The metric of these labels, which are about that object.
    pub fn of(&self, key: &ObjectKey, labels: &L) -> M {
        let mut of_object = self.of_object.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = of_object.entry(key.clone()).or_default();
        if !sets.contains(labels) {
            sets.insert(labels.clone());
        }
        // Made while the lock is held, so that a `forget` at the same moment leaves no orphan behind.
        self.family.get_or_create_owned(labels)
    }

    /// The same for a metric of which an object has one label set at a time: its former ones go.
    pub fn only(&self, key: &ObjectKey, labels: &L) -> M {
        let mut of_object = self.of_object.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = of_object.entry(key.clone()).or_default();
        for former in sets.iter().filter(|former| *former != labels) {
            self.family.remove(former);
        }
        sets.retain(|former| former == labels);
        sets.insert(labels.clone());
        self.family.get_or_create_owned(labels)
    }
}

/// What can be forgotten about objects, whatever is counted.
pub trait AboutObjects {
    /// The object is gone, and so is what was counted about it.
    fn forget(&self, key: &ObjectKey);

    /// The same for every object of which `is_there` is not true. A task that still worked on an object while it
    /// went may have counted it once more after `forget`.
    fn keep(&self, is_there: &dyn Fn(&ObjectKey) -> bool);
}

impl<L: Labels, M: Metric> AboutObjects for Tracked<L, M> {
    fn forget(&self, key: &ObjectKey) {
        let mut of_object = self.of_object.lock().unwrap_or_else(PoisonError::into_inner);
        for labels in of_object.remove(key).into_iter().flatten() {
            self.family.remove(&labels);
        }
    }

    fn keep(&self, is_there: &dyn Fn(&ObjectKey) -> bool) {
        let mut of_object = self.of_object.lock().unwrap_or_else(PoisonError::into_inner);
        of_object.retain(|key, sets| {
            let stays = is_there(key);
            if !stays {
                for labels in &*sets {
                    self.family.remove(labels);
                }
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;

    type Words = Vec<(String, String)>;

    fn labels(value: &str) -> Words {
        vec![("word".to_owned(), value.to_owned())]
    }

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn an_object_takes_its_label_sets_along() {
        let mut registry = Registry::default();
        let family: Tracked<Words, Gauge> = Tracked::register(&mut registry, "words", "Words", Gauge::default);
        let (one, other) = (ObjectKey::new("A", "", "one"), ObjectKey::new("A", "", "other"));
        family.of(&one, &labels("x")).set(1);
        family.of(&one, &labels("y")).set(1);
        family.of(&other, &labels("z")).set(1);
        family.forget(&one);
        let text = text(&registry);
        assert!(!text.contains("\"x\"") && !text.contains("\"y\""), "{text}");
        assert!(text.contains("\"z\""), "{text}");
    }

    #[test]
    fn only_the_latest_label_set_is_kept() {
        let mut registry = Registry::default();
        let family: Tracked<Words, Gauge> = Tracked::register(&mut registry, "words", "Words", Gauge::default);
        let key = ObjectKey::new("A", "", "one");
        family.only(&key, &labels("old")).set(1);
        family.only(&key, &labels("new")).set(1);
        let text = text(&registry);
        assert!(!text.contains("old"), "{text}");
        assert!(text.contains("new"), "{text}");
    }
}
