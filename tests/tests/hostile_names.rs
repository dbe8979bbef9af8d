//! Hostile texts in every string field: taken literally, or refused before anything happens.
//!
//! The judge is the server: what is in its catalogue, whether the canary lives, and that its log shows no statement
//! that a text broke apart.

use anyhow::{Context as _, Result, ensure};
use crds::names::reason;
use dbprovision_tests::theatre::{Resource, Site, literal, perform};
use serde_json::json;

#[path = "hostile_names/comments.rs"]
mod comments;
#[path = "hostile_names/consents.rs"]
mod consents;
#[path = "hostile_names/fields.rs"]
mod fields;
#[path = "hostile_names/instances.rs"]
mod instances;
#[path = "hostile_names/passwords.rs"]
mod passwords;
#[path = "hostile_names/rights.rs"]
mod rights;

/// Texts that mean something to a shell, a statement, a pattern, a template or a path.
const HOSTILE: [&str; 18] = [
    "x'; DROP TABLE y; --",
    "\"; DROP TABLE y; --",
    "a'b''c",
    "a\"b\"\"c",
    "back\\slash\\'",
    "E'\\x41",
    "$$ $a$ $1",
    "semi;colon",
    "two\nlines\tand\r",
    "/* no comment */ --",
    "%_*?[a-z]",
    "{{.Name}} ${HOME} %s",
    "../../etc/passwd",
    "UPPER lower",
    "Ünïcödé 数据库 😀",
    "e\u{301} \u{202e}drawkcab \u{200b}",
    "dots.and,commas=equals",
    " spaces around ",
];

/// A text that ends in the site's tag, so that no other test has it.
fn tagged(site: &Site, text: &str) -> String {
    format!("{text}{}", site.tag())
}

/// Exactly this many bytes, mostly quotes.
fn long(site: &Site, bytes: usize) -> String {
    format!("{}{}", "'".repeat(bytes - site.tag().len()), site.tag())
}

/// Names that PostgreSQL can hold.
fn names(site: &Site) -> Vec<String> {
    let mut names: Vec<String> = HOSTILE.iter().map(|text| tagged(site, text)).collect();
    names.push(long(site, 63));
    names.push(format!("{}{}", "ü".repeat(28), site.tag()));
    names
}

async fn plant_canary(site: &Site, database: &str) -> Result<()> {
    site.rows(database, "CREATE TABLE IF NOT EXISTS public.y AS SELECT 1 AS alive").await.map(drop)
}

/// Fails where the log shows a statement of the operator's that a text broke apart.
fn no_statement_broke(site: &Site, log_before: usize) -> Result<()> {
    let log = site.server.log_text();
    let tag = site.tag();
    let broken: Vec<&str> = log
        .get(log_before..)
        .unwrap_or(&log)
        .lines()
        .filter(|line| line.contains("ERROR:") && (line.contains("syntax error") || line.contains("unterminated")))
        .collect();
    ensure!(broken.is_empty(), "with the tag {tag} statements broke: {broken:?}");
    Ok(())
}

#[tokio::test]
async fn hostile_names_of_databases_users_schemas_and_owners_are_taken_literally() {
    perform("hostile-names", async |site| {
        plant_canary(site, "postgres").await?;
        let log_before = site.server.log_text().len();
        let mut made: Vec<(String, Resource, Resource)> = Vec::new();
        for (number, name) in names(site).into_iter().enumerate() {
            let (user, database) = (site.user(&format!("u{number}n")), site.database(&format!("d{number}n")));
            let secret = format!("{}-login", user.name);
            user.create(site.user_spec(&name, json!({ "passwordSecret": { "secretName": secret } }))).await?;
            database
                .create(site.database_spec(&name, json!({
                    "owner": name,
                    "postgres": {
                        "schemas": [{ "name": name, "owner": name }],
                        "extensions": [{ "name": "hstore", "schema": name }],
                        "defaultPrivileges": [{
                            "role": name, "grantee": name, "schema": name, "objectType": "functions",
                            "privileges": ["EXECUTE"],
                        }],
                    },
                    "initSQL": { "inline": ["CREATE TABLE public.y AS SELECT 1 AS alive"] },
                })))
                .await?;
            made.push((name, user, database));
        }
        for (name, user, database) in &made {
            user.ready().await.with_context(|| format!("the user {name:?}"))?;
            database.ready().await.with_context(|| format!("the database {name:?}"))?;
            let owner = format!("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = {}", literal(name));
            site.sees("postgres", &owner, name).await?;
            let schema = format!("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = {}", literal(name));
            site.sees(name, &schema, name).await?;
            let extension = "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'hstore'";
            site.sees(name, extension, name).await?;
            site.sees(name, "SELECT count(*) FROM pg_default_acl WHERE defaclobjtype = 'f'", "1").await?;
            site.sees(name, "SELECT alive FROM public.y", "1").await?;
            let secret = format!("{}-login", user.name);
            let session = site.login(&secret, name).await?;
            let found = session.rows("SELECT current_user, current_database()").await?;
            ensure!(found == [vec![Some(name.clone()), Some(name.clone())]], "{found:?}");
        }
        let like = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '%{}'", site.tag());
        site.sees("postgres", &like, &made.len().to_string()).await?;
        for (_, user, database) in &made {
            database.delete().await?;
            user.delete().await?;
        }
        for (name, user, database) in &made {
            database.gone().await?;
            user.gone().await?;
            ensure!(!site.has_database(name).await? && !site.has_role(name).await?, "{name:?} is still there");
        }
        site.sees("postgres", "SELECT alive FROM public.y", "1").await?;
        no_statement_broke(site, log_before)
    })
    .await;
}

#[tokio::test]
async fn names_that_the_server_could_not_keep_are_refused_before_anything_happens() {
    perform("hostile-refused", async |site| {
        let wrong = [
            ("toolong", long(site, 64), reason::INVALID_NAME),
            ("wide", format!("{}{}", "ü".repeat(29), site.tag()), reason::INVALID_NAME),
            ("nul", tagged(site, "a\u{0}b"), reason::INVALID_OPTIONS),
            ("reserved", "none".to_owned(), reason::INVALID_OPTIONS),
        ];
        for (stem, name, expected) in wrong {
            let (user, database) = (site.user(stem), site.database(stem));
            user.create(site.user_spec(&name, json!({}))).await?;
            let message = user.refused(expected).await?;
            ensure!(message.contains("spec.username"), "{stem}: {message}");
            ensure!(user.status().await?.get("ownership").is_none(), "{stem}: an intent was recorded");
            user.remove().await?;
            if stem == "reserved" {
                continue;
            }
            database.create(site.database_spec(&name, json!({}))).await?;
            let message = database.refused(expected).await?;
            ensure!(message.contains("spec.name"), "{stem}: {message}");
            ensure!(database.status().await?.get("ownership").is_none(), "{stem}: an intent was recorded");
            database.remove().await?;
        }
        for table in ["pg_database WHERE datname", "pg_roles WHERE rolname"] {
            site.sees("postgres", &format!("SELECT count(*) FROM {table} LIKE '%{}%'", site.tag()), "0").await?;
        }
        let endless = site.database("endless");
        let refusal = endless.try_create(site.database_spec(&"n".repeat(129), json!({})), json!({})).await?;
        ensure!(refusal.is_err(), "a name of 129 characters was accepted");
        Ok(())
    })
    .await;
}
