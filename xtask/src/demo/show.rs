//! What a person sees at the end.

#![expect(clippy::print_stdout, reason = "showing is this file's purpose")]

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use testkit::cluster::{Cluster, GROUP};
use testkit::postgres::PostgresEndpoint;

use super::State;
use super::samples::{NAMESPACE, Sample};

/// `kubectl get` of every kind that has a sample.
pub(super) fn resources(state: &State, samples: &[Sample]) -> Result<()> {
    let places: BTreeSet<(&str, &str)> =
        samples.iter().map(|sample| (sample.kind.as_str(), sample.namespace.as_str())).collect();
    for (kind, namespace) in places {
        println!(
            "\n$ kubectl get {}{}",
            kind.to_lowercase(),
            if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") }
        );
        let mut command = Command::new(&state.kubectl);
        // The kubeconfig is stated, so that no other one can be meant.
        command.arg("--kubeconfig").arg(&state.kubeconfig).args(["get", &format!("{}.{GROUP}", kind.to_lowercase())]);
        if !namespace.is_empty() {
            command.args(["-n", namespace]);
        }
        let output = command.output().context("run kubectl")?;
        if !output.status.success() {
            bail!("kubectl get failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

/// Logs in with each generated Secret and tells what is there.
pub(super) async fn logins(cluster: &Cluster, postgres: &PostgresEndpoint, samples: &[Sample]) -> Result<()> {
    let client = cluster.client().await?;
    for user in samples.iter().filter(|sample| sample.kind == "DatabaseUser") {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &user.namespace);
        let list = secrets.list(&ListParams::default()).await.context("list the Secrets of the demo")?;
        let Some(secret) = list.items.iter().find(|secret| is_owned_by(secret, &user.name())) else {
            bail!("the DatabaseUser {} is Ready and has no Secret", user.name());
        };
        let name = value(secret, "username")?;
        let password = value(secret, "password")?;
        let database = database_of(samples, &name).unwrap_or("postgres");

        println!("\nlogin with the Secret {} as an application would:", secret.name_any());
        let session = postgres.login(&name, &password, database).await?;
        let rows = session
            .rows(
                "SELECT current_user, current_database(), pg_catalog.pg_get_userbyid(d.datdba),
                        (SELECT pg_catalog.string_agg(n.nspname, ', ' ORDER BY n.nspname)
                           FROM pg_catalog.pg_namespace n
                          WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
                   FROM pg_catalog.pg_database d WHERE d.datname = current_database()",
            )
            .await?;
        for row in rows {
            for (label, cell) in ["user", "database", "its owner", "its schemas"].iter().zip(row) {
                println!("  {label:<12} {}", cell.unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// How to go on.
pub(super) fn what_next(state: &State, samples: &[Sample]) {
    let namespace = samples.iter().map(|sample| sample.namespace.as_str()).find(|namespace| !namespace.is_empty());
    println!("\nEverything keeps running. To go on playing:");
    println!("  export KUBECONFIG={}", state.kubeconfig.display());
    println!("  {} get dbops -n {}", state.kubectl.display(), namespace.unwrap_or(NAMESPACE));
    println!("  less {}", State::folder().join("operator.log").display());
    println!("To stop it:");
    println!("  cargo xtask demo stop");
}

fn is_owned_by(secret: &Secret, user: &str) -> bool {
    secret.owner_references().iter().any(|owner| owner.kind == "DatabaseUser" && owner.name == user)
}

fn value(secret: &Secret, key: &str) -> Result<String> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    let bytes = data.with_context(|| format!("the Secret {} has no key {key}", secret.name_any()))?;
    String::from_utf8(bytes.0.clone()).with_context(|| format!("the key {key} is no text"))
}

/// The database that a user owns, or else the first one.
fn database_of<'a>(samples: &'a [Sample], user: &str) -> Option<&'a str> {
    let mut databases = samples.iter().filter(|sample| sample.kind == "Database");
    let owned = databases.clone().find(|sample| sample.text("/spec/owner") == Some(user));
    owned.or_else(|| databases.next()).and_then(|sample| sample.text("/spec/name"))
}
