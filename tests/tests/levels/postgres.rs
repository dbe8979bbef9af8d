//! The levels of PostgreSQL.

use anyhow::Result;
use dbprovision_tests::manifests::{credentials, database, instance, with};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;
use testkit::world::Operator;

use super::{Client, Story, hand_over, play};

pub(super) struct Login {
    pub(super) server: PostgresEndpoint,
    pub(super) account: String,
    pub(super) database: String,
}

impl Client for Login {
    async fn run(&self, password: &str, statement: &str) -> Result<()> {
        let session = self.server.login(&self.account, password, &self.database).await?;
        session.rows(statement).await.map(drop)
    }
}

/// What everyone may do by itself is taken first, so that a grant decides.
const OBJECTS: &[&str] = &[
    "CREATE SCHEMA app",
    "CREATE SCHEMA other",
    "CREATE TABLE app.t (a int, b int, c int)",
    "CREATE TABLE app.r1 (a int)",
    "CREATE TABLE app.r2 (a int)",
    "CREATE TABLE app.r3 (a int)",
    "CREATE SEQUENCE app.s",
    "CREATE SEQUENCE app.s2",
    "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION app.g(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION app.g(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE PROCEDURE app.p() LANGUAGE sql AS 'SELECT 1'",
    "CREATE PROCEDURE app.q(int) LANGUAGE sql AS 'SELECT 1'",
    "CREATE PROCEDURE app.q(text) LANGUAGE sql AS 'SELECT 1'",
    "CREATE DOMAIN app.d AS int",
    "CREATE DOMAIN app.e AS int",
    "CREATE DOMAIN app.h AS int",
    "CREATE FUNCTION other.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA inner_one",
    "CREATE FUNCTION inner_one.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA app FROM PUBLIC",
    "REVOKE USAGE ON TYPE app.d, app.e, app.h FROM PUBLIC",
    "GRANT USAGE ON SCHEMA app TO PUBLIC",
];

fn stories(word: &str) -> Vec<Story> {
    let entry = |more: Value| with(json!({ "database": word, "schema": "app" }), more);
    let grants = |entries: Vec<Value>| json!({ "grants": entries });
    let one = |more: Value| grants(vec![entry(more)]);
    vec![
        Story {
            level: "schema",
            stated: [
                grants(vec![json!({ "database": word, "schema": "other", "privileges": ["USAGE", "CREATE"] })]),
                grants(vec![json!({ "database": word, "schema": "other", "privileges": ["USAGE"] })]),
                grants(vec![
                    json!({ "database": word, "schema": "other", "privileges": ["USAGE"] }),
                    json!({ "database": word, "schema": "inner_one", "privileges": ["USAGE"] }),
                ]),
            ],
            stays: "SELECT other.one()",
            goes: "BEGIN; CREATE TABLE other.made (a int); ROLLBACK",
            comes: "SELECT inner_one.one()",
        },
        Story {
            level: "table",
            stated: [
                one(json!({ "tables": ["t"], "privileges": ["SELECT", "INSERT"] })),
                one(json!({ "tables": ["t"], "privileges": ["SELECT"] })),
                one(json!({ "tables": ["t"], "privileges": ["SELECT", "DELETE"] })),
            ],
            stays: "SELECT a FROM app.t",
            goes: "INSERT INTO app.t VALUES (1)",
            comes: "DELETE FROM app.t",
        },
        Story {
            level: "column",
            stated: [
                one(json!({ "columns": { "t": ["a", "b"] }, "privileges": ["SELECT"] })),
                one(json!({ "columns": { "t": ["a"] }, "privileges": ["SELECT"] })),
                one(json!({ "columns": { "t": ["a", "c"] }, "privileges": ["SELECT"] })),
            ],
            stays: "SELECT a FROM app.t",
            goes: "SELECT b FROM app.t",
            comes: "SELECT c FROM app.t",
        },
        Story {
            level: "sequence",
            stated: [
                one(json!({ "sequences": ["s"], "privileges": ["SELECT", "USAGE"] })),
                one(json!({ "sequences": ["s"], "privileges": ["SELECT"] })),
                one(json!({ "sequences": ["s", "s2"], "privileges": ["SELECT"] })),
            ],
            stays: "SELECT last_value FROM app.s",
            goes: "SELECT nextval('app.s')",
            comes: "SELECT last_value FROM app.s2",
        },
        Story {
            level: "function",
            stated: [
                one(json!({ "functions": ["f", "g(integer)"], "privileges": ["EXECUTE"] })),
                one(json!({ "functions": ["f"], "privileges": ["EXECUTE"] })),
                one(json!({ "functions": ["f", "g(text)"], "privileges": ["EXECUTE"] })),
            ],
            stays: "SELECT app.f()",
            goes: "SELECT app.g(1)",
            comes: "SELECT app.g('x'::text)",
        },
        Story {
            level: "procedure",
            stated: [
                one(json!({ "procedures": ["p", "q(integer)"], "privileges": ["EXECUTE"] })),
                one(json!({ "procedures": ["p"], "privileges": ["EXECUTE"] })),
                one(json!({ "procedures": ["p", "q(text)"], "privileges": ["EXECUTE"] })),
            ],
            stays: "CALL app.p()",
            goes: "CALL app.q(1)",
            comes: "CALL app.q('x'::text)",
        },
        Story {
            level: "type",
            stated: [
                one(json!({ "types": ["d", "e"], "privileges": ["USAGE"] })),
                one(json!({ "types": ["d"], "privileges": ["USAGE"] })),
                one(json!({ "types": ["d", "h"], "privileges": ["USAGE"] })),
            ],
            stays: "BEGIN; CREATE TEMP TABLE made (a app.d); ROLLBACK",
            goes: "BEGIN; CREATE TEMP TABLE made (a app.e); ROLLBACK",
            comes: "BEGIN; CREATE TEMP TABLE made (a app.h); ROLLBACK",
        },
        Story {
            level: "membership",
            stated: ["r1 r2", "r1", "r1 r3"].map(|roles| {
                let roles: Vec<_> = roles.split(' ').map(|role| format!("{word}_{role}")).collect();
                json!({ "roles": roles })
            }),
            stays: "SELECT a FROM app.r1",
            goes: "SELECT a FROM app.r2",
            comes: "SELECT a FROM app.r3",
        },
    ]
}

/// The instance `main` with a database that has the objects, and with roles of nobody's, each of which may read the table
/// that its name ends with.
async fn set_the_scene(
    stage: &Stage,
    operator: &Operator,
    server: &PostgresEndpoint,
    word: &str,
    roles: &[String],
) -> Result<()> {
    let ceiling = json!({ "spec": { "privilegeCeiling": { "unmanagedNames": roles } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), ceiling)]).await?;
    stage.put(database("orders", word)).await?;
    stage.until(operator, &Subject::database("orders"), ready()).await?;
    let owner = server.login(&server.administrator.name, &server.administrator.password, word).await?;
    for statement in OBJECTS {
        owner.rows(statement).await?;
    }
    for role in roles {
        let table = role.rsplit('_').next().unwrap_or_default();
        server.query(word, &format!("CREATE ROLE {role} ADMIN {}", server.administrator.name)).await?;
        server.query(word, &format!("GRANT SELECT ON app.{table} TO {role}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn postgres_gives_exactly_what_is_stated_on_every_level() -> Result<()> {
    let stage = Stage::open("levels-postgres").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("levels");
    let unmanaged: Vec<String> = ["r1", "r2", "r3"].iter().map(|role| format!("{word}_{role}")).collect();
    set_the_scene(&stage, &operator, server, &word, &unmanaged).await?;
    let login = |account: &str| Login { server: server.clone(), account: account.to_owned(), database: word.clone() };
    play(&stage, &operator, "postgres", stories(&word), login).await?;
    hand_over(&stage, &operator, "postgres", [&unmanaged[0], &unmanaged[1]], login, "SELECT a FROM app.r1").await?;

    // Who may enter a database at all; asked last, because everyone may by itself.
    server.query("postgres", &format!("REVOKE ALL ON DATABASE {word} FROM PUBLIC")).await?;
    let on = |privileges: Value| json!({ "grants": [{ "database": word, "privileges": privileges }] });
    let of_database = Story {
        level: "database",
        stated: [on(json!(["CONNECT", "TEMPORARY"])), on(json!(["CONNECT"])), on(json!(["CONNECT", "CREATE"]))],
        stays: "SELECT 1",
        goes: "CREATE TEMP TABLE made (a int)",
        comes: "BEGIN; CREATE SCHEMA made; ROLLBACK",
    };
    play(&stage, &operator, "postgres", vec![of_database], login).await?;
    server.query("postgres", &format!("GRANT CONNECT ON DATABASE {word} TO PUBLIC")).await?;
    server.query(&word, &format!("DROP OWNED BY {0}; DROP ROLE {0}", unmanaged.join(", "))).await?;
    stage.delete(&Subject::database("orders")).await?;
    stage.until_gone(&operator, &Subject::database("orders")).await
}

/// What came with later versions, and what its holder may give on: a membership's options, MAINTAIN, the grant option.
#[tokio::test]
async fn postgres_17_gives_exactly_the_options_that_are_stated() -> Result<()> {
    let stage = Stage::open("levels-newer").await?;
    let server = stage.newer_postgres().await?;
    let operator = stage.operator().await?;
    let word = stage.word("newer");
    let (role, other) = (format!("{word}_r1"), format!("{word}_other"));
    set_the_scene(&stage, &operator, server, &word, std::slice::from_ref(&role)).await?;
    server.query(&word, &format!("CREATE ROLE {other}")).await?;
    let gives_membership = &*format!("BEGIN; GRANT {role} TO {other}; ROLLBACK").leak();
    // The server only warns of a right that was not given on.
    let gives_right = &*format!(
        "BEGIN; GRANT SELECT ON app.t TO {other}; \
         DO $$ BEGIN IF NOT has_table_privilege('{other}', 'app.t', 'SELECT') THEN RAISE 'not given'; END IF; END $$; \
         ROLLBACK"
    )
    .leak();
    let becomes = &*format!("SET ROLE {role}").leak();
    let member = |admin: bool, set: bool| {
        let options = json!({ "role": role, "admin": admin, "inherit": true, "set": set });
        json!({ "memberships": [options] })
    };
    let on_table = |privileges: Value, option: bool| {
        json!({ "grants": [{
            "database": word, "schema": "app", "tables": ["t"], "privileges": privileges, "withGrantOption": option,
        }] })
    };
    let stories = vec![
        Story {
            level: "membership-options",
            stated: [member(true, false), member(false, false), member(false, true)],
            stays: "SELECT a FROM app.r1",
            goes: gives_membership,
            comes: becomes,
        },
        Story {
            level: "maintain",
            stated: [
                on_table(json!(["SELECT", "MAINTAIN"]), false),
                on_table(json!(["SELECT"]), false),
                on_table(json!(["SELECT", "INSERT"]), false),
            ],
            stays: "SELECT a FROM app.t",
            goes: "REINDEX TABLE app.t",
            comes: "INSERT INTO app.t VALUES (1)",
        },
        Story {
            level: "grant-option",
            stated: [
                on_table(json!(["SELECT"]), true),
                on_table(json!(["SELECT"]), false),
                on_table(json!(["SELECT", "DELETE"]), false),
            ],
            stays: "SELECT a FROM app.t",
            goes: gives_right,
            comes: "DELETE FROM app.t",
        },
    ];
    let login = |account: &str| Login { server: server.clone(), account: account.to_owned(), database: word.clone() };
    play(&stage, &operator, "postgres", stories, login).await?;
    server.query(&word, &format!("DROP OWNED BY {role}; DROP ROLE {role}, {other}")).await?;
    stage.delete(&Subject::database("orders")).await?;
    stage.until_gone(&operator, &Subject::database("orders")).await
}
