//! A Kubernetes cluster that somebody started: reached by a kubeconfig, fed with definitions and manifests.
//! Starting one is `control_plane`'s; a person's own cluster comes in here too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::discovery::Scope;
use kube::{Api, Client, Config, ResourceExt};

use crate::scratch::write_private;
use crate::world::eventually;

/// The field manager of everything that is applied from here.
pub const FIELD_MANAGER: &str = "dbprovision-testkit";

/// The group of this project's kinds.
pub const GROUP: &str = "dbops.dbprovision.io";

/// A cluster, as its kubeconfig names it.
#[derive(Debug, Clone)]
pub struct Cluster {
    kubeconfig: PathBuf,
}

impl Cluster {
    /// The cluster of a kubeconfig's current context.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: kubeconfig.into() }
    }

    /// Where the kubeconfig is.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubeconfig, as structured data.
    pub fn kubeconfig(&self) -> Result<serde_json::Value> {
        let text =
            std::fs::read_to_string(&self.kubeconfig).with_context(|| format!("read {}", self.kubeconfig.display()))?;
        serde_yaml_ng::from_str(&text).with_context(|| format!("parse {}", self.kubeconfig.display()))
    }

    /// A new client. One for each runtime: a client's connections end with the runtime that opened them.
    pub async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).context("read the kubeconfig")?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .context("use the kubeconfig")?;
        // A test wants to see a failure, not to have it repeated away over minutes.
        config.default_retry = false;
        Client::try_from(config).context("create a Kubernetes client")
    }

    /// A new kubeconfig for a `ServiceAccount`, with a token of one day, beside this cluster's own.
    /// The namespace and the account are created where they are missing.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let client = self.client().await?;
        self.ensure_namespace(namespace).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client, namespace);
        let account: ServiceAccount = serde_json::from_value(serde_json::json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name, "namespace": namespace },
        }))
        .context("compose a ServiceAccount")?;
        accounts
            .patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(&account))
            .await
            .with_context(|| format!("create the ServiceAccount {namespace}/{name}"))?;
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(86_400), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("request a token for {namespace}/{name}"))?;
        let token = answer.status.context("the token request has no answer")?.token;

        let mut kubeconfig = self.kubeconfig()?;
        let user = kubeconfig.pointer_mut("/users/0/user").context("the kubeconfig has no user")?;
        *user = serde_json::json!({ "token": token });
        let folder = self.kubeconfig.parent().context("the kubeconfig has no folder")?;
        let path = folder.join(format!("{namespace}.{name}.{:08x}.kubeconfig", rand::random::<u32>()));
        write_private(&path, serde_yaml_ng::to_string(&kubeconfig).context("write a kubeconfig")?)?;
        Ok(path)
    }

    /// A kubeconfig for the `ServiceAccount` that the manifests in a folder declare, after applying them all:
    /// the operator then has exactly the rights that its deployment would have.
    pub async fn deployed_kubeconfig(&self, folder: &Path) -> Result<PathBuf> {
        // The namespace is declared beside the folder of the rights.
        let objects = read_yaml_dir(folder)?;
        for namespace in objects.iter().filter_map(ResourceExt::namespace).collect::<BTreeSet<_>>() {
            self.ensure_namespace(&namespace).await?;
        }
        self.apply(&objects, "default").await?;
        let account = objects
            .iter()
            .find(|object| object.types.as_ref().is_some_and(|types| types.kind == "ServiceAccount"))
            .with_context(|| format!("{} declares no ServiceAccount", folder.display()))?;
        let namespace = account.namespace().unwrap_or_else(|| "default".to_owned());
        self.service_account_kubeconfig(&namespace, &account.name_any()).await
    }

    /// Creates a namespace where it is missing.
    pub async fn ensure_namespace(&self, name: &str) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client().await?);
        let namespace: Namespace = serde_json::from_value(serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
        }))
        .context("compose a Namespace")?;
        namespaces
            .patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(&namespace))
            .await
            .with_context(|| format!("create the namespace {name}"))?;
        Ok(())
    }

    /// Applies definitions and waits until the API server serves them all.
    pub async fn apply_crds(&self, definitions: &[CustomResourceDefinition]) -> Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client().await?);
        for definition in definitions {
            let name = definition.name_any();
            api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(definition))
                .await
                .with_context(|| format!("apply the definition {name}"))?;
        }
        eventually("the definitions are served", Duration::from_secs(30), async || {
            for definition in definitions {
                let name = definition.name_any();
                let current = api.get(&name).await.with_context(|| format!("read the definition {name}"))?;
                ensure!(is_established(&current), "{name} is not established");
                let version = definition.spec.versions.first().with_context(|| format!("{name} has no version"))?;
                let names = &definition.spec.names;
                let kind = GroupVersionKind::gvk(&definition.spec.group, &version.name, &names.kind);
                let objects: Api<DynamicObject> =
                    Api::all_with(api.clone().into_client(), &ApiResource::from_gvk_with_plural(&kind, &names.plural));
                // For a moment after that the storage is not open yet.
                objects.list(&ListParams::default().limit(1)).await.map_err(in_words)?;
            }
            Ok(())
        })
        .await
    }

    /// Applies every object of every `.yaml` file in a folder, by name, and returns them as they were written.
    pub async fn apply_yaml_dir(&self, folder: &Path) -> Result<Vec<DynamicObject>> {
        let objects = read_yaml_dir(folder)?;
        self.apply(&objects, "default").await?;
        Ok(objects)
    }

    /// Applies objects of any kind; `namespace` is for those that name none.
    pub async fn apply(&self, objects: &[DynamicObject], namespace: &str) -> Result<()> {
        let client = self.client().await?;
        let mut known: BTreeMap<GroupVersionKindKey, (ApiResource, Scope)> = BTreeMap::new();
        for object in objects {
            let kind = kind_of(object)?;
            let key = (kind.group.clone(), kind.version.clone(), kind.kind.clone());
            let (resource, scope) = if let Some((resource, scope)) = known.get(&key) {
                (resource.clone(), scope.clone())
            } else {
                let (resource, capabilities) = kube::discovery::pinned_kind(&client, &kind)
                    .await
                    .with_context(|| format!("find the kind {}", kind.kind))?;
                known.insert(key, (resource.clone(), capabilities.scope.clone()));
                (resource, capabilities.scope)
            };
            let api: Api<DynamicObject> = match scope {
                Scope::Cluster => Api::all_with(client.clone(), &resource),
                Scope::Namespaced => {
                    let namespace = object.namespace().unwrap_or_else(|| namespace.to_owned());
                    Api::namespaced_with(client.clone(), &namespace, &resource)
                }
            };
            api.patch(&object.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object))
                .await
                .map_err(in_words)
                .with_context(|| format!("apply {} {}", kind.kind, object.name_any()))?;
        }
        Ok(())
    }

    /// Deletes an object without waiting for whoever has a finalizer on it: for objects whose world has gone.
    /// One that is absent already is fine.
    pub async fn discard(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Result<()> {
        let client = self.client().await?;
        let (resource, capabilities) = kube::discovery::pinned_kind(&client, kind).await.context("find a kind")?;
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(client, &resource),
            Scope::Namespaced => Api::namespaced_with(client, namespace, &resource),
        };
        let free = serde_json::json!({ "metadata": { "finalizers": null } });
        let deleted = api.delete(name, &DeleteParams::default()).await.map(drop);
        let freed = api.patch(name, &PatchParams::default(), &Patch::Merge(free)).await.map(drop);
        for outcome in [deleted, freed] {
            match outcome {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(in_words(error)).with_context(|| format!("delete {} {name}", kind.kind)),
            }
        }
        Ok(())
    }

    /// Every object of this project's kinds: those of a namespace, or with `None` those of all and of the cluster.
    pub async fn our_objects(&self, namespace: Option<&str>) -> Result<Vec<(ApiResource, DynamicObject)>> {
        let client = self.client().await?;
        let Ok(group) = kube::discovery::group(&client, GROUP).await else { return Ok(Vec::new()) };
        let mut objects = Vec::new();
        for (resource, capabilities) in group.recommended_resources() {
            let api: Api<DynamicObject> = match (namespace, capabilities.scope) {
                (Some(namespace), Scope::Namespaced) => Api::namespaced_with(client.clone(), namespace, &resource),
                (Some(_), Scope::Cluster) => continue,
                (None, _) => Api::all_with(client.clone(), &resource),
            };
            let list = api.list(&ListParams::default()).await.with_context(|| format!("list {}", resource.plural))?;
            objects.extend(list.items.into_iter().map(|object| (resource.clone(), object)));
        }
        Ok(objects)
    }
}

/// The API server's own sentence; the error's text has it three times, between everything else that it knows.
fn in_words(error: kube::Error) -> anyhow::Error {
    if let kube::Error::Api(status) = error { anyhow::anyhow!(status.message) } else { error.into() }
}

type GroupVersionKindKey = (String, String, String);

/// The kind that an object states.
pub fn kind_of(object: &DynamicObject) -> Result<GroupVersionKind> {
    let types = object.types.as_ref().context("an object states no kind")?;
    GroupVersionKind::try_from(types).context("read an object's apiVersion")
}

/// The objects of every `.yaml` file in a folder, in the order of the files' names.
pub fn read_yaml_dir(folder: &Path) -> Result<Vec<DynamicObject>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("list {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"))
        // Kustomize's own file describes a folder; it is nothing that an API server knows.
        .filter(|path| path.file_stem().is_none_or(|stem| stem != "kustomization"))
        .collect();
    paths.sort();
    let mut objects = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        objects.extend(parse_yaml(&text).with_context(|| format!("parse {}", path.display()))?);
    }
    Ok(objects)
}

/// The objects of a YAML text with any number of documents.
pub fn parse_yaml(text: &str) -> Result<Vec<DynamicObject>> {
    let read = |value| serde_json::from_value(value).context("a document is no Kubernetes object");
    parse_yaml_values(text)?.into_iter().map(read).collect()
}

/// The documents of a YAML text, without the empty ones.
pub fn parse_yaml_values(text: &str) -> Result<Vec<serde_json::Value>> {
    use serde::Deserialize;

    let mut values = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        values.push(serde_json::Value::deserialize(document).context("read a YAML document")?);
    }
    values.retain(|value| !value.is_null());
    Ok(values)
}

/// Whether a condition of the object is `True`, and not only of an earlier generation of its spec.
pub fn has_condition(object: &DynamicObject, condition: &str) -> bool {
    let conditions = object.data.pointer("/status/conditions").and_then(serde_json::Value::as_array);
    conditions.into_iter().flatten().any(|found| {
        let is = |field: &str, value: &str| found.get(field).is_some_and(|stated| stated == value);
        let observed = found.get("observedGeneration").and_then(serde_json::Value::as_i64);
        let current = observed.is_none() || observed == object.metadata.generation;
        is("type", condition) && is("status", "True") && current
    })
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|found| found.type_ == "Established" && found.status == "True")
}
