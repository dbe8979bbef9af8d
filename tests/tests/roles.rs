//! Roles of namespaces and of the whole cluster: their attributes, their rights, their members, and their end.

#![expect(clippy::needless_pass_by_value, reason = "manifests are written where they are used, once")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{
    access_grant, cluster_role, credentials, database, forced, grant, inside, instance, role, user, with,
};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;
use testkit::world::Operator;

/// An operator, and an instance that is ready.
async fn served(stage: &Stage) -> Result<Operator> {
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    Ok(operator)
}

async fn cell(server: &PostgresEndpoint, database: &str, sql: &str) -> Result<String> {
    server.query_cell(database, sql).await?.with_context(|| format!("nothing came of {sql}"))
}

/// Whether the role has the privilege on the table, by the server's own word.
async fn has(server: &PostgresEndpoint, database: &str, role: &str, table: &str, privilege: &str) -> Result<bool> {
    let sql = format!("SELECT has_table_privilege('{role}', '{table}', '{privilege}')");
    Ok(cell(server, database, &sql).await? == "t")
}

/// The block with its grants.
fn granting(manifest: Value, grants: Value) -> Value {
    with(manifest, json!({ "spec": { "postgres": { "grants": grants } } }))
}

/// Makes a table as an application would: a superuser's would be out of the administrator's reach.
async fn owned_by_the_databases_owner(server: &PostgresEndpoint, database: &str, table: &str) -> Result<()> {
    let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    let owner = cell(server, database, owner).await?;
    server.query(database, &format!("CREATE TABLE {table} (a int); ALTER TABLE {table} OWNER TO {owner}")).await?;
    Ok(())
}

#[tokio::test]
async fn a_role_has_its_attributes_and_rights_and_its_members_have_them_too() -> Result<()> {
    let stage = Stage::open("role-life").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("life");
    let readers = format!("{word}_readers");
    stage
        .put(with(
            database("orders", &word),
            json!({ "spec": {
        "initSQL": { "inline": ["CREATE TABLE public.bill (a int)", "CREATE TABLE public.note (a int)"] },
        "postgres": { "ownership": { "autoOwnership": true, "dropOnDelete": true } },
    } }),
        ))
        .await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let select = json!([{ "database": word, "schema": "public", "tables": ["bill"], "privileges": ["SELECT"] }]);
    stage
        .put(granting(with(role("readers", &readers), json!({ "spec": { "postgres": { "inherit": false } } })), select))
        .await?;
    let subject = Subject::role("readers");
    let seen = stage.until(&operator, &subject, ready()).await?;
    ensure!(seen.text("/status/role/name")? == readers);
    ensure!(seen.text("/status/held/0/privileges/0")? == "SELECT", "{}", seen.0);
    let attributes = format!("SELECT rolcanlogin::text || rolinherit::text FROM pg_roles WHERE rolname = '{readers}'");
    ensure!(cell(server, "postgres", &attributes).await? == "falsefalse");
    ensure!(has(server, &word, &readers, "bill", "SELECT").await?);
    ensure!(!has(server, &word, &readers, "note", "SELECT").await?);

    // A member of the same namespace needs no consent.
    let member = json!({ "spec": { "postgres": { "inRoles": [readers] } } });
    stage.put(with(user("app", &format!("{word}_app")), member)).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    ensure!(has(server, &word, &format!("{word}_app"), "bill", "SELECT").await?);

    // Another right comes, the first one goes, and nothing else.
    let update = json!([{ "database": word, "schema": "public", "tables": ["*"], "privileges": ["UPDATE"] }]);
    stage.change(&subject, json!({ "spec": { "postgres": { "grants": update, "createDB": true } } })).await?;
    stage.until(&operator, &subject, ready()).await?;
    for (table, privilege, expected) in
        [("bill", "SELECT", false), ("bill", "UPDATE", true), ("note", "UPDATE", true), ("note", "DELETE", false)]
    {
        ensure!(has(server, &word, &readers, table, privilege).await? == expected, "{table} {privilege}");
    }
    let creates = format!("SELECT rolcreatedb FROM pg_roles WHERE rolname = '{readers}'");
    ensure!(cell(server, "postgres", &creates).await? == "t");

    // Without grants in the spec, what was given is taken back.
    stage.change(&subject, json!({ "spec": { "postgres": { "grants": null } } })).await?;
    stage
        .eventually("the rights are taken back", Duration::from_secs(30), &operator, async || {
            ensure!(!has(server, &word, &readers, "bill", "UPDATE").await?);
            Ok(())
        })
        .await?;
    let seen = stage.until(&operator, &subject, ready()).await?;
    ensure!(seen.at("/status/held").is_none(), "{}", seen.0);

    for subject in [&Subject::user("app"), &subject, &Subject::database("orders")] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    let metrics = operator.metrics().await?;
    for operation in ["create", "update", "delete"] {
        let label = format!("operation=\"{operation}\"");
        let counted = total(&metrics, "dbops_role_operations_total", &[&label, "status=\"success\""]);
        ensure!(counted >= 1.0, "no role was counted for {operation}:\n{metrics}");
        let timed = total(&metrics, "dbops_role_operation_duration_seconds_count", &[&label]);
        ensure!(timed >= 1.0, "no time was measured for {operation}:\n{metrics}");
    }
    Catalogue::expect_nothing(server, &word).await
}

#[tokio::test]
async fn drift_of_a_role_and_of_its_rights_is_corrected_and_a_wrong_right_is_refused_by_its_path() -> Result<()> {
    let stage = Stage::open("role-drift").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("drift");
    stage
        .put(with(
            database("orders", &word),
            json!({ "spec": {
        "initSQL": { "inline": ["CREATE TABLE public.bill (a int)"] },
        "postgres": { "ownership": { "autoOwnership": true, "dropOnDelete": true } },
    } }),
        ))
        .await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let select = json!([{ "database": word, "schema": "public", "tables": ["bill"], "privileges": ["SELECT"] }]);
    let corrected = json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "1s" } } });
    stage.put(granting(with(role("readers", &word), corrected), select)).await?;
    let subject = Subject::role("readers");
    stage.until(&operator, &subject, ready()).await?;
    server.query(&word, &format!("REVOKE SELECT ON bill FROM {word}; ALTER ROLE {word} NOINHERIT")).await?;
    let inherits = format!("SELECT rolinherit FROM pg_roles WHERE rolname = '{word}'");
    stage
        .eventually("both are as the spec says again", Duration::from_secs(40), &operator, async || {
            ensure!(has(server, &word, &word, "bill", "SELECT").await?, "the right is missing");
            ensure!(cell(server, "postgres", &inherits).await? == "t", "the attribute is another");
            Ok(())
        })
        .await?;

    let wrong = json!([{ "database": word, "privileges": ["SELECT"] }]);
    stage.change(&subject, json!({ "spec": { "postgres": { "grants": wrong } } })).await?;
    let refused = becomes("Accepted", "False", reason::INVALID_OPTIONS).saying("spec.postgres.grants[0]");
    stage.until(&operator, &subject, refused).await?;
    let missing = json!([{ "database": word, "schema": "public", "tables": ["soon"], "privileges": ["SELECT"] }]);
    stage.change(&subject, json!({ "spec": { "postgres": { "grants": missing } } })).await?;
    stage.until(&operator, &subject, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("soon")).await?;
    ensure!(!has(server, &word, &word, "bill", "SELECT").await?, "what left the spec is still there");
    owned_by_the_databases_owner(server, &word, "soon").await?;
    stage.until(&operator, &subject, ready()).await?;
    ensure!(has(server, &word, &word, "soon", "SELECT").await?);
    // What left the spec does not wait for a role that is not there either.
    let nobody = format!("{word}_nobody");
    let joined = json!({ "inRoles": [&nobody], "grants": [] });
    stage.change(&subject, json!({ "spec": { "postgres": joined } })).await?;
    stage.until(&operator, &subject, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying(&nobody)).await?;
    ensure!(!has(server, &word, &word, "soon", "SELECT").await?, "what left the spec is still there");
    Ok(())
}

#[tokio::test]
async fn a_role_that_vanished_is_made_again_with_its_rights_and_a_table_too() -> Result<()> {
    let stage = Stage::open("role-again").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("again");
    let made = json!({ "spec": {
        "initSQL": { "inline": ["CREATE TABLE public.bill (a int)"] },
        "postgres": { "ownership": { "autoOwnership": true, "dropOnDelete": true } },
    } });
    stage.put(with(database("orders", &word), made)).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let select = json!([{ "database": word, "schema": "public", "tables": ["bill"], "privileges": ["SELECT"] }]);
    let often = json!({ "spec": { "driftPolicy": { "mode": "detect", "interval": "1s" } } });
    stage.put(granting(with(role("readers", &word), often), select)).await?;
    let readers = Subject::role("readers");
    stage.until(&operator, &readers, ready()).await?;
    server.query(&word, &format!("DROP OWNED BY {word}; DROP ROLE {word}")).await?;
    let reads_again = async || {
        stage
            .eventually("it reads again", Duration::from_mins(1), &operator, async || {
                ensure!(has(server, &word, &word, "bill", "SELECT").await?, "the right is missing");
                stage.get(&readers).await?.check(&ready())
            })
            .await
    };
    reads_again().await?;

    server.query(&word, "DROP TABLE bill").await?;
    stage.until(&operator, &readers, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("bill")).await?;
    owned_by_the_databases_owner(server, &word, "bill").await?;
    reads_again().await?;

    // A migration makes it again so fast that no look sees it missing.
    let owner = cell(server, &word, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'bill'").await?;
    let again = format!("DROP TABLE bill; CREATE TABLE bill (a int, b int); ALTER TABLE bill OWNER TO {owner}");
    server.query(&word, &again).await?;
    reads_again().await
}

#[tokio::test]
async fn of_two_roles_that_go_together_neither_leaves_to_the_other_what_both_give_everyone() -> Result<()> {
    let stage = Stage::open("role-together").await?;
    let server = stage.postgres().await?;
    let operator = served(&stage).await?;
    let word = stage.word("together");
    let made = json!({ "spec": {
        "initSQL": { "inline": ["CREATE TABLE public.bill (a int)"] },
        "postgres": { "ownership": { "autoOwnership": true, "dropOnDelete": true } },
    } });
    stage.put(with(database("orders", &word), made)).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let everyone = || {
        json!([{ "database": word, "schema": "public", "tables": ["bill"], "privileges": ["SELECT"],
            "public": "Granted" }])
    };
    let of_everyone =
        "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relname = 'bill' AND a.grantee = 0";
    for round in 0..3 {
        let names = [format!("first{round}"), format!("second{round}")];
        for name in &names {
            stage.put(granting(role(name, &format!("{word}_{name}")), everyone())).await?;
        }
        let roles = names.each_ref().map(|name| Subject::role(name));
        for subject in &roles {
            stage.until(&operator, subject, ready()).await?;
        }
        ensure!(cell(server, &word, of_everyone).await? == "1");
        for subject in &roles {
            stage.delete(subject).await?;
        }
        for subject in &roles {
            stage.until_gone(&operator, subject).await?;
        }
        ensure!(cell(server, &word, of_everyone).await? == "0", "round {round}: everyone has what nobody states");
    }
    Ok(())
}

#[tokio::test]
async fn a_role_of_the_cluster_is_named_by_namespaces_only_where_the_instance_lists_it() -> Result<()> {
    let stage = Stage::open("role-cluster").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("cluster");
    // Names of cluster-scoped objects are shared by all tests.
    let shared = stage.name().to_owned();
    let main = Subject::cluster_instance(&shared);
    let consent = grant(
        "to-cluster",
        json!({ "kind": "ClusterDatabaseInstance" }),
        json!({ "kind": "Secret", "name": "main-admin" }),
    );
    let offered = with(
        instance(&shared, server),
        json!({
            "kind": "ClusterDatabaseInstance",
            "spec": { "connection": { "secretRef": { "name": "main-admin", "namespace": stage.name() } } },
        }),
    );
    stage.put_all([credentials("main-admin", server), consent, offered]).await?;
    stage.until(&operator, &main, ready()).await?;
    let stated = json!({ "spec": { "managedResourceComment": "everybody's readers" } });
    stage.put(with(cluster_role(&shared, &word), stated)).await?;
    let role = Subject::cluster_role(&shared);
    stage.until(&operator, &role, ready()).await?;
    let comment = format!("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{word}'");
    ensure!(cell(server, "postgres", &comment).await?.starts_with("everybody's readers"));

    let member = with(
        user("app", &format!("{word}_app")),
        json!({ "spec": {
        "instanceRef": null, "clusterInstanceRef": { "name": shared }, "postgres": { "inRoles": [word] },
    } }),
    );
    stage.put(member).await?;
    let app = Subject::user("app");
    stage.until(&operator, &app, becomes("Accepted", "False", reason::CONSENT_MISSING).saying("inRoles")).await?;
    // Nor is anything given to it or taken from it.
    let of_role = |name: &str| {
        json!({ "spec": {
            "roleRef": { "kind": "ClusterDatabaseRole", "name": name }, "mode": "Authoritative",
            "deletionProtection": false, "postgres": { "grants": [] },
        } })
    };
    stage.put(with(access_grant("seizes"), of_role(&shared))).await?;
    stage.put(with(access_grant("guesses"), of_role("no-such-role"))).await?;
    let (seizes, guesses) = (Subject::access_grant("seizes"), Subject::access_grant("guesses"));
    for subject in [&seizes, &guesses] {
        let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying("unmanagedNames");
        stage.until(&operator, subject, refused).await?;
    }
    stage.change(&main, json!({ "spec": { "privilegeCeiling": { "unmanagedNames": [word] } } })).await?;
    stage.until(&operator, &app, ready()).await?;
    stage.until(&operator, &seizes, ready()).await?;
    stage.delete(&seizes).await?;
    stage.until_gone(&operator, &seizes).await?;
    stage.until(&operator, &main, ready()).await?;

    // The instance knows its dependents, wherever they are.
    stage.delete(&main).await?;
    stage.until(&operator, &main, becomes("Ready", "False", reason::DEPENDENCIES_EXIST).saying(&shared)).await?;
    for subject in [&app, &role] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    stage.until_gone(&operator, &main).await?;
    Catalogue::expect_nothing(server, &word).await
}

#[tokio::test]
async fn a_role_is_nobody_elses_and_what_it_owns_keeps_it() -> Result<()> {
    let mut stage = Stage::open("role-claims").await?;
    let server = stage.postgres().await?;
    let (own, other) = (stage.name().to_owned(), stage.neighbour("role-other").await?);
    let operator = served(&stage).await?;
    let word = stage.word("claims");
    let served_too = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    stage.put(with(instance("main", server), served_too)).await?;
    let elsewhere = json!({ "spec": { "instanceRef": { "name": "main", "namespace": own } } });
    server.query("postgres", &format!("CREATE ROLE {word}_there")).await?;
    stage.put_all([role("mine", &word), role("there", &format!("{word}_there"))]).await?;
    let (mine, there) = (Subject::role("mine"), Subject::role("there"));
    stage.until(&operator, &mine, ready()).await?;
    stage.until(&operator, &there, becomes("Ready", "False", reason::ADOPTION_REQUIRED)).await?;

    // The second who wants it, as a role or as a user, never touches it, not even when it goes.
    stage.put(inside(&other, with(role("theirs", &word), elsewhere))).await?;
    stage.put(user("as-user", &word)).await?;
    let theirs = Subject::role("theirs").inside(&other);
    for subject in [&theirs, &Subject::user("as-user")] {
        stage.until(&operator, subject, becomes("Ready", "False", reason::CONFLICT)).await?;
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    stage.change(&there, json!({ "spec": { "adoptionPolicy": "Adopt" } })).await?;
    stage.until(&operator, &there, ready()).await?;

    // In a database whose owner is the namespace's too.
    let landlord = format!("{word}_landlord");
    stage.put(role("landlord", &landlord)).await?;
    stage.put(with(database("orders", &word), json!({ "spec": { "owner": landlord } }))).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let owned = format!("CREATE TABLE public.{word}_t (a int); ALTER TABLE public.{word}_t OWNER TO {word}");
    server.query(&word, &owned).await?;
    stage.annotate(&there, json!({ annotation::DELETION_POLICY: "Retain" })).await?;
    for subject in [&mine, &there] {
        stage.delete(subject).await?;
    }
    stage.until_gone(&operator, &there).await?;
    stage
        .until(&operator, &mine, becomes("Ready", "False", reason::OWNERSHIP_BLOCKS).saying(&format!("{word}_t")))
        .await?;
    stage.annotate(&mine, forced(None)).await?;
    stage.until_gone(&operator, &mine).await?;
    let roles = Catalogue::read(server, &word).await?.roles;
    ensure!(roles.keys().eq([&landlord, &format!("{word}_there")]), "{roles:?}");
    server.query("postgres", &format!("DROP ROLE {word}_there")).await?;
    Ok(())
}
