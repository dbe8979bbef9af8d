//! The sample resources: those of `deploy/samples`, pointed at the demo's own servers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use testkit::cluster::{Cluster, GROUP, has_condition, kind_of, read_yaml_dir};
use testkit::workspace;
use testkit::world::eventually;

use super::{Servers, State};

const PATIENCE: Duration = Duration::from_mins(3);

/// The namespace of samples that name none.
pub(super) const NAMESPACE: &str = "demo";

/// A sample of ours.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) object: DynamicObject,
    pub(super) kind: String,
    /// Empty for a cluster-scoped kind.
    pub(super) namespace: String,
}

impl Sample {
    pub(super) fn name(&self) -> String {
        self.object.name_any()
    }

    /// A text of its spec.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.object.data.pointer(pointer)?.as_str()
    }
}

/// Applies them, and the Secret that each instance names, with the server's administrator in it.
pub(super) async fn apply(state: &mut State, cluster: &Cluster, servers: &Servers) -> Result<Vec<Sample>> {
    let folder = workspace::root().join("deploy/samples");
    let mut objects = read_yaml_dir(&folder)?;
    if objects.is_empty() {
        bail!("{} has no sample", folder.display());
    }
    let mut secrets = Vec::new();
    for object in &mut objects {
        let kind = kind_of(object)?.kind;
        if kind != "Namespace" && !kind.starts_with("Cluster") && object.metadata.namespace.is_none() {
            object.metadata.namespace = Some(NAMESPACE.to_owned());
        }
        if kind == "DatabaseInstance" || kind == "ClusterDatabaseInstance" {
            secrets.extend(point_at(object, servers)?);
        }
    }
    let mut namespaces: Vec<String> = objects.iter().chain(&secrets).filter_map(ResourceExt::namespace).collect();
    namespaces.sort();
    namespaces.dedup();
    for namespace in &namespaces {
        cluster.ensure_namespace(namespace).await?;
    }
    // A sample may bring a Secret with credentials for somebody else's server; this server's win.
    objects.retain(|object| {
        let is_secret = object.types.as_ref().is_some_and(|types| types.kind == "Secret");
        !is_secret
            || !secrets.iter().any(|secret: &DynamicObject| {
                secret.name_any() == object.name_any() && secret.namespace() == object.namespace()
            })
    });
    state.applied = secrets.iter().chain(&objects).filter_map(recorded).collect();
    state.save()?;
    cluster.apply(&secrets, NAMESPACE).await?;
    cluster.apply(&objects, NAMESPACE).await?;

    let mut samples = Vec::new();
    for object in objects {
        let kind = kind_of(&object)?;
        if kind.group == GROUP {
            let namespace = object.namespace().unwrap_or_default();
            samples.push(Sample { object, kind: kind.kind, namespace });
        }
    }
    Ok(samples)
}

/// What `stop` needs to find an object again; a namespace stays, for others may have put something in it.
fn recorded(object: &DynamicObject) -> Option<[String; 4]> {
    let types = object.types.as_ref().filter(|types| types.kind != "Namespace")?;
    let namespace = object.namespace().unwrap_or_default();
    Some([types.api_version.clone(), types.kind.clone(), namespace, object.name_any()])
}

/// Lets an instance name the demo's server of its engine, whose port is a new one each time, and makes its Secret.
fn point_at(instance: &mut DynamicObject, servers: &Servers) -> Result<Option<DynamicObject>> {
    let own_namespace = instance.namespace();
    let Servers { postgres, mariadb } = servers;
    let (host, port, administrator) = match instance.data.pointer("/spec/engine").and_then(serde_json::Value::as_str) {
        Some("postgres") => (&postgres.host, postgres.port, &postgres.administrator),
        Some("mariadb") => (&mariadb.host, mariadb.port, &mariadb.administrator),
        engine => bail!("the demo has no server of the engine {engine:?}, which {} names", instance.name_any()),
    };
    let Some(connection) = instance.data.pointer_mut("/spec/connection").and_then(serde_json::Value::as_object_mut)
    else {
        return Ok(None);
    };
    connection.insert("host".to_owned(), host.clone().into());
    connection.insert("port".to_owned(), port.into());
    let Some(reference) = connection.get("secretRef") else { return Ok(None) };
    let text = |pointer: &str| reference.pointer(pointer).and_then(serde_json::Value::as_str);
    let name = text("/name").context("an instance's secretRef names no Secret")?;
    let namespace = text("/namespace").map(str::to_owned).or(own_namespace).unwrap_or_else(|| NAMESPACE.to_owned());
    let secret = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": namespace },
        "stringData": {
            text("/keys/username").unwrap_or("username"): administrator.name,
            text("/keys/password").unwrap_or("password"): administrator.password,
        },
    });
    serde_json::from_value(secret).map(Some).context("compose the Secret of an instance")
}

/// Waits until all are Ready, or says of which one it is not and why.
pub(super) async fn wait_until_ready(cluster: &Cluster, samples: &[Sample]) -> Result<()> {
    eprintln!("waiting until {} resources are Ready", samples.len());
    let client = cluster.client().await?;
    eventually("every sample is Ready", PATIENCE, async || {
        for sample in samples {
            let kind = kind_of(&sample.object)?;
            let (resource, _) = kube::discovery::pinned_kind(&client, &kind).await.context("find a kind")?;
            let api: Api<DynamicObject> = if sample.namespace.is_empty() {
                Api::all_with(client.clone(), &resource)
            } else {
                Api::namespaced_with(client.clone(), &sample.namespace, &resource)
            };
            let object =
                api.get(&sample.name()).await.with_context(|| format!("read {} {}", sample.kind, sample.name()))?;
            if !has_condition(&object, "Ready") {
                let status = object.data.get("status").cloned().unwrap_or_default();
                let conditions = status.get("conditions").cloned().unwrap_or_default();
                bail!("{} {} is not Ready: {conditions}", sample.kind, sample.name());
            }
        }
        Ok(())
    })
    .await
}
