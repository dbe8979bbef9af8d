//! Secrets: read by name, created, changed where they are ours, deleted where they are ours.
//!
//! Decided here: absence is what the API server positively says; every other failure is an error. A Secret is
//! created by POST, which never overwrites; it is changed only as the very version that was read, and deleted
//! only as the very object. Values are wiped when dropped; what the HTTP client buffers on the way is not ours
//! to wipe. Deliberately absent: whether a Secret is ours, which `planning` decides, and any list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use crate::cluster::absence::{can_exist, is_absence, present_or_absent};
use crate::errors::{Class, Classified, class_of_kube};
use crate::telemetry::reconcile::mark_changed;

/// Who writes Secrets, in their `managedFields`.
pub const FIELD_MANAGER: &str = "db-provision-operator/secret";

/// The values of a Secret, wiped when dropped.
pub type SecretData = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// A Secret as it was read.
#[derive(Clone)]
pub struct FoundSecret {
    /// Its metadata, with owners, labels, annotations, uid and resourceVersion.
    pub metadata: ObjectMeta,
    /// Its type.
    pub kind: String,
    /// Its values.
    pub data: SecretData,
}

impl FoundSecret {
    /// One value.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.data.get(key).map(|value| value.as_slice())
    }

    /// Whether it is being deleted, so that nothing may rely on it.
    pub fn is_going(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    fn take(mut secret: Secret) -> Self {
        let data = secret.data.take().unwrap_or_default();
        Self {
            metadata: secret.metadata,
            kind: secret.type_.unwrap_or_else(|| "Opaque".to_owned()),
            data: data.into_iter().map(|(key, ByteString(value))| (key, Zeroizing::new(value))).collect(),
        }
    }
}

impl fmt::Debug for FoundSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FoundSecret")
            .field("name", &self.metadata.name)
            .field("keys", &self.data.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A Secret of ours, as it should be.
pub struct WantedSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The resource that owns it; none where it is in another namespace, which a reference cannot cross.
    pub owner: Option<OwnerReference>,
    /// Its type.
    pub kind: String,
    /// Its values.
    pub data: SecretData,
}

impl WantedSecret {
    /// Whether the Secret that was found is as wanted. What others added to its metadata is theirs.
    pub fn is_as(&self, found: &FoundSecret) -> bool {
        difference(found, self).is_none()
    }
}

impl fmt::Debug for WantedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WantedSecret")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("keys", &self.data.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why a Secret was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Reading failed; nothing is known of the Secret.
    #[error("cannot read the Secret {namespace}/{name}")]
    Read {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        source: kube::Error,
    },
    /// It exists already, and was left alone.
    #[error("the Secret {namespace}/{name} exists already")]
    Exists {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// It is no longer the one that was read, and was left alone.
    #[error("the Secret {namespace}/{name} was changed meanwhile")]
    Moved {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Writing failed.
    #[error("cannot {verb} the Secret {namespace}/{name}")]
    Write {
        /// What was tried.
        verb: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        source: kube::Error,
    },
}

impl Classified for SecretError {
    fn class(&self) -> Class {
        match self {
            // A type that cannot change, a key that cannot be: the spec asks for what the API server refuses.
            Self::Write { source: kube::Error::Api(status), .. } if status.code == 422 => Class::Invalid,
            Self::Read { source, .. } | Self::Write { source, .. } => class_of_kube(source),
            Self::Exists { .. } | Self::Moved { .. } => Class::Transient,
        }
    }
}

/// Access to Secrets by name.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// Access through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The Secret of this name; none where it positively does not exist.
    pub async fn get(&self, namespace: &str, name: &str) -> Result<Option<FoundSecret>, SecretError> {
        if !can_exist(namespace, name) {
            return Ok(None);
        }
        let found = self.api(namespace).get(name).await;
        match present_or_absent(found, name) {
            Ok(found) => Ok(found.map(FoundSecret::take)),
            Err(source) => Err(SecretError::Read { namespace: namespace.to_owned(), name: name.to_owned(), source }),
        }
    }

    /// Creates it; one that exists is left alone and is [`SecretError::Exists`].
    pub async fn create(&self, wanted: &WantedSecret) -> Result<FoundSecret, SecretError> {
        let mut secret = Secret {
            metadata: ObjectMeta {
                name: Some(wanted.name.clone()),
                namespace: Some(wanted.namespace.clone()),
                labels: Some(wanted.labels.clone()),
                annotations: Some(wanted.annotations.clone()),
                owner_references: wanted.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            type_: Some(wanted.kind.clone()),
            data: Some(wanted.data.iter().map(|(key, value)| (key.clone(), ByteString(value.to_vec()))).collect()),
            ..Secret::default()
        };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let created = self.api(&wanted.namespace).create(&parameters, &secret).await;
        for ByteString(value) in secret.data.iter_mut().flat_map(BTreeMap::values_mut) {
            value.zeroize();
        }
        let (namespace, name) = (wanted.namespace.clone(), wanted.name.clone());
        match created {
            Ok(created) => {
                mark_changed();
                Ok(FoundSecret::take(created))
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => Err(SecretError::Exists { namespace, name }),
            Err(source) => Err(SecretError::Write { verb: "create", namespace, name, source }),
        }
    }

    /// Brings one of ours, as it was read, to what is wanted: the values exactly, of labels and annotations
    /// those that are wanted, leaving others'. Answers what it is then; nothing is sent where nothing differs.
    /// If it changed since it was read, nothing happens: [`SecretError::Moved`].
    pub async fn update(&self, found: &FoundSecret, wanted: &WantedSecret) -> Result<FoundSecret, SecretError> {
        let Some(difference) = difference(found, wanted) else { return Ok(found.clone()) };
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(&wanted.namespace);
        let patched = api.patch(&wanted.name, &parameters, &Patch::Merge(difference)).await;
        let (namespace, name) = (wanted.namespace.clone(), wanted.name.clone());
        match patched {
            Ok(patched) => {
                mark_changed();
                Ok(FoundSecret::take(patched))
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || is_absence(&status, &name) => {
                Err(SecretError::Moved { namespace, name })
            }
            Err(source) => Err(SecretError::Write { verb: "change", namespace, name, source }),
        }
    }

    /// Deletes exactly the object that was read. What is absent, or another object by now, is deleted already.
    pub async fn delete(&self, namespace: &str, name: &str, uid: &str) -> Result<(), SecretError> {
        let only_this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
        match self.api(namespace).delete(name, &parameters).await {
            Ok(_) => {
                mark_changed();
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || is_absence(&status, name) => Ok(()),
            Err(source) => Err(SecretError::Write {
                verb: "delete",
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                source,
            }),
        }
    }

    fn api(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// The merge patch from what was read to what is wanted; none where nothing differs. A merge patch, not
/// server-side apply: the keys that the creating POST wrote belong to another kind of manager, and applying
/// without them would not remove them.
fn difference(found: &FoundSecret, wanted: &WantedSecret) -> Option<Value> {
    let mut data = Map::new();
    for key in found.data.keys().filter(|key| !wanted.data.contains_key(*key)) {
        data.insert(key.clone(), Value::Null);
    }
    for (key, value) in &wanted.data {
        if found.value(key) != Some(value.as_slice()) {
            data.insert(key.clone(), json!(ByteString(value.to_vec())));
        }
    }
    let mut metadata = Map::new();
    for (field, present, wanted) in [
        ("labels", &found.metadata.labels, &wanted.labels),
        ("annotations", &found.metadata.annotations, &wanted.annotations),
    ] {
        let entries = of_metadata(present.as_ref(), wanted, &written_by_us(&found.metadata, field));
        if !entries.is_empty() {
            metadata.insert(field.to_owned(), Value::Object(entries));
        }
    }
    let owners = found.metadata.owner_references.as_deref().unwrap_or_default();
    if let Some(owner) = wanted.owner.as_ref().filter(|owner| !owners.contains(owner)) {
        metadata.insert("ownerReferences".to_owned(), json!([owner]));
    }
    let mut patch = Map::new();
    if found.kind != wanted.kind {
        patch.insert("type".to_owned(), json!(wanted.kind));
    }
    if !data.is_empty() {
        patch.insert("data".to_owned(), Value::Object(data));
    }
    if patch.is_empty() && metadata.is_empty() {
        return None;
    }
    // The server refuses the patch where these are not the object's own.
    metadata.insert("uid".to_owned(), json!(found.metadata.uid));
    metadata.insert("resourceVersion".to_owned(), json!(found.metadata.resource_version));
    patch.insert("metadata".to_owned(), Value::Object(metadata));
    Some(Value::Object(patch))
}

/// The entries to write, and those of ours that are wanted no longer.
fn of_metadata(
    present: Option<&BTreeMap<String, String>>,
    wanted: &BTreeMap<String, String>,
    ours: &BTreeSet<String>,
) -> Map<String, Value> {
    let value = |key: &String| present.and_then(|present| present.get(key));
    let missing = wanted.iter().filter(|(key, wanted)| value(key) != Some(wanted));
    let missing = missing.map(|(key, value)| (key.clone(), json!(value)));
    let former = ours.iter().filter(|key| value(key).is_some() && !wanted.contains_key(*key));
    missing.chain(former.map(|key| (key.clone(), Value::Null))).collect()
}

/// The keys of a map in the metadata that this operator wrote last, as the API server notes
/// (`managedFields`, Kubernetes documentation, "Server-Side Apply").
fn written_by_us(metadata: &ObjectMeta, field: &str) -> BTreeSet<String> {
    let ours = metadata.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    ours.filter_map(|entry| entry.fields_v1.as_ref()?.0.get("f:metadata")?.get(format!("f:{field}"))?.as_object())
        .flat_map(|keys| keys.keys().filter_map(|key| key.strip_prefix("f:")).map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(entries: &[(&str, &str)]) -> SecretData {
        entries.iter().map(|(key, value)| ((*key).to_owned(), Zeroizing::new(value.as_bytes().to_vec()))).collect()
    }

    fn found(entries: &[(&str, &str)]) -> FoundSecret {
        FoundSecret {
            metadata: ObjectMeta {
                uid: Some("u".to_owned()),
                resource_version: Some("7".to_owned()),
                labels: Some(BTreeMap::from([
                    ("a".to_owned(), "b".to_owned()),
                    ("their".to_owned(), "own".to_owned()),
                ])),
                ..ObjectMeta::default()
            },
            kind: "Opaque".to_owned(),
            data: data(entries),
        }
    }

    fn wanted(entries: &[(&str, &str)]) -> WantedSecret {
        WantedSecret {
            namespace: "team-a".to_owned(),
            name: "app".to_owned(),
            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            annotations: BTreeMap::new(),
            owner: None,
            kind: "Opaque".to_owned(),
            data: data(entries),
        }
    }

    #[test]
    fn a_change_removes_keys_that_are_no_longer_wanted_and_names_the_version_it_was_made_for() {
        let old = found(&[("old", "x"), ("same", "y"), ("other", "z")]);
        let written = difference(&old, &wanted(&[("same", "y"), ("other", "new")])).unwrap();
        let expected = json!({
            "metadata": { "uid": "u", "resourceVersion": "7" },
            "data": { "old": null, "other": "bmV3" },
        });
        assert_eq!(written, expected);
    }

    #[test]
    fn nothing_is_written_where_nothing_differs() {
        assert_eq!(difference(&found(&[("same", "y")]), &wanted(&[("same", "y")])), None);
        let resource = OwnerReference { uid: "o".to_owned(), ..OwnerReference::default() };
        let owned = WantedSecret { owner: Some(resource), ..wanted(&[("same", "y")]) };
        assert!(difference(&found(&[("same", "y")]), &owned).is_some());
    }

    #[test]
    fn what_we_wrote_and_no_longer_want_goes_and_what_others_wrote_stays() {
        let mut old = found(&[("same", "y")]);
        let entry = json!({ "manager": FIELD_MANAGER, "operation": "Update", "fieldsType": "FieldsV1",
            "fieldsV1": { "f:metadata": { "f:labels": { ".": {}, "f:a": {}, "f:former": {}, "f:gone": {} } } } });
        let theirs = json!({ "manager": "kubectl", "fieldsV1": { "f:metadata": { "f:labels": { "f:their": {} } } } });
        old.metadata.managed_fields = serde_json::from_value(json!([entry, theirs])).unwrap();
        old.metadata.labels.get_or_insert_default().insert("former".to_owned(), "x".to_owned());
        let written = difference(&old, &wanted(&[("same", "y")])).unwrap();
        assert_eq!(written["metadata"]["labels"], json!({ "former": null }));
    }

    #[test]
    fn values_are_not_printed() {
        let found = found(&[("password", "hunter2")]);
        assert!(!format!("{found:?}").contains("hunter2"));
        assert!(!format!("{:?}", wanted(&[("password", "hunter2")])).contains("hunter2"));
    }
}
