//! Taking over what exists: only where it is asked for and the instance agrees.

use anyhow::{Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::theatre::{Setting, Site, perform, perform_in};
use serde_json::json;

/// A database and its owner as the administrator would have made them before there was an operator.
async fn existing(site: &Site, stem: &str) -> Result<String> {
    let name = site.name(stem);
    let account = site.server.administrator.clone();
    let session = site.server.login(&account.name, &account.password, "postgres").await?;
    session.rows(&format!("CREATE ROLE {name} LOGIN PASSWORD 'before'")).await?;
    session.rows(&format!("CREATE DATABASE {name} CONNECTION LIMIT 2")).await?;
    session.rows(&format!("COMMENT ON DATABASE {name} IS 'our words'")).await?;
    site.rows(&name, "CREATE TABLE public.kept AS SELECT 7 AS a").await?;
    Ok(name)
}

#[tokio::test]
async fn what_is_adopted_keeps_its_content_follows_the_spec_and_goes_with_its_resource() {
    perform("adoption", async |site| {
        let name = existing(site, "old").await?;
        let (database, user) = (site.database("old"), site.user("old"));
        database.create(site.database_spec(&name, json!({}))).await?;
        user.create(site.user_spec(&name, json!({}))).await?;
        database.stopped(reason::ADOPTION_REQUIRED).await?;
        user.stopped(reason::ADOPTION_REQUIRED).await?;
        ensure!(site.takes(&name, "before", &name).await?, "the password was changed without being asked");

        user.change(json!({ "adoptionPolicy": "Adopt" })).await?;
        user.ready().await?;
        database
            .change(json!({ "adoptionPolicy": "Adopt", "owner": name, "postgres": { "connectionLimit": 6 } }))
            .await?;
        let status = database.ready().await?;
        ensure!(status["ownership"]["adopted"] == true, "{status}");
        site.event(&database, "Adopted", &name).await?;
        site.sees(&name, "SELECT a FROM public.kept", "7").await?;
        let facts =
            format!("SELECT datconnlimit || ' ' || pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'");
        site.sees("postgres", &facts, &format!("6 {name}")).await?;
        ensure!(site.database_comment(&name).await?.contains("nonce="), "it carries no mark");
        ensure!(!site.takes(&name, "before", &name).await?, "the former password still works");
        site.login(&format!("{name}-credentials"), &name).await?.rows("SELECT 1").await?;

        database.remove().await?;
        user.remove().await?;
        ensure!(!site.has_database(&name).await? && !site.has_role(&name).await?, "what was adopted stayed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn another_namespace_adopts_only_what_the_instance_lists() {
    let setting = Setting::instance(json!({ "allowedNamespaces": { "selector": {} } }));
    perform_in("adoption-listed", setting, async |site| {
        let name = existing(site, "listed").await?;
        let other = testkit::world::World::get().await?.namespace("adoption-other").await?;
        let (database, user) = (site.database_in(other.name(), "listed"), site.user_in(other.name(), "listed"));
        let reference = json!({ "name": site.instance.name, "namespace": site.shared.namespace.name() });
        let asking = json!({ "adoptionPolicy": "Adopt", "instanceRef": reference });
        database.create(site.database_spec(&name, asking.clone())).await?;
        user.create(site.user_spec(&name, asking)).await?;
        for (resource, list) in [(&database, annotation::ADOPT_DATABASES), (&user, annotation::ADOPT_USERS)] {
            let message = resource.stopped(reason::ADOPTION_REQUIRED).await?;
            ensure!(message.contains(list), "{message}");
        }
        site.instance.annotate(annotation::ADOPT_DATABASES, Some(&format!("x, {name}"))).await?;
        database.ready().await?;
        user.stopped(reason::ADOPTION_REQUIRED).await?;
        site.instance.annotate(annotation::ADOPT_USERS, Some(&name)).await?;
        user.ready().await?;
        user.remove().await?;
        database.remove().await
    })
    .await;
}

#[tokio::test]
async fn the_administrators_equal_is_adopted_only_where_the_ceiling_allows_superusers() {
    let scenario = async |site: &Site, allowed: bool| -> Result<()> {
        let name = site.name("mighty");
        site.rows("postgres", &format!("CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 'before'")).await?;
        let user = site.user("mighty");
        let spec = json!({ "adoptionPolicy": "Adopt", "postgres": { "superuser": allowed } });
        user.create(site.user_spec(&name, spec)).await?;
        if allowed {
            user.ready().await?;
            user.remove().await?;
        } else {
            let message = user.stopped(reason::PRIVILEGE_DENIED).await?;
            ensure!(message.contains("privilegeCeiling.superuser"), "{message}");
            user.remove().await?;
            ensure!(site.takes(&name, "before", "postgres").await?, "the password was changed");
            site.rows("postgres", &format!("DROP ROLE {name}")).await?;
        }
        Ok(())
    };
    perform_in("adoption-mighty", Setting::superuser(json!({})), async |site| scenario(site, false).await).await;
    let allowed = Setting::superuser(json!({ "privilegeCeiling": { "superuser": true } }));
    perform_in("adoption-allowed", allowed, async |site| scenario(site, true).await).await;
}

#[tokio::test]
async fn what_a_resource_left_behind_is_adopted_by_another_and_by_nobody_while_it_is_there() {
    perform("adoption-left", async |site| {
        let (first, user) = (site.database("first"), site.user("first"));
        let name = site.name("left");
        user.create(site.user_spec(&name, json!({}))).await?;
        user.ready().await?;
        first.create(site.database_spec(&name, json!({ "owner": name, "deletionPolicy": "Retain" }))).await?;
        first.ready().await?;
        site.rows(&name, "CREATE TABLE public.kept AS SELECT 7 AS a").await?;
        user.annotate(annotation::DELETION_POLICY, Some("Retain")).await?;

        let (second, heir, secret) = (site.database("second"), site.user("second"), site.name("heir"));
        second.create(site.database_spec(&name, json!({ "owner": name, "adoptionPolicy": "Adopt" }))).await?;
        let own_secret = json!({ "adoptionPolicy": "Adopt", "passwordSecret": { "secretName": secret } });
        heir.create(site.user_spec(&name, own_secret)).await?;
        second.stopped(reason::CONFLICT).await?;
        heir.stopped(reason::CONFLICT).await?;

        first.remove().await?;
        user.remove().await?;
        heir.ready().await?;
        let status = second.ready().await?;
        ensure!(status["ownership"]["adopted"] == true, "{status}");
        site.sees(&name, "SELECT a FROM public.kept", "7").await?;
        site.login(&secret, &name).await?.rows("SELECT 1").await?;
        // The former resource is one like any other now.
        first.create(site.database_spec(&name, json!({ "deletionPolicy": "Delete" }))).await?;
        first.stopped(reason::CONFLICT).await?;
        first.remove().await?;
        ensure!(site.has_database(&name).await?, "its former resource dropped it");
        second.remove().await?;
        heir.remove().await?;
        ensure!(!site.has_database(&name).await? && !site.has_role(&name).await?, "what was adopted stayed");
        Ok(())
    })
    .await;
}
