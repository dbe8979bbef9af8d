//! What is kept of an object in memory, and which of its changes are worth a reconcile.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::PartialObjectMeta;
use kube::{Resource, ResourceExt as _};

use crate::cluster::secrets::FIELD_MANAGER;

/// kubectl's copy of the manifest, as large as the object itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes out what nobody here reads and what is most of an object's size.
pub(crate) fn slim<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// What a person or a controller can change about an object to be noticed. Status is not among it, because
/// its writer is this operator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    uid: Option<String>,
    generation: Option<i64>,
    deletion: Option<Time>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Wish {
    /// Of an object.
    pub(crate) fn of<K: Resource>(object: &K) -> Self {
        Self {
            uid: object.uid(),
            generation: object.meta().generation,
            deletion: object.meta().deletion_timestamp.clone(),
            labels: object.labels().clone(),
            annotations: object.annotations().clone(),
        }
    }
}

/// Whether the last writer of a Secret of ours was ourselves.
///
/// Times in `managedFields` have a resolution of a second: somebody else within the same second counts as the
/// last writer, so that no change is missed; the price is a look too many.
pub(crate) fn is_own_write(secret: &PartialObjectMeta<Secret>) -> bool {
    let entries = secret.meta().managed_fields.as_deref().unwrap_or_default();
    let latest = entries.iter().filter_map(|entry| entry.time.as_ref()).max();
    let mut last_writers = entries.iter().filter(|entry| entry.time.as_ref() == latest).peekable();
    last_writers.peek().is_some() && last_writers.all(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
}

/// How many fields of the Secret are this operator's. Who removes one without setting another leaves no entry of
/// their own, so this is the only trace of it.
pub(crate) fn own_fields(secret: &PartialObjectMeta<Secret>) -> usize {
    fn leaves(fields: &serde_json::Value) -> usize {
        match fields.as_object() {
            Some(fields) if !fields.is_empty() => fields.values().map(leaves).sum(),
            Some(_) | None => 1,
        }
    }
    let entries = secret.meta().managed_fields.iter().flatten();
    let ours = entries.filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    ours.filter_map(|entry| entry.fields_v1.as_ref()).map(|fields| leaves(&fields.0)).sum()
}

#[cfg(test)]
mod tests {
    use crds::Database;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
    use kube::core::PartialObjectMetaExt as _;
    use serde_json::json;

    use super::*;

    fn database() -> Database {
        serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION,
            "kind": "Database",
            "metadata": {
                "name": "orders",
                "uid": "1",
                "generation": 1,
                "managedFields": [{ "manager": "kubectl" }],
                "annotations": { LAST_APPLIED: "{}", "team": "a" },
            },
            "spec": { "name": "orders", "instanceRef": { "name": "main" } },
        }))
        .unwrap()
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut database = database();
        slim(&mut database);
        assert_eq!(database.metadata.managed_fields, None);
        assert_eq!(database.annotations().keys().collect::<Vec<_>>(), ["team"]);
    }

    #[test]
    fn a_status_alone_is_no_wish() {
        let (before, mut after) = (database(), database());
        after.status = Some(crds::DatabaseStatus::default());
        after.metadata.resource_version = Some("2".to_owned());
        assert_eq!(Wish::of(&before), Wish::of(&after));
        after.metadata.annotations.get_or_insert_default().insert("x".to_owned(), "y".to_owned());
        assert_ne!(Wish::of(&before), Wish::of(&after));
    }

    #[test]
    fn an_object_of_the_same_name_is_another() {
        let (before, mut after) = (database(), database());
        after.metadata.uid = Some("2".to_owned());
        assert_ne!(Wish::of(&before), Wish::of(&after));
    }

    fn written_by(writers: &[(&str, i64)]) -> PartialObjectMeta<Secret> {
        let entry = |(manager, second): &(&str, i64)| ManagedFieldsEntry {
            manager: Some((*manager).to_owned()),
            time: Some(Time(Timestamp::from_second(*second).unwrap())),
            ..ManagedFieldsEntry::default()
        };
        let managed_fields = Some(writers.iter().map(entry).collect());
        ObjectMeta { managed_fields, ..ObjectMeta::default() }.into_response_partial()
    }

    #[test]
    fn only_the_last_writer_of_a_secret_counts_and_in_doubt_it_was_not_us() {
        assert!(is_own_write(&written_by(&[(FIELD_MANAGER, 5)])));
        assert!(is_own_write(&written_by(&[("kubectl", 4), (FIELD_MANAGER, 5)])));
        assert!(!is_own_write(&written_by(&[("kubectl", 6), (FIELD_MANAGER, 5)])));
        assert!(!is_own_write(&written_by(&[("kubectl", 5), (FIELD_MANAGER, 5)])));
        assert!(!is_own_write(&written_by(&[])));
    }
}
