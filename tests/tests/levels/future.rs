//! Rights on objects of PostgreSQL that are created later, and rights of everyone.

use anyhow::{Context as _, Result, ensure};
use dbprovision_tests::manifests::{access_grant, credentials, database, instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;
use testkit::world::Operator;

use super::postgres::Login;
use super::{Client as _, Probe};

/// A database of the user `owner`'s, and the user `app` whom grants are for.
struct Scene {
    stage: Stage,
    server: &'static PostgresEndpoint,
    operator: Operator,
    database: String,
    owner: (Login, String),
    app: (Login, String),
}

impl Scene {
    async fn set(purpose: &str) -> Result<Self> {
        let stage = Stage::open(purpose).await?;
        let server = stage.postgres().await?;
        let operator = stage.operator().await?;
        let word = stage.word("future");
        stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
        for name in ["owner", "app"] {
            stage.put(user(name, &format!("{word}_{name}"))).await?;
            stage.until(&operator, &Subject::user(name), ready()).await?;
        }
        stage.put(with(database("orders", &word), json!({ "spec": { "owner": format!("{word}_owner") } }))).await?;
        stage.until(&operator, &Subject::database("orders"), ready()).await?;
        server.query(&word, &format!("GRANT CREATE, USAGE ON SCHEMA public TO {word}_owner")).await?;
        let login = async |name: &str| {
            let password = stage.secret_value(&Subject::secret(name), "password").await?;
            let account = format!("{word}_{name}");
            anyhow::Ok((Login { server: server.clone(), account, database: word.clone() }, password))
        };
        let (owner, app) = (login("owner").await?, login("app").await?);
        Ok(Self { server, operator, database: word, owner, app, stage })
    }

    /// The owner creates a table.
    async fn made(&self, table: &str) -> Result<()> {
        let (owner, password) = &self.owner;
        owner.run(password, &format!("CREATE TABLE {table} (a int)")).await
    }

    /// What the user `app` may do with a table: read it, write it.
    async fn may(&self, when: &str, table: &str, expected: [bool; 2]) -> Result<()> {
        let (app, password) = &self.app;
        let statements = [format!("SELECT a FROM {table}"), format!("INSERT INTO {table} VALUES (1)")];
        for (statement, expected) in statements.iter().zip(expected) {
            let outcome = app.run(password, statement).await;
            ensure!(outcome.is_ok() == expected, "{when}, {statement}: {outcome:?}");
        }
        Ok(())
    }

    /// The grant `later`, which has this in its block.
    async fn states(&self, block: Value) -> Result<()> {
        let spec = json!({ "userRef": { "name": "app" }, "deletionProtection": false, "postgres": block });
        self.stage.put(with(access_grant("later"), json!({ "spec": spec }))).await?;
        self.stage.until(&self.operator, &Subject::access_grant("later"), ready()).await.map(drop)
    }

    async fn goes(&self, subject: Subject) -> Result<()> {
        self.stage.delete(&subject).await?;
        self.stage.until_gone(&self.operator, &subject).await
    }

    async fn end(self, tables: &str) -> Result<()> {
        // What was given on tables that are there is the tables' own by now, and goes with them.
        self.server.query(&self.database, &format!("DROP TABLE {tables}")).await?;
        for subject in [Subject::user("app"), Subject::database("orders"), Subject::user("owner")] {
            self.goes(subject).await?;
        }
        Ok(())
    }
}

/// Each step is seen in a table that is made after it.
#[tokio::test]
async fn default_privileges_of_an_owner_are_about_what_it_creates_later() -> Result<()> {
    let scene = Scene::set("levels-default").await?;
    let entry = |privileges: Value| {
        let (database, owner) = (&scene.database, &scene.owner.0.account);
        json!({ "defaultPrivileges": [{
            "database": database, "schema": "public", "grantedBy": owner, "objectType": "tables", "privileges": privileges,
        }] })
    };
    scene.made("before_it").await?;
    for (table, privileges, expected) in [
        ("first", json!(["SELECT", "INSERT"]), [true, true]),
        ("narrowed", json!(["SELECT"]), [true, false]),
        ("widened", json!(["SELECT", "INSERT"]), [true, true]),
    ] {
        scene.states(entry(privileges)).await?;
        scene.made(table).await?;
        scene.may("with it", table, expected).await?;
    }
    scene.goes(Subject::access_grant("later")).await?;
    scene.made("after_it").await?;
    for (table, expected) in
        [("before_it", [false; 2]), ("after_it", [false; 2]), ("first", [true; 2]), ("narrowed", [true, false])]
    {
        scene.may("after it", table, expected).await?;
    }
    scene.end("before_it, first, narrowed, widened, after_it").await
}

#[tokio::test]
async fn all_tables_of_today_and_tomorrow_are_given_and_taken_together() -> Result<()> {
    let scene = Scene::set("levels-tomorrow").await?;
    let entry = |privileges: Value| {
        json!({ "grants": [{
            "database": scene.database, "schema": "public", "tables": ["*"], "privileges": privileges, "future": true,
        }] })
    };
    scene.made("today").await?;
    scene.may("before it", "today", [false; 2]).await?;
    scene.states(entry(json!(["SELECT", "INSERT"]))).await?;
    scene.made("tomorrow").await?;
    for table in ["today", "tomorrow"] {
        scene.may("as given first", table, [true; 2]).await?;
    }
    let (app, password) = &scene.app;
    let app = std::sync::Arc::new(Login {
        server: app.server.clone(),
        account: app.account.clone(),
        database: app.database.clone(),
    });
    let probe = Probe::start(&app, password, "SELECT a FROM today");
    for (when, privileges, made, expected) in [
        ("narrowed", json!(["SELECT"]), "second", [true, false]),
        ("widened", json!(["SELECT", "INSERT"]), "third", [true, true]),
    ] {
        scene.states(entry(privileges)).await.context(when)?;
        scene.made(made).await?;
        for table in ["today", made] {
            scene.may(when, table, expected).await?;
        }
    }
    probe.end().await?;
    scene.goes(Subject::access_grant("later")).await?;
    scene.made("after_it").await?;
    for table in ["today", "after_it"] {
        scene.may("after it", table, [false; 2]).await?;
    }
    scene.end("today, tomorrow, second, third, after_it").await
}

#[tokio::test]
async fn what_everyone_may_is_given_and_taken_as_stated() -> Result<()> {
    let scene = Scene::set("levels-everyone").await?;
    let table = |privileges: Value, public: &str| {
        json!({
            "database": scene.database, "schema": "public", "tables": ["list"], "privileges": privileges, "public": public,
        })
    };
    let temporary = |public: &str| json!({ "database": scene.database, "privileges": ["TEMPORARY"], "public": public });
    let (app, password) = &scene.app;
    let may_make_temporary = async |when: &str, expected: bool| {
        let outcome = app.run(password, "CREATE TEMPORARY TABLE mine (a int)").await;
        ensure!(outcome.is_ok() == expected, "{when}: {outcome:?}");
        anyhow::Ok(())
    };
    scene.made("list").await?;
    scene.may("before it", "list", [false; 2]).await?;
    may_make_temporary("before it", true).await?;
    for (when, grants, expected, temporarily) in [
        ("as given first", json!([table(json!(["SELECT", "INSERT"]), "Granted")]), [true, true], true),
        ("narrowed", json!([table(json!(["SELECT"]), "Granted"), temporary("Revoked")]), [true, false], false),
        ("widened", json!([table(json!(["SELECT", "INSERT"]), "Granted")]), [true, true], false),
        ("taken", json!([table(json!(["ALL"]), "Revoked"), temporary("Granted")]), [false, false], true),
        ("given again", json!([table(json!(["SELECT"]), "Granted")]), [true, false], false),
    ] {
        scene.states(json!({ "grants": grants })).await.context(when)?;
        scene.may(when, "list", expected).await?;
        may_make_temporary(when, temporarily).await?;
    }
    scene.goes(Subject::access_grant("later")).await?;
    scene.may("after it", "list", [false; 2]).await?;
    scene.end("list").await
}
