//! Databases that cannot be served: each refusal names its field, and nothing of the resource is applied.

use anyhow::ensure;
use crds::names::{condition, reason};
use dbprovision_tests::theatre::perform;
use serde_json::{Value, json};

#[tokio::test]
async fn an_option_that_is_fixed_at_creation_is_reported_and_the_rest_is_applied() {
    perform("database-immutable", async |site| {
        let (database, name) = site
            .ready_database("fixed", json!({ "postgres": { "encoding": "LATIN1", "lcCollate": "C", "lcCtype": "C" } }))
            .await?;
        database
            .change(json!({ "postgres": { "encoding": "UTF8", "lcCollate": "C.UTF-8", "connectionLimit": 9 } }))
            .await?;
        let (status, message) = database.shows(condition::SYNCED, "False", reason::IMMUTABLE).await?;
        // Not accepted would say that nothing was applied.
        database.shows(condition::ACCEPTED, "True", reason::ACCEPTED).await?;
        ensure!(message.contains("spec.postgres.encoding") && message.contains("spec.postgres.lcCollate"), "{message}");
        let diffs = status["drift"]["diffs"].as_array().cloned().unwrap_or_default();
        let encoding = diffs.iter().find(|diff| diff["field"] == "spec.postgres.encoding").cloned().unwrap_or_default();
        let expected = json!({ "field": "spec.postgres.encoding", "expected": "UTF8", "actual": "LATIN1",
            "destructive": false, "immutable": true });
        ensure!(encoding == expected, "{status}");
        site.sees("postgres", &format!("SELECT datconnlimit FROM pg_database WHERE datname = '{name}'"), "9").await?;
        site.sees(
            "postgres",
            &format!("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = '{name}'"),
            "LATIN1",
        )
        .await?;

        database.change(json!({ "postgres": { "encoding": "LATIN1", "lcCollate": "C" } })).await?;
        let status = database.ready().await?;
        ensure!(status["drift"]["diffs"].as_array().is_none_or(Vec::is_empty), "{status}");

        let refusal = database.try_change(json!({ "name": site.name("renamed") })).await;
        ensure!(refusal.is_err_and(|error| error.to_string().contains("database name is immutable")), "it was renamed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_option_that_the_engine_does_not_understand_is_named_and_nothing_is_applied() {
    perform("database-unknown", async |site| {
        let wrong: [(&str, Value, &str, &str, Value); 6] = [
            (
                "privilege",
                json!({ "postgres": { "defaultPrivileges": [{
                    "role": site.name("x"), "schema": "public", "objectType": "tables", "privileges": ["SELECT", "FLY"],
                }] } }),
                reason::INVALID_OPTIONS,
                "spec.postgres.defaultPrivileges[0].privileges[1]",
                json!({ "postgres": { "defaultPrivileges": null } }),
            ),
            (
                "twice",
                json!({ "postgres": { "schemas": [{ "name": "a" }, { "name": "a" }] } }),
                reason::INVALID_OPTIONS,
                "spec.postgres.schemas[1].name",
                json!({ "postgres": { "schemas": [{ "name": "a" }] } }),
            ),
            (
                "mysql",
                json!({ "mysql": { "charset": "utf8mb4" } }),
                reason::UNSUPPORTED,
                "spec.mysql",
                json!({ "mysql": null }),
            ),
            (
                "clickhouse",
                json!({ "clickhouse": {} }),
                reason::UNSUPPORTED,
                "spec.clickhouse",
                json!({ "clickhouse": null }),
            ),
            (
                "parameters",
                json!({ "parameters": { "nope": 1 } }),
                reason::UNSUPPORTED,
                "spec.parameters",
                json!({ "parameters": null }),
            ),
            (
                "snapshot",
                json!({ "deletionPolicy": "Snapshot" }),
                reason::NOT_YET_SERVED,
                "spec.deletionPolicy",
                json!({ "deletionPolicy": "Delete" }),
            ),
        ];
        for (stem, stated, expected, path, correction) in wrong {
            let (database, name) = (site.database(stem), site.name(stem));
            database.create(site.database_spec(&name, stated)).await?;
            let message = database.refused(expected).await?;
            ensure!(message.contains(path), "{stem}: {message:?} does not name {path}");
            ensure!(!site.has_database(&name).await?, "{stem}: {name} was created all the same");
            let status = database.status().await?;
            ensure!(status.get("ownership").is_none(), "{stem}: an intent was recorded: {status}");
            database.change(correction).await?;
            database.ready().await?;
            ensure!(site.has_database(&name).await?, "{stem}: {name} is not there");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refused_change_leaves_everything_as_it_was() {
    perform("database-refused-change", async |site| {
        let (database, name) = site.ready_database("steady", json!({ "postgres": { "connectionLimit": 4 } })).await?;
        database.change(json!({ "postgres": { "connectionLimit": 5, "tablespace": "pg_global" } })).await?;
        let message = database.refused(reason::INVALID_OPTIONS).await?;
        ensure!(message.contains("spec.postgres.tablespace"), "{message}");
        let limit = format!("SELECT datconnlimit FROM pg_database WHERE datname = '{name}'");
        site.sees("postgres", &limit, "4").await?;
        database.change(json!({ "postgres": { "tablespace": null } })).await?;
        database.ready().await?;
        site.sees("postgres", &limit, "5").await
    })
    .await;
}

#[tokio::test]
async fn a_field_that_no_schema_knows_is_refused_by_the_api_server() {
    perform("database-unknown-field", async |site| {
        let database = site.database("unknown");
        let spec = site.database_spec(&site.name("unknown"), json!({ "postgres": { "nope": true } }));
        let refusal = database.try_create(spec, json!({})).await?;
        ensure!(refusal.is_err_and(|error| error.to_string().contains("spec.postgres.nope")), "it was accepted");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_server_lacks_is_waited_for_by_name() {
    perform("database-lacking", async |site| {
        let missing = site.name("nobody");
        let database = site.database("owned");
        let name = site.name("owned");
        database.create(site.database_spec(&name, json!({ "owner": missing }))).await?;
        let message = database.stopped(reason::DEPENDENCY_MISSING).await?;
        ensure!(message.contains(&missing), "{message}");
        let user = site.user("late");
        user.create(site.user_spec(&missing, json!({}))).await?;
        database.ready().await?;
        site.sees(
            "postgres",
            &format!("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'"),
            &missing,
        )
        .await?;

        let extension = site.database("extended");
        let extensions = json!({ "postgres": { "extensions": [{ "name": "no_such_extension" }] } });
        extension.create(site.database_spec(&site.name("extended"), extensions)).await?;
        let message = extension.stopped(reason::DEPENDENCY_MISSING).await?;
        ensure!(message.contains("no_such_extension"), "{message}");
        extension.change(json!({ "postgres": { "extensions": [{ "name": "hstore", "version": "0.1" }] } })).await?;
        let message = extension.stopped(reason::DEPENDENCY_MISSING).await?;
        ensure!(message.contains("0.1"), "{message}");
        extension.change(json!({ "postgres": { "extensions": [{ "name": "hstore" }] } })).await?;
        extension.ready().await.map(drop)
    })
    .await;
}
