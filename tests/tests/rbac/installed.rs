//! The rights of an installation, in a namespace of a test: the very rules of `deploy/rbac`, under names of its own,
//! so that installations with different rights stand side by side in one cluster.

#![expect(clippy::indexing_slicing, reason = "an index that is not there is null, and fails the test with it")]

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use dbprovision_tests::installation;
use dbprovision_tests::stage::Stage;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use testkit::cluster::{Cluster, kind_of, read_yaml_dir};
use testkit::proxy::ApiProxy;
use testkit::workspace;
use testkit::world::Operator;

/// Where the manifests of an installation say that it is.
const NAMESPACE: &str = "db-provision-operator-system";

/// The file that an installation may leave out, by the names in it.
const OPTIONAL: &str = "db-provision-operator-watch-output-secrets";

/// The objects of an installation's rights.
pub(crate) struct Installed {
    namespace: String,
    objects: Vec<Value>,
}

impl Installed {
    /// Those of `deploy/rbac`, moved.
    pub(crate) fn new(namespace: &str, watches: bool) -> Result<Self> {
        let read = read_yaml_dir(&workspace::root().join("deploy/rbac"))?;
        let optional = read.iter().filter(|object| object.name_any() == OPTIONAL).count();
        ensure!(optional == 2, "the optional role and its binding are called otherwise");
        let mut objects: Vec<Value> = read
            .into_iter()
            .filter(|object| watches || object.name_any() != OPTIONAL)
            // What people may do is not the operator's.
            .filter(|object| !object.labels().keys().any(|key| key.contains("aggregate-to-")))
            .map(|object| moved(&object, namespace))
            .collect::<Result<_>>()?;
        // The operator of a stage serves an id of its own.
        installation::partition(&mut objects, namespace, false)?;
        Ok(Self { namespace: namespace.to_owned(), objects })
    }

    /// The same with one right less.
    pub(crate) fn without(mut self, resource: &str, verb: &str) -> Self {
        for object in &mut self.objects {
            for rule in object.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
                let names = rule.get("resources").and_then(Value::as_array).cloned().unwrap_or_default();
                if names.contains(&json!(resource))
                    && let Some(verbs) = rule.get_mut("verbs").and_then(Value::as_array_mut)
                {
                    verbs.retain(|known| known != verb);
                }
            }
        }
        self
    }

    /// What it may do: verbs and resources.
    pub(crate) fn rights(&self) -> Vec<(String, String)> {
        let words = |rule: &Value, list: &str| -> Vec<String> {
            let words = rule[list].as_array().into_iter().flatten();
            words.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let rules = self.objects.iter().flat_map(|object| object["rules"].as_array().into_iter().flatten());
        rules
            .flat_map(|rule| {
                let resources = words(rule, "resources");
                words(rule, "verbs")
                    .into_iter()
                    .flat_map(move |verb| resources.clone().into_iter().map(move |resource| (verb.clone(), resource)))
            })
            .collect()
    }

    /// Applies them, and returns a kubeconfig of the account that has them.
    pub(crate) async fn apply(&self, cluster: &Cluster) -> Result<PathBuf> {
        let objects = self.dynamic()?;
        cluster.apply(&objects, &self.namespace).await?;
        let kind = |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "ServiceAccount");
        let account = objects.iter().find(kind).context("deploy/rbac declares no ServiceAccount")?;
        cluster.service_account_kubeconfig(&self.namespace, &account.name_any()).await
    }

    /// Removes what is not in the namespace, which no test takes along.
    pub(crate) async fn remove(&self, cluster: &Cluster) -> Result<()> {
        for object in self.dynamic()? {
            if object.namespace().is_none() {
                cluster.discard(&kind_of(&object)?, "", &object.name_any()).await?;
            }
        }
        Ok(())
    }

    fn dynamic(&self) -> Result<Vec<DynamicObject>> {
        let read = |object: &Value| serde_json::from_value(object.clone()).context("read a manifest");
        self.objects.iter().map(read).collect()
    }
}

fn moved(object: &DynamicObject, namespace: &str) -> Result<Value> {
    let mut object = serde_json::to_value(object).context("read a manifest")?;
    let own = |name: &str| format!("{name}-{namespace}");
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    if kind.starts_with("Cluster") {
        let name = object["metadata"]["name"].as_str().context("a role has no name")?.to_owned();
        object["metadata"]["name"] = json!(own(&name));
    } else {
        ensure!(object["metadata"]["namespace"] == NAMESPACE, "{kind} is in no namespace of the installation");
        object["metadata"]["namespace"] = json!(namespace);
    }
    if kind == "ClusterRoleBinding" {
        let role = object["roleRef"]["name"].as_str().context("a binding names no role")?.to_owned();
        object["roleRef"]["name"] = json!(own(&role));
    }
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        ensure!(subject["namespace"] == NAMESPACE, "a binding is about another namespace");
        subject["namespace"] = json!(namespace);
    }
    Ok(object)
}

/// An operator with an installation's rights, seen by a proxy.
pub(crate) async fn installed(stage: &Stage, watches: bool) -> Result<(ApiProxy, Operator)> {
    let kubeconfig = Installed::new(stage.name(), watches)?.apply(stage.namespace().cluster()).await?;
    let proxy = ApiProxy::start(stage.namespace().cluster()).await?;
    let mut options = stage.options();
    options.kubeconfig = proxy.kubeconfig_of(&kubeconfig)?;
    options.leader_elect = true;
    options.environment.push(("POD_NAMESPACE".to_owned(), stage.name().to_owned()));
    options.arguments.push(format!("--watch-output-secrets={watches}"));
    Ok((proxy, Operator::start(options).await?))
}
