//! The writes to resources of our own kinds: their finalizer and their status.
//!
//! Server-side apply, one field manager per writing site, and never to an object that was deleted and created
//! anew meanwhile: every patch names the uid. Deliberately absent: whether a write is needed; a caller that
//! finds nothing to change does not call. The spec is never written.

use std::fmt::Debug;

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::{NamespaceResourceScope, request};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::absence::is_absence;
use crate::object_key::ObjectKey;
use crate::telemetry::reconcile::mark_changed;

/// Who writes finalizers.
pub const FINALIZER_MANAGER: &str = "db-provision-operator/finalizer";
/// Who writes status.
pub const STATUS_MANAGER: &str = "db-provision-operator/status";

/// How often a removal is tried on a newer version of the object before the reconcile starts over.
const ATTEMPTS: u32 = 4;

/// A kind of our own.
pub trait Ours:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The requests for this object: in its namespace, or of the whole cluster.
    fn api(&self, client: &Client) -> Api<Self>;
}

/// Requests for objects in a namespace.
fn namespaced<K>(object: &K, client: &Client) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), &object.namespace().unwrap_or_default())
}

impl Ours for crds::DatabaseInstance {
    fn api(&self, client: &Client) -> Api<Self> {
        namespaced(self, client)
    }
}

impl Ours for crds::Database {
    fn api(&self, client: &Client) -> Api<Self> {
        namespaced(self, client)
    }
}

impl Ours for crds::DatabaseUser {
    fn api(&self, client: &Client) -> Api<Self> {
        namespaced(self, client)
    }
}

impl Ours for crds::DatabaseRole {
    fn api(&self, client: &Client) -> Api<Self> {
        namespaced(self, client)
    }
}

impl Ours for crds::DatabaseGrant {
    fn api(&self, client: &Client) -> Api<Self> {
        namespaced(self, client)
    }
}

impl Ours for crds::ClusterDatabaseGrant {
    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }
}

impl Ours for crds::ClusterDatabaseRole {
    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }
}

impl Ours for crds::ClusterDatabaseInstance {
    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }
}

/// Writes to our own kinds.
#[derive(Clone)]
pub struct Patches {
    client: Client,
}

impl Patches {
    /// Writes through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Adds our finalizer and leaves those of others. Answers the object as it is then; a conflict where it was
    /// deleted or made anew meanwhile.
    pub async fn add_finalizer<K: Ours>(&self, object: &K, finalizer: &str) -> Result<K, kube::Error> {
        let body = applied(object, &json!({ "finalizers": [finalizer] }))?;
        let parameters = PatchParams::apply(FINALIZER_MANAGER).force();
        let patched = object.api(&self.client).patch(&object.name_any(), &parameters, &Patch::Apply(&body)).await?;
        mark_changed();
        Ok(patched)
    }

    /// Removes our finalizer and leaves those of others, whoever added it. Gone is as good as removed.
    ///
    /// Not by server-side apply, which removes only what it had added itself: a finalizer that came with a
    /// restored backup would stay for ever.
    pub async fn remove_finalizer<K: Ours>(&self, object: &K, finalizer: &str) -> Result<(), kube::Error> {
        let (api, name, uid) = (object.api(&self.client), object.name_any(), uid_of(object)?);
        let parameters = PatchParams { field_manager: Some(FINALIZER_MANAGER.to_owned()), ..PatchParams::default() };
        let mut current = object.clone();
        for attempt in 1.. {
            let Some(body) = without_finalizer(&current, finalizer) else { break };
            match api.patch(&name, &parameters, &Patch::Merge(&body)).await {
                Ok(_) => {
                    mark_changed();
                    break;
                }
                Err(kube::Error::Api(status)) if is_absence(&status, &name) => break,
                // The cache is behind, so the object is read as it is now.
                Err(kube::Error::Api(status)) if status.is_conflict() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
            match api.get(&name).await {
                Ok(newer) if newer.uid().as_ref() == Some(&uid) => current = newer,
                Ok(_) => break,
                Err(kube::Error::Api(status)) if is_absence(&status, &name) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes the status what is passed, as far as it is ours. Answers the object as it is then; a conflict where it
    /// was deleted or made anew meanwhile.
    pub async fn apply_status<K: Ours, S: Serialize>(&self, object: &K, status: &S) -> Result<K, kube::Error> {
        let mut body = applied(object, &json!({}))?;
        let status = serde_json::to_value(status).map_err(kube::Error::SerdeError)?;
        if let Some(body) = body.as_object_mut() {
            body.insert("status".to_owned(), status);
        }
        let parameters = PatchParams::apply(STATUS_MANAGER).force();
        let name = object.name_any();
        let patched = object.api(&self.client).patch_status(&name, &parameters, &Patch::Apply(&body)).await?;
        mark_changed();
        Ok(patched)
    }

    /// Deletes exactly this object, as part of a confirmed cascade. Its own finalizer does the rest.
    pub async fn delete<K: Ours>(&self, object: &K) -> Result<(), kube::Error> {
        let name = object.name_any();
        let only_this = Preconditions { uid: Some(uid_of(object)?), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
        match object.api(&self.client).delete(&name, &parameters).await {
            Ok(_) => {
                mark_changed();
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || is_absence(&status, &name) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn uid_of<K: Ours>(object: &K) -> Result<String, kube::Error> {
    // An object without one was never read from the API server: a mistake of ours, not a state of the cluster.
    let missing = || request::Error::Validation(format!("{} has no uid", ObjectKey::of(object)));
    object.uid().ok_or_else(|| kube::Error::BuildRequest(missing()))
}

/// The body of an apply patch: which object, and these fields of its metadata.
fn applied<K: Ours>(object: &K, metadata: &Value) -> Result<Value, kube::Error> {
    let mut full = json!({ "name": object.name_any(), "uid": uid_of(object)? });
    if let (Some(full), Some(more)) = (full.as_object_mut(), metadata.as_object()) {
        full.extend(more.clone());
        if let Some(namespace) = object.namespace() {
            full.insert("namespace".to_owned(), Value::String(namespace));
        }
    }
    Ok(json!({ "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": full }))
}

/// The patch that takes our finalizer away; none where it is not there.
fn without_finalizer<K: Ours>(object: &K, finalizer: &str) -> Option<Value> {
    let others: Vec<_> = object.finalizers().iter().filter(|other| *other != finalizer).collect();
    (others.len() < object.finalizers().len()).then(|| {
        json!({ "metadata": {
            "uid": object.uid(),
            "resourceVersion": object.resource_version(),
            "finalizers": others,
        } })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(finalizers: &[&str]) -> crds::Database {
        serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION,
            "kind": "Database",
            "metadata": {
                "namespace": "team-a", "name": "orders", "uid": "u", "resourceVersion": "7", "finalizers": finalizers,
            },
            "spec": { "name": "orders", "instanceRef": { "name": "main" } },
        }))
        .unwrap()
    }

    #[test]
    fn an_apply_names_the_very_object() {
        let body = applied(&database(&[]), &json!({ "finalizers": ["ours"] })).unwrap();
        let expected = json!({
            "apiVersion": "dbops.dbprovision.io/v1alpha1",
            "kind": "Database",
            "metadata": { "namespace": "team-a", "name": "orders", "uid": "u", "finalizers": ["ours"] },
        });
        assert_eq!(body, expected);
        let mut without_uid = database(&[]);
        without_uid.metadata.uid = None;
        assert!(matches!(applied(&without_uid, &json!({})), Err(kube::Error::BuildRequest(_))));
    }

    #[test]
    fn finalizers_of_others_stay() {
        let body = without_finalizer(&database(&["theirs", "ours"]), "ours").unwrap();
        assert_eq!(body["metadata"]["finalizers"], json!(["theirs"]));
        assert_eq!(body["metadata"]["resourceVersion"], "7");
        assert_eq!(without_finalizer(&database(&["theirs"]), "ours"), None);
    }
}
