//! The manifests of `deploy/`: every file is listed and everything that is referred to is there; the Pod meets the
//! restricted standard; people may do what their role says and no more.

#![expect(clippy::indexing_slicing, reason = "an index that is not there is null, and fails the test with it")]

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use dbprovision_tests::installation::{documents, folder, identity, listed, objects, partition};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{ClusterRole, RoleBinding};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::workspace::root;
use testkit::world::eventually;
use tokio::process::Command;

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The installation's one object of a kind.
fn only<'a>(objects: &'a [Value], kind: &str) -> Result<&'a Value> {
    let mut found = objects.iter().filter(|object| text(object, "/kind") == kind);
    let one = found.next().with_context(|| format!("there is no {kind}"))?;
    ensure!(found.next().is_none(), "there is more than one {kind}");
    Ok(one)
}

#[test]
fn every_file_is_listed_once_and_is_there() -> Result<()> {
    let listed = listed()?;
    let mut there = BTreeSet::new();
    for place in ["", "admission/", "crds/", "rbac/"] {
        for entry in std::fs::read_dir(folder().join(place)).context("list the manifests")? {
            let name = entry.context("list the manifests")?.file_name().to_string_lossy().into_owned();
            if Path::new(&name).extension().is_some_and(|end| end == "yaml") && name != "kustomization.yaml" {
                there.insert(format!("{place}{name}"));
            }
        }
    }
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    ensure!(once.len() == listed.len(), "a file is listed twice: {listed:?}");
    ensure!(once == there, "listed are {once:?}, there are {there:?}");
    Ok(())
}

/// What the objects of an installation name is among them, and they are in its namespace.
fn check(objects: &[Value]) -> Result<()> {
    let namespace = text(only(objects, "Namespace")?, "/metadata/name");
    let known: BTreeSet<(&str, &str)> = objects.iter().map(identity).collect();
    ensure!(known.len() == objects.len(), "an object is there twice");
    let account = text(only(objects, "ServiceAccount")?, "/metadata/name");
    for object in objects {
        let (kind, name) = identity(object);
        let own = text(object, "/metadata/namespace");
        ensure!(own.is_empty() || own == namespace, "{kind} {name} is in the namespace {own}");
        if kind == "ValidatingAdmissionPolicyBinding" {
            let policy = ("ValidatingAdmissionPolicy", text(object, "/spec/policyName"));
            ensure!(known.contains(&policy), "{kind} {name} binds {policy:?}, which is not there");
        } else if kind.ends_with("Binding") {
            let role = (text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
            ensure!(known.contains(&role), "{kind} {name} binds {role:?}, which is not there");
            let subjects = object.pointer("/subjects").and_then(Value::as_array).context("nobody is bound")?;
            for subject in subjects {
                let bound = (text(subject, "/kind"), text(subject, "/name"), text(subject, "/namespace"));
                ensure!(bound == ("ServiceAccount", account, namespace), "{kind} {name} is about {bound:?}");
            }
        }
    }
    let deployment = only(objects, "Deployment")?;
    let pod = deployment.pointer("/spec/template").context("the Deployment has no Pod")?;
    ensure!(text(pod, "/spec/serviceAccountName") == account, "the Pod has another account");
    ensure!(deployment.pointer("/spec/selector/matchLabels") == pod.pointer("/metadata/labels"), "it selects others");
    let image = text(pod, "/spec/containers/0/image");
    ensure!(image == concat!("db-provision-operator:", env!("CARGO_PKG_VERSION")), "the image is {image}");
    Ok(())
}

#[test]
fn what_the_manifests_refer_to_is_there() -> Result<()> {
    check(&objects()?)?;
    let objects = partition("blue", true)?;
    check(&objects)?;
    for object in &objects {
        let (kind, name) = identity(object);
        // Two installations share the kinds, and nothing else.
        ensure!(kind == "CustomResourceDefinition" || name.ends_with("blue"), "{kind} {name} is of every installation");
    }
    let arguments = only(&objects, "Deployment")?.pointer("/spec/template/spec/containers/0/args");
    ensure!(arguments.is_some_and(|list| list.to_string().contains("\"--instance-id=blue\"")), "{arguments:?}");
    let lease = only(&objects, "Role")?.pointer("/rules/1/resourceNames");
    ensure!(lease == Some(&json!(["db-provision-operator.blue.dbops.dbprovision.io"])), "{lease:?}");
    Ok(())
}

#[tokio::test]
async fn the_command_of_the_guide_installs_everything() -> Result<()> {
    let control_plane = ControlPlane::start(StartOptions::default()).await?;
    let kubectl = async |arguments: &[&str]| {
        let mut command = Command::new(control_plane.kubectl());
        command.args(arguments).env("KUBECONFIG", control_plane.kubeconfig_path()).current_dir(root());
        let output = command.output().await.context("run kubectl")?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let told = kubectl(&["apply", "--server-side", "-k", "deploy"]).await?;
    let objects = objects()?;
    ensure!(told.lines().count() == objects.len(), "{} objects, and it says\n{told}", objects.len());
    // The kinds are served after a moment.
    eventually("the kinds are served", PATIENCE, async || kubectl(&["get", "dbops", "-A"]).await.map(drop)).await?;
    Ok(())
}

/// The installation's Pod with a change, as the API server of a namespace with the restricted standard judges it.
async fn judged(stage: &Stage, change: impl FnOnce(&mut Value)) -> Result<()> {
    let objects = objects()?;
    let template = only(&objects, "Deployment")?.pointer("/spec/template").context("the Deployment has no Pod")?;
    let mut pod = template.clone();
    pod["metadata"]["name"] = json!("operator");
    change(&mut pod);
    let pod: Pod = serde_json::from_value(pod).context("read the Pod")?;
    let pods: Api<Pod> = Api::namespaced(stage.client().clone(), stage.name());
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    pods.create(&parameters, &pod).await.context("create the Pod")?;
    Ok(())
}

fn denied(outcome: &Result<()>) -> Result<()> {
    match outcome {
        Err(error) if format!("{error:#}").contains("violates PodSecurity \"restricted:latest\"") => Ok(()),
        Err(error) => bail!("it failed otherwise: {error:#}"),
        Ok(()) => bail!("it was accepted"),
    }
}

#[tokio::test]
async fn the_pod_meets_the_restricted_standard_and_would_not_with_any_part_of_it_less() -> Result<()> {
    let stage = Stage::open("restricted").await?;
    let enforce = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    stage.change(&Subject::namespace(stage.name()), enforce).await?;
    let privileged = |pod: &mut Value| {
        pod["spec"]["containers"][0]["securityContext"] = json!({ "privileged": true });
    };
    // The standard acts once the API server has seen the label.
    eventually("a privileged Pod is refused", PATIENCE, async || denied(&judged(&stage, privileged).await)).await?;
    judged(&stage, |_| {}).await?;
    for (pointer, value) in [
        ("/spec/securityContext/runAsNonRoot", json!(false)),
        ("/spec/securityContext/seccompProfile", json!({ "type": "Unconfined" })),
        ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
        ("/spec/containers/0/securityContext/capabilities/drop", json!([])),
        ("/spec/volumes/0", json!({ "name": "cache", "hostPath": { "path": "/" } })),
    ] {
        let outcome = judged(&stage, |pod| {
            if let Some(part) = pod.pointer_mut(pointer) {
                *part = value;
            }
        });
        denied(&outcome.await).with_context(|| format!("{pointer} was changed"))?;
    }
    Ok(())
}

/// The verbs that change something.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// Whether somebody may.
async fn may(stage: &Stage, user: &str, verb: &str, resource: &str, namespace: Option<&str>) -> Result<bool> {
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(of, sub)| (of, Some(sub)));
    let group = if resource == "secrets" { "" } else { crds::names::GROUP };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.to_owned()),
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                verb: Some(verb.to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(stage.client().clone());
    let answer = reviews.create(&PostParams::default(), &review).await.context("ask what somebody may do")?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Gives a user of this name what the cluster's own role of the name gets of ours, in the stage's namespace.
async fn appoint(stage: &Stage, role: &str) -> Result<Vec<String>> {
    let roles: Api<ClusterRole> = Api::all(stage.client().clone());
    let bindings: Api<RoleBinding> = Api::namespaced(stage.client().clone(), stage.name());
    let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
    let mut made = Vec::new();
    for object in documents("rbac/people.yaml")? {
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object).context("a role has no labels")?;
        if labels.get(&label).is_none_or(|value| value != "true") {
            continue;
        }
        let name = format!("{}-{role}-{}", identity(&object).1, stage.name());
        let mut copy: ClusterRole = serde_json::from_value(object).context("read a role")?;
        copy.metadata.name = Some(name.clone());
        // The cluster's own roles are other tests' too.
        copy.metadata.labels = None;
        roles.create(&PostParams::default(), &copy).await.context("create a role")?;
        let binding = json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("a-{role}") }],
        });
        let binding: RoleBinding = serde_json::from_value(binding).context("compose a binding")?;
        bindings.create(&PostParams::default(), &binding).await.context("create a binding")?;
        made.push(name);
    }
    Ok(made)
}

#[tokio::test]
async fn people_may_do_what_their_role_says_and_no_more() -> Result<()> {
    let stage = Stage::open("people").await?;
    let editable = ["databases", "databaseusers", "databaseroles", "databasegrants"];
    let offered = ["databaseinstances", "databasereferencegrants"];
    let mut made = Vec::new();
    for (role, writable) in
        [("view", Vec::new()), ("edit", editable.to_vec()), ("admin", [&editable[..], &offered[..]].concat())]
    {
        made.extend(appoint(&stage, role).await?);
        let user = format!("a-{role}");
        eventually("the role is known", PATIENCE, async || {
            ensure!(may(&stage, &user, "list", "databases", Some(stage.name())).await?, "not yet");
            ensure!(writable.is_empty() || may(&stage, &user, "create", "databases", Some(stage.name())).await?);
            ensure!(role != "admin" || may(&stage, &user, "create", offered[0], Some(stage.name())).await?);
            Ok(())
        })
        .await?;
        // All kinds there are, so that nobody forgets to say who may do what with a new one.
        for definition in crds::all_crds() {
            let kind = definition.spec.names.plural.as_str();
            for verb in ["get", "list", "watch"] {
                ensure!(may(&stage, &user, verb, kind, Some(stage.name())).await?, "{user} may not {verb} {kind}");
            }
            for verb in WRITES {
                let (allowed, wanted) =
                    (may(&stage, &user, verb, kind, Some(stage.name())).await?, writable.contains(&kind));
                ensure!(allowed == wanted, "{user} may {verb} {kind}: {allowed}");
            }
            let status = format!("{kind}/status");
            ensure!(!may(&stage, &user, "patch", &status, Some(stage.name())).await?, "{user} may write the status");
            ensure!(!may(&stage, &user, "list", kind, None).await?, "{user} may list {kind} of all namespaces");
        }
        ensure!(!may(&stage, &user, "get", "secrets", Some(stage.name())).await?, "{user} may read Secrets");
    }
    ensure!(made.len() == 6, "the roles were counted on to be three: {made:?}");
    let roles: Api<ClusterRole> = Api::all(stage.client().clone());
    for name in made {
        roles.delete(&name, &DeleteParams::default()).await.context("remove a role")?;
    }
    Ok(())
}
