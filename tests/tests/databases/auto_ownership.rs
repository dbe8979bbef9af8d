//! The owner role and the application user that come with a database.

use anyhow::{Context as _, Result, ensure};
use crds::names::reason;
use dbprovision_tests::theatre::{Site, perform};
use serde_json::json;

#[tokio::test]
async fn both_companions_can_create_and_use_what_is_in_their_database() {
    perform("auto-ownership", async |site| {
        let (role, user) = (site.name("holder"), site.name("web"));
        let (database, name) = site
            .ready_database(
                "shop",
                json!({ "postgres": { "ownership": {
                "autoOwnership": true, "roleName": role, "userName": user,
            } } }),
            )
            .await?;
        site.sees(
            "postgres",
            &format!("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'"),
            &role,
        )
        .await?;
        site.sees("postgres", &format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}'"), "f").await?;
        site.sees("postgres", &format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{user}'"), "t").await?;
        site.sees("postgres", &format!("SELECT pg_has_role('{user}', '{role}', 'member')"), "t").await?;
        for account in [&role, &user] {
            let comment = site.role_comment(account).await?;
            ensure!(comment.contains("kind=Database;"), "{account} carries {comment:?}");
        }

        let secret = format!("{}-{user}", database.name);
        let found = site.secret(&secret).await?;
        let owner = found.metadata.owner_references.iter().flatten().next().context("the Secret has no owner")?;
        ensure!(owner.uid == database.uid().await? && owner.kind == "Database", "{owner:?}");
        let data = site.secret_data(&secret).await?;
        ensure!(data.keys().collect::<Vec<_>>() == ["host", "password", "port", "username"], "{:?}", data.keys());
        ensure!(data["username"] == user, "the Secret is of {}", data["username"]);

        let session = site.login(&secret, &name).await?;
        session
            .rows("CREATE TABLE public.kept (a int); INSERT INTO public.kept VALUES (1); CREATE SCHEMA mine")
            .await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'kept'", &role).await?;
        // As itself it creates for the owner role too.
        session
            .rows("RESET ROLE; SET ROLE NONE; CREATE TABLE mine.own (a int); INSERT INTO mine.own VALUES (2)")
            .await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'own'", &user).await?;
        let as_role = format!(
            "SET ROLE {role}; UPDATE mine.own SET a = 3; CREATE TABLE mine.roles (a int); SELECT a FROM mine.own"
        );
        let rows = site.rows(&name, &as_role).await?;
        ensure!(rows == [[Some("3".to_owned())]], "the owner role sees {rows:?}");
        session.rows("INSERT INTO mine.roles VALUES (4)").await?;

        let status = database.status().await?;
        let companions = status["ownership"]["companions"].to_string();
        ensure!(companions.contains(&role) && companions.contains(&user), "{status}");
        let password = site.password(&secret).await?;
        site.keeps_quiet_about(&[&password]).await
    })
    .await;
}

#[tokio::test]
async fn a_companions_secret_that_was_deleted_or_damaged_is_made_whole_and_works() {
    perform("auto-ownership-secret", async |site| {
        let user = site.name("web");
        let (database, name) = site
            .ready_database("mend", json!({ "postgres": { "ownership": { "autoOwnership": true, "userName": user } } }))
            .await?;
        let secret = format!("{}-{user}", database.name);
        let logs_in = async |what: &str| {
            database
                .eventually(what, async || {
                    site.login(&secret, &name).await?.rows("SELECT 1").await?;
                    Ok(())
                })
                .await
        };
        logs_in("the first login").await?;
        let first = site.password(&secret).await?;
        site.delete_secret(&secret).await?;
        logs_in("a login after the Secret was deleted").await?;
        ensure!(site.password(&secret).await? != first, "the password of a deleted Secret came back");
        site.event(&database, "SecretRegenerated", "made again").await?;
        site.change_secret(&secret, [("password", None), ("port", Some("1"))].into()).await?;
        logs_in("a login after the Secret was damaged").await
    })
    .await;
}

#[tokio::test]
async fn a_companion_that_was_dropped_comes_back_with_the_password_of_its_secret() {
    perform("auto-ownership-drift", async |site| {
        let user = site.name("web");
        let more = json!({
            "driftPolicy": { "mode": "correct", "interval": "1s" },
            "postgres": { "ownership": { "autoOwnership": true, "userName": user } },
        });
        let (database, name) = site.ready_database("fall", more).await?;
        let secret = format!("{}-{user}", database.name);
        let password = site.password(&secret).await?;
        site.rows(&name, &format!("DROP OWNED BY {user}")).await?;
        site.rows("postgres", &format!("DROP ROLE {user}")).await?;
        database
            .eventually("the account works again", async || {
                site.login(&secret, &name).await?.rows("SELECT 1").await.map(drop)
            })
            .await?;
        ensure!(site.password(&secret).await? == password, "the password was changed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn companions_keep_the_names_they_were_made_with() {
    perform("auto-ownership-names", async |site| {
        let (first, second) = (site.name("first"), site.name("second"));
        let ownership =
            |user: &str| json!({ "postgres": { "ownership": { "autoOwnership": true, "userName": user } } });
        let (database, _) = site.ready_database("named", ownership(&first)).await?;
        database.change(ownership(&second)).await?;
        let message = database.refused(reason::IMMUTABLE).await?;
        ensure!(message.contains(&first) && message.contains(&second), "{message}");
        ensure!(!site.has_role(&second).await?, "{second} was made all the same");
        database.change(ownership(&first)).await?;
        database.ready().await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn companions_go_with_their_database_only_where_the_spec_says_so() {
    perform("auto-ownership-end", async |site| {
        for goes in [true, false] {
            let stem = if goes { "goes" } else { "stays" };
            let (role, user) = (site.name(&format!("{stem}role")), site.name(&format!("{stem}user")));
            let ownership = json!({ "autoOwnership": true, "roleName": role, "userName": user, "dropOnDelete": goes });
            let (database, name) = site.ready_database(stem, json!({ "postgres": { "ownership": ownership } })).await?;
            database.remove().await?;
            ensure!(!site.has_database(&name).await?, "{name} is still there");
            for account in [role, user] {
                ensure!(
                    site.has_role(&account).await? != goes,
                    "dropOnDelete is {goes}, and {account} is there: {}",
                    !goes
                );
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn companions_without_default_privileges_own_what_they_create() {
    perform("auto-ownership-plain", async |site| {
        let user = site.name("web");
        let ownership = json!({ "autoOwnership": true, "userName": user, "setDefaultPrivileges": false });
        let (database, name) = site.ready_database("bare", json!({ "postgres": { "ownership": ownership } })).await?;
        owner_of_new_table_is(site, &format!("{}-{user}", database.name), &name, "first", &user).await?;
        database.change(json!({ "postgres": { "ownership": { "setDefaultPrivileges": true } } })).await?;
        database.ready().await?;
        let role = format!("db_{name}_owner");
        owner_of_new_table_is(site, &format!("{}-{user}", database.name), &name, "second", &role).await
    })
    .await;
}

async fn owner_of_new_table_is(site: &Site, secret: &str, database: &str, table: &str, expected: &str) -> Result<()> {
    site.login(secret, database).await?.rows(&format!("CREATE TABLE public.{table} (a int)")).await?;
    site.sees(database, &format!("SELECT tableowner FROM pg_tables WHERE tablename = '{table}'"), expected).await
}

#[tokio::test]
async fn a_database_that_is_made_again_has_the_companions_that_stayed() {
    perform("auto-ownership-again", async |site| {
        let (role, user) = (site.name("holder"), site.name("web"));
        let more = json!({
            "postgres": { "ownership": { "autoOwnership": true, "roleName": role, "userName": user } },
        });
        let (database, name) = site.ready_database("again", more.clone()).await?;
        database.remove().await?;
        ensure!(site.has_role(&role).await? && site.has_role(&user).await?, "they went without being asked to");
        let secret = format!("{}-{user}", database.name);
        // As the cluster's garbage collector does, which is not there.
        site.delete_secret(&secret).await?;
        database.create(site.database_spec(&name, more)).await?;
        database.ready().await?;
        site.login(&secret, &name).await?.rows("CREATE TABLE public.kept (a int)").await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'kept'", &role).await?;
        database.change(json!({ "postgres": { "ownership": { "dropOnDelete": true } } })).await?;
        database.ready().await?;
        database.remove().await?;
        ensure!(!site.has_role(&role).await? && !site.has_role(&user).await?, "they stayed");
        Ok(())
    })
    .await;
}
