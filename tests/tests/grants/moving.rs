//! Grants that name somebody else than before: the former account is left, the new one is given what is stated, and
//! nothing is taken from it that others gave.

use anyhow::{Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::world::Operator;

use super::{on_tables, populated, privileges, to_user};

/// How often two grants leave an account at the same moment.
const TOGETHER: usize = 6;

/// Waits for an event, which is written behind the reconcile.
async fn told(stage: &Stage, operator: &Operator, event: &str) -> Result<()> {
    stage
        .eventually(event, PATIENCE, operator, async || {
            let seen = stage.namespace().state().await?;
            ensure!(seen.contains(event), "there is no such event");
            Ok(())
        })
        .await
}

fn unprotected(manifest: Value) -> Value {
    with(manifest, json!({ "spec": { "deletionProtection": false } }))
}

#[tokio::test]
async fn a_grant_that_names_another_user_leaves_the_first_and_takes_nothing_that_others_gave_the_second() -> Result<()>
{
    let stage = Stage::open("grant-moves").await?;
    let server = stage.postgres().await?;
    let word = stage.word("moves");
    let (app, heir) = (format!("{word}_app"), format!("{word}_heir"));
    let operator = populated(&stage, &word).await?;
    stage.put(user("heir", &heir)).await?;
    stage.until(&operator, &Subject::user("heir"), ready()).await?;
    let both = json!([
        { "database": word, "schema": "public", "tables": ["bill"], "privileges": ["SELECT"] },
        { "database": word, "schema": "public", "tables": ["note"], "privileges": ["UPDATE"] },
    ]);
    stage.put(unprotected(to_user("moving", both))).await?;
    let moving = Subject::access_grant("moving");
    stage.until(&operator, &moving, ready()).await?;
    // By hand, and by the same grantor: the same right that the grant gave its first user.
    server.query(&word, &format!("GRANT UPDATE ON note TO {heir}")).await?;

    // An empty word is no namespace.
    let on_bill = on_tables(&word, json!(["bill"]), json!(["SELECT"]));
    let to_heir = json!({ "spec": {
        "userRef": { "name": "heir", "namespace": "" }, "postgres": { "grants": on_bill },
    } });
    stage.change(&moving, to_heir).await?;
    let seen = stage.until(&operator, &moving, ready()).await?;
    ensure!(seen.text("/status/targetInfo/resolvedUsername")? == heir, "{}", seen.0);
    ensure!(seen.text("/status/ownership/name")? == heir, "{}", seen.0);
    for (role, table, expected) in
        [(&app, "bill", ""), (&app, "note", ""), (&heir, "bill", "SELECT"), (&heir, "note", "UPDATE")]
    {
        let found = privileges(server, &word, role, table).await?;
        ensure!(found == expected, "{role} has {found} on {table}");
    }
    let held = seen.at("/status/held").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(held == 1, "what others gave is recorded: {}", seen.0);
    told(&stage, &operator, "event moving: Revoked").await?;

    stage.delete(&moving).await?;
    stage.until_gone(&operator, &moving).await?;
    ensure!(privileges(server, &word, &heir, "bill").await?.is_empty());
    ensure!(privileges(server, &word, &heir, "note").await? == "UPDATE", "what somebody gave by hand is gone");
    Ok(())
}

#[tokio::test]
async fn of_two_grants_that_leave_a_user_at_once_neither_leaves_its_right_to_the_other() -> Result<()> {
    let stage = Stage::open("grant-leaves").await?;
    let server = stage.postgres().await?;
    let word = stage.word("leaves");
    let operator = populated(&stage, &word).await?;
    stage.put(user("heir", &format!("{word}_heir"))).await?;
    stage.until(&operator, &Subject::user("heir"), ready()).await?;
    let select = || on_tables(&word, json!(["bill"]), json!(["SELECT"]));
    stage.put_all([to_user("one", select()), to_user("two", select())]).await?;
    let (one, two) = (Subject::access_grant("one"), Subject::access_grant("two"));
    for subject in [&one, &two] {
        stage.until(&operator, subject, ready()).await?;
    }
    for round in 0..TOGETHER {
        let (from, to) = if round % 2 == 0 { ("app", "heir") } else { ("heir", "app") };
        let moved = || json!({ "spec": { "userRef": { "name": to } } });
        tokio::try_join!(stage.change(&one, moved()), stage.change(&two, moved()))?;
        for subject in [&one, &two] {
            stage.until(&operator, subject, ready()).await?;
        }
        let left = privileges(server, &word, &format!("{word}_{from}"), "bill").await?;
        ensure!(left.is_empty(), "round {round}: both left {from}, and it has {left}");
        let given = privileges(server, &word, &format!("{word}_{to}"), "bill").await?;
        ensure!(given == "SELECT", "round {round}: {to} has {given}");
    }
    Ok(())
}

#[tokio::test]
async fn a_user_that_is_being_deleted_is_given_nothing_and_one_that_is_gone_is_told_of() -> Result<()> {
    let stage = Stage::open("grant-going").await?;
    let server = stage.postgres().await?;
    let word = stage.word("going");
    let app = format!("{word}_app");
    let operator = populated(&stage, &word).await?;
    stage.put(unprotected(to_user("early", on_tables(&word, json!(["note"]), json!(["SELECT"]))))).await?;
    let (early, late) = (Subject::access_grant("early"), Subject::access_grant("late"));
    stage.until(&operator, &early, ready()).await?;
    // What it owns keeps it on its way.
    server.query(&word, &format!("CREATE TABLE public.own (a int); ALTER TABLE public.own OWNER TO {app}")).await?;
    stage.delete(&Subject::user("app")).await?;
    stage.until(&operator, &Subject::user("app"), becomes("Ready", "False", reason::OWNERSHIP_BLOCKS)).await?;
    stage.put(to_user("late", on_tables(&word, json!(["bill"]), json!(["SELECT"])))).await?;
    let waits = becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("being deleted");
    stage.until(&operator, &late, waits).await?;
    ensure!(privileges(server, &word, &app, "bill").await?.is_empty(), "it was given something");

    server.query(&word, "DROP TABLE public.own").await?;
    stage.until_gone(&operator, &Subject::user("app")).await?;
    stage.delete(&early).await?;
    stage.until_gone(&operator, &early).await?;
    told(&stage, &operator, "event early: RevokeSkipped").await
}

#[tokio::test]
async fn rights_that_cannot_be_taken_back_yet_are_told_of_in_the_grants_own_word() -> Result<()> {
    let stage = Stage::open("grant-kept").await?;
    let server = stage.postgres().await?;
    let word = stage.word("kept");
    let app = format!("{word}_app");
    let mut operator = populated(&stage, &word).await?;
    stage.put(unprotected(to_user("reads", on_tables(&word, json!(["bill"]), json!(["SELECT"]))))).await?;
    let reads = Subject::access_grant("reads");
    stage.until(&operator, &reads, ready()).await?;
    operator.kill()?;
    stage.delete(&Subject::secret("main-admin")).await?;
    stage.delete(&reads).await?;
    operator.restart().await?;
    stage.until(&operator, &reads, becomes("Ready", "False", reason::INSTANCE_NOT_READY)).await?;
    told(&stage, &operator, "event reads: RevokeFailed").await?;
    stage.put(credentials("main-admin", server)).await?;
    stage.until_gone(&operator, &reads).await?;
    ensure!(privileges(server, &word, &app, "bill").await?.is_empty());
    Ok(())
}
