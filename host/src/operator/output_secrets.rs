//! The one watch of Secrets: our own output Secrets, by their label, metadata only.
//!
//! It can be turned off, and it gives up for a while where the operator may not list Secrets: then a deleted
//! Secret is noticed at its user's next check. What this operator wrote itself is no news.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use crds::names::label;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};

use crate::cluster::cache::{is_own_write, own_fields};
use crate::errors::chain;

/// How long a missing right is respected before it is asked for again.
const FORBIDDEN: Duration = Duration::from_mins(10);

/// A Secret of ours that somebody else touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputSecret {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The user it is labelled with.
    pub(crate) user: Option<String>,
    /// The database it is labelled with.
    pub(crate) database: Option<String>,
}

/// Namespace and name, as in `namespace/name`: neither has a slash.
type Key = Box<str>;

/// What is kept of a Secret. Every account has one, so it is small.
#[derive(Debug)]
struct Entry {
    /// A hash of the version: only whether it is another is asked.
    version: u64,
    /// How many fields are ours by the API server's account.
    fields: u32,
    user: Option<Box<str>>,
    database: Option<Box<str>>,
}

impl Entry {
    /// Whether somebody else wrote last, or took away what we wrote: who only removes leaves no other trace.
    fn is_news(&self, secret: &PartialObjectMeta<Secret>, before: Option<&Self>) -> bool {
        !is_own_write(secret) || before.is_some_and(|before| self.fields < before.fields)
    }

    /// The Secret that it is kept for.
    fn secret(&self, key: &str) -> OutputSecret {
        let (namespace, name) = key.split_once('/').unwrap_or_default();
        OutputSecret {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            user: self.user.as_deref().map(str::to_owned),
            database: self.database.as_deref().map(str::to_owned),
        }
    }
}

/// What is known of the Secrets: no more than is needed to tell what a gap in the watch hid.
#[derive(Debug, Default)]
struct Known {
    listed: bool,
    all: HashMap<Key, Entry>,
    listing: HashMap<Key, Entry>,
}

impl Known {
    /// Takes an event; answers which Secrets somebody else touched.
    fn take(&mut self, event: &Event<PartialObjectMeta<Secret>>) -> Vec<OutputSecret> {
        match event {
            Event::Init => {
                self.listing.clear();
                Vec::new()
            }
            Event::InitApply(secret) => {
                let (key, entry) = entry(secret);
                // The first listing is no news: everything is looked at once at the beginning anyway.
                let before = self.all.get(&key);
                let is_news = self.listed
                    && before.is_none_or(|before| before.version != entry.version)
                    && entry.is_news(secret, before);
                let news = is_news.then(|| entry.secret(&key));
                self.listing.insert(key, entry);
                news.into_iter().collect()
            }
            Event::InitDone => {
                let former = std::mem::replace(&mut self.all, std::mem::take(&mut self.listing));
                self.listed = true;
                let vanished = former.into_iter().filter(|(key, _)| !self.all.contains_key(key));
                vanished.map(|(key, entry)| entry.secret(&key)).collect()
            }
            Event::Apply(secret) => {
                let (key, entry) = entry(secret);
                let news = entry.is_news(secret, self.all.get(&key)).then(|| entry.secret(&key));
                self.all.insert(key, entry);
                news.into_iter().collect()
            }
            Event::Delete(secret) => {
                let (key, entry) = entry(secret);
                self.all.remove(&key);
                vec![entry.secret(&key)]
            }
        }
    }
}

fn entry(secret: &PartialObjectMeta<Secret>) -> (Key, Entry) {
    let mut version = DefaultHasher::new();
    secret.resource_version().hash(&mut version);
    let label = |name: &str| secret.labels().get(name).map(|value| value.as_str().into());
    let entry = Entry {
        version: version.finish(),
        fields: u32::try_from(own_fields(secret)).unwrap_or(u32::MAX),
        user: label(label::USER),
        database: label(label::DATABASE),
    };
    (format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name_any()).into(), entry)
}

/// Watches until the task is dropped.
pub(crate) async fn watch(client: Client, tell: impl Fn(&OutputSecret) + Send) {
    let ours = format!("{}={}", label::MANAGED_BY, label::MANAGED_BY_VALUE);
    let config = watcher::Config::default().labels(&ours);
    let mut known = Known::default();
    loop {
        let events = watcher(Api::<PartialObjectMeta<Secret>>::all(client.clone()), config.clone()).default_backoff();
        pin_mut!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => known.take(&event).iter().for_each(&tell),
                Err(error) if is_forbidden(&error) => {
                    tracing::info!(
                        "output Secrets cannot be watched; a deleted one is restored at its user's next check"
                    );
                    break;
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the watch of output Secrets broke off and is begun again");
                }
            }
        }
        tokio::time::sleep(FORBIDDEN).await;
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.is_forbidden(),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta, Time};
    use kube::core::PartialObjectMetaExt as _;

    use super::*;
    use crate::cluster::secrets::FIELD_MANAGER;

    fn secret(name: &str, version: &str, writer: &str) -> PartialObjectMeta<Secret> {
        ObjectMeta {
            namespace: Some("team-a".to_owned()),
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            labels: Some([(label::USER.to_owned(), "app".to_owned())].into()),
            managed_fields: Some(vec![ManagedFieldsEntry {
                manager: Some(writer.to_owned()),
                time: Some(Time(Timestamp::UNIX_EPOCH)),
                ..ManagedFieldsEntry::default()
            }]),
            ..ObjectMeta::default()
        }
        .into_response_partial()
    }

    fn news(known: &mut Known, events: &[Event<PartialObjectMeta<Secret>>]) -> Vec<String> {
        let mut names: Vec<_> = events.iter().flat_map(|event| known.take(event)).map(|secret| secret.name).collect();
        names.sort();
        names
    }

    fn listing(secrets: Vec<PartialObjectMeta<Secret>>) -> Vec<Event<PartialObjectMeta<Secret>>> {
        std::iter::once(Event::Init).chain(secrets.into_iter().map(Event::InitApply)).chain([Event::InitDone]).collect()
    }

    #[test]
    fn our_own_writes_and_the_first_listing_are_no_news() {
        let mut known = Known::default();
        assert!(news(&mut known, &listing(vec![secret("a", "1", "kubectl")])).is_empty());
        assert!(news(&mut known, &[Event::Apply(secret("b", "2", FIELD_MANAGER))]).is_empty());
        assert_eq!(news(&mut known, &[Event::Apply(secret("b", "3", "kubectl"))]), ["b"]);
        assert_eq!(news(&mut known, &[Event::Delete(secret("b", "4", FIELD_MANAGER))]), ["b"]);
    }

    #[test]
    fn who_only_takes_something_away_is_noticed() {
        let with = |version: &str, fields: serde_json::Value| {
            let mut secret = secret("a", version, FIELD_MANAGER);
            for entry in secret.metadata.managed_fields.iter_mut().flatten() {
                entry.fields_v1 = Some(FieldsV1(fields.clone()));
            }
            secret
        };
        let whole = serde_json::json!({ "f:data": { ".": {}, "f:host": {}, "f:password": {} } });
        let less = serde_json::json!({ "f:data": { ".": {}, "f:host": {} } });
        let mut known = Known::default();
        news(&mut known, &listing(Vec::new()));
        assert!(news(&mut known, &[Event::Apply(with("1", less.clone()))]).is_empty());
        assert!(news(&mut known, &[Event::Apply(with("2", whole))]).is_empty());
        assert_eq!(news(&mut known, &[Event::Apply(with("3", less))]), ["a"]);
    }

    #[test]
    fn what_a_gap_in_the_watch_hid_is_told_afterwards() {
        let mut known = Known::default();
        let before = ["a", "b", "c"].map(|name| secret(name, "1", FIELD_MANAGER)).into();
        news(&mut known, &listing(before));
        let after = vec![secret("a", "1", FIELD_MANAGER), secret("b", "7", "kubectl")];
        assert_eq!(news(&mut known, &listing(after)), ["b", "c"]);
    }
}
