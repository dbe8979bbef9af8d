//! The rights of an installation, in a namespace of a test and under names of its own, so that installations with
//! different rights stand side by side in one cluster.

#![expect(clippy::indexing_slicing, reason = "an index that is not there is null, and fails the test with it")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use dbprovision_tests::installation;
use dbprovision_tests::stage::Stage;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use testkit::cluster::{Cluster, kind_of};
use testkit::proxy::ApiProxy;
use testkit::world::Operator;

/// The kinds that say what the operator may do.
const RIGHTS: [&str; 5] = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];

/// The kinds that say what it may not, whatever its rights are.
const POLICY: [&str; 2] = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];

/// The objects of an installation's rights.
pub(crate) struct Installed {
    namespace: String,
    objects: Vec<Value>,
}

impl Installed {
    /// The operator's own: what people may do is not among them.
    pub(crate) fn new(namespace: &str, watches: bool) -> Result<Self> {
        let objects = of_kinds(namespace, watches, &RIGHTS)?;
        let is_for_people = |object: &Value| {
            let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
            labels.into_iter().any(|(key, _)| key.contains("aggregate-to-"))
        };
        let objects = objects.into_iter().filter(|object| !is_for_people(object)).collect();
        Ok(Self { namespace: namespace.to_owned(), objects })
    }

    /// The policy about what it writes.
    pub(crate) fn policy(namespace: &str) -> Result<Self> {
        Ok(Self { namespace: namespace.to_owned(), objects: of_kinds(namespace, false, &POLICY)? })
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
        self.put(cluster).await?;
        let objects = self.dynamic()?;
        let kind = |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "ServiceAccount");
        let account = objects.iter().find(kind).context("there is no ServiceAccount")?;
        cluster.service_account_kubeconfig(&self.namespace, &account.name_any()).await
    }

    /// Applies them.
    pub(crate) async fn put(&self, cluster: &Cluster) -> Result<()> {
        cluster.apply(&self.dynamic()?, &self.namespace).await
    }

    /// Removes what is not in the namespace, which no test takes along.
    pub(crate) async fn remove(&self, cluster: &Cluster) -> Result<()> {
        for object in self.dynamic()? {
            let kind = kind_of(&object)?;
            if kind.kind.starts_with("Cluster") || POLICY.contains(&kind.kind.as_str()) {
                cluster.discard(&kind, "", &object.name_any()).await?;
            }
        }
        Ok(())
    }

    fn dynamic(&self) -> Result<Vec<DynamicObject>> {
        let read = |object: &Value| serde_json::from_value(object.clone()).context("read a manifest");
        self.objects.iter().map(read).collect()
    }
}

fn of_kinds(namespace: &str, watches: bool, kinds: &[&str]) -> Result<Vec<Value>> {
    let objects = installation::partition(namespace, watches)?;
    Ok(objects.into_iter().filter(|object| kinds.contains(&installation::identity(object).0)).collect())
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
