//! Two replicas: one works, the other stands by; and how a process ends.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use crds::names::label;
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, ready};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use testkit::proxy::tcp::{Protocol, Weather};
use testkit::proxy::{ApiProxy, TcpProxy};
use testkit::world::{Operator, eventually};

/// The name that all replicas of the stage's operator share.
fn lease(id: &str) -> String {
    format!("db-provision-operator.{id}.dbops.dbprovision.io")
}

/// A replica that is seen by a proxy of its own.
async fn replica(stage: &Stage) -> Result<(ApiProxy, Operator)> {
    let proxy = ApiProxy::start(stage.namespace().cluster()).await?;
    let mut options = stage.options();
    proxy.cluster()?.kubeconfig_path().clone_into(&mut options.kubeconfig);
    options.leader_elect = true;
    options.arguments.push(format!("--leader-elect-namespace={}", stage.name()));
    let operator = Operator::start(options).await?;
    Ok((proxy, operator))
}

async fn holder(stage: &Stage) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(stage.client().clone(), stage.name());
    let lease = leases.get(&lease(stage.name())).await.context("read the lease")?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

async fn until_held(stage: &Stage) -> Result<String> {
    eventually("somebody leads", PATIENCE, async || {
        let holder = holder(stage).await?;
        ensure!(!holder.is_empty(), "nobody holds the lease");
        Ok(holder)
    })
    .await
}

fn signal(operator: &Operator, name: &str) -> Result<()> {
    let status = Command::new("kill").args([name, &operator.process_id().to_string()]).status().context("run kill")?;
    ensure!(status.success(), "kill {name} failed");
    Ok(())
}

#[tokio::test]
async fn the_second_replica_is_ready_writes_nothing_and_takes_over_when_the_first_is_killed() -> Result<()> {
    let stage = Stage::open("process-leader").await?;
    let server = stage.postgres().await?;
    let word = stage.word("led");
    let (_first_proxy, first) = replica(&stage).await?;
    let leader = until_held(&stage).await?;
    let (second_proxy, second) = replica(&stage).await?;
    stage.put_all([credentials("main-admin", server), instance("main", server), user("app", &word)]).await?;
    stage.until(&first, &Subject::user("app"), ready()).await?;
    ensure!(holder(&stage).await? == leader);
    ensure!(second_proxy.writes().is_empty(), "the replica that stands by wrote {:?}", second_proxy.writes());

    first.kill()?;
    stage.put(database("orders", &word)).await?;
    stage.until(&second, &Subject::database("orders"), ready()).await?;
    let successor = holder(&stage).await?;
    ensure!(successor != leader, "the lease is still held by the dead");
    ensure!(!second_proxy.writes().is_empty());
    for subject in [Subject::database("orders"), Subject::user("app")] {
        stage.delete(&subject).await?;
        stage.until_gone(&second, &subject).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_leader_that_was_frozen_writes_nothing_when_it_wakes_up_and_ends() -> Result<()> {
    let stage = Stage::open("process-frozen").await?;
    let server = stage.postgres().await?;
    let word = stage.word("frozen");
    let (first_proxy, first) = replica(&stage).await?;
    let leader = until_held(&stage).await?;
    stage.put_all([credentials("main-admin", server), instance("main", server), user("app", &word)]).await?;
    stage.until(&first, &Subject::user("app"), ready()).await?;
    let (_second_proxy, second) = replica(&stage).await?;

    signal(&first, "-STOP")?;
    // Work that it would do if it went on where it was.
    stage.put(database("orders", &word)).await?;
    stage
        .change(&Subject::user("app"), serde_json::json!({ "spec": { "postgres": { "connectionLimit": 4 } } }))
        .await?;
    stage.until(&second, &Subject::database("orders"), ready()).await?;
    ensure!(holder(&stage).await? != leader);
    first_proxy.reset();
    stage.put(user("later", &format!("{word}_later"))).await?;
    signal(&first, "-CONT")?;
    eventually("the former leader ends", Duration::from_secs(40), async || {
        ensure!(!first.is_running(), "it runs:\n{}", first.log_tail(5));
        Ok(())
    })
    .await?;
    ensure!(first_proxy.writes().is_empty(), "it wrote after its lease was lost: {:?}", first_proxy.writes());
    ensure!(first.log_text().contains("lost the lease"), "{}", first.log_tail(10));
    for subject in [Subject::user("later"), Subject::database("orders"), Subject::user("app")] {
        stage.until(&second, &subject, ready()).await?;
        stage.delete(&subject).await?;
        stage.until_gone(&second, &subject).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_terminated_operator_ends_its_work_gives_the_lease_back_and_closes_its_sessions() -> Result<()> {
    let stage = Stage::open("process-sigterm").await?;
    let server = stage.postgres().await?;
    let word = stage.word("term");
    let proxy = TcpProxy::start(format!("{}:{}", server.host, server.port).parse()?, Protocol::Postgres).await?;
    let mut through = server.clone();
    through.port = proxy.address().port();
    let (_proxy, first) = replica(&stage).await?;
    stage.put_all([credentials("main-admin", &through), instance("main", &through)]).await?;
    stage.until(&first, &Subject::instance("main"), ready()).await?;

    // In the middle of a creation, which is slow enough to be met there.
    proxy.reset();
    proxy.set_weather(Weather::Slow(40));
    stage.put(database("orders", &word)).await?;
    eventually("the creation has begun", PATIENCE, async || {
        ensure!(proxy.statements().iter().any(|statement| statement.starts_with("CREATE DATABASE")), "not yet");
        Ok(())
    })
    .await?;
    let began = Instant::now();
    let log = first.log().to_owned();
    let kept = log.with_extension("kept");
    std::fs::hard_link(&log, &kept).context("keep the log")?;
    let text = || std::fs::read_to_string(&kept).unwrap_or_default();
    signal(&first, "-TERM")?;
    eventually("the operator ends", Duration::from_secs(28), async || {
        ensure!(!first.is_running(), "it runs");
        Ok(())
    })
    .await?;
    ensure!(began.elapsed() < Duration::from_secs(28), "it took {:?}", began.elapsed());
    ensure!(text().contains("all reconciles have ended"), "it did not end its work:\n{}", text());
    ensure!(holder(&stage).await?.is_empty(), "the lease was not given back");
    eventually("its sessions are closed", Duration::from_secs(5), async || {
        ensure!(proxy.open_connections() == 0, "{} are open", proxy.open_connections());
        Ok(())
    })
    .await?;
    // What was under way was finished and recorded, so there is nothing to repair.
    let seen = stage.get(&Subject::database("orders")).await?;
    ensure!(seen.text("/status/phase")? == "Ready", "{}", seen.summary());

    proxy.set_weather(Weather::Fair);
    let began = Instant::now();
    let (_proxy, second) = replica(&stage).await?;
    stage.delete(&Subject::database("orders")).await?;
    stage.until_gone(&second, &Subject::database("orders")).await?;
    ensure!(began.elapsed() < Duration::from_secs(30), "the successor waited for a lease that was free");
    Ok(())
}

#[tokio::test]
async fn operators_of_different_ids_lead_beside_each_other_in_one_namespace() -> Result<()> {
    let stage = Stage::open("process-ids").await?;
    let server = stage.postgres().await?;
    let (_proxy, own) = replica(&stage).await?;
    let other_id = format!("{}-other", stage.name());
    let mut options = stage.options();
    options.instance_id = Some(other_id.clone());
    options.leader_elect = true;
    options.arguments.push(format!("--leader-elect-namespace={}", stage.name()));
    let other = Operator::start(options).await?;
    let labelled = serde_json::json!({ "metadata": { "labels": { label::OPERATOR_INSTANCE_ID: other_id } } });
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.put_all([credentials("theirs-admin", server), with(instance("theirs", server), labelled)]).await?;
    stage.until(&own, &Subject::instance("main"), ready()).await?;
    stage.until(&other, &Subject::instance("theirs"), ready()).await?;
    let leases: Api<Lease> = Api::namespaced(stage.client().clone(), stage.name());
    for id in [stage.name(), &other_id] {
        let held = leases.get(&lease(id)).await.context("read a lease")?;
        ensure!(held.spec.and_then(|spec| spec.holder_identity).is_some_and(|holder| !holder.is_empty()), "{id}");
    }
    Ok(())
}
