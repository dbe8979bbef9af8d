//! Databases on real servers: every option at creation, every change, every refusal, and how they end.

use anyhow::{Context as _, Result, ensure};
use crds::names::reason;
use dbprovision_tests::theatre::{Site, literal, perform};
use serde_json::json;

#[path = "databases/auto_ownership.rs"]
mod auto_ownership;
#[path = "databases/endings.rs"]
mod endings;
#[path = "databases/refusals.rs"]
mod refusals;
#[path = "databases/told.rs"]
mod told;

#[tokio::test]
async fn a_database_has_everything_its_spec_states() {
    perform("database-options", async |site| {
        let (_, owner) = site.ready_user("owner", json!({})).await?;
        let (_, reader) = site.ready_user("reader", json!({})).await?;
        let (database, name) = site
            .ready_database(
                "full",
                json!({
                    "owner": owner,
                    "postgres": {
                        "encoding": "LATIN1",
                        "lcCollate": "C",
                        "lcCtype": "C",
                        "template": "template0",
                        "tablespace": "pg_default",
                        "connectionLimit": 7,
                        "isTemplate": true,
                        "allowConnections": true,
                        "extensions": [{ "name": "hstore", "schema": "ext", "version": "1.4" }, { "name": "pg_trgm" }],
                        "schemas": [{ "name": "app", "owner": owner }, { "name": "other" }, { "name": "ext" }],
                        "defaultPrivileges": [{
                            "role": owner, "grantee": reader, "schema": "app", "objectType": "tables",
                            "privileges": ["SELECT", "INSERT"],
                        }],
                    },
                }),
            )
            .await?;
        let facts = site
            .rows("postgres", &format!(
                "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit, \
                 datistemplate, datallowconn FROM pg_database WHERE datname = {}",
                literal(&name)
            ))
            .await?;
        let expected = [owner.as_str(), "LATIN1", "C", "C", "7", "t", "t"].map(|cell| Some(cell.to_owned()));
        ensure!(facts == [expected], "the database is {facts:?}");
        site.sees(
            &name,
            "SELECT string_agg(extname || ' ' || nspname, ', ' ORDER BY extname) FROM pg_extension e \
             JOIN pg_namespace n ON n.oid = extnamespace WHERE extname <> 'plpgsql'",
            "hstore ext, pg_trgm public",
        )
        .await?;
        site.sees(&name, "SELECT extversion FROM pg_extension WHERE extname = 'hstore'", "1.4").await?;
        site.sees(
            &name,
            "SELECT string_agg(nspname || ' ' || pg_get_userbyid(nspowner), ', ' ORDER BY nspname) FROM pg_namespace \
             WHERE nspname IN ('app', 'other', 'ext')",
            &format!("app {owner}, ext {owner}, other {owner}"),
        )
        .await?;
        future_tables_are_readable(site, &name, &reader).await?;

        let status = database.status().await?;
        ensure!(status["phase"] == "Ready" && status["observedGeneration"] == 1, "{status}");
        ensure!(status["database"]["name"] == name && status["database"]["owner"] == owner, "{status}");
        ensure!(status["database"]["sizeBytes"].as_i64().is_some_and(|size| size > 1_000_000), "{status}");
        let postgres = &status["postgres"];
        ensure!(postgres["encoding"] == "LATIN1" && postgres["collation"] == "C", "{status}");

        let comment = site.database_comment(&name).await?;
        let nonce = status["ownership"]["nonce"].as_str().context("no nonce was recorded")?;
        let namespace = site.shared.namespace.name();
        for part in
            [format!("cr:{namespace}/{}", database.name), format!("nonce={nonce};"), "kind=Database;".to_owned()]
        {
            ensure!(comment.contains(&part), "the comment {comment:?} lacks {part:?}");
        }
        site.event(&database, "Created", &name).await
    })
    .await;
}

/// What the owner creates in the schema, the grantee may read and write into; nobody else may.
async fn future_tables_are_readable(site: &Site, name: &str, reader: &str) -> Result<()> {
    let owner = site.login(&site.login_secret("owner"), name).await?;
    owner.rows("CREATE TABLE app.later (a int)").await?;
    owner.rows("CREATE TABLE other.later (a int)").await?;
    let may =
        |schema: &str, right: &str| format!("SELECT has_table_privilege('{reader}', '{schema}.later', '{right}')");
    for (schema, right, expected) in
        [("app", "SELECT", "t"), ("app", "INSERT", "t"), ("app", "DELETE", "f"), ("other", "SELECT", "f")]
    {
        site.sees(name, &may(schema, right), expected).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_database_whose_spec_states_only_a_name_has_the_documented_defaults() {
    perform("database-defaults", async |site| {
        let (_, name) = site.ready_database("plain", json!({})).await?;
        let facts = site
            .rows("postgres", &format!(
                "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datconnlimit, datistemplate, datallowconn \
                 FROM pg_database WHERE datname = {}",
                literal(&name)
            ))
            .await?;
        let administrator = site.server.administrator.name.as_str();
        let expected = [administrator, "UTF8", "-1", "f", "t"].map(|cell| Some(cell.to_owned()));
        ensure!(facts == [expected], "the database is {facts:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn each_field_that_can_change_follows_the_spec() {
    perform("database-changes", async |site| {
        let (_, first) = site.ready_user("first", json!({})).await?;
        let (_, second) = site.ready_user("second", json!({})).await?;
        let (database, name) = site
            .ready_database(
                "moving",
                json!({
                    "owner": first,
                    "postgres": {
                        "extensions": [{ "name": "hstore", "version": "1.4" }],
                        "schemas": [{ "name": "app", "owner": first }],
                    },
                }),
            )
            .await?;
        let of = |column: &str| format!("SELECT {column} FROM pg_database WHERE datname = {}", literal(&name));
        let inside = name.as_str();
        let change = async |spec| {
            database.change(spec).await?;
            database.ready().await
        };
        change(json!({ "postgres": { "connectionLimit": 3 } })).await?;
        site.sees("postgres", &of("datconnlimit"), "3").await?;
        change(json!({ "postgres": { "connectionLimit": null } })).await?;
        site.sees("postgres", &of("datconnlimit"), "-1").await?;
        change(json!({ "postgres": { "isTemplate": true } })).await?;
        site.sees("postgres", &of("datistemplate"), "t").await?;
        change(json!({ "postgres": { "isTemplate": false } })).await?;
        site.sees("postgres", &of("datistemplate"), "f").await?;
        change(json!({ "postgres": { "extensions": [{ "name": "hstore", "version": "1.8" }, { "name": "citext" }] } }))
            .await?;
        site.sees(inside, "SELECT extversion FROM pg_extension WHERE extname = 'hstore'", "1.8").await?;
        site.sees(inside, "SELECT count(*) FROM pg_extension WHERE extname = 'citext'", "1").await?;
        change(json!({ "postgres": { "schemas": [{ "name": "app", "owner": second }, { "name": "more" }] } })).await?;
        let schema_owner =
            |schema| format!("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = '{schema}'");
        site.sees(inside, &schema_owner("app"), &second).await?;
        site.sees(inside, &schema_owner("more"), &first).await?;
        let status = change(json!({ "owner": second })).await?;
        site.sees("postgres", &of("pg_get_userbyid(datdba)"), &second).await?;
        ensure!(status["database"]["owner"] == second, "{status}");
        change(json!({ "postgres": { "defaultPrivileges": [{
            "role": second, "grantee": first, "schema": "more", "objectType": "sequences", "privileges": ["USAGE"],
        }] } }))
        .await?;
        site.sees(inside, "SELECT count(*) FROM pg_default_acl WHERE defaclobjtype = 'S'", "1").await?;
        change(json!({ "postgres": { "allowConnections": false } })).await?;
        site.sees("postgres", &of("datallowconn"), "f").await?;
        ensure!(site.login(&site.login_secret("second"), inside).await.is_err(), "a closed database was entered");
        change(json!({ "postgres": { "allowConnections": true, "schemas": [{ "name": "reopened" }] } })).await?;
        site.login(&site.login_secret("second"), inside).await?;
        site.sees(inside, &schema_owner("reopened"), &second).await?;
        // What left the lists stays: nothing that may hold data is dropped for a line that was removed.
        site.sees(inside, &schema_owner("app"), &second).await
    })
    .await;
}

#[tokio::test]
async fn a_database_lives_in_its_tablespace_and_moves_to_another() {
    perform("database-tablespace", async |site| {
        let [space, other] = [tablespace(site, "space").await?, tablespace(site, "other").await?];
        let (database, name) = site.ready_database("placed", json!({ "postgres": { "tablespace": space } })).await?;
        let place = format!(
            "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = {}",
            literal(&name)
        );
        site.sees("postgres", &place, &space).await?;
        database.change(json!({ "postgres": { "tablespace": other } })).await?;
        database.ready().await?;
        site.sees("postgres", &place, &other).await?;
        database.change(json!({ "postgres": { "tablespace": site.name("nowhere") } })).await?;
        let message = database.stopped(reason::DEPENDENCY_MISSING).await?;
        ensure!(message.contains(&site.name("nowhere")), "{message}");
        database.remove().await?;
        for name in [space, other] {
            site.rows("postgres", &format!("DROP TABLESPACE {name}")).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_database_copied_from_a_template_has_what_is_in_it() {
    perform("database-template", async |site| {
        let (_, template) = site
            .ready_database(
                "model",
                json!({ "postgres": { "isTemplate": true, "schemas": [{ "name": "inherited" }] } }),
            )
            .await?;
        let (_, copy) = site.ready_database("copy", json!({ "postgres": { "template": template } })).await?;
        site.sees(&copy, "SELECT count(*) FROM pg_namespace WHERE nspname = 'inherited'", "1").await
    })
    .await;
}

/// A tablespace that the administrator may use.
async fn tablespace(site: &Site, stem: &str) -> Result<String> {
    let name = site.name(stem);
    let folder = site.server.socket.join(&name);
    let folder = folder.to_str().context("the folder has no name")?;
    // The server's own account must own it, so the server makes it.
    site.rows("postgres", &format!("COPY (SELECT 1) TO PROGRAM 'mkdir -p {folder} && cat >/dev/null'")).await?;
    site.rows("postgres", &format!("CREATE TABLESPACE {name} LOCATION '{folder}'")).await?;
    let administrator = &site.server.administrator.name;
    site.rows("postgres", &format!("GRANT CREATE ON TABLESPACE {name} TO {administrator}")).await?;
    Ok(name)
}
