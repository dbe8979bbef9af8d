//! What the status tells of a database beyond its name and owner.

use anyhow::{Result, ensure};
use dbprovision_tests::theatre::{Resource, Site, perform};
use serde_json::{Value, json};

/// Makes the operator look once more, and answers the status after that.
async fn looked_at(site: &Site, database: &Resource, occasion: &str) -> Result<Value> {
    database.annotate("example.org/occasion", Some(occasion)).await?;
    site.compared(database).await?;
    database.ready().await
}

#[tokio::test]
async fn the_status_tells_what_is_inside_and_how_far_the_companions_are() {
    perform("database-told", async |site| {
        let (role, user) = (site.name("holder"), site.name("web"));
        let ownership = json!({ "autoOwnership": true, "roleName": role, "userName": user });
        let spec = json!({
            "driftPolicy": { "mode": "detect", "interval": "8h" },
            "postgres": {
                "extensions": [{ "name": "hstore", "version": "1.8" }], "schemas": [{ "name": "app" }],
                "ownership": ownership,
            },
        });
        let (database, name) = site.ready_database("told", spec).await?;
        let status = database.status().await?;
        let told = &status["postgres"];
        ensure!(told["encoding"] == "UTF8" && told["collation"].is_string(), "{told}");
        let extensions = told["installedExtensions"].as_array().cloned().unwrap_or_default();
        ensure!(extensions.contains(&json!({ "name": "hstore", "version": "1.8" })), "{told}");
        ensure!(told["schemas"] == json!(["app", "public"]), "{told}");
        let ready = json!({ "roleName": role, "userName": user, "phase": "Ready" });
        ensure!(told["ownership"] == ready, "{told}");

        // A look that finds the same writes nothing.
        let same = looked_at(site, &database, "nothing happened").await?;
        ensure!(same == status, "{same} is not {status}");

        site.rows(&name, "CREATE SCHEMA byhand; DROP EXTENSION hstore").await?;
        site.rows("postgres", &format!("ALTER ROLE {user} NOLOGIN")).await?;
        database.annotate("example.org/occasion", Some("something happened")).await?;
        let status = database.status_has("/postgres/schemas", &json!(["app", "byhand", "public"])).await?;
        let told = &status["postgres"];
        ensure!(!told["installedExtensions"].to_string().contains("hstore"), "{told}");
        ensure!(told["ownership"]["phase"] == "Failed", "{told}");
        let message = told["ownership"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains(&user), "{told}");

        // Whose spec says nothing of the inside is not entered to look.
        let (plain, _) = site.ready_database("plain", json!({})).await?;
        let told = plain.status().await?["postgres"].clone();
        ensure!(told["encoding"] == "UTF8" && told.get("schemas").is_none(), "{told}");
        ensure!(told.get("installedExtensions").is_none() && told.get("ownership").is_none(), "{told}");
        Ok(())
    })
    .await;
}
