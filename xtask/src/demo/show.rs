//! What a person sees at the end.

#![expect(clippy::print_stdout, reason = "showing is this file's purpose")]

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use testkit::cluster::{Cluster, GROUP};
use testkit::mysql::MysqlEndpoint;
use testkit::postgres::PostgresEndpoint;

use super::samples::{NAMESPACE, Sample};
use super::{Servers, State};

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
pub(super) async fn logins(cluster: &Cluster, servers: &Servers, samples: &[Sample]) -> Result<()> {
    let client = cluster.client().await?;
    for user in samples.iter().filter(|sample| sample.kind == "DatabaseUser") {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &user.namespace);
        let list = secrets.list(&ListParams::default()).await.context("list the Secrets of the demo")?;
        let Some(secret) = list.items.iter().find(|secret| is_owned_by(secret, &user.name())) else {
            bail!("the DatabaseUser {} is Ready and has no Secret", user.name());
        };
        let name = value(secret, "username")?;
        let password = value(secret, "password")?;
        let instance = user.text("/spec/instanceRef/name").unwrap_or_default();
        let is_its = |sample: &&Sample| sample.kind == "DatabaseInstance" && sample.name() == instance;
        let engine = samples.iter().find(is_its).and_then(|sample| sample.text("/spec/engine")).unwrap_or_default();
        let database = database_of(samples, instance, &name);

        println!("\nlogin on {engine} with the Secret {} as an application would:", secret.name_any());
        let found = match engine {
            "mariadb" => on_mariadb(&servers.mariadb, &name, &password, database)?,
            _ => on_postgres(&servers.postgres, &name, &password, database.unwrap_or("postgres")).await?,
        };
        for (label, text) in found {
            println!("  {label:<12} {text}");
        }
    }
    Ok(())
}

type Told = Vec<(&'static str, String)>;

async fn on_postgres(server: &PostgresEndpoint, name: &str, password: &str, database: &str) -> Result<Told> {
    let session = server.login(name, password, database).await?;
    let rows = session
        .rows(
            "SELECT current_user, current_database(), pg_catalog.pg_get_userbyid(d.datdba),
                    (SELECT pg_catalog.string_agg(n.nspname, ', ' ORDER BY n.nspname)
                       FROM pg_catalog.pg_namespace n
                      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
                    (SELECT pg_catalog.string_agg(r.rolname, ', ' ORDER BY r.rolname) FROM pg_catalog.pg_roles r
                      WHERE r.rolname <> current_user AND pg_catalog.pg_has_role(r.oid, 'MEMBER'))
               FROM pg_catalog.pg_database d WHERE d.datname = current_database()",
        )
        .await?;
    let labels = ["user", "database", "its owner", "its schemas", "member of"];
    let cells = rows.into_iter().flat_map(|row| labels.into_iter().zip(row));
    Ok(cells.filter_map(|(label, cell)| Some((label, cell?))).collect())
}

fn on_mariadb(server: &MysqlEndpoint, name: &str, password: &str, database: Option<&str>) -> Result<Told> {
    let ask = |sql: &str| server.query_as(name, password, database, sql);
    let mut told = vec![
        ("user", ask("SELECT current_user()")?),
        ("database", ask("SELECT ifnull(database(), '')")?),
        ("its charset", ask("SELECT @@character_set_database")?),
    ];
    // The first line is about the account itself, and has the hash of its password.
    let grants = ask("SHOW GRANTS")?;
    told.extend(grants.lines().filter(|line| !line.contains(" ON *.* ")).map(|line| ("may", line.to_owned())));
    Ok(told)
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

/// The database of the instance that a user owns, or else the first one.
fn database_of<'a>(samples: &'a [Sample], instance: &str, user: &str) -> Option<&'a str> {
    let is_its =
        |sample: &&Sample| sample.kind == "Database" && sample.text("/spec/instanceRef/name") == Some(instance);
    let mut databases = samples.iter().filter(is_its);
    let owned = databases.clone().find(|sample| sample.text("/spec/owner") == Some(user));
    owned.or_else(|| databases.next()).and_then(|sample| sample.text("/spec/name"))
}
