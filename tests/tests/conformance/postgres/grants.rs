//! The levels of rights.

use serde_json::{Value, json};

use crate::cases::{Cast, Grants, Level, Sql};

/// A database that nobody may enter.
const CLOSED: &str = "closed";

fn on(entry: Value) -> Value {
    let mut entry = entry;
    if entry.get("database").is_none() {
        entry["database"] = json!(Cast::PLACE);
    }
    json!({"grants": [entry]})
}

fn scenery() -> Vec<Sql> {
    let inside = "SET ROLE first_user;
        CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO PUBLIC; CREATE SCHEMA vault;
        CREATE TABLE vault.open (x int); GRANT SELECT ON vault.open TO PUBLIC;
        CREATE TABLE shop.a (x int, y int); CREATE TABLE shop.b (x int); CREATE VIEW shop.v AS SELECT 1 AS x;
        CREATE TABLE shop.ledger (x int); GRANT SELECT ON shop.ledger TO second_role;
        CREATE TABLE shop.everyones (x int); GRANT SELECT ON shop.everyones TO PUBLIC;
        CREATE SEQUENCE shop.s; CREATE SEQUENCE shop.t;
        CREATE FUNCTION shop.f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION shop.f(text) RETURNS integer LANGUAGE sql AS 'SELECT 2';
        CREATE PROCEDURE shop.p(integer) LANGUAGE sql AS 'SELECT 1';
        CREATE PROCEDURE shop.q() LANGUAGE sql AS 'SELECT 1';
        CREATE TYPE shop.mood AS ENUM ('good', 'bad'); CREATE DOMAIN shop.positive AS integer CHECK (VALUE > 0);
        REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA shop FROM PUBLIC;
        REVOKE USAGE ON TYPE shop.mood, shop.positive FROM PUBLIC";
    vec![
        Sql::new(Cast::PLACE, inside),
        Sql::new("postgres", format!("CREATE DATABASE {CLOSED} OWNER first_user")),
        // Who administers a server and is no superuser needs a way in of its own.
        Sql::new(
            "postgres",
            format!("REVOKE ALL ON DATABASE {CLOSED} FROM PUBLIC; GRANT CONNECT ON DATABASE {CLOSED} TO provisioner"),
        ),
    ]
}

pub(super) fn grants(major: u32) -> Grants {
    let mut levels = vec![database()];
    levels.extend(tables());
    levels.extend(routines_and_types());
    levels.extend(memberships(major));
    if major >= 17 {
        levels.push(
            Level::new("maintenance", on(json!({"schema": "shop", "tables": ["a"], "privileges": ["MAINTAIN"]})))
                .opens(&["REINDEX TABLE shop.a"])
                .shut(&["REINDEX TABLE shop.b", "SELECT * FROM shop.a"]),
        );
    }
    levels.extend(for_everyone_and_later());
    let missing = |entry: Value| on(entry);
    Grants {
        scenery: scenery(),
        levels,
        foreign: (
            Sql::new(Cast::PLACE, "SET ROLE first_user; GRANT INSERT ON shop.b TO {grantee}"),
            Sql::new(Cast::PLACE, "INSERT INTO shop.b VALUES (1)"),
        ),
        lost: Sql::new("postgres", format!("REVOKE CONNECT ON DATABASE {CLOSED} FROM {{grantee}}")),
        missing: vec![
            missing(json!({"database": "no such place", "privileges": ["CONNECT"]})),
            missing(json!({"schema": "no such schema", "privileges": ["USAGE"]})),
            missing(json!({"schema": "shop", "tables": ["a", "no such table"], "privileges": ["SELECT"]})),
            missing(json!({"schema": "shop", "columns": {"a": ["z"]}, "privileges": ["SELECT"]})),
            missing(json!({"schema": "shop", "functions": ["f(boolean)"], "privileges": ["EXECUTE"]})),
            missing(json!({"schema": "shop", "types": ["no such type"], "privileges": ["USAGE"]})),
        ],
    }
}

fn database() -> Level {
    let inside = |text: &str| vec![Sql::new(CLOSED, text)];
    Level {
        opens: inside("SELECT 1"),
        shut: inside("CREATE SCHEMA mine"),
        wider: Some((
            on(json!({"database": CLOSED, "privileges": ["CONNECT", "TEMP"]})),
            inside("CREATE TEMP TABLE mine (a int)"),
        )),
        ..Level::new("database", on(json!({"database": CLOSED, "privileges": ["CONNECT"]})))
    }
}

fn tables() -> Vec<Level> {
    let shop = |mut entry: Value| {
        entry["schema"] = json!("shop");
        on(entry)
    };
    vec![
        Level::new("schema", on(json!({"schema": "vault", "privileges": ["USAGE"]})))
            .opens(&["SELECT * FROM vault.open"])
            .shut(&["CREATE TABLE vault.mine (x int)", "SELECT * FROM shop.a"])
            .wider(
                on(json!({"schema": "vault", "privileges": ["USAGE", "CREATE"]})),
                &["BEGIN; CREATE TABLE vault.mine (x int); ROLLBACK"],
            ),
        Level::new("table", shop(json!({"tables": ["a"], "privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM shop.a"])
            .shut(&["SELECT * FROM shop.b", "DELETE FROM shop.a"])
            .wider(
                shop(json!({"tables": ["a", "b"], "privileges": ["SELECT", "INSERT"]})),
                &["INSERT INTO shop.a VALUES (1, 2)", "SELECT * FROM shop.b"],
            ),
        Level::new("all tables", shop(json!({"tables": ["*"], "privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM shop.a", "SELECT * FROM shop.b", "SELECT * FROM shop.v"])
            .shut(&["INSERT INTO shop.b VALUES (1)", "SELECT nextval('shop.s')"])
            .wider(
                shop(json!({"tables": ["*"], "privileges": ["SELECT", "TRUNCATE"]})),
                &["BEGIN; TRUNCATE shop.b; ROLLBACK"],
            ),
        Level::new("schema's tables", shop(json!({"privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM shop.a", "SELECT * FROM shop.v"])
            .shut(&["UPDATE shop.a SET x = 1", "CREATE TABLE shop.mine (x int)"]),
        Level::new("column", shop(json!({"columns": {"a": ["x"]}, "privileges": ["SELECT"]})))
            .opens(&["SELECT x FROM shop.a"])
            .shut(&["SELECT * FROM shop.a", "UPDATE shop.a SET x = 1"])
            .wider(
                shop(json!({"columns": {"a": ["x", "y"], "b": ["x"]}, "privileges": ["SELECT", "UPDATE"]})),
                &["SELECT y FROM shop.a", "UPDATE shop.a SET y = 1", "SELECT x FROM shop.b"],
            ),
        Level::new("grant option", shop(json!({"tables": ["b"], "privileges": ["SELECT"], "withGrantOption": true})))
            .opens(&["SELECT * FROM shop.b", "BEGIN; GRANT SELECT ON shop.b TO first_role; ROLLBACK"])
            .shut(&["BEGIN; GRANT SELECT ON shop.a TO first_role; ROLLBACK", "DELETE FROM shop.b"]),
        Level::new(
            "all with grant option",
            shop(json!({"tables": ["b"], "privileges": ["ALL"], "withGrantOption": true})),
        )
        .opens(&[
            "SELECT * FROM shop.b",
            "INSERT INTO shop.b VALUES (1)",
            "DELETE FROM shop.b",
            "BEGIN; GRANT DELETE ON shop.b TO first_role; ROLLBACK",
        ])
        .shut(&["SELECT * FROM shop.a", "DROP TABLE shop.b"]),
        Level::new("sequence", shop(json!({"sequences": ["s"], "privileges": ["USAGE"]})))
            .opens(&["SELECT nextval('shop.s')"])
            .shut(&["SELECT nextval('shop.t')", "SELECT * FROM shop.s"])
            .wider(
                shop(json!({"sequences": ["*"], "privileges": ["USAGE", "UPDATE"]})),
                &["SELECT setval('shop.s', 5)", "SELECT nextval('shop.t')"],
            ),
    ]
}

fn routines_and_types() -> Vec<Level> {
    let shop = |mut entry: Value| {
        entry["schema"] = json!("shop");
        on(entry)
    };
    vec![
        Level::new("function", shop(json!({"functions": ["f(int)"], "privileges": ["EXECUTE"]})))
            .opens(&["SELECT shop.f(1)"])
            .shut(&["SELECT shop.f('x'::text)", "CALL shop.p(1)"])
            .wider(shop(json!({"functions": ["*"], "privileges": ["EXECUTE"]})), &["SELECT shop.f('x'::text)"]),
        Level::new("procedure", shop(json!({"procedures": ["p(int)"], "privileges": ["ALL"]})))
            .opens(&["CALL shop.p(1)"])
            .shut(&["CALL shop.q()", "SELECT shop.f(1)"])
            .wider(shop(json!({"procedures": ["*"], "privileges": ["ALL"]})), &["CALL shop.q()"]),
        Level::new("type", shop(json!({"types": ["mood"], "privileges": ["USAGE"]})))
            .opens(&["CREATE TEMP TABLE mine (x shop.mood)"])
            .shut(&["CREATE TEMP TABLE mine (x shop.positive)"])
            .wider(
                shop(json!({"types": ["*"], "privileges": ["USAGE"]})),
                &["CREATE TEMP TABLE mine (x shop.positive)"],
            ),
    ]
}

fn memberships(major: u32) -> Vec<Level> {
    let pass_on = "BEGIN; GRANT second_role TO first_user; ROLLBACK";
    let mut levels = vec![
        Level::new("role", json!({"roles": ["second_role"]}))
            .opens(&["SELECT * FROM shop.ledger", "SET ROLE second_role"])
            .shut(&["SELECT * FROM shop.a", pass_on]),
        Level::new("membership", json!({"memberships": [{"role": "second_role"}]}))
            .opens(&["SELECT * FROM shop.ledger"])
            .shut(&["SELECT * FROM shop.a"])
            .wider(json!({"memberships": [{"role": "second_role", "admin": true}]}), &[pass_on]),
    ];
    if major >= 16 {
        let options = |inherit, set| json!({"memberships": [{"role": "second_role", "inherit": inherit, "set": set}]});
        levels.push(
            Level::new("membership to become", options(false, true))
                .opens(&["SET ROLE second_role; SELECT * FROM shop.ledger"])
                .shut(&["SELECT * FROM shop.a"])
                .wider(options(true, true), &["SELECT * FROM shop.ledger"]),
        );
        levels.push(
            Level::new("membership to inherit", options(true, false))
                .opens(&["SELECT * FROM shop.ledger"])
                .shut(&["SET ROLE second_role"]),
        );
    }
    levels
}

/// What everyone has, and what is made later: these leave traces, so they are the last.
fn for_everyone_and_later() -> Vec<Level> {
    let shop = |mut entry: Value| {
        entry["schema"] = json!("shop");
        on(entry)
    };
    vec![
        Level::new(
            "default privileges",
            json!({"defaultPrivileges": [{
                "database": Cast::PLACE, "schema": "shop", "grantedBy": "first_user", "objectType": "tables",
                "privileges": ["SELECT"], "withGrantOption": false,
            }]}),
        )
        .later(
            "SET ROLE first_user; CREATE TABLE shop.by_default (x int)",
            "SELECT * FROM shop.by_default",
            false,
        ),
        Level::new("future", shop(json!({"tables": ["*"], "privileges": ["SELECT"], "future": true})))
            .opens(&["SELECT * FROM shop.a"])
            .shut(&["DELETE FROM shop.a"])
            .later("SET ROLE first_user; CREATE TABLE shop.made_later (x int)", "SELECT * FROM shop.made_later", true),
        Level::new("everyone", shop(json!({"tables": ["a"], "privileges": ["SELECT"], "public": "Granted"})))
            .opens(&["SELECT * FROM shop.a"])
            .shut(&["SELECT * FROM shop.b"])
            .everyone(),
        Level::new("nobody", shop(json!({"tables": ["everyones"], "privileges": ["SELECT"], "public": "Revoked"})))
            .closes(&["SELECT * FROM shop.everyones"]),
    ]
}
