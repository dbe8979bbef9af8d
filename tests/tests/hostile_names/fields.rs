//! Hostile texts in every other string field of databases and users: taken literally, or refused before anything
//! happens on the server.
//!
//! The API takes all of them, so each comes to the operator: a field that a schema does not know would be an error
//! here. The few that a schema limits are a test of their own, with the path that the refusal names.

use anyhow::{Context as _, Result, bail, ensure};
use crds::names::{condition, reason};
use dbprovision_tests::manifests::with;
use dbprovision_tests::theatre::{Resource, Site, perform};
use serde_json::{Value, json};

use super::{no_statement_broke, plant_canary, tagged};

/// Each holds any text that PostgreSQL can hold.
const FREE: [&str; 5] = ["value", "path", "extschema", "rolename", "companion"];

/// Each may hold a NUL too: a Secret's type and annotations, and the characters to leave out of a password.
const FREE_OF_THE_SERVER: [&str; 3] = ["exclude", "annotation", "type"];

/// One attempt.
struct Attempt {
    field: &'static str,
    text: &'static str,
    /// What the object on the server is called.
    name: String,
    is_database: bool,
    resource: Resource,
}

/// A database with its two companions, and more of its block.
fn with_companions(owner: &str, application: &str, more: Value) -> Value {
    let ownership = json!({ "autoOwnership": true, "roleName": owner, "userName": application, "dropOnDelete": true });
    json!({ "postgres": with(json!({ "ownership": ownership }), more) })
}

/// Every other string field of a `Database`, with its text in it. The `ConfigMap` and the Secret `known` are there, and
/// `plain` makes names that nobody minds.
fn database_fields(
    text: &dyn Fn(&str) -> String,
    known: &str,
    plain: &dyn Fn(&str) -> String,
) -> Vec<(&'static str, Value)> {
    let privilege = |role: &str, grantee: &str, schema: &str| {
        json!({ "postgres": { "defaultPrivileges": [{
            "role": role, "grantee": grantee, "schema": schema, "objectType": "tables", "privileges": ["SELECT"],
        }] } })
    };
    let (owner, application) = (plain("owner"), plain("app"));
    let in_schema = json!({ "defaultPrivileges": [{
        "role": owner, "grantee": application, "schema": text("inschema"), "objectType": "tables",
        "privileges": ["SELECT"],
    }] });
    vec![
        ("owner", json!({ "owner": text("owner") })),
        ("encoding", json!({ "postgres": { "encoding": text("encoding") } })),
        ("collate", json!({ "postgres": { "lcCollate": text("collate") } })),
        ("ctype", json!({ "postgres": { "lcCtype": text("ctype") } })),
        ("tablespace", json!({ "postgres": { "tablespace": text("tablespace") } })),
        ("template", json!({ "postgres": { "template": text("template") } })),
        ("extension", json!({ "postgres": { "extensions": [{ "name": text("extension") }] } })),
        ("version", json!({ "postgres": { "extensions": [{ "name": "hstore", "version": text("version") }] } })),
        ("extschema", json!({ "postgres": { "extensions": [{ "name": "hstore", "schema": text("extschema") }] } })),
        ("schemaowner", json!({ "postgres": { "schemas": [{ "name": "s", "owner": text("schemaowner") }] } })),
        ("role", privilege(&text("role"), "public", "public")),
        ("grantee", privilege(&text("x"), &text("grantee"), "public")),
        ("inschema", with_companions(&owner, &application, in_schema)),
        ("rolename", json!({ "postgres": { "ownership": { "autoOwnership": true, "roleName": text("rolename") } } })),
        ("companion", json!({ "postgres": { "ownership": { "autoOwnership": true, "userName": text("companion") } } })),
        ("interval", json!({ "driftPolicy": { "interval": text("interval") } })),
        ("map", json!({ "initSQL": { "configMapRef": { "name": text("map"), "key": text("key") } } })),
        ("mapkey", json!({ "initSQL": { "configMapRef": { "name": known, "key": text("key") } } })),
        ("mapspace", json!({ "initSQL": { "configMapRef": { "name": "m", "key": "k", "namespace": text("space") } } })),
        ("script", json!({ "initSQL": { "secretRef": { "name": text("script"), "key": text("key") } } })),
        ("scriptkey", json!({ "initSQL": { "secretRef": { "name": known, "key": text("key") } } })),
        ("scriptspace", json!({ "initSQL": { "secretRef": { "name": "s", "key": "k", "namespace": text("space") } } })),
        ("instance", json!({ "instanceRef": { "name": text("instance") } })),
        ("place", json!({ "instanceRef": { "name": "x", "namespace": text("place") } })),
        ("cluster", json!({ "clusterInstanceRef": { "name": text("cluster") } })),
    ]
}

/// Every other string field of a `DatabaseUser`, with its text in it. The Secret `known` is there.
fn user_fields(text: &dyn Fn(&str) -> String, known: &str, secret: &str) -> Vec<(&'static str, Value)> {
    let source = json!({ "name": text("source"), "key": text("key") });
    vec![
        ("roles", json!({ "roles": [text("roles")] })),
        ("inroles", json!({ "postgres": { "inRoles": [text("inroles")] } })),
        ("defaultrole", json!({ "postgres": { "defaultRole": text("defaultrole") } })),
        ("valid", json!({ "postgres": { "validUntil": text("valid") } })),
        ("parameter", json!({ "postgres": { "configParameters": { text("parameter"): "1" } } })),
        ("value", json!({ "postgres": { "configParameters": { "application_name": text("value") } } })),
        ("path", json!({ "postgres": { "configParameters": { "search_path": text("path") } } })),
        ("memory", json!({ "postgres": { "configParameters": { "work_mem": text("memory") } } })),
        ("exclude", json!({ "passwordSecret": { "secretName": secret, "excludeChars": text("") } })),
        ("secret", json!({ "passwordSecret": { "secretName": text("secret") } })),
        ("source", json!({ "existingPasswordSecret": source })),
        ("sourcekey", json!({ "existingPasswordSecret": { "name": known, "key": text("key") } })),
        ("elsewhere", json!({ "passwordSecret": { "secretName": "x", "secretNamespace": text("elsewhere") } })),
        ("existing", json!({ "existingPasswordSecret": { "name": "x", "key": "k", "namespace": text("existing") } })),
        ("type", templated(&format!("{secret}type"), &json!({ "type": text("type") }))),
        ("label", templated(&format!("{secret}label"), &json!({ "labels": { "team": text("label") } }))),
        ("labelkey", templated(&format!("{secret}labelkey"), &json!({ "labels": { text("labelkey"): "blue" } }))),
        ("annotation", templated(&format!("{secret}a"), &json!({ "annotations": { "team": text("annotation") } }))),
        ("interval", json!({ "driftPolicy": { "interval": text("interval") } })),
        ("instance", json!({ "instanceRef": { "name": text("instance") } })),
        ("place", json!({ "instanceRef": { "name": "x", "namespace": text("place") } })),
        ("cluster", json!({ "clusterInstanceRef": { "name": text("cluster") } })),
    ]
}

fn templated(secret: &str, template: &Value) -> Value {
    json!({ "passwordSecret": { "secretName": secret, "secretTemplate": template } })
}

/// Where a cluster-scoped instance is named, no other one is.
fn of_one_instance(mut spec: Value) -> Value {
    let names_another = spec.get("clusterInstanceRef").is_some();
    if let Some(fields) = spec.as_object_mut().filter(|_| names_another) {
        fields.remove("instanceRef");
    }
    spec
}

/// Waits until the operator has made up its mind, and answers the status.
async fn settled(resource: &Resource) -> Result<Value> {
    resource
        .eventually("the operator made up its mind", async || {
            let status = resource.status().await?;
            let ready = said(&status, condition::READY).context("no verdict yet")?;
            let transient = [reason::CREATING, reason::RECONCILING, reason::INSTANCE_NOT_READY];
            ensure!(
                !transient.iter().any(|one| ready.get("reason").is_some_and(|found| found == one)),
                "still {ready}"
            );
            Ok(status)
        })
        .await
}

/// A condition in a status.
fn said<'status>(status: &'status Value, name: &str) -> Option<&'status Value> {
    let conditions = status.pointer("/conditions")?.as_array()?;
    conditions.iter().find(|one| one.get("type").is_some_and(|found| found == name))
}

fn is(status: &Value, name: &str, expected: &str) -> bool {
    said(status, name).and_then(|one| one.get("status")).is_some_and(|found| found == expected)
}

async fn attempts(site: &Site, known: &str) -> Result<Vec<Attempt>> {
    const TEXTS: [&str; 6] = [
        "x'; DROP TABLE y; --",
        "\"; DROP TABLE y; --",
        "\\'; DROP TABLE y; --",
        "a\u{0}b",
        "%_*",
        "Ünïcödé 数据库 😀",
    ];
    let mut made = Vec::new();
    for (number, text) in TEXTS.into_iter().enumerate() {
        // No two fields share a text, so that none names what another made.
        let hostile = |field: &str| tagged(site, &format!("{text}{field}"));
        let plain = |stem: &str| site.name(&format!("{stem}{number}-"));
        for (field, stated) in database_fields(&hostile, known, &plain) {
            let (stem, is_database) = (format!("d{number}{field}"), true);
            let (name, resource) = (site.name(&stem), site.database(&stem));
            let created = resource.create(of_one_instance(site.database_spec(&name, stated))).await;
            created.with_context(|| format!("the API takes {field} with {text:?}"))?;
            made.push(Attempt { field, text, name, is_database, resource });
        }
        let secret = site.name(&format!("exclude{number}-"));
        for (field, stated) in user_fields(&hostile, known, &secret) {
            let (stem, is_database) = (format!("u{number}{field}"), false);
            let (name, resource) = (site.name(&stem), site.user(&stem));
            let created = resource.create(of_one_instance(site.user_spec(&name, stated))).await;
            created.with_context(|| format!("the API takes {field} with {text:?}"))?;
            made.push(Attempt { field, text, name, is_database, resource });
        }
    }
    Ok(made)
}

#[tokio::test]
async fn hostile_texts_in_every_other_field_break_nothing() {
    perform("hostile-fields", async |site| {
        plant_canary(site, "postgres").await?;
        let log_before = site.server.log_text().len();
        let known = site.name("known");
        site.create_config_map(&known, json!({ "k": "SELECT 1" })).await?;
        site.create_secret(&known, json!({ "k": "SELECT 1" })).await?;
        let made = attempts(site, &known).await?;
        for Attempt { field, text, name, is_database, resource } in &made {
            let status = settled(resource).await.with_context(|| format!("{field} is {text:?}"))?;
            let free = FREE.contains(field) && !text.contains('\0') || FREE_OF_THE_SERVER.contains(field);
            let ready = is(&status, condition::READY, "True");
            ensure!(ready == free, "{field} is {text:?} and Ready is {ready}: {status}");
            // It is the key that is not there, of an object that is.
            if let Some(path) = match *field {
                "mapkey" => Some("spec.initSQL.configMapRef: ConfigMap"),
                "scriptkey" => Some("spec.initSQL.secretRef: Secret"),
                "sourcekey" => Some("has no key"),
                _ => None,
            } {
                let message = said(&status, condition::READY).and_then(|one| one.get("message")?.as_str());
                ensure!(message.is_some_and(|message| message.contains(path)), "{field} is {text:?}: {status}");
            }
            let is_there = if *is_database { site.has_database(name).await? } else { site.has_role(name).await? };
            if free {
                ensure!(is_there, "{field} is {text:?}, and Ready, and nothing is there");
            } else if is(&status, condition::ACCEPTED, "False") {
                ensure!(!is_there, "{field} is {text:?}, was refused, and something was made of it: {status}");
            }
        }
        for Attempt { field, text, resource, .. } in &made {
            resource.delete().await.with_context(|| format!("{field} is {text:?}"))?;
        }
        for Attempt { resource, .. } in &made {
            resource.gone().await?;
        }
        site.sees("postgres", "SELECT alive FROM public.y", "1").await?;
        no_statement_broke(site, log_before)
    })
    .await;
}

/// Paths of fields, each with a spec.
type Specs = Vec<(&'static str, Value)>;

/// What the schema limits: the path of the field, and a spec with the text in it.
fn limited(text: &str) -> (Specs, Specs) {
    let privilege = |object_type: &str, privilege: &str| {
        json!({ "postgres": { "defaultPrivileges": [{
            "role": "a", "schema": "public", "objectType": object_type, "privileges": [privilege],
        }] } })
    };
    let databases = vec![
        ("spec.adoptionPolicy", json!({ "adoptionPolicy": text })),
        ("spec.deletionPolicy", json!({ "deletionPolicy": text })),
        ("spec.driftPolicy.mode", json!({ "driftPolicy": { "mode": text } })),
        ("spec.initSQL.failurePolicy", json!({ "initSQL": { "inline": ["SELECT 1"], "failurePolicy": text } })),
        ("spec.mysql.charset", json!({ "mysql": { "charset": text } })),
        ("spec.mysql.collation", json!({ "mysql": { "collation": text } })),
        ("spec.postgres.defaultPrivileges[0].objectType", privilege(text, "SELECT")),
        ("spec.postgres.defaultPrivileges[0].privileges[0]", privilege("tables", text)),
    ];
    let users = vec![
        ("spec.adoptionPolicy", json!({ "adoptionPolicy": text })),
        ("spec.driftPolicy.mode", json!({ "driftPolicy": { "mode": text } })),
        ("spec.mysql.authPlugin", json!({ "mysql": { "authPlugin": text } })),
        ("spec.passwordSecret.format", json!({ "passwordSecret": { "secretName": "s", "format": text } })),
    ];
    (databases, users)
}

#[tokio::test]
async fn what_a_schema_limits_is_refused_by_the_api_with_its_path() {
    perform("hostile-limited", async |site| {
        for text in ["x'; DROP TABLE y; --", "a\u{0}b", "%_*", "Ünïcödé 数据库 😀"] {
            let (databases, users) = limited(text);
            let database = |stated| (site.database("limited"), site.database_spec(&site.name("limited"), stated));
            let user = |stated| (site.user("limited"), site.user_spec(&site.name("limited"), stated));
            let databases = databases.into_iter().map(|(path, stated)| (path, database(stated)));
            let users = users.into_iter().map(|(path, stated)| (path, user(stated)));
            for (path, (resource, spec)) in databases.chain(users) {
                // An unknown field would be another code than that of an invalid object.
                let Err(kube::Error::Api(refusal)) = resource.try_create(spec, json!({})).await? else {
                    bail!("the API took {path} with {text:?}");
                };
                ensure!(refusal.code == 422 && refusal.message.contains(path), "{path} with {text:?}: {refusal:?}");
            }
        }
        let tried = site.name("limited");
        ensure!(!site.has_database(&tried).await? && !site.has_role(&tried).await?, "something was made of it");
        Ok(())
    })
    .await;
}
