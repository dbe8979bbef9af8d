//! Where an end-to-end test plays: a namespace of its own, an operator of its own, and short words for objects.
//!
//! Operators of tests that run side by side share one cluster; each serves only the objects that carry its
//! instance id, which [`Stage::put`] writes on everything it applies. Whatever a test waits for has a bound, and
//! the whole state is in the error when the bound is reached. Deliberately absent: what the objects say.

mod seen;
mod subject;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::names::label;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, ValidationDirective};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use testkit::cluster::Cluster;
use testkit::postgres::PostgresEndpoint;
use testkit::world::{Operator, OperatorOptions, TestNamespace, VARIABLE, World};

pub use seen::{Said, Seen, Wanted, becomes, ready};
pub use subject::Subject;

/// How long anything may take that does not wait for a pause of its own. The longest pause of the operator after a
/// failure is 30 seconds, and two cores carry all tests.
pub const PATIENCE: Duration = Duration::from_secs(75);

/// The field manager of what a test applies.
const MANAGER: &str = "end-to-end";

/// A namespace with everything a test needs around it.
pub struct Stage {
    world: &'static World,
    namespace: TestNamespace,
    neighbours: Vec<TestNamespace>,
    client: Client,
}

impl Stage {
    /// A stage in a new namespace. The definitions are applied where nobody did that for the whole run.
    pub async fn open(purpose: &str) -> Result<Self> {
        let world = World::get().await?;
        if std::env::var_os(VARIABLE).is_none() {
            world.cluster().await?.apply_crds(&crds::all_crds()).await?;
        }
        Self::on(world.cluster().await?, purpose).await
    }

    /// A stage in a cluster of the test's own, where the definitions were applied.
    pub async fn on(cluster: &Cluster, purpose: &str) -> Result<Self> {
        let namespace = TestNamespace::create(cluster, purpose).await?;
        let client = namespace.client().await?;
        Ok(Self { world: World::get().await?, namespace, neighbours: Vec::new(), client })
    }

    /// The namespace, whose name is also the id of the stage's operators.
    pub fn name(&self) -> &str {
        self.namespace.name()
    }

    /// A word that no other test has, for names on a shared server.
    pub fn word(&self, prefix: &str) -> String {
        let end = self.name().rsplit('-').next().unwrap_or_default();
        format!("{prefix}_{end}")
    }

    /// The namespace.
    pub fn namespace(&self) -> &TestNamespace {
        &self.namespace
    }

    /// The administrator's client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The PostgreSQL that tests share.
    pub async fn postgres(&self) -> Result<&'static PostgresEndpoint> {
        self.world.postgres().await
    }

    /// A newer PostgreSQL, after the rules of roles changed.
    pub async fn newer_postgres(&self) -> Result<&'static PostgresEndpoint> {
        self.world.newer_postgres().await
    }

    /// Another namespace, which goes with the stage.
    pub async fn neighbour(&mut self, purpose: &str) -> Result<String> {
        let neighbour = TestNamespace::create(self.namespace.cluster(), purpose).await?;
        let name = neighbour.name().to_owned();
        self.neighbours.push(neighbour);
        Ok(name)
    }

    /// How an operator of this stage is started: with the administrator's rights, for this stage's objects.
    pub fn options(&self) -> OperatorOptions {
        let mut options = OperatorOptions::new(self.namespace.cluster().kubeconfig_path());
        options.instance_id = Some(self.name().to_owned());
        options
    }

    /// Starts an operator of this stage.
    pub async fn operator(&self) -> Result<Operator> {
        Operator::start(self.options()).await
    }

    /// Applies an object. It goes into this namespace unless it names another, and is this stage's operator's.
    pub async fn put(&self, object: Value) -> Result<Value> {
        let (subject, object) = self.completed(object)?;
        let parameters = PatchParams::apply(MANAGER).force();
        let applied = self.api(&subject)?.patch(&subject.name, &parameters, &Patch::Apply(&object)).await;
        let applied = applied.map_err(in_words).with_context(|| format!("apply {subject}"))?;
        serde_json::to_value(applied).context("read what was applied")
    }

    /// The same; the inner error is the API server's own refusal, which it makes for unknown fields too.
    pub async fn try_put(&self, object: Value) -> Result<Result<(), kube::Error>> {
        let (subject, object) = self.completed(object)?;
        let strictly = Some(ValidationDirective::Strict);
        let parameters = PatchParams { field_validation: strictly, ..PatchParams::apply(MANAGER).force() };
        Ok(self.api(&subject)?.patch(&subject.name, &parameters, &Patch::Apply(&object)).await.map(drop))
    }

    /// Applies several objects, in their order.
    pub async fn put_all<I: IntoIterator<Item = Value>>(&self, objects: I) -> Result<()> {
        for object in objects {
            self.put(object).await?;
        }
        Ok(())
    }

    fn completed(&self, mut object: Value) -> Result<(Subject, Value)> {
        let kind = object.get("kind").and_then(Value::as_str).context("an object states no kind")?.to_owned();
        let mut subject = Subject::new(&kind, "")?;
        let fields = object.as_object_mut().context("a manifest is no object")?;
        fields.insert("apiVersion".to_owned(), json!(subject.api_version()));
        let metadata =
            fields.get_mut("metadata").and_then(Value::as_object_mut).context("an object has no metadata")?;
        metadata.get("name").and_then(Value::as_str).context("an object has no name")?.clone_into(&mut subject.name);
        if subject.is_namespaced() {
            let namespace = metadata.entry("namespace").or_insert_with(|| json!(self.name()));
            subject.namespace = namespace.as_str().map(str::to_owned);
        }
        if subject.is_ours() {
            let labels = metadata.entry("labels").or_insert_with(|| json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.entry(label::OPERATOR_INSTANCE_ID).or_insert_with(|| json!(self.name()));
            }
        }
        Ok((subject, object))
    }

    /// Changes parts of an object; `null` removes.
    pub async fn change(&self, subject: &Subject, patch: Value) -> Result<()> {
        let changed = self.api(subject)?.patch(&subject.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        changed.map_err(in_words).with_context(|| format!("change {subject}"))?;
        Ok(())
    }

    /// Sets annotations; `null` removes one.
    pub async fn annotate(&self, subject: &Subject, annotations: Value) -> Result<()> {
        self.change(subject, json!({ "metadata": { "annotations": annotations } })).await
    }

    /// The object as it is now; none where it does not exist.
    pub async fn find(&self, subject: &Subject) -> Result<Option<Seen>> {
        let found = self.api(subject)?.get_opt(&subject.name).await.map_err(in_words);
        match found.with_context(|| format!("read {subject}"))? {
            Some(object) => Ok(Some(Seen(serde_json::to_value(object).context("read an object")?))),
            None => Ok(None),
        }
    }

    /// The object as it is now.
    pub async fn get(&self, subject: &Subject) -> Result<Seen> {
        self.find(subject).await?.with_context(|| format!("{subject} does not exist"))
    }

    /// Asks for its deletion; what is absent already is fine.
    pub async fn delete(&self, subject: &Subject) -> Result<()> {
        match self.api(subject)?.delete(&subject.name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(in_words(error)).with_context(|| format!("delete {subject}")),
        }
    }

    /// A value of a Secret, as text.
    pub async fn secret_value(&self, subject: &Subject, key: &str) -> Result<String> {
        use k8s_openapi::api::core::v1::Secret;
        let namespace = subject.namespace.as_deref().unwrap_or_else(|| self.name());
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = api.get(&subject.name).await.map_err(in_words).with_context(|| format!("read {subject}"))?;
        let value = secret.data.and_then(|mut data| data.remove(key));
        let value = value.with_context(|| format!("{subject} has no key {key:?}"))?;
        String::from_utf8(value.0).with_context(|| format!("read {key:?} of {subject} as text"))
    }

    /// Waits until the object is as wanted.
    pub async fn until(&self, operator: &Operator, subject: &Subject, wanted: Wanted) -> Result<Seen> {
        self.until_within(PATIENCE, operator, subject, wanted).await
    }

    /// The same with another bound.
    pub async fn until_within(
        &self,
        patience: Duration,
        operator: &Operator,
        subject: &Subject,
        wanted: Wanted,
    ) -> Result<Seen> {
        let what = format!("{subject} {wanted}");
        self.eventually(&what, patience, operator, async || {
            let seen = self.get(subject).await?;
            seen.check(&wanted)?;
            Ok(seen)
        })
        .await
    }

    /// Waits until the object is gone.
    pub async fn until_gone(&self, operator: &Operator, subject: &Subject) -> Result<()> {
        self.eventually(&format!("{subject} is gone"), PATIENCE, operator, async || match self.find(subject).await? {
            None => Ok(()),
            Some(seen) => bail!("it is there: {}", seen.summary()),
        })
        .await
    }

    /// Waits until `attempt` succeeds; the state of all the stage's objects is in the error otherwise.
    pub async fn eventually<T>(
        &self,
        what: &str,
        patience: Duration,
        operator: &Operator,
        attempt: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        let outcome = self.namespace.eventually(what, patience, Some(operator), attempt).await;
        let Err(mut error) = outcome else { return outcome };
        for neighbour in &self.neighbours {
            let state = neighbour.state().await.unwrap_or_else(|error| format!("(unreadable: {error:#})"));
            error = anyhow::anyhow!("{error:#}\n--- objects in {}\n{state}", neighbour.name());
        }
        Err(error)
    }

    /// Asserts over a time: `check` holds at each look. For what must not happen, whose absence no event shows.
    pub async fn holds_for(
        &self,
        time: Duration,
        what: &str,
        mut check: impl AsyncFnMut() -> Result<()>,
    ) -> Result<()> {
        let end = tokio::time::Instant::now() + time;
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        while tokio::time::Instant::now() < end {
            looks.tick().await;
            check().await.with_context(|| format!("over {time:?}: {what}"))?;
        }
        Ok(())
    }

    /// Frees an object of its finalizers and deletes it, as people do by hand.
    pub async fn discard(&self, subject: &Subject) -> Result<()> {
        let kind = subject.group_version_kind();
        let namespace = subject.namespace.as_deref().unwrap_or_else(|| self.name());
        self.namespace.cluster().discard(&kind, namespace, &subject.name).await
    }

    /// The names of the objects of a kind in this namespace.
    pub async fn names(&self, kind: &str) -> Result<Vec<String>> {
        self.names_in(self.name(), kind).await
    }

    /// The same in another namespace.
    pub async fn names_in(&self, namespace: &str, kind: &str) -> Result<Vec<String>> {
        let list = self.api(&Subject::new(kind, "all")?.inside(namespace))?.list(&ListParams::default()).await;
        Ok(list.map_err(in_words)?.items.iter().map(ResourceExt::name_any).collect())
    }

    fn api(&self, subject: &Subject) -> Result<Api<DynamicObject>> {
        let resource = subject.resource();
        if !subject.is_namespaced() {
            return Ok(Api::all_with(self.client.clone(), &resource));
        }
        let namespace = subject.namespace.as_deref().unwrap_or_else(|| self.name());
        ensure!(!namespace.is_empty(), "{subject} needs a namespace");
        Ok(Api::namespaced_with(self.client.clone(), namespace, &resource))
    }
}

/// The API server's own sentence, without the rest of what the error knows.
fn in_words(error: kube::Error) -> anyhow::Error {
    if let kube::Error::Api(status) = error { anyhow::anyhow!(status.message) } else { error.into() }
}
