//! The Secret that an application logs in with: what is in it, whose it is, and that it always works.

use anyhow::{Context as _, Result, ensure};
use crds::names::{label, reason};
use dbprovision_tests::theatre::{Resource, Site, perform};
use serde_json::json;

#[tokio::test]
async fn the_secret_has_the_names_labels_and_annotations_of_the_spec_and_an_owner() {
    perform("user-secret", async |site| {
        let secret = site.name("mine-");
        let (user, name) = site
            .ready_user(
                "shown",
                json!({ "passwordSecret": {
                "secretName": secret,
                "secretTemplate": {
                    "type": "example.com/login",
                    "labels": { "team": "blue", label::MANAGED_BY: "somebody" },
                    "annotations": { "example.com/note": "x'; DROP" },
                },
            } }),
            )
            .await?;
        let found = site.secret(&secret).await?;
        ensure!(found.type_.as_deref() == Some("example.com/login"), "{:?}", found.type_);
        let labels = found.metadata.labels.clone().unwrap_or_default();
        ensure!(labels["team"] == "blue" && labels[label::MANAGED_BY] == label::MANAGED_BY_VALUE, "{labels:?}");
        ensure!(labels[label::USER] == user.name, "{labels:?}");
        let annotations = found.metadata.annotations.clone().unwrap_or_default();
        ensure!(annotations["example.com/note"] == "x'; DROP", "{annotations:?}");
        let owner = found.metadata.owner_references.iter().flatten().next().context("it has no owner")?;
        ensure!(owner.uid == user.uid().await? && owner.controller == Some(true), "{owner:?}");
        let data = site.secret_data(&secret).await?;
        ensure!(data.keys().collect::<Vec<_>>() == ["host", "password", "port", "username"], "{:?}", data.keys());
        ensure!(data["username"] == name, "the Secret is of {}", data["username"]);
        site.login(&secret, "postgres").await?;
        let status = user.status().await?;
        ensure!(status["secret"]["name"] == secret, "{status}");
        ensure!(status["user"]["username"] == name, "{status}");

        let plain = site.user("unnamed");
        let username = site.name("unnamed");
        plain.create(site.user_spec(&username, json!({}))).await?;
        plain.ready().await?;
        site.login(&format!("{username}-credentials"), "postgres").await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_secret_is_never_overwritten() {
    perform("user-foreign-secret", async |site| {
        let secret = site.name("taken-");
        site.create_secret(&secret, json!({ "password": "theirs", "note": "keep" })).await?;
        let before = site.secret(&secret).await?;
        let (user, name) = (site.user("blocked"), site.name("blocked"));
        user.create(site.user_spec(&name, json!({ "passwordSecret": { "secretName": secret } }))).await?;
        let message = user.stopped(reason::SECRET_CONFLICT).await?;
        ensure!(message.contains(&secret), "{message}");
        ensure!(site.secret(&secret).await? == before, "the Secret was changed");
        ensure!(!site.has_role(&name).await?, "an account without a Secret was created");

        // Another user's Secret is somebody else's too.
        let (_, other) = site.ready_user("other", json!({})).await?;
        let theirs = site.secret_data(&site.login_secret("other")).await?;
        user.change(json!({ "passwordSecret": { "secretName": site.login_secret("other") } })).await?;
        user.stopped(reason::SECRET_CONFLICT).await?;
        ensure!(site.secret_data(&site.login_secret("other")).await? == theirs, "the Secret of {other} was changed");

        user.change(json!({ "passwordSecret": { "secretName": secret } })).await?;
        user.stopped(reason::SECRET_CONFLICT).await?;
        site.delete_secret(&secret).await?;
        user.ready().await?;
        site.login(&secret, "postgres").await?;

        // Deleting a user whose Secret was never its own leaves that alone.
        let foreign = site.name("foreign-");
        site.create_secret(&foreign, json!({ "password": "theirs" })).await?;
        let late = site.user("late");
        late.create(site.user_spec(&site.name("late"), json!({ "passwordSecret": { "secretName": foreign } }))).await?;
        late.stopped(reason::SECRET_CONFLICT).await?;
        late.remove().await?;
        ensure!(site.password(&foreign).await? == "theirs", "the Secret was changed");
        Ok(())
    })
    .await;
}

async fn logs_in(site: &Site, user: &Resource, secret: &str, what: &str) -> Result<()> {
    user.eventually(what, async || {
        site.login(secret, "postgres").await?.rows("SELECT 1").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_secret_that_was_deleted_or_damaged_is_repaired_and_its_login_works() {
    perform("user-secret-repair", async |site| {
        let (user, name) = site.ready_user("mended", json!({})).await?;
        let secret = site.login_secret("mended");
        logs_in(site, &user, &secret, "the first login").await?;
        let first = site.password(&secret).await?;
        site.delete_secret(&secret).await?;
        logs_in(site, &user, &secret, "a login after the Secret was deleted").await?;
        let second = site.password(&secret).await?;
        ensure!(second != first, "the password of a deleted Secret came back");
        ensure!(!site.takes(&name, &first, "postgres").await?, "the old password still works");

        site.change_secret(&secret, [("username", Some("x'; DROP")), ("port", None), ("more", Some("y"))].into())
            .await?;
        user.eventually("the Secret is whole again", async || {
            let data = site.secret_data(&secret).await?;
            ensure!(data.get("username") == Some(&name) && data.len() == 4, "it has {:?}", data.keys());
            Ok(())
        })
        .await?;
        ensure!(site.password(&secret).await? == second, "a password that was whole was replaced");
        logs_in(site, &user, &secret, "a login after names were damaged").await?;

        for (what, damage) in [("removed", None), ("emptied", Some("")), ("replaced", Some("another, by hand"))] {
            site.change_secret(&secret, [("password", damage)].into()).await?;
            logs_in(site, &user, &secret, &format!("a login after the password was {what}")).await?;
        }
        user.ready().await?;
        site.keeps_quiet_about(&[&first, &second, "another, by hand"]).await
    })
    .await;
}

#[tokio::test]
async fn a_secret_under_another_name_works_too() {
    perform("user-secret-renamed", async |site| {
        let (user, name) = site.ready_user("moved", json!({})).await?;
        let (first, other) = (site.login_secret("moved"), site.name("elsewhere-"));
        let password = site.password(&first).await?;
        user.change(json!({ "passwordSecret": { "secretName": other } })).await?;
        user.ready().await?;
        site.login(&other, "postgres").await?;
        ensure!(site.password(&other).await? == password, "a Secret's new name is no reason for a new password");
        ensure!(!site.has_secret(&first).await?, "the Secret of the former name still has the password");
        let status = user.status().await?;
        ensure!(status["secret"]["name"] == other, "{status}");
        ensure!(site.has_role(&name).await?, "{name} is not there");

        // A password of the user's own takes its place, and the one that was generated goes.
        let own = site.name("own-");
        site.create_secret(&own, json!({ "word": "chosen by hand" })).await?;
        user.change(json!({ "passwordSecret": null, "existingPasswordSecret": { "name": own, "key": "word" } }))
            .await?;
        user.ready().await?;
        ensure!(site.takes(&name, "chosen by hand", "postgres").await?, "the user's own password was not set");
        ensure!(!site.has_secret(&other).await?, "the generated Secret is still there");
        ensure!(site.has_secret(&own).await?, "the user's own Secret was taken");

        // Back again: the user's own Secret stays, whatever becomes of the resource.
        user.change(json!({ "passwordSecret": { "secretName": other }, "existingPasswordSecret": null })).await?;
        user.ready().await?;
        site.login(&other, "postgres").await?;
        ensure!(site.has_secret(&own).await?, "the user's own Secret was taken");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_moves_on_before_it_arrived_keeps_its_password_and_leaves_nothing() {
    perform("user-secret-twice", async |site| {
        let (user, _) = site.ready_user("twice", json!({})).await?;
        let [first, second, third] = [site.login_secret("twice"), site.name("second-"), site.name("third-")];
        let password = site.password(&first).await?;
        let refused = json!({ "labels": { "team": "a b" } });
        user.change(json!({ "passwordSecret": { "secretName": second, "secretTemplate": refused } })).await?;
        user.refused(reason::INVALID_SPEC).await?;
        let namespace = site.shared.namespace.name();
        let places = |names: &[&String]| {
            let all = names.iter().map(|name| json!({ "name": name, "namespace": namespace }));
            all.collect::<serde_json::Value>()
        };
        user.status_has("/ownedSecrets", &places(&[&first, &second])).await?;
        user.change(json!({ "passwordSecret": { "secretName": third, "secretTemplate": null } })).await?;
        user.ready().await?;
        user.status_has("/ownedSecrets", &places(&[&third])).await?;
        ensure!(site.password(&third).await? == password, "it has another password");
        ensure!(!site.has_secret(&first).await? && !site.has_secret(&second).await?, "a former Secret is still there");
        site.login(&third, "postgres").await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn what_the_api_server_does_not_take_is_told_and_heals() {
    perform("user-secret-refused", async |site| {
        let (user, name) = (site.user("refused"), site.name("refused"));
        let secret = site.name("refused-");
        let template = |template: serde_json::Value| json!({ "passwordSecret": { "secretName": secret, "secretTemplate": template } });
        user.create(site.user_spec(&name, template(json!({ "labels": { "team": "a b" } })))).await?;
        let message = user.refused(reason::INVALID_SPEC).await?;
        ensure!(message.contains("spec.passwordSecret") && message.contains("a b"), "{message}");
        ensure!(!site.has_role(&name).await?, "an account without a Secret was created");
        // A type that means something to the cluster itself.
        user.change(template(json!({ "labels": null, "type": "kubernetes.io/tls" }))).await?;
        let message = user.refused(reason::INVALID_SPEC).await?;
        ensure!(message.contains("spec.passwordSecret.secretTemplate.type"), "{message}");
        user.change(template(json!({ "type": "Opaque" }))).await?;
        user.ready().await?;
        site.login(&secret, "postgres").await?;
        // The type of a Secret cannot be changed, so what to do is said and nothing happens by itself.
        user.change(template(json!({ "type": "example.com/login" }))).await?;
        let message = user.refused(reason::IMMUTABLE).await?;
        ensure!(message.contains("delete the Secret"), "{message}");
        site.login(&secret, "postgres").await?;
        site.delete_secret(&secret).await?;
        user.ready().await?;
        ensure!(site.secret(&secret).await?.type_.as_deref() == Some("example.com/login"));
        site.login(&secret, "postgres").await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn labels_and_annotations_that_left_the_template_leave_the_secret_and_others_stay() {
    perform("user-secret-labels", async |site| {
        let secret = site.name("labelled-");
        let template = json!({ "labels": { "team": "blue", "tier": "1" }, "annotations": { "example.com/a": "x" } });
        let (user, _) = site
            .ready_user("labelled", json!({ "passwordSecret": { "secretName": secret, "secretTemplate": template } }))
            .await?;
        site.label_secret(&secret, "example.com/theirs", "kept").await?;
        let changed = json!({ "labels": { "team": "green", "tier": null }, "annotations": null });
        user.change(json!({ "passwordSecret": { "secretTemplate": changed } })).await?;
        user.ready().await?;
        let found = site.secret(&secret).await?;
        let labels = found.metadata.labels.clone().unwrap_or_default();
        ensure!(labels.get("team").map(String::as_str) == Some("green"), "{labels:?}");
        ensure!(!labels.contains_key("tier"), "{labels:?}");
        ensure!(labels.get("example.com/theirs").map(String::as_str) == Some("kept"), "{labels:?}");
        let annotations = found.metadata.annotations.clone().unwrap_or_default();
        ensure!(!annotations.contains_key("example.com/a"), "{annotations:?}");
        Ok(())
    })
    .await;
}
