//! One watch: keeps a cache up to date and tells what really changed.
//!
//! The cache is changed first, then the change is told, so that whoever is told finds it. After a gap in the
//! watch everything is listed anew; what is told then is only the difference, so that a reconnect does not
//! reconcile the whole cluster, and nothing that disappeared meanwhile is missed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{StreamExt as _, pin_mut};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::cluster::cache::slim;
use crate::errors::chain;

/// A change of the cache.
#[derive(Clone, Debug)]
pub enum Change<K> {
    /// The object is new or different.
    Present {
        /// As it was known before, if it was.
        before: Option<Arc<K>>,
        /// As it is.
        now: Arc<K>,
    },
    /// The object is gone; this is what was known of it last.
    Gone(Arc<K>),
}

/// A kind that can be watched.
pub trait Watched: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}

impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Watched for K {}

/// Watches until the task is dropped.
pub(crate) async fn pump<K: Watched>(
    api: Api<K>,
    config: watcher::Config,
    mut writer: Writer<K>,
    mut tell: impl FnMut(Change<K>) + Send,
) {
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => take(&mut writer, event, &mut tell),
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), error = chain(&error), "the watch broke off and is begun again");
            }
        }
    }
}

/// Takes one event into the cache and tells the difference.
fn take<K: Watched>(writer: &mut Writer<K>, event: Event<K>, tell: &mut impl FnMut(Change<K>)) {
    let store = writer.as_reader();
    let event = event.modify(slim);
    match &event {
        Event::Apply(object) => {
            let key = ObjectRef::from_obj(object);
            let before = store.get(&key);
            writer.apply_watcher_event(&event);
            if let Some(now) = store.get(&key) {
                tell_if_different(before, now, tell);
            }
        }
        Event::Delete(object) => {
            let before = store.get(&ObjectRef::from_obj(object));
            writer.apply_watcher_event(&event);
            let last = before.unwrap_or_else(|| Arc::new(object.clone()));
            tell(Change::Gone(last));
        }
        Event::Init | Event::InitApply(_) => writer.apply_watcher_event(&event),
        Event::InitDone => {
            let mut known = by_key(&store);
            writer.apply_watcher_event(&event);
            for now in store.state() {
                tell_if_different(known.remove(&ObjectRef::from_obj(now.as_ref())), now, tell);
            }
            for (_, last) in known {
                tell(Change::Gone(last));
            }
        }
    }
}

fn by_key<K: Watched>(store: &Store<K>) -> HashMap<ObjectRef<K>, Arc<K>> {
    store.state().into_iter().map(|object| (ObjectRef::from_obj(object.as_ref()), object)).collect()
}

fn tell_if_different<K: Watched>(before: Option<Arc<K>>, now: Arc<K>, tell: &mut impl FnMut(Change<K>)) {
    let same = before
        .as_ref()
        .is_some_and(|before| before.uid() == now.uid() && before.resource_version() == now.resource_version());
    if same {
        return;
    }
    // An object of the same name with another uid: the former one is gone, even if nobody said so.
    match before {
        Some(before) if before.uid() != now.uid() => {
            tell(Change::Gone(before));
            tell(Change::Present { before: None, now });
        }
        before => tell(Change::Present { before, now }),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use kube::runtime::reflector::store;

    use super::*;

    fn object(name: &str, uid: &str, version: &str) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some("team-a".to_owned()),
                uid: Some(uid.to_owned()),
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    fn told(writer: &mut Writer<ConfigMap>, events: Vec<Event<ConfigMap>>) -> Vec<String> {
        let mut told = Vec::new();
        for event in events {
            take(writer, event, &mut |change| {
                told.push(match change {
                    Change::Present { before: None, now } => format!("new {}", now.name_any()),
                    Change::Present { before: Some(_), now } => format!("changed {}", now.name_any()),
                    Change::Gone(last) => format!("gone {}", last.name_any()),
                });
            });
        }
        told.sort();
        told
    }

    fn listing(objects: Vec<ConfigMap>) -> Vec<Event<ConfigMap>> {
        let applied = objects.into_iter().map(Event::InitApply);
        std::iter::once(Event::Init).chain(applied).chain([Event::InitDone]).collect()
    }

    #[test]
    fn a_relisting_tells_the_difference_only() {
        let (_, mut writer) = store();
        let first = listing(vec![object("a", "1", "1"), object("b", "2", "2"), object("c", "3", "3")]);
        assert_eq!(told(&mut writer, first), ["new a", "new b", "new c"]);
        let second = listing(vec![object("a", "1", "1"), object("b", "2", "9"), object("d", "4", "8")]);
        assert_eq!(told(&mut writer, second), ["changed b", "gone c", "new d"]);
    }

    #[test]
    fn a_recreated_object_is_gone_and_new() {
        let (_, mut writer) = store();
        told(&mut writer, listing(vec![object("a", "1", "1")]));
        assert_eq!(told(&mut writer, vec![Event::Apply(object("a", "2", "5"))]), ["gone a", "new a"]);
    }

    #[test]
    fn whoever_is_told_finds_the_change_in_the_cache() {
        let (reader, mut writer) = store();
        told(&mut writer, listing(vec![object("a", "1", "1")]));
        let mut looked = false;
        take(&mut writer, Event::Delete(object("a", "1", "2")), &mut |_| {
            looked = true;
            assert!(reader.is_empty());
        });
        assert!(looked);
    }
}
