//! The statements of `initSQL`: where they come from, that they run once, what a failure means, and that they have
//! their owner's rights and no others.

use anyhow::{Context as _, Result, ensure};
use crds::names::{annotation, condition, reason};
use dbprovision_tests::theatre::{Resource, Setting, Site, perform, perform_in};
use serde_json::{Value, json};

/// A database with an owner of its own and this script.
async fn scripted(site: &Site, stem: &str, script: Value) -> Result<(Resource, String, String)> {
    let owner_stem = format!("{stem}owner");
    let (_, owner) = site.ready_user(&owner_stem, json!({})).await?;
    let (database, name) = (site.database(stem), site.name(stem));
    database.create(site.database_spec(&name, json!({ "owner": owner, "initSQL": script }))).await?;
    Ok((database, name, owner))
}

/// No temporary role is left by any script.
async fn nothing_is_left(site: &Site, database: &Resource) -> Result<()> {
    let status = database.status().await?;
    let nonce = status.pointer("/ownership/nonce").and_then(Value::as_str).context("no nonce")?;
    ensure!(!site.has_role(&format!("dbops_script_{nonce}")).await?, "the temporary role is still there");
    ensure!(!site.has_database(&format!("dbops_{nonce}")).await?, "the unfinished database is still there");
    Ok(())
}

#[tokio::test]
async fn statements_run_once_for_each_version_of_their_text_and_create_for_the_owner() {
    perform("init-once", async |site| {
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let (database, name) = site
            .ready_database(
                "inline",
                json!({
                    "owner": owner,
                    "driftPolicy": { "mode": "detect", "interval": "1s" },
                    "initSQL": { "inline": [
                        "CREATE TABLE public.log (word text DEFAULT current_user)",
                        "INSERT INTO public.log VALUES ('it''s; a -- \"word\"'); INSERT INTO public.log DEFAULT VALUES",
                    ] },
                }),
            )
            .await?;
        let status = database.status().await?;
        let first = status["initSQL"].clone();
        ensure!(first["applied"] == true && first["statementsExecuted"] == 2, "{status}");
        ensure!(
            first["hash"].as_str().is_some_and(|hash| hash.len() == 64) && first.get("error").is_none(),
            "{status}"
        );
        let words = "SELECT string_agg(word, '|' ORDER BY word) FROM public.log";
        let expected = format!("it's; a -- \"word\"|{owner}");
        site.sees(&name, words, &expected).await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'log'", &owner).await?;
        nothing_is_left(site, &database).await?;

        site.compared(&database).await?;
        database.change(json!({ "postgres": { "connectionLimit": 8 } })).await?;
        let status = database.ready().await?;
        ensure!(status["initSQL"] == first, "it ran again: {status}");
        site.sees(&name, words, &expected).await?;

        database.change(json!({ "initSQL": { "inline": ["INSERT INTO public.log VALUES ('zz')"] } })).await?;
        let status = database.ready().await?;
        ensure!(status["initSQL"]["hash"] != first["hash"] && status["initSQL"]["statementsExecuted"] == 1, "{status}");
        site.sees(&name, words, &format!("{expected}|zz")).await?;

        database.change(json!({ "initSQL": null })).await?;
        let status = database.ready().await?;
        ensure!(status.get("initSQL").is_none(), "{status}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn statements_run_again_in_a_database_that_is_created_anew() {
    perform("init-anew", async |site| {
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let script = ["CREATE TABLE public.log (word text)", "INSERT INTO public.log VALUES ('once')"];
        let (database, name) = site
            .ready_database(
                "anew",
                json!({
                    "owner": owner,
                    "driftPolicy": { "mode": "detect", "interval": "1s" },
                    "initSQL": { "inline": script },
                }),
            )
            .await?;
        let words = "SELECT string_agg(word, '|') FROM public.log";
        site.sees(&name, words, "once").await?;
        site.rows("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        // Its rows are there before the status says so.
        let again = "the script has run in the new database";
        database
            .eventually(again, async || {
                site.sees(&name, words, "once").await?;
                let status = database.ready().await?;
                let told = &status["initSQL"];
                ensure!(told["applied"] == true && told["statementsExecuted"] == 2, "{status}");
                Ok(())
            })
            .await?;
        nothing_is_left(site, &database).await
    })
    .await;
}

#[tokio::test]
async fn statements_come_from_a_config_map_or_a_secret_and_are_waited_for() {
    perform("init-sources", async |site| {
        let (map, secret) = (format!("script{}", site.label), format!("script{}", site.label));
        let from_map = json!({ "configMapRef": { "name": map, "key": "sql" } });
        let (database, name, owner) = scripted(site, "mapped", from_map).await?;
        let message = database.stopped(reason::CONFIG_MAP_NOT_FOUND).await?;
        ensure!(message.contains("spec.initSQL.configMapRef") && message.contains(&map), "{message}");
        ensure!(!site.has_database(&name).await?, "it was created before its script was there");
        let script = "CREATE TABLE one (a int);\nCREATE FUNCTION two() RETURNS text LANGUAGE sql AS $$ SELECT ';' $$;";
        site.create_config_map(&map, json!({ "sql": script })).await?;
        database.ready().await?;
        site.sees(&name, "SELECT public.two()", ";").await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'one'", &owner).await?;

        let from_secret = json!({ "secretRef": { "name": secret, "key": "sql" } });
        let (database, name, _) = scripted(site, "secret", from_secret).await?;
        let message = database.stopped(reason::SECRET_NOT_FOUND).await?;
        ensure!(message.contains("spec.initSQL.secretRef") && message.contains(&secret), "{message}");
        site.create_secret(&secret, json!({ "sql": "CREATE TABLE three AS SELECT 'a secret word' AS word" })).await?;
        database.ready().await?;
        site.sees(&name, "SELECT word FROM public.three", "a secret word").await?;
        let operator = site.shared.operator.read().await.log_text();
        ensure!(!operator.contains("a secret word"), "the operator's log has the script");

        let (private, hidden) = (format!("private{}", site.label), "hunter2hunter2");
        let failing = format!("SELECT 1; SELECT '{hidden}'::pg_catalog.int4");
        site.create_secret(&private, json!({ "sql": failing })).await?;
        let from_secret = json!({ "secretRef": { "name": private, "key": "sql" } });
        let (database, _, _) = scripted(site, "private", from_secret).await?;
        let (status, message) = database.shows(condition::READY, "False", reason::INIT_SQLFAILED).await?;
        ensure!(message.contains("statement 1") && message.contains("withheld"), "{message}");
        ensure!(!status.to_string().contains(hidden), "the status repeats the Secret: {status}");
        let operator = site.shared.operator.read().await.log_text();
        ensure!(!operator.contains(hidden), "the operator's log repeats the Secret");

        let both = site.database("both");
        let sources = json!({ "initSQL": { "inline": ["SELECT 1"], "configMapRef": { "name": map, "key": "sql" } } });
        let refusal = both.try_create(site.database_spec(&site.name("both"), sources), json!({})).await?;
        ensure!(refusal.is_err_and(|error| error.to_string().contains("exactly one of")), "two sources were accepted");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_blocks_or_is_only_reported() {
    perform("init-failure", async |site| {
        let failing = json!(["CREATE TABLE fine (a int)", "SELECT no_such_column", "CREATE TABLE never (a int)"]);
        let (database, name, _) = scripted(site, "blocked", json!({ "inline": failing })).await?;
        let (status, message) = database.shows(condition::READY, "False", reason::INIT_SQLFAILED).await?;
        ensure!(message.contains("statement 2") && message.contains("no_such_column"), "{message}");
        ensure!(status["initSQL"]["applied"] == false && status["initSQL"]["statementsExecuted"] == 1, "{status}");
        site.sees(&name, "SELECT count(*) FROM pg_tables WHERE tablename = 'never'", "0").await?;
        let corrected = json!(["CREATE TABLE IF NOT EXISTS fine (a int)", "CREATE TABLE never (a int)"]);
        database.change(json!({ "initSQL": { "inline": corrected } })).await?;
        let status = database.ready().await?;
        ensure!(status["initSQL"]["applied"] == true && status["initSQL"].get("error").is_none(), "{status}");
        nothing_is_left(site, &database).await?;

        let going_on = json!({ "inline": failing, "failurePolicy": "Continue" });
        let (database, name, _) = scripted(site, "reported", going_on).await?;
        let status = database.ready().await?;
        ensure!(status["initSQL"]["applied"] == false, "{status}");
        ensure!(status["initSQL"]["error"].as_str().is_some_and(|error| error.contains("no_such_column")), "{status}");
        site.sees(&name, "SELECT count(*) FROM pg_tables WHERE tablename = 'fine'", "1").await?;
        site.event(&database, "InitSQLFailed", "no_such_column").await?;

        let open = json!({ "inline": ["BEGIN", "CREATE TABLE kept (a int)"] });
        let (database, name, _) = scripted(site, "open", open).await?;
        database.ready().await?;
        site.sees(&name, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'", "1").await
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let setting = Setting::instance(json!({ "postgres": { "statementTimeout": "5s" } }));
    perform_in("init-slow", setting, async |site| {
        let slow = json!(["CREATE TABLE fine (a int)", "SELECT pg_sleep(600)"]);
        let (database, ..) = scripted(site, "slow", json!({ "inline": slow })).await?;
        let (_, message) = database.shows(condition::READY, "False", reason::INIT_SQLFAILED).await?;
        ensure!(message.contains("statement 2") && message.contains("longer than the statement timeout"), "{message}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_script_has_no_way_out_of_its_owners_rights() {
    perform("init-fence", async |site| {
        let administrator = &site.server.administrator.name;
        let evil = site.name("evil");
        let (_, other) = site.ready_user("other", json!({})).await?;
        let (_, foreign) = site.ready_database("foreign", json!({})).await?;
        let ways = [
            ("create", vec!["RESET ROLE".to_owned(), format!("CREATE ROLE {evil} SUPERUSER")]),
            ("login", vec!["RESET ROLE".to_owned(), format!("CREATE ROLE {evil} LOGIN")]),
            ("authid", vec!["RESET ROLE".to_owned(), "SELECT rolpassword FROM pg_catalog.pg_authid".to_owned()]),
            ("setrole", vec![format!("SET ROLE {administrator}")]),
            ("session", vec![format!("SET SESSION AUTHORIZATION {administrator}")]),
            ("other", vec!["RESET ROLE".to_owned(), format!("SET ROLE {other}")]),
            ("program", vec!["RESET ROLE".to_owned(), "COPY (SELECT 1) TO PROGRAM 'true'".to_owned()]),
            ("file", vec!["RESET ROLE".to_owned(), "SELECT pg_read_file('/etc/hostname')".to_owned()]),
            ("drop", vec!["RESET ROLE".to_owned(), "ROLLBACK".to_owned(), format!("DROP DATABASE {foreign}")]),
            ("password", vec!["RESET ROLE".to_owned(), format!("ALTER ROLE {administrator} PASSWORD 'x'")]),
            ("grant", vec!["RESET ROLE".to_owned(), format!("GRANT {administrator} TO CURRENT_USER")]),
            ("blocks", vec![format!("DO $$ BEGIN RESET ROLE; CREATE ROLE {evil}; END $$")]),
        ];
        for (stem, statements) in ways {
            let (database, _, _) = scripted(site, stem, json!({ "inline": statements })).await?;
            let (_, message) = database.shows(condition::READY, "False", reason::INIT_SQLFAILED).await?;
            ensure!(message.contains(&format!("statement {} of", statements.len())), "{stem}: {message}");
            ensure!(!site.has_role(&evil).await?, "{stem} created a role");
            nothing_is_left(site, &database).await?;
        }
        ensure!(site.has_database(&foreign).await?, "a script dropped a database");
        let administrator = site.server.administrator.clone();
        ensure!(site.takes(&administrator.name, &administrator.password, "postgres").await?, "the administrator is locked out");

        // What a script creates outside of its owner's name becomes the owner's all the same.
        let (database, name, owner) =
            scripted(site, "handed", json!({ "inline": ["CREATE SCHEMA s", "GRANT ALL ON SCHEMA s TO session_user", "RESET ROLE", "CREATE TABLE s.t (a int)"] })).await?;
        database.ready().await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 't'", &owner).await?;
        nothing_is_left(site, &database).await
    })
    .await;
}

#[tokio::test]
async fn a_leftover_of_a_killed_script_is_dropped() {
    perform("init-leftover", async |site| {
        let (database, name, owner) =
            scripted(site, "killed", json!({ "inline": ["CREATE TABLE one (a int)"] })).await?;
        let status = database.ready().await?;
        let fence = format!("dbops_script_{}", status["ownership"]["nonce"].as_str().context("no nonce")?);
        let comment = site.database_comment(&name).await?;
        let mark = comment.find("[dbops:1 ").and_then(|at| comment.get(at..)).context("no mark")?;
        let account = site.server.administrator.clone();
        let session = site.server.login(&account.name, &account.password, "postgres").await?;
        session
            .rows(&format!("CREATE ROLE {fence} LOGIN; COMMENT ON ROLE {fence} IS '{mark}'; GRANT {owner} TO {fence}"))
            .await?;
        site.rows(&name, &format!("CREATE TABLE left_behind (a int); ALTER TABLE left_behind OWNER TO {fence}"))
            .await?;
        database.change(json!({ "initSQL": { "inline": ["CREATE TABLE two (a int)"] } })).await?;
        database.ready().await?;
        nothing_is_left(site, &database).await?;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'left_behind'", &owner).await?;

        session.rows(&format!("CREATE ROLE {fence} LOGIN; COMMENT ON ROLE {fence} IS '{mark}'")).await?;
        database.change(json!({ "initSQL": null })).await?;
        database.ready().await?;
        nothing_is_left(site, &database).await?;

        session.rows(&format!("CREATE ROLE {fence} LOGIN; COMMENT ON ROLE {fence} IS '{mark}'")).await?;
        database.change(json!({ "deletionPolicy": "Retain" })).await?;
        database.remove().await?;
        ensure!(site.has_database(&name).await?, "it was to be retained");
        ensure!(!site.has_role(&fence).await?, "the temporary role outlived the resource that retains its database");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_script_runs_as_the_administrator_only_where_the_instance_allows_it() {
    perform("init-administrator", async |site| {
        let database = site.database("ownerless");
        let script = json!({ "initSQL": { "inline": ["CREATE TABLE one (a int)"] } });
        database.create(site.database_spec(&site.name("ownerless"), script)).await?;
        let (_, message) = database.shows(condition::READY, "False", reason::PRIVILEGE_DENIED).await?;
        ensure!(message.contains("spec.initSQL") && message.contains("initSQLAsAdmin"), "{message}");
        let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'one'";
        if site.has_database(&site.name("ownerless")).await? {
            site.sees(&site.name("ownerless"), tables, "0").await?;
        }
        Ok(())
    })
    .await;
    let allowed = Setting::instance(json!({ "privilegeCeiling": { "initSQLAsAdmin": true } }));
    perform_in("init-allowed", allowed, async |site| {
        let (_, name) =
            site.ready_database("allowed", json!({ "initSQL": { "inline": ["CREATE TABLE one (a int)"] } })).await?;
        let administrator = &site.server.administrator.name;
        site.sees(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'one'", administrator).await
    })
    .await;
}

/// A minute is what a call has otherwise.
#[tokio::test]
async fn a_script_does_not_run_as_an_owner_that_the_namespace_may_not_name() {
    let setting = Setting::instance(json!({ "allowedNamespaces": { "selector": {} } }));
    perform_in("init-owner", setting, async |site| {
        let (owner, name) = (site.name("landlord"), site.name("legacy"));
        let account = site.server.administrator.clone();
        let session = site.server.login(&account.name, &account.password, "postgres").await?;
        session.rows(&format!("CREATE ROLE {owner} LOGIN PASSWORD 'before'")).await?;
        session.rows(&format!("GRANT {owner} TO {}", account.name)).await?;
        session.rows(&format!("CREATE DATABASE {name} OWNER {owner}")).await?;
        site.instance.annotate(annotation::ADOPT_DATABASES, Some(&name)).await?;
        let other = testkit::world::World::get().await?.namespace("init-tenant").await?;
        let database = site.database_in(other.name(), "legacy");
        let asking = json!({
            "adoptionPolicy": "Adopt", "deletionPolicy": "Retain",
            "instanceRef": { "name": site.instance.name, "namespace": site.shared.namespace.name() },
            "initSQL": { "inline": [format!("ALTER ROLE {owner} PASSWORD 'mine'")] },
        });
        database.create(site.database_spec(&name, asking)).await?;
        let message = database.stopped(reason::CONSENT_MISSING).await?;
        ensure!(message.contains("spec.initSQL") && message.contains(&owner), "{message}");
        ensure!(site.takes(&owner, "before", &name).await?, "the script ran as its owner");
        database.remove().await?;
        site.rows("postgres", &format!("DROP DATABASE {name}")).await?;
        site.rows("postgres", &format!("DROP ROLE {owner}")).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_statement_has_as_long_as_the_instance_says() {
    let setting = Setting::instance(json!({ "postgres": { "statementTimeout": "2min" } }));
    perform_in("init-long", setting, async |site| {
        let script = json!({ "inline": ["SELECT pg_sleep(64)", "CREATE TABLE public.after_it (a int)"] });
        let (database, name, _) = scripted(site, "long", script).await?;
        // Others go on meanwhile.
        site.ready_user("beside", json!({})).await?;
        ensure!(database.status().await?["initSQL"]["applied"] != true, "it did not take long");
        database.ready().await?;
        site.sees(&name, "SELECT count(*) FROM pg_tables WHERE tablename = 'after_it'", "1").await?;
        nothing_is_left(site, &database).await
    })
    .await;
}
