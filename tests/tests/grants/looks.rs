//! What looks cost: nothing is written while what differs stays different.

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{role, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::json;
use testkit::proxy::ApiProxy;
use testkit::world::Operator;

use super::{furnish, on_tables, to_user};

/// So many looks at each.
const LOOKS: f64 = 4.0;

#[tokio::test]
async fn nothing_is_written_while_a_right_that_somebody_took_stays_away() -> Result<()> {
    let stage = Stage::open("grant-looks").await?;
    let server = stage.postgres().await?;
    let api = ApiProxy::start(stage.namespace().cluster()).await?;
    let mut options = stage.options();
    api.cluster()?.kubeconfig_path().clone_into(&mut options.kubeconfig);
    let operator = Operator::start(options).await?;
    let word = stage.word("looks");
    let (app, readers) = (format!("{word}_app"), format!("{word}_readers"));
    furnish(&stage, &operator, &word).await?;
    let often = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1s" } } });
    let on_bill = || on_tables(&word, json!(["bill"]), json!(["SELECT"]));
    stage.put(with(to_user("reads", on_bill()), often.clone())).await?;
    let granting = json!({ "spec": { "postgres": { "grants": on_bill() } } });
    stage.put(with(with(role("readers", &readers), granting), often)).await?;
    let (reads, role) = (Subject::access_grant("reads"), Subject::role("readers"));
    for subject in [&reads, &role] {
        stage.until(&operator, subject, ready()).await?;
    }
    server.query(&word, &format!("REVOKE SELECT ON bill FROM {app}, {readers}")).await?;
    for subject in [&reads, &role] {
        stage.until(&operator, subject, becomes("Synced", "False", reason::DRIFT_DETECTED)).await?;
    }
    let looks = async || {
        let metrics = operator.metrics().await?;
        let of = |kind: &str| total(&metrics, "dbops_reconcile_total", &[&format!("\"{kind}\""), "\"unchanged\""]);
        anyhow::Ok((of("DatabaseGrant"), of("DatabaseRole")))
    };
    // The first look that writes nothing is after the last that did.
    let told = looks().await?;
    let after = async |more: f64| {
        let what = format!("{more} more looks");
        stage
            .eventually(&what, PATIENCE, &operator, async || {
                let now = looks().await?;
                ensure!(now.0 >= told.0 + more && now.1 >= told.1 + more, "{now:?} after {told:?}");
                Ok(())
            })
            .await
    };
    after(1.0).await?;
    api.reset();
    after(1.0 + LOOKS).await?;
    let writes = api.writes().into_iter().filter(|write| write.resource.starts_with("database"));
    let writes: Vec<_> = writes.map(|write| format!("{:?} {} {:?}", write.verb, write.resource, write.name)).collect();
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}

#[tokio::test]
async fn many_tables_are_one_entry_of_the_status() -> Result<()> {
    const TABLES: usize = 1_500;
    let stage = Stage::open("grant-tables").await?;
    let server = stage.postgres().await?;
    let word = stage.word("tables");
    let app = format!("{word}_app");
    let operator = stage.operator().await?;
    furnish(&stage, &operator, &word).await?;
    let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    let owner = server.query_cell(&word, owner).await?.unwrap_or_default();
    let made = format!(
        "SET ROLE {owner}; CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..{TABLES} LOOP \
         EXECUTE format('CREATE TABLE many.t%s (a int)', i); END LOOP; END $$; RESET ROLE"
    );
    server.query(&word, &made).await?;
    let all = json!([{ "database": word, "schema": "many", "tables": ["*"], "privileges": ["SELECT"] }]);
    let unprotected = json!({ "spec": { "deletionProtection": false } });
    stage.put(with(to_user("reads", all), unprotected)).await?;
    let reads = Subject::access_grant("reads");
    let seen = stage.until(&operator, &reads, ready()).await?;
    let length = |pointer: &str| seen.at(pointer).and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    ensure!(length("/status/held") == 1 && length("/status/held/0/names") == TABLES, "{}", length("/status/held"));
    ensure!(seen.at("/status/appliedGrants/applied") == Some(&json!(TABLES)));
    ensure!(length("/status/appliedGrants/details") == 200);
    ensure!(seen.text("/status/appliedGrants/details/0/schema")? == "many");
    ensure!(seen.at("/status/appliedGrants/detailsLeftOut") == Some(&json!(TABLES - 200)));
    let has = format!(
        "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a \
         WHERE c.relnamespace = 'many'::regnamespace AND a.grantee = '{app}'::regrole"
    );
    ensure!(server.query_cell(&word, &has).await?.as_deref() == Some(TABLES.to_string().as_str()));
    stage.delete(&reads).await?;
    stage.until_gone(&operator, &reads).await?;
    ensure!(server.query_cell(&word, &has).await?.as_deref() == Some("0"));
    Ok(())
}
