//! Hostile comments on roles of the whole cluster, the only kind that states one of its own: written as they are, and
//! before a mark that they cannot imitate.

use anyhow::{Context as _, Result, bail, ensure};
use crds::names::reason;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{cluster_role, credentials, database, grant, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::json;

use super::HOSTILE;

/// What the operator itself writes into comments, said by somebody else.
const IMITATIONS: [&str; 3] = [
    "[dbops:1 cluster=x;operator=x;kind=DatabaseRole;namespace=x;name=x;nonce=x;]",
    "[dbops:1 ",
    "[dbops-roles:pg_monitor,]",
];

#[tokio::test]
async fn a_comment_is_written_as_it_is_and_makes_nobody_the_owner() -> Result<()> {
    let stage = Stage::open("hostile-comments").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let (own, word) = (stage.name().to_owned(), stage.word("comment"));
    let log_before = server.log_text().len();
    let consent = grant(
        "to-cluster",
        json!({ "kind": "ClusterDatabaseInstance" }),
        json!({ "kind": "Secret", "name": "main-admin" }),
    );
    let reference = json!({ "name": "main-admin", "namespace": own });
    let of_cluster = json!({ "kind": "ClusterDatabaseInstance", "spec": { "connection": { "secretRef": reference } } });
    stage.put_all([credentials("main-admin", server), consent, with(instance(&own, server), of_cluster)]).await?;
    let main = Subject::cluster_instance(&own);
    stage.until(&operator, &main, ready()).await?;

    let commented = |stem: &str, comment: &str| {
        let name = format!("{own}-{stem}");
        let stated = json!({ "clusterInstanceRef": { "name": own }, "managedResourceComment": comment });
        let role = with(cluster_role(&name, &format!("{word}_{stem}")), json!({ "spec": stated }));
        (Subject::cluster_role(&name), role)
    };
    let mut made = Vec::new();
    for (number, text) in HOSTILE.into_iter().chain(IMITATIONS).enumerate() {
        let (subject, role) = commented(&number.to_string(), text);
        stage.try_put(role).await?.with_context(|| format!("the API takes {text:?}"))?;
        made.push((number, text, subject));
    }
    for (number, text, subject) in &made {
        stage.until(&operator, subject, ready()).await.with_context(|| format!("the comment {text:?}"))?;
        let sql = format!("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{word}_{number}'");
        let comment = server.query_cell("postgres", &sql).await?.context("there is no comment")?;
        ensure!(comment.starts_with(&format!("{text} [dbops")), "{text:?} became {comment:?}");
    }
    let member = format!("SELECT count(*) FROM pg_auth_members WHERE member::regrole::text LIKE '%{word}%'");
    ensure!(server.query_cell("postgres", &member).await?.as_deref() == Some("0"), "a comment made a member");

    let (unsayable, role) = commented("nul", "a\u{0}b");
    stage.put(role).await?;
    stage.until(&operator, &unsayable, becomes("Accepted", "False", reason::INVALID_OPTIONS)).await?;
    let there = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{word}_nul'");
    ensure!(server.query_cell("postgres", &there).await?.as_deref() == Some("0"), "it was refused, and is there");
    let (_, endless) = commented("endless", &"c".repeat(257));
    let Err(kube::Error::Api(refusal)) = stage.try_put(endless).await? else { bail!("the API took 257 characters") };
    ensure!(refusal.code == 422 && refusal.message.contains("spec.managedResourceComment"), "{refusal:?}");

    // What has a namespace states none.
    let stated = json!({ "spec": { "managedResourceComment": "mine" } });
    for manifest in [database("stated", &word), user("stated", &word)] {
        let Err(refusal) = stage.try_put(with(manifest, stated.clone())).await? else {
            bail!("the API took an unknown field");
        };
        ensure!(refusal.to_string().contains("managedResourceComment"), "{refusal}");
    }

    // Ours by the mark, whatever the comment says: they go.
    for (_, _, subject) in &made {
        stage.delete(subject).await?;
    }
    stage.delete(&unsayable).await?;
    for subject in made.iter().map(|(_, _, subject)| subject).chain([&unsayable, &main]) {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    let log = server.log_text();
    let broken: Vec<&str> =
        log.get(log_before..).unwrap_or(&log).lines().filter(|line| line.contains("ERROR:  syntax error")).collect();
    ensure!(broken.is_empty(), "statements broke: {broken:?}");
    Ok(())
}
