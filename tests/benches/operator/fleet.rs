//! Many resources of one instance: posted, and watched until all are Ready.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use testkit::cluster::{Cluster, has_condition};

/// As many requests at once as `kubectl apply` of a large folder would have, and some more.
const AT_ONCE: usize = 16;
/// Short enough for sweeps to be seen, long enough for none while objects are made.
const DRIFT_INTERVAL: &str = "60s";
const PATIENCE: Duration = Duration::from_mins(10);

/// What a fleet is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Database,
    User,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Database => "Database",
            Self::User => "DatabaseUser",
        }
    }

    fn spec(self, name: &str) -> serde_json::Value {
        let reference = json!({ "name": "main" });
        match self {
            Self::Database => json!({ "instanceRef": reference, "name": name.replace('-', "_") }),
            Self::User => json!({ "instanceRef": reference, "username": name.replace('-', "_") }),
        }
    }
}

/// A server, and how to come in.
pub(crate) struct Shore {
    /// Of everything about it.
    pub(crate) namespace: &'static str,
    pub(crate) engine: &'static str,
    pub(crate) database: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) username: String,
    pub(crate) password: String,
}

/// One instance and what hangs on it, in a namespace of its own.
pub(crate) struct Fleet {
    client: Client,
    namespace: &'static str,
    next: AtomicUsize,
}

impl Fleet {
    /// Makes the instance and waits until it is connected.
    pub(crate) async fn new(cluster: &Cluster, shore: &Shore) -> Result<Self> {
        let Shore { namespace, engine, database, address, username, password } = shore;
        cluster.ensure_namespace(namespace).await?;
        let client = cluster.client().await?;
        let fleet = Self { client: client.clone(), namespace, next: AtomicUsize::new(0) };
        let secrets: Api<Secret> = Api::namespaced(client, namespace);
        let secret: Secret = serde_json::from_value(json!({
            "metadata": { "name": "admin" },
            "stringData": { "username": username, "password": password },
        }))?;
        secrets.create(&PostParams::default(), &secret).await.context("create the administrator's Secret")?;
        fleet
            .post(
                "DatabaseInstance",
                "main",
                &json!({
                    "engine": engine,
                    "connection": {
                        "host": address.ip().to_string(), "port": address.port(), "database": database,
                        "secretRef": { "name": "admin" },
                    },
                    "driftPolicy": { "mode": "detect", "interval": DRIFT_INTERVAL },
                }),
            )
            .await?;
        fleet.ready("DatabaseInstance", BTreeSet::from(["main".to_owned()])).await?;
        Ok(fleet)
    }

    /// From the first POST until all are Ready.
    pub(crate) async fn create(&self, kind: Kind, count: usize) -> Result<Duration> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let names: BTreeSet<String> = (first..first + count).map(|index| format!("fleet-{index}")).collect();
        self.made(kind, &names, future::ready(Ok(()))).await
    }

    /// Posts these, and waits until all are Ready while `work` is done beside it.
    async fn made(
        &self,
        kind: Kind,
        names: &BTreeSet<String>,
        work: impl Future<Output = Result<()>>,
    ) -> Result<Duration> {
        let started = Instant::now();
        let waiting = self.ready(kind.name(), names.clone());
        let posting = stream::iter(names)
            .map(|name| async move { self.post(kind.name(), name, &kind.spec(name)).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>();
        futures::try_join!(posting, waiting, work)?;
        Ok(started.elapsed())
    }

    /// A namespace without an instance, for a program in the operator's place.
    pub(crate) async fn unserved(cluster: &Cluster, namespace: &'static str) -> Result<Self> {
        cluster.ensure_namespace(namespace).await?;
        Ok(Self { client: cluster.client().await?, namespace, next: AtomicUsize::new(0) })
    }

    /// Databases by a native program in the operator's place, which writes to the API server what an operator has to: a
    /// finalizer, that it is going to create something, and that it is there. Then takes everything away.
    pub(crate) async fn create_natively(
        &self,
        client: &Client,
        count: usize,
        work: impl AsyncFn(usize) -> Result<()>,
    ) -> Result<Duration> {
        let api = self.api_by(client.clone(), Kind::Database.name());
        let names: BTreeSet<String> = (0..count).map(|index| format!("native-{index}")).collect();
        let mut seen = BTreeSet::new();
        let working = watcher(api.clone(), watcher::Config::default())
            .applied_objects()
            .map_err(anyhow::Error::from)
            .try_filter(|object| future::ready(seen.insert(object.name_any())))
            .take(count)
            .try_for_each_concurrent(AT_ONCE, |object| {
                let (api, work) = (&api, &work);
                async move {
                    let name = object.name_any();
                    let index = name.rsplit('-').next().context("a name without a number")?.parse()?;
                    apply(api, &name, "finalizer", &json!({ "metadata": { "finalizers": ["bench/native"] } })).await?;
                    apply(api, &name, "status", &json!({ "status": status(&name, false) })).await?;
                    work(index).await?;
                    apply(api, &name, "status", &json!({ "status": status(&name, true) })).await
                }
            });
        let took = self.made(Kind::Database, &names, working).await?;
        for name in &names {
            let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
            api.patch(name, &PatchParams::default(), &free).await.context("take the finalizer away")?;
            api.delete(name, &DeleteParams::default()).await.context("delete it")?;
        }
        Ok(took)
    }

    /// Takes everything away, so that it costs the operator nothing in what is measured next.
    pub(crate) async fn remove(&self) -> Result<()> {
        let api = self.api("Database");
        let unprotected = Patch::Merge(json!({ "spec": { "deletionProtection": false } }));
        let names: Vec<String> = api.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect();
        for name in &names {
            api.patch(name, &PatchParams::default(), &unprotected).await.context("take the protection away")?;
            api.delete(name, &DeleteParams::default()).await.context("delete a database")?;
        }
        let instances = self.api("DatabaseInstance");
        instances.patch("main", &PatchParams::default(), &unprotected).await.context("take the protection away")?;
        instances.delete("main", &DeleteParams::default()).await.context("delete the instance")?;
        let end = Instant::now() + PATIENCE;
        while instances.get_opt("main").await?.is_some() {
            ensure!(Instant::now() < end, "the instance does not go");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Everything is Ready still.
    pub(crate) async fn all_ready(&self) -> Result<()> {
        for kind in ["DatabaseInstance", "Database", "DatabaseUser"] {
            for object in self.api(kind).list(&ListParams::default()).await? {
                ensure!(has_condition(&object, "Ready"), "{kind} {} is not Ready", object.name_any());
            }
        }
        Ok(())
    }

    async fn post(&self, kind: &str, name: &str, spec: &serde_json::Value) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION, "kind": kind, "metadata": { "name": name }, "spec": spec,
        }))?;
        self.api(kind).create(&PostParams::default(), &object).await.with_context(|| format!("post {kind} {name}"))?;
        Ok(())
    }

    async fn ready(&self, kind: &str, mut names: BTreeSet<String>) -> Result<()> {
        let mut events = watcher(self.api(kind), watcher::Config::default()).applied_objects().boxed();
        let all = async {
            while let Some(object) = events.try_next().await.context("watch")? {
                if has_condition(&object, "Ready") {
                    names.remove(&object.name_any());
                }
                if names.is_empty() {
                    return Ok(());
                }
            }
            bail!("the watch ended")
        };
        tokio::time::timeout(PATIENCE, all).await.with_context(|| format!("wait until every {kind} is Ready"))?
    }

    /// How many were made.
    pub(crate) fn count(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        self.api_by(self.client.clone(), kind)
    }

    fn api_by(&self, client: Client, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(crds::names::GROUP, crds::names::VERSION, kind);
        Api::namespaced_with(client, self.namespace, &ApiResource::from_gvk(&kind))
    }
}

/// A server-side apply, as the operator's are.
async fn apply(api: &Api<DynamicObject>, name: &str, manager: &str, part: &serde_json::Value) -> Result<()> {
    let mut body = part.clone();
    if let Some(body) = body.as_object_mut() {
        body.insert("apiVersion".to_owned(), json!(crds::names::API_VERSION));
        body.insert("kind".to_owned(), json!("Database"));
        let metadata = body.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("name".to_owned(), json!(name));
        }
    }
    let (parameters, patch) = (PatchParams::apply(manager).force(), Patch::Apply(body));
    let outcome = match part.get("status") {
        Some(_) => api.patch_status(name, &parameters, &patch).await,
        None => api.patch(name, &parameters, &patch).await,
    };
    outcome.with_context(|| format!("apply to {name}")).map(drop)
}

/// About as much as the operator writes.
fn status(name: &str, done: bool) -> serde_json::Value {
    let (truth, word) = if done { ("True", "Ready") } else { ("False", "Creating") };
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": truth, "reason": word, "message": "as it has to be", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    json!({
        "phase": word, "message": "as it has to be", "observedGeneration": 1, "reconcileID": "01234567",
        "lastReconcileTime": "2026-01-01T00:00:00Z",
        "conditions": [condition("Accepted"), condition("Synced"), condition("Ready")],
        "database": { "name": name, "owner": "postgres", "sizeBytes": 7_000_000 },
        "ownership": {
            "name": name, "serverIdentity": "7555555555555555555", "nonce": "0123456789abcdef0123456789abcdef",
            "instance": { "kind": "DatabaseInstance", "namespace": "native", "name": "main" }, "engine": "postgres",
            "objectID": "16384", "appliedGeneration": 1, "createdAt": "2026-01-01T00:00:00Z",
        },
    })
}
