//! What a test shares with others, and what it has of its own.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use testkit::cluster::GROUP;
use testkit::control_plane::{ControlPlane, StartOptions};
use testkit::world::{TestNamespace, World, eventually};

#[tokio::test]
async fn a_namespace_is_terminated_with_its_value() {
    let world = World::get().await.unwrap();
    let namespace = world.namespace("purpose").await.unwrap();
    let name = namespace.name().to_owned();
    let namespaces = Api::<Namespace>::all(world.client().await.unwrap());
    assert!(namespaces.get(&name).await.unwrap().metadata.deletion_timestamp.is_none());
    drop(namespace);
    // No controller empties it here, so it stays, marked.
    let left = namespaces.get_opt(&name).await.unwrap();
    assert!(left.is_none_or(|left| left.metadata.deletion_timestamp.is_some()));
}

#[tokio::test]
async fn objects_whose_finalizers_nobody_serves_go_with_their_namespace_and_a_failed_wait_shows_them() {
    let control_plane = ControlPlane::start(StartOptions::default()).await.unwrap();
    let definition = serde_json::from_value(serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("things.{GROUP}") },
        "spec": {
            "group": GROUP, "scope": "Namespaced", "names": { "kind": "Thing", "plural": "things" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            } } }],
        },
    }))
    .unwrap();
    control_plane.apply_crds(&[definition]).await.unwrap();
    let namespace = TestNamespace::create(&control_plane, "things").await.unwrap();
    let thing = format!("apiVersion: {GROUP}/v1\nkind: Thing\nmetadata:\n  name: one\n  finalizers: [a.example/b]\n");
    namespace.apply_yaml(&thing).await.unwrap();
    let error = namespace
        .eventually("the impossible", Duration::from_millis(50), None, async || -> anyhow::Result<()> {
            anyhow::bail!("not today")
        })
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("# Thing one"), "{error:#}");
    drop(namespace);
    assert!(control_plane.our_objects(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wait_ends_with_the_last_reason() {
    let error = eventually("the impossible", Duration::from_millis(100), async || -> anyhow::Result<()> {
        anyhow::bail!("not today")
    })
    .await
    .unwrap_err();
    assert!(format!("{error:#}").contains("the impossible: not today"), "{error:#}");
}
