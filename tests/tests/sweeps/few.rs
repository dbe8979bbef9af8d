//! What a sweep does not see, and an instance that has few objects again.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use dbprovision_tests::manifests::{credentials, instance, user, with};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::json;

use super::subject;

/// Two more than make a sweep.
const MANY: usize = 34;
/// So many looks two sweeps are, which leave eight each to their own looks.
const TWICE: f64 = 52.0;
/// So long until everybody had its look. The interval is long enough for objects to have no timer of their own.
const SOON: Duration = Duration::from_mins(2);

#[tokio::test]
async fn what_no_sweep_sees_is_found_and_so_is_what_is_drift_where_few_are_left() -> Result<()> {
    let stage = Stage::open("sweeps-few").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("few");
    let name = |number: usize| format!("{word}_{number}");
    let often = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "40s" } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), often)]).await?;
    stage.put_all((0..MANY).map(|number| user(&format!("user-{number}"), &name(number)))).await?;
    for number in 0..MANY {
        stage.until(&operator, &subject(number), ready()).await?;
    }
    let counted = async |what: &str| anyhow::Ok(total(&operator.metrics().await?, what, &[stage.name()]));
    let sweeps = async || counted("dbops_drift_sweeps_total").await;
    // Until the first sweep each has a timer since it was made. After the second nobody has.
    stage
        .eventually("everybody was swept twice, or left to its own look", SOON, &operator, async || {
            let swept = counted("dbops_drift_swept_objects_total").await?;
            ensure!(swept >= TWICE, "{swept}");
            Ok(())
        })
        .await?;

    // A sweep tries out no password, but leaves some users to their own looks, which do.
    let mut passwords = Vec::new();
    for number in 0..MANY {
        passwords.push(stage.secret_value(&Subject::secret(&format!("user-{number}")), "password").await?);
        server.query("postgres", &format!("ALTER ROLE {} PASSWORD 'another'", name(number))).await?;
    }
    stage
        .eventually("a password of a Secret is in effect again", SOON, &operator, async || {
            for (number, password) in passwords.iter().enumerate() {
                if server.login(&name(number), password, "postgres").await.is_ok() {
                    return Ok(());
                }
            }
            bail!("nobody can log in with its Secret")
        })
        .await?;

    let gone: Vec<Subject> = (10..MANY).map(subject).collect();
    for one in &gone {
        stage.delete(one).await?;
    }
    for one in &gone {
        stage.until_gone(&operator, one).await?;
    }
    let before = sweeps().await?;
    server.query("postgres", &format!("ALTER ROLE {} CONNECTION LIMIT 3", name(5))).await?;
    let limit = format!("SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = '{}'", name(5));
    stage
        .eventually("the limit is corrected", SOON, &operator, async || {
            let found = server.query_cell("postgres", &limit).await?;
            ensure!(found.as_deref() == Some("-1"), "{found:?}");
            Ok(())
        })
        .await?;
    let after = sweeps().await?;
    ensure!(after <= before + 1.0, "ten objects were swept: {before} and {after}");
    Ok(())
}
