//! The levels of MySQL and MariaDB.

use anyhow::{Context as _, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{access_grant, mysql_credentials, mysql_instance, user, with};
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::mysql::{MysqlEndpoint, MysqlServer, Options, Version};

use super::{Client, Story, hand_over, play};

struct Login {
    server: MysqlEndpoint,
    account: String,
}

impl Client for Login {
    async fn run(&self, password: &str, statement: &str) -> Result<()> {
        let Self { server, account } = self;
        let (server, account) = (server.clone(), account.clone());
        let (password, statement) = (password.to_owned(), statement.to_owned());
        let query = move || server.query_as(&account, &password, None, &statement).map(drop);
        tokio::task::spawn_blocking(query).await.context("the client panicked")?
    }
}

/// A neighbour whose name the wildcard in the first one's matches.
const OBJECTS: &str = "\
CREATE DATABASE shop_a; CREATE DATABASE shopXa;
CREATE TABLE shop_a.t (a int, b int, c int); CREATE TABLE shop_a.u (a int); CREATE TABLE shopXa.t (a int);
CREATE TABLE shop_a.r1 (a int); CREATE TABLE shop_a.r2 (a int); CREATE TABLE shop_a.r3 (a int);
INSERT INTO shop_a.t VALUES (1, 2, 3);
CREATE PROCEDURE shop_a.p() SELECT 1; CREATE PROCEDURE shop_a.q() SELECT 1; CREATE PROCEDURE shop_a.r() SELECT 1;
CREATE FUNCTION shop_a.f() RETURNS int DETERMINISTIC RETURN 1;
CREATE FUNCTION shop_a.g() RETURNS int DETERMINISTIC RETURN 1;
CREATE FUNCTION shop_a.h() RETURNS int DETERMINISTIC RETURN 1;
CREATE USER other; CREATE ROLE r1, r2, r3;
GRANT SELECT ON shop_a.r1 TO r1; GRANT SELECT ON shop_a.r2 TO r2; GRANT SELECT ON shop_a.r3 TO r3";

fn stories() -> Vec<Story> {
    let grants = |entries: Vec<Value>| json!({ "grants": entries });
    let on = |level: &str, more: Value| with(json!({ "level": level, "database": "shop_a" }), more);
    let one = |level: &str, more: Value| grants(vec![on(level, more)]);
    let pattern = |pattern: &str, privileges: Value| json!({ "level": "database", "databasePattern": pattern, "privileges": privileges });
    let routine = |level: &str, names: [&str; 2]| {
        let entry = |name: &&str| on(level, json!({ level: name, "privileges": ["EXECUTE"] }));
        grants(names.iter().filter(|name| !name.is_empty()).map(entry).collect())
    };
    vec![
        Story {
            level: "global",
            stated: [json!(["PROCESS", "RELOAD"]), json!(["PROCESS"]), json!(["PROCESS", "SELECT"])]
                .map(|privileges| grants(vec![json!({ "level": "global", "privileges": privileges })])),
            stays: "SHOW ENGINE INNODB STATUS",
            goes: "FLUSH TABLES",
            comes: "SELECT a FROM shop_a.t",
        },
        Story {
            level: "database",
            stated: [
                one("database", json!({ "privileges": ["SELECT", "INSERT"] })),
                one("database", json!({ "privileges": ["SELECT"] })),
                one("database", json!({ "privileges": ["SELECT", "DELETE"] })),
            ],
            stays: "SELECT a FROM shop_a.t",
            goes: "INSERT INTO shop_a.u VALUES (1)",
            comes: "DELETE FROM shop_a.u",
        },
        Story {
            level: "pattern",
            stated: [
                grants(vec![pattern("shop_a", json!(["SELECT"]))]),
                grants(vec![pattern(r"shop\_%", json!(["SELECT"]))]),
                grants(vec![pattern(r"shop\_%", json!(["SELECT", "INSERT"]))]),
            ],
            stays: "SELECT a FROM shop_a.t",
            goes: "SELECT a FROM shopXa.t",
            comes: "INSERT INTO shop_a.u VALUES (1)",
        },
        Story {
            level: "table",
            stated: [
                one("table", json!({ "table": "t", "privileges": ["SELECT", "INSERT"] })),
                one("table", json!({ "table": "t", "privileges": ["SELECT"] })),
                grants(vec![
                    on("table", json!({ "table": "t", "privileges": ["SELECT"] })),
                    on("table", json!({ "table": "u", "privileges": ["INSERT"] })),
                ]),
            ],
            stays: "SELECT a FROM shop_a.t",
            goes: "INSERT INTO shop_a.t VALUES (1, 2, 3)",
            comes: "INSERT INTO shop_a.u VALUES (1)",
        },
        Story {
            level: "grant-option",
            stated: [
                one("table", json!({ "table": "t", "privileges": ["SELECT"], "withGrantOption": true })),
                one("table", json!({ "table": "t", "privileges": ["SELECT"] })),
                one("table", json!({ "table": "t", "privileges": ["SELECT", "DELETE"] })),
            ],
            stays: "SELECT a FROM shop_a.t",
            goes: "GRANT SELECT ON shop_a.t TO other",
            comes: "DELETE FROM shop_a.t",
        },
        Story {
            level: "column",
            stated: [json!(["a", "b"]), json!(["a"]), json!(["a", "c"])]
                .map(|columns| one("column", json!({ "table": "t", "columns": columns, "privileges": ["SELECT"] }))),
            stays: "SELECT a FROM shop_a.t",
            goes: "SELECT b FROM shop_a.t",
            comes: "SELECT c FROM shop_a.t",
        },
        Story {
            level: "procedure",
            stated: [["p", "q"], ["p", ""], ["p", "r"]].map(|names| routine("procedure", names)),
            stays: "CALL shop_a.p()",
            goes: "CALL shop_a.q()",
            comes: "CALL shop_a.r()",
        },
        Story {
            level: "function",
            stated: [["f", "g"], ["f", ""], ["f", "h"]].map(|names| routine("function", names)),
            stays: "SELECT shop_a.f()",
            goes: "SELECT shop_a.g()",
            comes: "SELECT shop_a.h()",
        },
        Story {
            level: "membership",
            stated: [json!(["r1", "r2"]), json!(["r1"]), json!(["r1", "r3"])].map(|roles| json!({ "roles": roles })),
            stays: "SET ROLE r1; SELECT a FROM shop_a.r1",
            goes: "SET ROLE r2; SELECT a FROM shop_a.r2",
            comes: "SET ROLE r3; SELECT a FROM shop_a.r3",
        },
    ]
}

/// What only the server knows: privileges that came with its components.
fn dynamic() -> Story {
    Story {
        level: "dynamic",
        stated: [["FLUSH_STATUS", "FLUSH_TABLES"], ["FLUSH_STATUS", ""], ["FLUSH_STATUS", "SYSTEM_VARIABLES_ADMIN"]]
            .map(|privileges| {
                let privileges: Vec<_> = privileges.iter().filter(|name| !name.is_empty()).collect();
                json!({ "grants": [{ "level": "global", "privileges": privileges }] })
            }),
        stays: "FLUSH STATUS",
        goes: "FLUSH TABLES",
        comes: "SET GLOBAL max_connections = 150",
    }
}

async fn on(version: Version, purpose: &str, engine: &str) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let server = MysqlServer::start(Options { version, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    let administrator = &server.administrator;
    server.query(OBJECTS)?;
    for role in ["r1", "r2", "r3"] {
        server.query(&format!("GRANT {role} TO '{}'@'%' WITH ADMIN OPTION", administrator.name))?;
    }
    // Most of the global level is a superuser's.
    let ceiling = json!({ "superuser": true, "unmanagedNames": ["r1", "r2", "r3", "shop_a"] });
    let allows = json!({ "spec": { "privilegeCeiling": ceiling } });
    let offered = with(mysql_instance("main", &server, engine), allows);
    stage.put_all([mysql_credentials("main-admin", &server), offered]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    let login = |account: &str| Login { server: (*server).clone(), account: account.to_owned() };
    let mut stories = stories();
    if version == Version::MySql {
        stories.push(dynamic());
    }
    play(&stage, &operator, "mysql", stories, login).await?;
    // On MySQL it is active when the user logs in, and stays so. On MariaDB one role is, whichever was first.
    let uses = match version {
        Version::MySql => "SELECT a FROM shop_a.r1",
        Version::Distribution | Version::OldestMariaDb | Version::NewerMariaDb => {
            "SET ROLE r1; SELECT a FROM shop_a.r1"
        }
    };
    hand_over(&stage, &operator, "mysql", ["r1", "r2"], login, uses).await
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_gives_exactly_what_is_stated_on_every_level() -> Result<()> {
    on(Version::Distribution, "levels-mariadb", "mariadb").await
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_gives_exactly_what_is_stated_on_every_level() -> Result<()> {
    on(Version::MySql, "levels-mysql", "mysql").await
}

/// Of a dynamic privilege the right to grant it on goes only with the privilege itself.
#[tokio::test]
async fn a_narrowing_that_mysql_cannot_make_is_told() -> Result<()> {
    let stage = Stage::open("levels-dynamic").await?;
    let server = MysqlServer::start(Options { version: Version::MySql, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    let allows = json!({ "spec": { "privilegeCeiling": { "superuser": true } } });
    stage
        .put_all([
            mysql_credentials("main-admin", &server),
            with(mysql_instance("main", &server, "mysql"), allows),
            user("app", "app"),
        ])
        .await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    let entry = |may_grant: bool| {
        let entry = json!({ "level": "global", "privileges": ["CONNECTION_ADMIN"], "withGrantOption": may_grant });
        let spec = json!({ "userRef": { "name": "app" }, "mysql": { "grants": [entry] } });
        with(access_grant("dynamic"), json!({ "spec": spec }))
    };
    let grant = Subject::access_grant("dynamic");
    stage.put(entry(true)).await?;
    stage.until(&operator, &grant, ready()).await?;
    stage.put(entry(false)).await?;
    let seen = stage.until(&operator, &grant, becomes("Ready", "False", reason::IMMUTABLE)).await?;
    ensure!(seen.at("/status/drift/diffs/0/immutable") == Some(&json!(true)), "{}", seen.0);
    Ok(())
}
