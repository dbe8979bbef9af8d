//! What deleting a `Database` does on the server, by its policy and its protection.

use anyhow::ensure;
use crds::names::{annotation, reason};
use dbprovision_tests::theatre::perform;
use serde_json::json;

#[tokio::test]
async fn the_deletion_policy_decides_whether_the_database_goes() {
    perform("database-endings", async |site| {
        for (policy, stays) in [("Retain", true), ("Delete", false)] {
            let (database, name) =
                site.ready_database(&policy.to_lowercase(), json!({ "deletionPolicy": policy })).await?;
            database.remove().await?;
            ensure!(site.has_database(&name).await? == stays, "{policy}: {name} is there: {}", !stays);
        }
        let (template, name) = site.ready_database("template", json!({ "postgres": { "isTemplate": true } })).await?;
        template.remove().await?;
        ensure!(!site.has_database(&name).await?, "a template stayed");
        let (closed, name) =
            site.ready_database("closed", json!({ "postgres": { "allowConnections": false } })).await?;
        closed.remove().await?;
        ensure!(!site.has_database(&name).await?, "a closed database stayed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_protected_database_waits_until_its_protection_is_lifted() {
    perform("database-protected", async |site| {
        let (first, first_name) = site.ready_database("first", json!({ "deletionProtection": true })).await?;
        let (second, second_name) = site.ready_database("second", json!({ "deletionProtection": true })).await?;
        for (database, name) in [(&first, &first_name), (&second, &second_name)] {
            database.delete().await?;
            database.status_has("/phase", &json!("PendingDeletion")).await?;
            let status = database.status().await?;
            ensure!(status["conditions"].to_string().contains(reason::DELETION_PROTECTED), "{status}");
            ensure!(site.has_database(name).await?, "{name} was dropped");
        }
        first.change(json!({ "deletionProtection": false })).await?;
        first.gone().await?;
        second.annotate(annotation::FORCE_DELETE, Some("true")).await?;
        second.gone().await?;
        for name in [first_name, second_name] {
            ensure!(!site.has_database(&name).await?, "{name} is still there");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_database_goes_although_somebody_is_connected() {
    perform("database-live-sessions", async |site| {
        site.ready_user("guest", json!({})).await?;
        let (database, name) = site.ready_database("busy", json!({})).await?;
        let session = site.login(&site.login_secret("guest"), &name).await?;
        session.rows("SELECT 1").await?;
        database.remove().await?;
        ensure!(!site.has_database(&name).await?, "{name} is still there");
        ensure!(session.rows("SELECT 1").await.is_err(), "the session lives on");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_spec_that_became_invalid_does_not_keep_the_database() {
    perform("database-invalid-end", async |site| {
        let (database, name) = site.ready_database("spoilt", json!({})).await?;
        database.change(json!({ "mysql": {} })).await?;
        database.refused(reason::UNSUPPORTED).await?;
        database.remove().await?;
        ensure!(!site.has_database(&name).await?, "{name} is still there");
        Ok(())
    })
    .await;
}
