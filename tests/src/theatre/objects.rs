//! A resource of the cluster as a test handles it: written as JSON, waited for by its conditions.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{PATIENCE, Shared};

/// One of this project's kinds.
pub fn kind<K: kube::Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// A resource, there or not.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    type_: ApiResource,
    api: Api<DynamicObject>,
    shared: Arc<Shared>,
}

impl Resource {
    pub(super) fn new(shared: &Arc<Shared>, resource: ApiResource, namespace: &str, name: &str) -> Self {
        let api = Api::namespaced_with(shared.client.clone(), namespace, &resource);
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            type_: resource,
            api,
            shared: Arc::clone(shared),
        }
    }

    /// Creates it with the partition's label.
    pub async fn create(&self, spec: Value) -> Result<()> {
        self.create_with(spec, json!({})).await
    }

    /// Creates it with annotations.
    pub async fn create_with(&self, spec: Value, annotations: Value) -> Result<()> {
        self.try_create(spec, annotations).await?.with_context(|| format!("create {self}"))
    }

    /// Creates it; the inner error is the API server's own refusal, which it makes for unknown fields too.
    pub async fn try_create(&self, spec: Value, annotations: Value) -> Result<Result<(), kube::Error>> {
        let labels = json!({ crds::names::label::OPERATOR_INSTANCE_ID: self.shared.partition });
        let metadata = json!({
            "name": self.name, "namespace": self.namespace, "labels": labels, "annotations": annotations,
        });
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": self.type_.api_version, "kind": self.type_.kind, "metadata": metadata, "spec": spec,
        }))
        .context("compose a resource")?;
        let parameters = PatchParams {
            field_validation: Some(kube::api::ValidationDirective::Strict),
            ..PatchParams::apply("theatre")
        };
        Ok(self.api.patch(&self.name, &parameters, &Patch::Apply(&object)).await.map(drop))
    }

    /// Merges into its spec.
    pub async fn change(&self, spec: Value) -> Result<()> {
        self.try_change(spec).await.with_context(|| format!("change {self}"))
    }

    /// Merges into its spec; the error is the API server's.
    pub async fn try_change(&self, spec: Value) -> Result<(), kube::Error> {
        self.merge(json!({ "spec": spec })).await
    }

    /// Sets an annotation, or with null removes it.
    pub async fn annotate(&self, name: &str, value: Option<&str>) -> Result<()> {
        let patch = json!({ "metadata": { "annotations": { name: value } } });
        self.merge(patch).await.with_context(|| format!("annotate {self}"))
    }

    async fn merge(&self, patch: Value) -> Result<(), kube::Error> {
        let parameters =
            PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..PatchParams::default() };
        self.api.patch(&self.name, &parameters, &Patch::Merge(patch)).await.map(drop)
    }

    /// Merges into its status, as nobody but the operator should.
    pub async fn damage_status(&self, status: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "status": status }));
        self.api.patch_status(&self.name, &PatchParams::default(), &patch).await.context("change a status")?;
        Ok(())
    }

    /// The object.
    pub async fn get(&self) -> Result<DynamicObject> {
        self.api.get(&self.name).await.with_context(|| format!("read {self}"))
    }

    /// Its status.
    pub async fn status(&self) -> Result<Value> {
        Ok(self.get().await?.data.get("status").cloned().unwrap_or_default())
    }

    /// Its UID.
    pub async fn uid(&self) -> Result<String> {
        self.get().await?.uid().context("it has no UID")
    }

    /// Waits until a condition of the present generation is as stated; answers the status and the message.
    pub async fn shows(&self, type_: &str, holds: &str, reason: &str) -> Result<(Value, String)> {
        self.eventually(&format!("{self} has {type_}={holds} {reason}"), async || {
            let object = self.get().await?;
            let status = object.data.get("status").cloned().unwrap_or_default();
            let conditions = status.pointer("/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
            let found = conditions.iter().find(|condition| condition.get("type").is_some_and(|found| found == type_));
            let Some(found) = found else { bail!("there is no condition {type_} in {status}") };
            ensure!(
                found["observedGeneration"].as_i64() == object.metadata.generation,
                "the condition is of another generation: {found}"
            );
            ensure!(found["status"] == holds && found["reason"] == reason, "the condition is {found}");
            Ok((status.clone(), found["message"].as_str().unwrap_or_default().to_owned()))
        })
        .await
    }

    /// Waits until it is as its spec says; answers the status.
    pub async fn ready(&self) -> Result<Value> {
        use crds::names::{condition, reason};
        let (status, _) = self.shows(condition::READY, "True", reason::RECONCILE_SUCCESS).await?;
        self.shows(condition::ACCEPTED, "True", reason::ACCEPTED).await?;
        self.shows(condition::SYNCED, "True", reason::RECONCILE_SUCCESS).await?;
        Ok(status)
    }

    /// Waits until the spec is refused for this reason; answers the message.
    pub async fn refused(&self, reason: &str) -> Result<String> {
        let (status, message) = self.shows(crds::names::condition::ACCEPTED, "False", reason).await?;
        self.shows(crds::names::condition::READY, "False", reason).await?;
        let phase = status.pointer("/phase").and_then(Value::as_str).unwrap_or_default();
        ensure!(phase == "Failed", "a refused resource is in phase {phase:?}");
        Ok(message)
    }

    /// Waits until it says that it could not be brought about, for this reason; answers the message.
    pub async fn stopped(&self, reason: &str) -> Result<String> {
        let (_, message) = self.shows(crds::names::condition::SYNCED, "False", reason).await?;
        Ok(message)
    }

    /// Asks for its deletion.
    pub async fn delete(&self) -> Result<()> {
        self.api.delete(&self.name, &DeleteParams::default()).await.with_context(|| format!("delete {self}"))?;
        Ok(())
    }

    /// Waits until it is gone.
    pub async fn gone(&self) -> Result<()> {
        self.eventually(&format!("{self} is gone"), async || {
            let left = self.api.get_opt(&self.name).await.context("look for it")?;
            ensure!(left.is_none(), "it is still there");
            Ok(())
        })
        .await
    }

    /// Deletes it and waits until it is gone.
    pub async fn remove(&self) -> Result<()> {
        self.delete().await?;
        self.gone().await
    }

    /// Waits until its status has `expected` at `pointer`.
    pub async fn status_has(&self, pointer: &str, expected: &Value) -> Result<Value> {
        self.eventually(&format!("{self} has {expected} in status{pointer}"), async || {
            let status = self.status().await?;
            ensure!(status.pointer(pointer) == Some(expected), "the status is {status}");
            Ok(status)
        })
        .await
    }

    /// Waits for something, and shows everything of this namespace if it does not come.
    pub async fn eventually<T>(&self, what: &str, attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        let operator = self.shared.operator.read().await;
        self.shared.namespace.eventually(what, PATIENCE, Some(&operator), attempt).await
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}/{}", self.type_.kind, self.namespace, self.name)
    }
}
