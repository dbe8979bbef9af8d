//! A namespace of one test.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Event, Namespace};
use kube::api::{DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client, ResourceExt};

use super::{Operator, eventually};
use crate::cluster::Cluster;

/// How long a finished test may take to tidy up; what is left then is in a world that ends soon anyway.
const TIDYING: Duration = Duration::from_secs(5);

/// A namespace that goes when the test ends.
#[derive(Debug)]
pub struct TestNamespace {
    name: String,
    cluster: Cluster,
}

impl TestNamespace {
    /// Creates one.
    pub async fn create(cluster: &Cluster, purpose: &str) -> Result<Self> {
        let name = format!("{purpose}-{:08x}", rand::random::<u32>());
        cluster.ensure_namespace(&name).await?;
        Ok(Self { name, cluster: cluster.clone() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A new Kubernetes client.
    pub async fn client(&self) -> Result<Client> {
        self.cluster.client().await
    }

    /// Applies the objects of a YAML text; those that name no namespace go into this one.
    pub async fn apply_yaml(&self, text: &str) -> Result<()> {
        self.cluster.apply(&crate::cluster::parse_yaml(text)?, &self.name).await
    }

    /// Tries until `attempt` succeeds. After `timeout` it fails with the last error, the state of every object of
    /// ours in this namespace, its events, and the end of the operator's log: what one would ask for next.
    pub async fn eventually<T>(
        &self,
        what: &str,
        timeout: Duration,
        operator: Option<&Operator>,
        attempt: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        match eventually(what, timeout, attempt).await {
            Ok(value) => Ok(value),
            Err(error) => {
                let log =
                    operator.map_or_else(|| "(no operator was given)".to_owned(), |operator| operator.log_tail(40));
                let state = self.state().await.unwrap_or_else(|error| format!("(unreadable: {error:#})"));
                Err(anyhow::anyhow!("{error:#}\n--- objects in {}\n{state}\n--- operator's log\n{log}", self.name))
            }
        }
    }

    /// Every object of ours in this namespace as YAML, and its events.
    pub async fn state(&self) -> Result<String> {
        let mut text = String::new();
        for (resource, mut object) in self.cluster.our_objects(Some(&self.name)).await? {
            object.metadata.managed_fields = None;
            text.push_str(&format_object(&resource.kind, &object)?);
        }
        let events: Api<Event> = Api::namespaced(self.client().await?, &self.name);
        for event in events.list(&ListParams::default()).await.context("list the events")? {
            let name = event.involved_object.name.clone().unwrap_or_default();
            let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
            writeln!(text, "event {name}: {reason}: {message}").context("write an event")?;
        }
        Ok(text)
    }

    /// Removes our objects, whose finalizers no operator may be there to serve, and the namespace.
    async fn tidy(cluster: &Cluster, name: &str) -> Result<()> {
        for (resource, object) in cluster.our_objects(Some(name)).await? {
            // An object in a list does not state its kind.
            let kind = GroupVersionKind::gvk(&resource.group, &resource.version, &resource.kind);
            cluster.discard(&kind, name, &object.name_any()).await?;
        }
        let namespaces: Api<Namespace> = Api::all(cluster.client().await?);
        namespaces.delete(name, &DeleteParams::default()).await.context("delete the namespace")?;
        Ok(())
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster.clone(), self.name.clone());
        // A runtime of its own: the test's may be ending, and its threads must not be blocked.
        let tidying = std::thread::spawn(move || -> Result<()> {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")?;
            runtime.block_on(async {
                tokio::time::timeout(TIDYING, Self::tidy(&cluster, &name)).await.context("tidy up in time")?
            })
        });
        match tidying.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("a namespace was not tidied up: {error:#}"),
            Err(_panic) => eprintln!("tidying up a namespace panicked"),
        }
    }
}

fn format_object(kind: &str, object: &DynamicObject) -> Result<String> {
    let yaml = serde_yaml_ng::to_string(object).context("write an object")?;
    Ok(format!("# {kind} {}\n{yaml}", object.name_any()))
}
