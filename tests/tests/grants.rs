//! Rights of users and roles: given, shared, taken back, and never across a namespace without its consent.

#![expect(clippy::needless_pass_by_value, reason = "manifests are written where they are used, once")]

#[path = "grants/about.rs"]
mod about;
#[path = "grants/again.rs"]
mod again;
#[path = "grants/looks.rs"]
mod looks;
#[path = "grants/many.rs"]
mod many;
#[path = "grants/moving.rs"]
mod moving;
#[path = "grants/mysql.rs"]
mod mysql;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::names::{GROUP, annotation, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{
    access_grant, credentials, database, forced, grant, inside, instance, role, user, with,
};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;
use testkit::world::Operator;

/// An operator, an instance, a database with two tables, and a user, all ready.
async fn populated(stage: &Stage, word: &str) -> Result<Operator> {
    let operator = stage.operator().await?;
    furnish(stage, &operator, word).await?;
    Ok(operator)
}

/// An instance, a database with two tables, and a user, all ready.
async fn furnish(stage: &Stage, operator: &Operator, word: &str) -> Result<()> {
    let server = stage.postgres().await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.until(operator, &Subject::instance("main"), ready()).await?;
    stage.put(with(database("orders", word), tables())).await?;
    stage.put(user("app", &format!("{word}_app"))).await?;
    stage.until(operator, &Subject::database("orders"), ready()).await?;
    stage.until(operator, &Subject::user("app"), ready()).await?;
    Ok(())
}

/// Makes a table as an application would: a superuser's would be out of the administrator's reach.
async fn owned_by_the_databases_owner(server: &PostgresEndpoint, database: &str, table: &str) -> Result<()> {
    let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    let owner = server.query_cell(database, owner).await?.context("the database has no owner")?;
    server.query(database, &format!("CREATE TABLE {table} (a int); ALTER TABLE {table} OWNER TO {owner}")).await?;
    Ok(())
}

fn tables() -> Value {
    json!({ "spec": {
        "initSQL": { "inline": ["CREATE TABLE public.bill (a int)", "CREATE TABLE public.note (a int)"] },
        "postgres": { "ownership": { "autoOwnership": true, "dropOnDelete": true } },
    } })
}

/// Privileges on tables of the schema public.
fn on_tables(word: &str, tables: Value, privileges: Value) -> Value {
    json!([{ "database": word, "schema": "public", "tables": tables, "privileges": privileges }])
}

fn to_user(name: &str, grants: Value) -> Value {
    with(access_grant(name), json!({ "spec": { "userRef": { "name": "app" }, "postgres": { "grants": grants } } }))
}

/// The privileges that the role has on the table, by the server's own word.
async fn privileges(server: &PostgresEndpoint, word: &str, role: &str, table: &str) -> Result<String> {
    let sql = format!(
        "SELECT coalesce(string_agg(a.privilege_type, ',' ORDER BY a.privilege_type), '') FROM pg_class c, \
         aclexplode(c.relacl) a WHERE c.relname = '{table}' AND a.grantee = '{role}'::regrole"
    );
    Ok(server.query_cell(word, &sql).await?.unwrap_or_default())
}

#[tokio::test]
async fn rights_are_given_changed_shared_and_taken_back() -> Result<()> {
    let stage = Stage::open("grant-life").await?;
    let server = stage.postgres().await?;
    let word = stage.word("life");
    let app = format!("{word}_app");
    let operator = populated(&stage, &word).await?;
    stage.put(to_user("one", on_tables(&word, json!(["bill"]), json!(["SELECT", "INSERT"])))).await?;
    stage.put(to_user("two", on_tables(&word, json!(["*"]), json!(["SELECT"])))).await?;
    let (one, two) = (Subject::access_grant("one"), Subject::access_grant("two"));
    let seen = stage.until(&operator, &one, ready()).await?;
    ensure!(
        seen.text("/status/targetInfo/resolvedUsername")? == app && seen.text("/status/targetInfo/type")? == "user"
    );
    ensure!(seen.at("/status/appliedGrants/directGrants") == Some(&json!(1)), "{}", seen.0);
    ensure!(seen.at("/status/held/0/privileges") == Some(&json!(["INSERT", "SELECT"])), "{}", seen.0);
    stage.until(&operator, &two, ready()).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "INSERT,SELECT");
    ensure!(privileges(server, &word, &app, "note").await? == "SELECT");

    // What leaves the spec goes, unless another resource gives it.
    stage
        .change(
            &one,
            json!({ "spec": { "postgres": { "grants": on_tables(&word, json!(["bill"]), json!(["UPDATE"])) } } }),
        )
        .await?;
    stage.until(&operator, &one, ready()).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "SELECT,UPDATE");
    // What somebody gave by hand is nobody's here.
    server.query(&word, &format!("GRANT DELETE ON bill TO {app}")).await?;

    stage.delete(&two).await?;
    stage.until(&operator, &two, becomes("Ready", "False", reason::DELETION_PROTECTED)).await?;
    stage.change(&two, json!({ "spec": { "deletionProtection": false } })).await?;
    stage.until_gone(&operator, &two).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "DELETE,UPDATE");
    ensure!(privileges(server, &word, &app, "note").await?.is_empty());

    // A user who is made again has its rights again.
    stage.delete(&Subject::user("app")).await?;
    stage.until_gone(&operator, &Subject::user("app")).await?;
    stage.until(&operator, &one, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("app")).await?;
    // Kubernetes' garbage collector, which is absent here, would have taken the Secret along.
    stage.delete(&Subject::secret("app")).await?;
    stage.put(user("app", &app)).await?;
    stage.until(&operator, &one, ready()).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "UPDATE");

    // Of two that go at once, neither leaves to the other what both give.
    stage.put(to_user("same", on_tables(&word, json!(["bill"]), json!(["UPDATE"])))).await?;
    let same = Subject::access_grant("same");
    stage.until(&operator, &same, ready()).await?;
    for subject in [&one, &same] {
        stage.annotate(subject, forced(None)).await?;
        stage.delete(subject).await?;
    }
    for subject in [&one, &same] {
        stage.until_gone(&operator, subject).await?;
    }
    ensure!(privileges(server, &word, &app, "bill").await?.is_empty());
    let metrics = operator.metrics().await?;
    for operation in ["update", "delete"] {
        let label = format!("operation=\"{operation}\"");
        let counted = total(&metrics, "dbops_grant_operations_total", &[&label, "status=\"success\""]);
        ensure!(counted >= 2.0, "{counted} counted for {operation}:\n{metrics}");
    }
    for subject in [&Subject::user("app"), &Subject::database("orders")] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await
}

#[tokio::test]
async fn what_is_missing_is_waited_for_and_what_is_wrong_is_refused_by_its_path() -> Result<()> {
    let stage = Stage::open("grant-waits").await?;
    let server = stage.postgres().await?;
    let word = stage.word("waits");
    let app = format!("{word}_app");
    let operator = populated(&stage, &word).await?;
    let first = Subject::access_grant("first");
    stage.put(to_user("first", on_tables(&word, json!(["soon"]), json!(["SELECT"])))).await?;
    stage.until(&operator, &first, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("soon")).await?;
    owned_by_the_databases_owner(server, &word, "soon").await?;
    stage.until(&operator, &first, ready()).await?;
    ensure!(privileges(server, &word, &app, "soon").await? == "SELECT");
    // What leaves the spec does not wait for what comes, and what stays is given all the time.
    let both = on_tables(&word, json!(["bill", "soon"]), json!(["SELECT", "INSERT"]));
    stage.change(&first, json!({ "spec": { "postgres": { "grants": both } } })).await?;
    stage.until(&operator, &first, ready()).await?;
    let narrowed = on_tables(&word, json!(["bill", "late"]), json!(["SELECT"]));
    stage.change(&first, json!({ "spec": { "postgres": { "grants": narrowed } } })).await?;
    let waits = becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("late");
    let seen = stage.until(&operator, &first, waits).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "SELECT");
    ensure!(privileges(server, &word, &app, "soon").await?.is_empty());
    for field in ["applied", "failed"] {
        ensure!(seen.at(&format!("/status/appliedGrants/{field}")) == Some(&json!(1)), "{}", seen.summary());
    }
    owned_by_the_databases_owner(server, &word, "late").await?;
    stage.until(&operator, &first, ready()).await?;
    ensure!(privileges(server, &word, &app, "late").await? == "SELECT");

    for (name, grants, path) in [
        ("no-such", on_tables(&word, json!(["bill"]), json!(["FLY"])), "spec.postgres.grants[0].privileges[0]"),
        ("no-fit", json!([{ "database": word, "privileges": ["SELECT"] }]), "spec.postgres.grants[0]"),
    ] {
        stage.put(to_user(name, grants)).await?;
        let refused = becomes("Accepted", "False", reason::INVALID_OPTIONS).saying(path);
        stage.until(&operator, &Subject::access_grant(name), refused).await?;
    }
    let later = with(
        access_grant("later"),
        json!({ "spec": {
        "roleRef": { "name": "readers" }, "postgres": { "grants": on_tables(&word, json!(["bill"]), json!(["SELECT"])) },
    } }),
    );
    stage.put(later).await?;
    let later = Subject::access_grant("later");
    stage.until(&operator, &later, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("readers")).await?;
    stage.put(role("readers", &format!("{word}_readers"))).await?;
    let seen = stage.until(&operator, &later, ready()).await?;
    ensure!(seen.text("/status/targetInfo/type")? == "role");
    ensure!(privileges(server, &word, &format!("{word}_readers"), "bill").await? == "SELECT");
    Ok(())
}

#[tokio::test]
async fn an_authoritative_grant_takes_what_nobody_states_and_an_additive_one_leaves_it() -> Result<()> {
    let stage = Stage::open("grant-modes").await?;
    let server = stage.postgres().await?;
    let word = stage.word("modes");
    let app = format!("{word}_app");
    let operator = populated(&stage, &word).await?;
    let corrected = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "1s" } } });
    let only = Subject::access_grant("only");
    stage.put(with(to_user("only", on_tables(&word, json!(["bill"]), json!(["SELECT"]))), corrected)).await?;
    stage.until(&operator, &only, ready()).await?;
    server.query(&word, &format!("GRANT DELETE ON bill TO {app}; REVOKE SELECT ON bill FROM {app}")).await?;
    let becomes_of_bill = async |expected: &str| {
        stage
            .eventually(&format!("bill has {expected}"), Duration::from_secs(40), &operator, async || {
                let found = privileges(server, &word, &app, "bill").await?;
                ensure!(found == expected, "it has {found}");
                Ok(())
            })
            .await
    };
    becomes_of_bill("DELETE,SELECT").await?;

    // The change of the spec itself is applied as a whole; what comes by hand later is drift, and destructive to take.
    stage.change(&only, json!({ "spec": { "mode": "Authoritative" } })).await?;
    becomes_of_bill("SELECT").await?;
    server.query(&word, &format!("GRANT TRUNCATE ON bill TO {app}")).await?;
    stage.until(&operator, &only, becomes("Synced", "False", reason::DRIFT_DETECTED)).await?;
    ensure!(privileges(server, &word, &app, "bill").await? == "SELECT,TRUNCATE");
    stage.annotate(&only, json!({ annotation::ALLOW_DESTRUCTIVE_DRIFT: annotation::TRUE })).await?;
    becomes_of_bill("SELECT").await?;
    stage.until(&operator, &only, ready()).await.map(drop)
}

#[tokio::test]
async fn nobody_is_given_anything_across_a_namespace_without_its_consent() -> Result<()> {
    let mut stage = Stage::open("grant-consent").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("grant-other").await?);
    let word = stage.word("consent");
    let operator = populated(&stage, &word).await?;
    let served_too = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    stage.put(with(instance("main", server), served_too)).await?;
    let elsewhere = json!({ "spec": { "instanceRef": { "name": "main", "namespace": own } } });
    let spy = format!("{word}_spy");
    stage.put(inside(&other, with(user("app", &spy), elsewhere))).await?;
    stage.until(&operator, &Subject::user("app").inside(&other), ready()).await?;

    // A tenant gives its own user a right on another tenant's database, or makes it a member of another's role.
    let of_database = to_user("database", on_tables(&word, json!(["bill"]), json!(["SELECT"])));
    let of_role = with(
        access_grant("role"),
        json!({ "spec": {
        "userRef": { "name": "app" }, "postgres": { "roles": [format!("{word}_app")] },
    } }),
    );
    let foreign = |name: &str, target: &str| {
        with(
            access_grant(name),
            json!({ "spec": {
            "userRef": { "name": target, "namespace": own }, "postgres": { "grants": [{ "database": spy, "privileges": ["CONNECT"] }] },
        } }),
        )
    };
    let mut told = Vec::new();
    for manifest in [of_database, of_role, foreign("foreign", "app"), foreign("absent", "nobody")] {
        stage.put(inside(&other, manifest)).await?;
    }
    for name in ["database", "role", "foreign", "absent"] {
        let subject = Subject::access_grant(name).inside(&other);
        let seen = stage.until(&operator, &subject, becomes("Accepted", "False", reason::CONSENT_MISSING)).await?;
        told.push(seen.condition("Accepted").map(|said| said.message).unwrap_or_default());
    }
    let same = |one: &str| one.replace("/app", "/X").replace("/nobody", "/X");
    ensure!(told.get(2).map(|one| same(one)) == told.get(3).map(|one| same(one)), "it tells who is there: {told:?}");
    ensure!(privileges(server, &word, &spy, "bill").await?.is_empty());

    let from = json!({ "kind": "DatabaseGrant", "namespace": other });
    stage.put(grant("lend", from, json!({ "group": GROUP, "kind": "Database", "name": "orders" }))).await?;
    stage.until(&operator, &Subject::access_grant("database").inside(&other), ready()).await?;
    ensure!(privileges(server, &word, &spy, "bill").await? == "SELECT");
    for name in ["role", "foreign", "absent"] {
        let subject = Subject::access_grant(name).inside(&other);
        stage.until(&operator, &subject, becomes("Accepted", "False", reason::CONSENT_MISSING)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_database_stays_while_a_grant_is_about_it() -> Result<()> {
    let stage = Stage::open("grant-keeps").await?;
    let server = stage.postgres().await?;
    let word = stage.word("keeps");
    let operator = populated(&stage, &word).await?;
    let about = json!({ "spec": { "databaseRef": { "name": "orders" } } });
    stage.put(with(to_user("about", on_tables(&word, json!(["bill"]), json!(["SELECT"]))), about)).await?;
    let (about, orders) = (Subject::access_grant("about"), Subject::database("orders"));
    stage.until(&operator, &about, ready()).await?;
    stage.delete(&orders).await?;
    let wanted = becomes("Ready", "False", reason::DEPENDENCIES_EXIST).saying("DatabaseGrant/about");
    stage.until(&operator, &orders, wanted).await?;
    stage.annotate(&orders, forced(None)).await?;
    let waiting = becomes("Ready", "False", reason::PENDING_DELETION_CONFIRMATION);
    let seen = stage.until(&operator, &orders, waiting).await?;
    let hash = seen.text("/status/deletionConfirmation/hash")?.to_owned();
    stage.annotate(&orders, forced(Some(&hash))).await?;
    for subject in [&orders, &about] {
        stage.until_gone(&operator, subject).await?;
    }
    ensure!(!Catalogue::read(server, &word).await?.databases.contains_key(&word));
    Ok(())
}
