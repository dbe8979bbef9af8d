//! Skip and pause hold everything, deletion too; their removal is noticed at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::names::annotation;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{database, user};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::json;

use super::served;

/// Much less than any pause of the operator: what is seen within it was noticed, not met by chance.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_paused_resource_is_neither_changed_nor_deleted_and_goes_on_at_once() -> Result<()> {
    let stage = Stage::open("deletion-paused").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("pause");
    stage.put_all([user("app", &word), database("orders", &word)]).await?;
    let subjects = [
        (Subject::user("app"), annotation::SKIP_RECONCILE),
        (Subject::database("orders"), annotation::PAUSE_RECONCILE),
    ];
    for (subject, _) in &subjects {
        stage.until(&operator, subject, ready()).await?;
    }
    for (subject, switch) in &subjects {
        stage.annotate(subject, json!({ (*switch): annotation::TRUE })).await?;
        stage.change(subject, json!({ "spec": { "postgres": { "connectionLimit": 5 } } })).await?;
    }
    let whole = Catalogue::read(server, &word).await?;
    stage
        .holds_for(Duration::from_secs(3), "nothing is changed", async || {
            ensure!(Catalogue::read(server, &word).await? == whole);
            Ok(())
        })
        .await?;
    // Off for a moment: the change is made at once.
    for (subject, switch) in &subjects {
        stage.annotate(subject, json!({ (*switch): null })).await?;
        stage.until_within(AT_ONCE, &operator, subject, ready()).await?;
        stage.annotate(subject, json!({ (*switch): annotation::TRUE })).await?;
    }
    let changed = Catalogue::read(server, &word).await?;
    ensure!(changed != whole, "the change was not made");

    for (subject, _) in &subjects {
        stage.delete(subject).await?;
    }
    stage
        .holds_for(Duration::from_secs(3), "nothing is deleted", async || {
            for (subject, _) in &subjects {
                stage.get(subject).await?;
            }
            ensure!(Catalogue::read(server, &word).await? == changed);
            Ok(())
        })
        .await?;
    for (subject, switch) in &subjects {
        stage.annotate(subject, json!({ (*switch): null })).await?;
        stage
            .eventually(&format!("{subject} goes at once"), AT_ONCE, &operator, async || {
                ensure!(stage.find(subject).await?.is_none(), "it is there");
                Ok(())
            })
            .await?;
    }
    Catalogue::expect_nothing(server, &word).await?;
    Ok(())
}
