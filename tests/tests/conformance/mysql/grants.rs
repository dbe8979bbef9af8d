//! The levels of rights.

use serde_json::{Value, json};

use crate::cases::{Cast, Grants, Level, Sql};

fn on(level: &str, mut entry: Value) -> Value {
    entry["level"] = json!(level);
    if level != "global" && entry.get("database").is_none() {
        entry["database"] = json!(Cast::PLACE);
    }
    json!({"grants": [entry]})
}

fn scenery() -> Vec<Sql> {
    let inside = "CREATE DATABASE near; CREATE TABLE near.t (a int, b int);
        CREATE TABLE play.t (a int, b int); CREATE TABLE play.u (a int); CREATE TABLE play.ledger (a int);
        CREATE PROCEDURE play.p() SELECT 1; CREATE PROCEDURE play.q() SELECT 2;
        CREATE FUNCTION play.f() RETURNS int DETERMINISTIC RETURN 3;
        CREATE FUNCTION play.g() RETURNS int DETERMINISTIC RETURN 4;
        GRANT SELECT ON play.ledger TO second_role";
    vec![Sql::new(Cast::PLACE, inside)]
}

pub(super) fn grants(is_mariadb: bool) -> Grants {
    let mut levels = databases_and_tables();
    levels.extend(routines());
    levels.extend(global(is_mariadb));
    levels.push(
        Level::new("role", json!({"roles": ["second_role"]}))
            .opens(&["SELECT * FROM play.ledger"])
            .shut(&["SELECT * FROM play.t"])
            .wider(
                json!({"roles": ["second_role"], "grants": [
                    {"level": "table", "database": Cast::PLACE, "table": "u", "privileges": ["SELECT"]},
                ]}),
                &["SELECT * FROM play.u"],
            ),
    );
    Grants {
        scenery: scenery(),
        levels,
        foreign: (
            Sql::new(Cast::PLACE, "GRANT DELETE ON play.u TO '{grantee}'@'%'"),
            Sql::new(Cast::PLACE, "DELETE FROM play.u"),
        ),
        lost: Sql::new(Cast::PLACE, "REVOKE SELECT ON play.* FROM '{grantee}'@'%'"),
        missing: vec![
            on("database", json!({"database": "no such place", "privileges": ["SELECT"]})),
            on("table", json!({"table": "no_such_table", "privileges": ["SELECT"]})),
            on("column", json!({"table": "t", "columns": ["no_such_column"], "privileges": ["SELECT"]})),
            on("procedure", json!({"procedure": "no_such_procedure", "privileges": ["EXECUTE"]})),
            on("function", json!({"function": "no_such_function", "privileges": ["EXECUTE"]})),
        ],
    }
}

fn databases_and_tables() -> Vec<Level> {
    vec![
        Level::new("database", on("database", json!({"privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM play.t", "SELECT * FROM play.u"])
            .shut(&["SELECT * FROM near.t", "DELETE FROM play.t"])
            .wider(
                on("database", json!({"privileges": ["SELECT", "INSERT", "CREATE TEMPORARY TABLES"]})),
                &["INSERT INTO play.t VALUES (1, 2)", "CREATE TEMPORARY TABLE play.mine (a int)"],
            ),
        Level::new(
            "pattern",
            json!({"grants": [{"level": "database", "databasePattern": "pl%", "privileges": ["SELECT"]}]}),
        )
        .opens(&["SELECT * FROM play.t", "SELECT * FROM play.u"])
        .shut(&["SELECT * FROM near.t", "DELETE FROM play.t"]),
        Level::new("all with grant option", on("database", json!({"privileges": ["ALL"], "withGrantOption": true})))
            .by_superuser()
            .opens(&[
                "SELECT * FROM play.t",
                "CALL play.p()",
                "CREATE TABLE play.mine (a int); DROP TABLE play.mine",
                "GRANT DELETE ON play.u TO first_role; REVOKE DELETE ON play.u FROM first_role",
            ])
            .shut(&["SELECT * FROM near.t", "GRANT SELECT ON near.t TO first_role"]),
        Level::new("table", on("table", json!({"table": "t", "privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM play.t"])
            .shut(&["SELECT * FROM play.u", "UPDATE play.t SET a = 1"])
            .wider(
                on("table", json!({"table": "t", "privileges": ["SELECT", "UPDATE"]})),
                &["UPDATE play.t SET a = 1"],
            ),
        Level::new("grant option", on("table", json!({"table": "u", "privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM play.u"])
            .shut(&["SELECT * FROM play.t", "DELETE FROM play.u"])
            .wider(
                on("table", json!({"table": "u", "privileges": ["SELECT"], "withGrantOption": true})),
                &["GRANT SELECT ON play.u TO first_role; REVOKE SELECT ON play.u FROM first_role"],
            ),
        Level::new("column", on("column", json!({"table": "t", "columns": ["a"], "privileges": ["SELECT"]})))
            .opens(&["SELECT a FROM play.t"])
            .shut(&["SELECT * FROM play.t", "UPDATE play.t SET a = 1"])
            .wider(
                on("column", json!({"table": "t", "columns": ["a", "b"], "privileges": ["SELECT", "UPDATE"]})),
                &["SELECT * FROM play.t", "UPDATE play.t SET b = 1"],
            ),
    ]
}

fn routines() -> Vec<Level> {
    vec![
        Level::new("procedure", on("procedure", json!({"procedure": "p", "privileges": ["EXECUTE"]})))
            .opens(&["CALL play.p()"])
            .shut(&["CALL play.q()", "SELECT play.f()"])
            .wider(
                json!({"grants": [
                    {"level": "procedure", "database": Cast::PLACE, "procedure": "p", "privileges": ["EXECUTE"]},
                    {"level": "procedure", "database": Cast::PLACE, "procedure": "q", "privileges": ["EXECUTE"]},
                ]}),
                &["CALL play.q()"],
            ),
        Level::new("function", on("function", json!({"function": "f", "privileges": ["EXECUTE"]})))
            .opens(&["SELECT play.f()"])
            .shut(&["SELECT play.g()", "CALL play.p()", "DROP FUNCTION play.f"])
            .wider(
                json!({"grants": [
                    {"level": "function", "database": Cast::PLACE, "function": "f", "privileges": ["EXECUTE"]},
                    {"level": "function", "database": Cast::PLACE, "function": "g", "privileges": ["EXECUTE"]},
                ]}),
                &["SELECT play.g()"],
            ),
    ]
}

fn global(is_mariadb: bool) -> Vec<Level> {
    let dynamic = if is_mariadb { "CONNECTION ADMIN" } else { "CONNECTION_ADMIN" };
    vec![
        Level::new("global", on("global", json!({"privileges": ["SELECT"]})))
            .opens(&["SELECT * FROM play.t", "SELECT * FROM near.t"])
            .shut(&["DELETE FROM near.t", "FLUSH TABLES"])
            .wider(on("global", json!({"privileges": ["SELECT", "RELOAD", dynamic]})), &["FLUSH TABLES"]),
    ]
}
