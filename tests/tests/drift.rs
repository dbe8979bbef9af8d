//! What happens where a server differs from an unchanged spec: ignored, reported or repaired, as the policy says.

use anyhow::ensure;
use crds::names::{annotation, reason};
use dbprovision_tests::theatre::{Setting, Site, literal, perform, perform_in};
use serde_json::{Value, json};

fn policy(mode: &str) -> Value {
    json!({ "mode": mode, "interval": "1s" })
}

#[tokio::test]
async fn after_a_spec_with_every_field_was_applied_nothing_differs() {
    let ceiling = json!({ "privilegeCeiling": { "superuser": true, "replication": true, "bypassRLS": true, "createRole": true } });
    perform_in("drift-none", Setting::superuser(ceiling), async |site| {
        let (role, reader) = (site.name("role"), site.name("reader"));
        site.rows("postgres", &format!("CREATE ROLE {role}; CREATE ROLE {reader}")).await?;
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let (user, _) = site
            .ready_user("full", json!({
                "driftPolicy": policy("detect"),
                "roles": [role],
                "postgres": {
                    "connectionLimit": 5, "validUntil": "2031-02-03 04:05:06+02", "superuser": false, "createDB": true,
                    "createRole": true, "inherit": true, "login": true, "replication": true, "bypassRLS": true,
                    "inRoles": [reader], "defaultRole": role,
                    "configParameters": {
                        "search_path": "\"$user\", public", "statement_timeout": "90s", "work_mem": "8192kB",
                        "DateStyle": "ISO, DMY", "TimeZone": "Europe/Berlin", "app.tenant": "it's",
                        "session_preload_libraries": "",
                    },
                },
            }))
            .await?;
        let (database, name) = site
            .ready_database("whole", json!({
                "driftPolicy": policy("detect"),
                "owner": owner,
                "postgres": {
                    "encoding": "utf-8", "lcCollate": "C", "lcCtype": "C", "tablespace": "pg_default",
                    "template": "template0", "connectionLimit": 11, "isTemplate": true, "allowConnections": true,
                    "extensions": [{ "name": "hstore", "schema": "public", "version": "1.5" }, { "name": "citext" }],
                    "schemas": [{ "name": "app", "owner": role }, { "name": "public" }],
                    "defaultPrivileges": [
                        { "role": owner, "grantee": reader, "schema": "app", "objectType": "tables", "privileges": ["ALL"] },
                        { "role": owner, "grantee": reader, "schema": "app", "objectType": "sequences", "privileges": ["USAGE", "SELECT"] },
                        { "role": owner, "grantee": "PUBLIC", "schema": "app", "objectType": "functions", "privileges": ["EXECUTE"] },
                        { "role": owner, "grantee": reader, "schema": "app", "objectType": "types", "privileges": ["USAGE"] },
                        { "role": owner, "schema": "app", "objectType": "tables", "privileges": ["SELECT"] },
                    ],
                },
            }))
            .await?;
        let (companion, _) = site
            .ready_database("companion", json!({
                "driftPolicy": policy("detect"), "postgres": { "ownership": { "autoOwnership": true } },
            }))
            .await?;
        for resource in [&user, &database, &companion] {
            let differs = site.compared(resource).await?;
            let status = resource.status().await?;
            ensure!(!differs && status["drift"]["detected"] == false, "{resource} of {name}: {}", status["drift"]);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn drift_is_detected_with_its_difference_and_left_alone_until_the_spec_changes() {
    perform("drift-detect", async |site| {
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let (database, name) = site
            .ready_database("watched", json!({
                "owner": owner,
                "driftPolicy": policy("detect"),
                "postgres": { "connectionLimit": 5, "schemas": [{ "name": "app" }], "extensions": [{ "name": "hstore" }] },
            }))
            .await?;
        site.rows("postgres", &format!("ALTER DATABASE {name} CONNECTION LIMIT 6")).await?;
        site.rows(&name, "DROP SCHEMA app; DROP EXTENSION hstore").await?;
        database.status_has("/drift/detected", &json!(true)).await?;
        database.shows("Synced", "False", reason::DRIFT_DETECTED).await?;
        database.shows("Ready", "True", reason::RECONCILE_SUCCESS).await?;
        site.event(&database, "DriftDetected", "spec.postgres.connectionLimit").await?;
        let drift = database.status().await?["drift"].clone();
        let diffs = drift["diffs"].as_array().cloned().unwrap_or_default();
        let of = |field: &str| diffs.iter().find(|diff| diff["field"] == field).cloned().unwrap_or_default();
        let limit = of("spec.postgres.connectionLimit");
        ensure!(limit["expected"] == "5" && limit["actual"] == "6" && limit["destructive"] == false, "{drift}");
        ensure!(of("spec.postgres.schemas[0].name")["actual"] == "absent", "{drift}");
        ensure!(of("spec.postgres.extensions[0]")["actual"] == "absent", "{drift}");
        let limit = format!("SELECT datconnlimit FROM pg_database WHERE datname = '{name}'");
        site.sees("postgres", &limit, "6").await?;

        // A change of the spec is applied as a whole, whatever the policy.
        database.change(json!({ "postgres": { "isTemplate": true } })).await?;
        let status = database.ready().await?;
        ensure!(status["drift"]["detected"] == false, "{status}");
        site.sees("postgres", &limit, "5").await?;
        site.sees(&name, "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'", "1").await
    })
    .await;
}

#[tokio::test]
async fn drift_is_corrected_where_the_policy_says_so() {
    perform("drift-correct", async |site| {
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let (database, name) = site
            .ready_database("kept", json!({
                "owner": owner,
                "driftPolicy": policy("correct"),
                "postgres": { "connectionLimit": 5, "schemas": [{ "name": "app" }] },
            }))
            .await?;
        site.rows("postgres", &format!("ALTER DATABASE {name} CONNECTION LIMIT 6 IS_TEMPLATE true")).await?;
        site.rows(&name, "DROP SCHEMA app").await?;
        corrected(site, &database, "postgres", &format!("SELECT datconnlimit, datistemplate FROM pg_database WHERE datname = '{name}'"), &["5", "f"]).await?;
        corrected(site, &database, &name, "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'", &["1"]).await?;
        database.status_has("/drift/detected", &json!(false)).await?;
        site.event(&database, "DriftCorrected", "spec.postgres.connectionLimit").await?;

        let (user, account) = site
            .ready_user("account", json!({
                "driftPolicy": policy("correct"),
                "postgres": { "connectionLimit": 3, "configParameters": { "work_mem": "5MB" } },
            }))
            .await?;
        site.rows("postgres", &format!("ALTER ROLE {account} NOLOGIN CONNECTION LIMIT 9; ALTER ROLE {account} SET work_mem = '6MB'")).await?;
        let sql = format!("SELECT rolcanlogin, rolconnlimit, array_to_string(rolconfig, ';') FROM pg_roles WHERE rolname = '{account}'");
        corrected(site, &user, "postgres", &sql, &["t", "3", "work_mem=5MB"]).await?;
        site.rows("postgres", &format!("COMMENT ON DATABASE {name} IS 'mine now'")).await?;
        let comment = format!("SELECT shobj_description(oid, 'pg_database') LIKE 'managed-by:%nonce=%' FROM pg_database WHERE datname = '{name}'");
        corrected(site, &database, "postgres", &comment, &["t"]).await
    })
    .await;
}

async fn corrected(
    site: &Site,
    resource: &dbprovision_tests::theatre::Resource,
    database: &str,
    sql: &str,
    expected: &[&str],
) -> anyhow::Result<()> {
    let expected: Vec<_> = expected.iter().map(|cell| Some((*cell).to_owned())).collect();
    resource
        .eventually(&format!("{expected:?} is answered to {sql}"), async || {
            let found = site.rows(database, sql).await?;
            ensure!(found == std::slice::from_ref(&expected), "it is {found:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_correction_that_takes_something_away_needs_the_annotation() {
    perform("drift-destructive", async |site| {
        let (_, group) = site.ready_user("group", json!({ "postgres": { "login": false } })).await?;
        let (user, name) = site.ready_user("powerful", json!({ "driftPolicy": policy("correct") })).await?;
        let administrator = site.server.administrator.clone();
        let session = site.server.login(&administrator.name, &administrator.password, "postgres").await?;
        session.rows(&format!("ALTER ROLE {name} CREATEDB CONNECTION LIMIT 4; GRANT {group} TO {name}")).await?;
        // What takes nothing away is corrected, which also shows that the operator has looked.
        let limit = format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{name}'");
        corrected(site, &user, "postgres", &limit, &["-1"]).await?;
        let status = user.status_has("/drift/detected", &json!(true)).await?;
        let diffs = status["drift"]["diffs"].as_array().cloned().unwrap_or_default();
        let [diff] = diffs.as_slice() else { anyhow::bail!("not one difference: {status}") };
        ensure!(diff["field"] == "spec.postgres.createDB" && diff["destructive"] == true, "{status}");
        let rights = format!(
            "SELECT rolcreatedb, pg_has_role('{name}', '{group}', 'member') FROM pg_roles WHERE rolname = '{name}'"
        );
        corrected(site, &user, "postgres", &rights, &["t", "t"]).await?;
        user.annotate(annotation::ALLOW_DESTRUCTIVE_DRIFT, Some("true")).await?;
        // A membership that somebody else gave is no drift: it may be a grant's.
        corrected(site, &user, "postgres", &rights, &["f", "t"]).await?;
        user.status_has("/drift/detected", &json!(false)).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn ignored_drift_is_neither_reported_nor_corrected() {
    perform("drift-ignore", async |site| {
        let (database, name) = site.ready_database("ignored", json!({ "driftPolicy": policy("ignore") })).await?;
        site.rows("postgres", &format!("ALTER DATABASE {name} CONNECTION LIMIT 6")).await?;
        // Another that is looked at as often shows that the time has come and gone.
        let (other, other_name) = site.ready_database("other", json!({ "driftPolicy": policy("correct") })).await?;
        let limit = |name: &str| format!("SELECT datconnlimit FROM pg_database WHERE datname = {}", literal(name));
        for round in 1..3 {
            site.rows("postgres", &format!("ALTER DATABASE {other_name} CONNECTION LIMIT {round}")).await?;
            corrected(site, &other, "postgres", &limit(&other_name), &["-1"]).await?;
        }
        site.sees("postgres", &limit(&name), "6").await?;
        let status = database.status().await?;
        ensure!(status.get("drift").is_none(), "{status}");
        database.ready().await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn the_instances_policy_holds_for_resources_that_state_none() {
    let setting = Setting::instance(json!({ "driftPolicy": policy("correct") }));
    perform_in("drift-of-instance", setting, async |site| {
        let (database, name) = site.ready_database("inherits", json!({})).await?;
        site.rows("postgres", &format!("ALTER DATABASE {name} CONNECTION LIMIT 6")).await?;
        corrected(
            site,
            &database,
            "postgres",
            &format!("SELECT datconnlimit FROM pg_database WHERE datname = '{name}'"),
            &["-1"],
        )
        .await
    })
    .await;
}

#[tokio::test]
async fn a_password_that_was_changed_behind_our_back_is_found_and_set_again() {
    perform("drift-password", async |site| {
        let (user, name) = site.ready_user("locked", json!({ "driftPolicy": policy("correct") })).await?;
        let (watched, watched_name) = site.ready_user("watched", json!({ "driftPolicy": policy("detect") })).await?;
        let secrets = [site.login_secret("locked"), site.login_secret("watched")];
        let passwords = [site.password(&secrets[0]).await?, site.password(&secrets[1]).await?];
        for account in [&name, &watched_name] {
            site.rows("postgres", &format!("ALTER ROLE {account} PASSWORD 'behind our back'")).await?;
        }
        user.eventually("the Secret's password works again", async || {
            ensure!(site.takes(&name, &passwords[0], "postgres").await?, "it does not");
            Ok(())
        })
        .await?;
        ensure!(site.password(&secrets[0]).await? == passwords[0], "the password was replaced");
        ensure!(!site.takes(&name, "behind our back", "postgres").await?, "the other password still works");

        let status = watched.status_has("/drift/detected", &json!(true)).await?;
        ensure!(status["drift"]["diffs"][0]["field"] == "spec.passwordSecret", "{status}");
        ensure!(site.takes(&watched_name, "behind our back", "postgres").await?, "it was corrected");
        watched.change(json!({ "driftPolicy": { "mode": "correct" } })).await?;
        watched
            .eventually("the Secret's password works again", async || {
                ensure!(site.takes(&watched_name, &passwords[1], "postgres").await?, "it does not");
                Ok(())
            })
            .await?;
        watched.status_has("/drift/detected", &json!(false)).await?;
        site.keeps_quiet_about(&[&passwords[0], &passwords[1]]).await
    })
    .await;
}
