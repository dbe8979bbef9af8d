//! Grants of the whole cluster, many at once, and rights that are there without anybody's grant.

use anyhow::{Result, ensure};
use crds::names::{GROUP, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{access_grant, credentials, database, grant, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::json;

use super::{on_tables, populated, privileges, to_user};

#[tokio::test]
async fn twenty_grants_on_one_object_at_once_all_hold_and_each_takes_only_its_own() -> Result<()> {
    const GRANTS: usize = 20;
    let stage = Stage::open("grant-twenty").await?;
    let server = stage.postgres().await?;
    let word = stage.word("twenty");
    let operator = populated(&stage, &word).await?;
    for number in 0..GRANTS {
        stage.put(user(&format!("u{number}"), &format!("{word}_{number}"))).await?;
    }
    let rights = |number: usize| if number.is_multiple_of(2) { json!(["SELECT"]) } else { json!(["SELECT", "INSERT"]) };
    for number in 0..GRANTS {
        let to = json!({ "spec": { "userRef": { "name": format!("u{number}") }, "deletionProtection": false } });
        let name = format!("g{number}");
        stage.put(with(to_user(&name, on_tables(&word, json!(["bill"]), rights(number))), to)).await?;
    }
    for number in 0..GRANTS {
        stage.until(&operator, &Subject::access_grant(&format!("g{number}")), ready()).await?;
        let expected = if number.is_multiple_of(2) { "SELECT" } else { "INSERT,SELECT" };
        let found = privileges(server, &word, &format!("{word}_{number}"), "bill").await?;
        ensure!(found == expected, "u{number} has {found}");
    }
    // Half of them go at once.
    let (gone, kept): (Vec<_>, Vec<_>) = (0..GRANTS).partition(|number| number % 4 < 2);
    for number in &gone {
        stage.delete(&Subject::access_grant(&format!("g{number}"))).await?;
    }
    for number in &gone {
        stage.until_gone(&operator, &Subject::access_grant(&format!("g{number}"))).await?;
        let found = privileges(server, &word, &format!("{word}_{number}"), "bill").await?;
        ensure!(found.is_empty(), "u{number} still has {found}");
    }
    for number in &kept {
        let found = privileges(server, &word, &format!("{word}_{number}"), "bill").await?;
        ensure!(!found.is_empty(), "u{number} lost its rights with another's grant");
    }
    Ok(())
}

#[tokio::test]
async fn a_grant_of_the_cluster_gives_where_the_namespace_consents_and_takes_back() -> Result<()> {
    let stage = Stage::open("grant-cluster").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("clustergrant");
    let (shared, app) = (stage.name().to_owned(), format!("{word}_app"));
    let secret = json!({ "kind": "Secret", "name": "main-admin" });
    let consent = grant("to-cluster", json!({ "kind": "ClusterDatabaseInstance" }), secret);
    let offered = with(
        instance(&shared, server),
        json!({ "kind": "ClusterDatabaseInstance",
            "spec": { "connection": { "secretRef": { "name": "main-admin", "namespace": stage.name() } } } }),
    );
    stage.put_all([credentials("main-admin", server), consent, offered]).await?;
    let of_cluster = json!({ "spec": { "instanceRef": null, "clusterInstanceRef": { "name": shared } } });
    stage.put_all([with(user("app", &app), of_cluster.clone()), with(database("orders", &word), of_cluster)]).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;

    let given = json!({
        "kind": "ClusterDatabaseGrant", "metadata": { "name": shared },
        "spec": {
            "clusterInstanceRef": { "name": shared }, "deletionProtection": false,
            "userRef": { "name": "app", "namespace": stage.name() },
            "postgres": { "grants": [{ "database": word, "privileges": ["TEMPORARY"] }] },
        },
    });
    stage.put(given).await?;
    let subject = Subject::cluster_access_grant(&shared);
    stage.until(&operator, &subject, becomes("Accepted", "False", reason::CONSENT_MISSING).saying("userRef")).await?;
    // Whom it is for is one thing, and what it opens another.
    let from = json!({ "kind": "ClusterDatabaseGrant" });
    stage.put(grant("lend", from.clone(), json!({ "group": GROUP, "kind": "DatabaseUser", "name": "app" }))).await?;
    stage.until(&operator, &subject, becomes("Accepted", "False", reason::CONSENT_MISSING).saying("database")).await?;
    stage.put(grant("open", from, json!({ "group": GROUP, "kind": "Database", "name": "orders" }))).await?;
    let seen = stage.until(&operator, &subject, ready()).await?;
    ensure!(seen.text("/status/targetInfo/resolvedUsername")? == app, "{}", seen.0);
    ensure!(seen.at("/status/appliedGrants/applied") == Some(&json!(1)), "{}", seen.0);
    let has = format!(
        "SELECT count(*) FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = '{word}' \
         AND a.grantee = '{app}'::regrole AND a.privilege_type = 'TEMPORARY'"
    );
    ensure!(server.query_cell("postgres", &has).await?.as_deref() == Some("1"));

    stage.delete(&subject).await?;
    stage.until_gone(&operator, &subject).await?;
    ensure!(server.query_cell("postgres", &has).await?.as_deref() == Some("0"));
    for subject in [Subject::user("app"), Subject::database("orders"), Subject::cluster_instance(&shared)] {
        stage.delete(&subject).await?;
        stage.until_gone(&operator, &subject).await?;
    }
    Catalogue::expect_nothing(server, &word).await
}

#[tokio::test]
async fn what_an_owner_has_anyway_is_no_drift_and_stays_when_its_grant_goes() -> Result<()> {
    let stage = Stage::open("grant-owner").await?;
    let server = stage.postgres().await?;
    let word = stage.word("owner");
    let operator = populated(&stage, &word).await?;
    let owner = format!("{word}_app");
    server.query(&word, &format!("CREATE TABLE public.own (a int); ALTER TABLE public.own OWNER TO {owner}")).await?;
    let all = on_tables(&word, json!(["own"]), json!(["ALL"]));
    let policy =
        json!({ "spec": { "deletionProtection": false, "driftPolicy": { "mode": "correct", "interval": "1s" } } });
    stage.put(with(to_user("own", all), policy)).await?;
    let subject = Subject::access_grant("own");
    stage.until(&operator, &subject, ready()).await?;
    let settled = stage.get(&subject).await?;
    ensure!(settled.at("/status/drift/detected") != Some(&json!(true)), "{}", settled.0);
    stage.delete(&subject).await?;
    stage.until_gone(&operator, &subject).await?;
    let writes = format!("SELECT has_table_privilege('{owner}', 'public.own', 'INSERT')");
    ensure!(server.query_cell(&word, &writes).await?.as_deref() == Some("t"), "an owner lost what is its own");

    // ALL, and the right to grant it on, together.
    let whole = json!([{ "database": word, "schema": "public", "tables": ["bill"], "privileges": ["ALL"],
        "withGrantOption": true }]);
    stage
        .put(with(
            access_grant("whole"),
            json!({ "spec": { "userRef": { "name": "app" }, "deletionProtection": false,
        "postgres": { "grants": whole } } }),
        ))
        .await?;
    stage.until(&operator, &Subject::access_grant("whole"), ready()).await?;
    let grantable = format!("SELECT has_table_privilege('{owner}', 'public.bill', 'TRUNCATE WITH GRANT OPTION')");
    ensure!(server.query_cell(&word, &grantable).await?.as_deref() == Some("t"));
    stage.delete(&Subject::access_grant("whole")).await?;
    stage.until_gone(&operator, &Subject::access_grant("whole")).await?;
    ensure!(privileges(server, &word, &owner, "bill").await?.is_empty());
    Ok(())
}
