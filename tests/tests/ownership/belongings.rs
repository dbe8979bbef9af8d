//! A user who owns something: its deletion waits and says for what, and no way of going on loses a table.

use anyhow::{Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::theatre::{Resource, Site, perform};
use serde_json::json;

/// A user with a table in a database of somebody else; both exist.
async fn owner_of_a_table(site: &Site, stem: &str) -> Result<(Resource, String, String, String)> {
    let (_, landlord) = site.ready_user(&format!("{stem}lord"), json!({})).await?;
    let (_, database) = site.ready_database(&format!("{stem}home"), json!({ "owner": landlord })).await?;
    let (user, name) = site.ready_user(stem, json!({})).await?;
    site.rows(&database, &format!("GRANT CREATE ON SCHEMA public TO {name}")).await?;
    let session = site.login(&site.login_secret(stem), &database).await?;
    session.rows("CREATE TABLE public.precious AS SELECT 42 AS a; CREATE VIEW public.glance AS SELECT 1 AS b").await?;
    Ok((user, name, database, landlord))
}

#[tokio::test]
async fn a_user_who_owns_tables_stays_and_its_status_lists_them() {
    perform("belongings-block", async |site| {
        let (user, name, database, landlord) = owner_of_a_table(site, "tenant").await?;
        user.delete().await?;
        let status = user.status_has("/ownershipBlock/blocked", &json!(true)).await?;
        let objects = status["ownershipBlock"]["ownedObjects"].as_array().cloned().unwrap_or_default();
        let table = json!({ "database": database, "schema": "public", "name": "precious", "type": "table" });
        ensure!(objects.contains(&table) && objects.len() >= 2, "{status}");
        let resolution = status["ownershipBlock"]["resolution"].as_str().unwrap_or_default();
        ensure!(resolution.contains("to another role") && resolution.contains(annotation::FORCE_DELETE), "{status}");
        ensure!(status["conditions"].to_string().contains(reason::OWNERSHIP_BLOCKS), "{status}");
        ensure!(site.has_role(&name).await?, "{name} was dropped");
        site.sees(&database, "SELECT a FROM public.precious", "42").await?;

        site.rows(&database, &format!("REASSIGN OWNED BY {name} TO {landlord}")).await?;
        user.gone().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");
        site.sees(&database, "SELECT a FROM public.precious", "42").await
    })
    .await;
}

#[tokio::test]
async fn a_forced_deletion_gives_the_tables_to_the_databases_owner() {
    perform("belongings-force", async |site| {
        let (user, name, database, landlord) = owner_of_a_table(site, "evicted").await?;
        user.annotate(annotation::FORCE_DELETE, Some("true")).await?;
        user.remove().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");
        site.sees(&database, "SELECT a FROM public.precious", "42").await?;
        site.sees(&database, "SELECT tableowner FROM pg_tables WHERE tablename = 'precious'", &landlord).await?;
        site.sees(&database, "SELECT viewowner FROM pg_views WHERE viewname = 'glance'", &landlord).await
    })
    .await;
}

#[tokio::test]
async fn a_user_who_owns_a_database_stays_as_long_as_it_does() {
    perform("belongings-database", async |site| {
        let (user, name) = site.ready_user("owner", json!({})).await?;
        let (database, database_name) = site.ready_database("home", json!({ "owner": name })).await?;
        user.delete().await?;
        let status = user.status_has("/ownershipBlock/blocked", &json!(true)).await?;
        ensure!(status["ownershipBlock"].to_string().contains(&database_name), "{status}");
        ensure!(site.has_role(&name).await?, "{name} was dropped");
        database.remove().await?;
        user.gone().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");
        Ok(())
    })
    .await;
}

/// Views and functions run with the rights of whoever owns them.
#[tokio::test]
async fn a_forced_deletion_gives_nothing_to_whom_another_namespace_or_nobody_manages() {
    perform("belongings-foreign", async |site| {
        let administrators = site.ready_database("plain", json!({})).await?.1;
        let (user, name) = site.ready_user("schemer", json!({})).await?;
        site.rows(&administrators, &format!("CREATE SCHEMA lair AUTHORIZATION {name}")).await?;
        let session = site.login(&site.login_secret("schemer"), &administrators).await?;
        let trap =
            "CREATE FUNCTION lair.trap() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'";
        session.rows(trap).await?;
        user.annotate(annotation::FORCE_DELETE, Some("true")).await?;
        user.remove().await?;
        site.event(&user, "DeleteFailed", "must not get them").await?;
        site.sees(&administrators, "SELECT lair.trap()", &name).await?;
        let login = format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'");
        site.sees("postgres", &login, "f").await?;
        site.rows(&administrators, &format!("DROP OWNED BY {name}")).await?;
        site.rows("postgres", &format!("DROP ROLE {name}")).await.map(drop)
    })
    .await;
}
