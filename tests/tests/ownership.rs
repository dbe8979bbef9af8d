//! Whose an object is: what was not created here and not asked for is never altered or dropped, two claims on one
//! object have one winner, and a record that was lost is found again.

use anyhow::{Context as _, Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::theatre::{Setting, Site, literal, perform, perform_in_turn};
use serde_json::{Value, json};

#[path = "ownership/adoption.rs"]
mod adoption;
#[path = "ownership/belongings.rs"]
mod belongings;
#[path = "ownership/every_kind.rs"]
mod every_kind;
#[path = "ownership/tracking.rs"]
mod tracking;

/// Everything of a database and a role that an operator could have changed.
async fn portrait(site: &Site, name: &str) -> Result<Vec<Vec<Option<String>>>> {
    let of = literal(name);
    let mut rows = site
        .rows(
            "postgres",
            &format!("SELECT (d.oid, datdba, encoding, datconnlimit, datistemplate, datallowconn, dattablespace, datacl)::text, \
                 shobj_description(d.oid, 'pg_database') FROM pg_database d WHERE datname = {of}"),
        )
        .await?;
    rows.extend(
        site.rows(
            "postgres",
            &format!("SELECT a::text, shobj_description(a.oid, 'pg_authid') FROM pg_authid a WHERE rolname = {of}"),
        )
        .await?,
    );
    Ok(rows)
}

#[tokio::test]
async fn what_nobody_asked_to_adopt_is_never_altered_and_never_dropped() {
    perform("ownership-foreign", async |site| {
        let name = site.name("foreign");
        site.rows("postgres", &format!("CREATE ROLE {name} LOGIN PASSWORD 'theirs'")).await?;
        site.rows("postgres", &format!("CREATE DATABASE {name} OWNER {name} CONNECTION LIMIT 2")).await?;
        site.rows("postgres", &format!("COMMENT ON DATABASE {name} IS 'of ours'")).await?;
        let before = portrait(site, &name).await?;
        let (database, user) = (site.database("foreign"), site.user("foreign"));
        database.create(site.database_spec(&name, json!({ "postgres": { "connectionLimit": 9 } }))).await?;
        user.create(site.user_spec(&name, json!({}))).await?;
        for resource in [&database, &user] {
            let message = resource.stopped(reason::ADOPTION_REQUIRED).await?;
            ensure!(message.contains("adoptionPolicy"), "{message}");
        }
        ensure!(portrait(site, &name).await? == before, "it was changed: {:?}", portrait(site, &name).await?);
        ensure!(!site.has_secret(&format!("{name}-credentials")).await?, "a Secret claims to have its password");
        database.remove().await?;
        user.remove().await?;
        ensure!(portrait(site, &name).await? == before, "it was changed at the end");
        ensure!(site.takes(&name, "theirs", &name).await?, "its password was changed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_object_is_let_go_of_through_the_instance_that_its_resource_names_now() {
    perform("ownership-repointed", async |site| {
        let (user, name) = site.ready_user("moved", json!({})).await?;
        let second = site.again("second").await?;
        user.change(json!({ "instanceRef": { "name": second.name } })).await?;
        user.status_has("/ownership/instance/name", &json!(second.name)).await?;
        user.ready().await?;
        site.instance.delete().await?;
        site.instance.gone().await?;
        user.remove().await?;
        ensure!(!site.has_role(&name).await?, "{name} was left behind");
        Ok(())
    })
    .await;
}

/// Whoever runs a server says what the identities on it are: a record of one instance is no proof to another.
#[tokio::test]
async fn what_was_recorded_through_another_instance_is_no_claim_on_an_object_without_a_mark() {
    perform("ownership-lent", async |site| {
        let second = site.again("second").await?;
        let (user, name) = site.ready_user("lent", json!({ "instanceRef": { "name": second.name } })).await?;
        let (_, helper) = site.ready_user("helper", json!({})).await?;
        let grant = site.grant("lent");
        grant
            .create(json!({ "userRef": { "name": user.name }, "mode": "Authoritative", "postgres": { "grants": [] } }))
            .await?;
        grant.ready().await?;
        // As it would be there, were it somebody's who never asked for a resource.
        user.annotate(annotation::PAUSE_RECONCILE, Some("true")).await?;
        site.rows("postgres", &format!("COMMENT ON ROLE {name} IS NULL")).await?;
        let account = &site.server.administrator;
        let administrator = site.server.login(&account.name, &account.password, "postgres").await?;
        administrator.rows(&format!("GRANT {helper} TO {name}")).await?;
        user.change(json!({ "instanceRef": { "name": site.instance.name }, "postgres": { "connectionLimit": 3 } }))
            .await?;
        grant.change(json!({ "driftPolicy": { "mode": "correct" } })).await?;
        grant.stopped(reason::DEPENDENCY_MISSING).await?;
        user.annotate(annotation::PAUSE_RECONCILE, None).await?;
        user.stopped(reason::ADOPTION_REQUIRED).await?;
        let facts = format!(
            "SELECT rolconnlimit || ' ' || pg_has_role('{name}', '{helper}', 'member') FROM pg_roles \
             WHERE rolname = '{name}'"
        );
        site.sees("postgres", &facts, "-1 true").await?;
        user.change(json!({ "adoptionPolicy": "Adopt" })).await?;
        let status = user.ready().await?;
        ensure!(status["ownership"]["adopted"] == true, "{status}");
        grant.ready().await?;
        site.sees("postgres", &facts, "3 false").await?;
        grant.change(json!({ "deletionProtection": false })).await?;
        grant.remove().await?;
        user.remove().await
    })
    .await;
}

#[tokio::test]
async fn the_servers_own_objects_are_never_managed() {
    perform("ownership-system", async |site| {
        for name in ["postgres", "template0", "template1"] {
            let database = site.database(name);
            database.create(site.database_spec(name, json!({ "adoptionPolicy": "Adopt" }))).await?;
            database.refused(reason::INVALID_OPTIONS).await?;
            database.remove().await?;
            ensure!(site.has_database(name).await?, "{name} is gone");
        }
        for (stem, name) in [("predefined", "pg_monitor"), ("administrator", site.server.administrator.name.as_str())] {
            let user = site.user(stem);
            user.create(site.user_spec(name, json!({ "adoptionPolicy": "Adopt" }))).await?;
            user.refused(if stem == "predefined" { reason::INVALID_OPTIONS } else { reason::CONFLICT }).await?;
            user.remove().await?;
            ensure!(site.has_role(name).await?, "{name} is gone");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_later_of_two_claims_is_a_conflict_and_its_end_drops_nothing() {
    perform("ownership-conflict", async |site| {
        let (first, name) = site.ready_database("first", json!({ "postgres": { "connectionLimit": 4 } })).await?;
        let (account, username) = site.ready_user("account", json!({})).await?;
        let before = portrait(site, &name).await?;
        let password = site.password(&site.login_secret("account")).await?;

        let world = testkit::world::World::get().await?;
        let other = world.namespace("ownership-other").await?;
        site.elsewhere(other.name()).await?;
        let own = site.shared.namespace.name();
        for namespace in [own, other.name()] {
            // Asking for adoption does not help against an owner.
            let greedy = json!({ "adoptionPolicy": "Adopt", "postgres": { "connectionLimit": 5 } });
            let (database, user) = (site.database_in(namespace, "second"), site.user_in(namespace, "second"));
            database.create(site.database_spec(&name, greedy)).await?;
            user.create(site.user_spec(&username, json!({ "adoptionPolicy": "Adopt" }))).await?;
            for resource in [&database, &user] {
                let message = resource.stopped(reason::CONFLICT).await?;
                ensure!(
                    !message.contains(&first.name) && !message.contains(&account.name),
                    "{message} tells whose it is"
                );
                ensure!(namespace == own || !message.contains(own), "{message} tells whose it is");
                resource.remove().await?;
            }
            ensure!(portrait(site, &name).await? == before, "the loser in {namespace} changed it");
            ensure!(
                site.takes(&username, &password, "postgres").await?,
                "the loser in {namespace} changed the password"
            );
        }
        // An account and a companion of a database have one namespace of names.
        let greedy = site.database("greedy");
        let ownership = json!({ "autoOwnership": true, "roleName": username, "dropOnDelete": true });
        greedy
            .create(site.database_spec(&site.name("greedy"), json!({ "postgres": { "ownership": ownership } })))
            .await?;
        let message = greedy.stopped(reason::CONFLICT).await?;
        ensure!(message.contains("spec.postgres.ownership.roleName"), "{message}");
        ensure!(!site.has_database(&site.name("greedy")).await?, "a database was made that can have no owner");
        greedy.remove().await?;
        ensure!(site.takes(&username, &password, "postgres").await?, "the account was changed");

        first.remove().await?;
        account.remove().await?;
        ensure!(
            !site.has_database(&name).await? && !site.has_role(&username).await?,
            "the winner could not drop its own"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_mark_of_another_cluster_is_respected_even_where_adoption_is_asked_for() {
    perform("ownership-cluster", async |site| {
        let name = site.name("theirs");
        site.rows("postgres", &format!("CREATE DATABASE {name}")).await?;
        let mark = "[dbops:1 cluster=another;operator=default;kind=Database;namespace=team;name=app;nonce=1234;]";
        site.rows("postgres", &format!("COMMENT ON DATABASE {name} IS '{mark}'")).await?;
        let before = portrait(site, &name).await?;
        let database = site.database("theirs");
        database.create(site.database_spec(&name, json!({ "adoptionPolicy": "Adopt" }))).await?;
        database.stopped(reason::CONFLICT).await?;
        database.remove().await?;
        ensure!(portrait(site, &name).await? == before, "it was changed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_lost_status_is_found_again_by_the_mark() {
    // One server after the other: the operator is killed, so that nothing but the mark remembers.
    perform_in_turn("ownership-lost", Setting::default(), async |site| {
        let (database, name) = site.ready_database("lost", json!({})).await?;
        let (user, username) = site.ready_user("lostuser", json!({})).await?;
        let nonce = |status: &Value| status["ownership"]["nonce"].as_str().map(str::to_owned);
        let before = [nonce(&database.status().await?), nonce(&user.status().await?)];
        let portraits = [portrait(site, &name).await?, portrait(site, &username).await?];
        ensure!(before.iter().all(Option::is_some), "no nonce was recorded");
        site.shared.operator.write().await.kill()?;
        for resource in [&database, &user] {
            let nothing = json!({ "ownership": null, "conditions": null, "phase": null, "observedGeneration": null,
                "passwordFingerprint": null, "secret": null, "user": null, "database": null });
            resource.damage_status(nothing).await?;
        }
        site.shared.operator.write().await.restart().await?;
        let after = [nonce(&database.ready().await?), nonce(&user.ready().await?)];
        ensure!(after == before, "the nonces were {before:?} and are {after:?}");
        let [before, after] = [&portraits[0], &portrait(site, &name).await?];
        ensure!(before == after, "the database was {before:?} and is {after:?}");
        site.login(&site.login_secret("lostuser"), "postgres").await?;
        database.remove().await?;
        user.remove().await?;
        ensure!(!site.has_database(&name).await? && !site.has_role(&username).await?, "what was found again stayed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_mark_that_the_owner_rewrote_is_written_again() {
    perform("ownership-mark", async |site| {
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let often = json!({ "owner": owner, "driftPolicy": { "mode": "detect", "interval": "1s" } });
        let (database, name) = site.ready_database("rewritten", often).await?;
        let nonce = database.status().await?["ownership"]["nonce"].as_str().context("no nonce")?.to_owned();
        let session = site.login(&site.login_secret("owner"), &name).await?;
        let forged =
            format!("[dbops:1 cluster=x;operator=default;kind=Database;namespace=other;name=other;nonce={nonce};]");
        for words in ["mine", "", forged.as_str()] {
            session.rows(&format!("COMMENT ON DATABASE {name} IS '{words}'")).await?;
            database
                .eventually("the mark is back", async || {
                    let comment = site.database_comment(&name).await?;
                    let whole = format!("name={};nonce={nonce};]", database.name);
                    ensure!(comment.ends_with(&whole), "the comment is {comment:?}");
                    Ok(())
                })
                .await?;
        }
        database.ready().await?;
        session.rows(&format!("COMMENT ON DATABASE {name} IS NULL")).await?;
        database.remove().await?;
        ensure!(!site.has_database(&name).await?, "without its mark it stayed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_was_dropped_by_hand_is_created_again() {
    perform("ownership-vanished", async |site| {
        let often = json!({ "mode": "detect", "interval": "1s" });
        let (user, username) = site.ready_user("vanishing", json!({ "driftPolicy": often })).await?;
        let (database, name) = site
            .ready_database(
                "vanishing",
                json!({ "owner": username, "driftPolicy": often,
                "postgres": { "schemas": [{ "name": "app" }], "connectionLimit": 4 } }),
            )
            .await?;
        site.rows("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        site.rows("postgres", &format!("DROP ROLE {username}")).await?;
        user.eventually("the account works again", async || {
            site.login(&site.login_secret("vanishing"), "postgres").await.map(drop)
        })
        .await?;
        database
            .eventually("the database is whole again", async || {
                site.sees(&name, "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'", "1").await?;
                let sql = "SELECT datconnlimit FROM pg_database WHERE datname = current_database()";
                site.sees(&name, sql, "4").await
            })
            .await?;
        site.event(&database, "DriftDetected", "vanished").await?;
        database.ready().await?;
        user.ready().await?;
        // Another's object under the name of what vanished is another's.
        let (gone, gone_name) = site.ready_database("replaced", json!({ "driftPolicy": often })).await?;
        site.rows("postgres", &format!("DROP DATABASE {gone_name} WITH (FORCE)")).await?;
        site.rows("postgres", &format!("CREATE DATABASE {gone_name} CONNECTION LIMIT 3")).await.or_else(|error| {
            // The operator may have been faster; then there is nothing to show here.
            if format!("{error:#}").contains("already exists") { Ok(Vec::new()) } else { Err(error) }
        })?;
        let foreign = site.database_comment(&gone_name).await?.is_empty();
        gone.remove().await?;
        ensure!(site.has_database(&gone_name).await? == foreign, "foreign: {foreign}");
        Ok(())
    })
    .await;
}
