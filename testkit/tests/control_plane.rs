//! The control plane is a real one: it answers, it authorises, it issues tokens.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, Config};
use testkit::cluster::Cluster;
use testkit::control_plane::{ControlPlane, StartOptions};

#[tokio::test]
async fn a_control_plane_starts_authorises_and_is_gone_afterwards() {
    let control_plane = ControlPlane::start(StartOptions::default()).await.unwrap();
    let folder = control_plane.folder().to_owned();
    let process = format!("/proc/{}", control_plane.api_server().pid());
    let client = control_plane.client().await.unwrap();

    let namespaces = Api::<Namespace>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    assert!(!namespaces.items.is_empty());

    let objects = testkit::cluster::parse_yaml(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata:\n  a: b\n---\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: two\n",
    )
    .unwrap();
    assert_eq!(objects.len(), 2);
    control_plane.apply(&objects, "default").await.unwrap();
    assert_eq!(
        Api::<ConfigMap>::namespaced(client.clone(), "default").get("one").await.unwrap().data.unwrap()["a"],
        "b"
    );

    // An account without a role may do nothing.
    let account = control_plane.service_account_kubeconfig("operators", "operator").await.unwrap();
    let powerless = Cluster::new(account).client().await.unwrap();
    let refusal = Api::<ConfigMap>::namespaced(powerless, "default").get("one").await.unwrap_err();
    assert!(matches!(refusal, kube::Error::Api(ref status) if status.code == 403), "{refusal}");

    drop(control_plane);
    assert!(!folder.exists());
    assert!(!std::path::Path::new(&process).exists());
}

#[tokio::test]
async fn an_unknown_token_is_refused() {
    let control_plane = ControlPlane::start(StartOptions::default()).await.unwrap();
    let text = std::fs::read_to_string(control_plane.kubeconfig_path()).unwrap();
    let token = control_plane.kubeconfig().unwrap()["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    let stranger = kube::config::Kubeconfig::from_yaml(&text.replace(&token, "nobody")).unwrap();
    let config = Config::from_custom_kubeconfig(stranger, &kube::config::KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let object: ConfigMap = serde_json::from_value(serde_json::json!({ "metadata": { "name": "x" } })).unwrap();
    let refusal =
        Api::<ConfigMap>::namespaced(client, "default").create(&PostParams::default(), &object).await.unwrap_err();
    assert!(matches!(refusal, kube::Error::Api(ref status) if status.code == 401), "{refusal}");
}
