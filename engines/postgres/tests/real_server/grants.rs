//! Grants on a real server: every level, given, read, compared, changed and taken.

mod memberships;
mod refused;
mod renewed;
mod together;
mod whose;

use dbprovision_sdk::adapter::grants::{GrantReport, GrantSpec, Granted, Grantee, Mode};
use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::{ErrorKind, Grants, ObjectKind, Result, Roles, Selection};
use engine_postgres::Postgres;
use serde_json::{Value, json};

use crate::support::{Server, everywhere, hostile_names, mark, sweeping};

pub(crate) fn role(adapter: &mut Postgres, name: &str) {
    let spec = RoleSpec { name: name.to_owned(), shared_roles: Vec::new(), comment: None, options: None };
    Roles::create(adapter, &spec, &mark(name)).unwrap();
}

pub(crate) fn grantee(name: &str) -> Grantee {
    Grantee { kind: ObjectKind::Role, name: name.to_owned(), options: None }
}

pub(crate) fn spec(name: &str, options: &Value) -> GrantSpec {
    GrantSpec {
        grantee: grantee(name),
        roles: Vec::new(),
        options: Some(options.to_string()),
        mode: Mode::Additive,
        recorded: Vec::new(),
        shared: Vec::new(),
    }
}

fn detect(adapter: &mut Postgres, spec: &GrantSpec) -> Vec<String> {
    let report = Grants::grant(adapter, spec, &Selection::Detect).unwrap_or_else(|error| panic!("{spec:?}: {error:?}"));
    assert_eq!(Grants::grant(&mut sweeping(), spec, &Selection::Detect).unwrap(), report, "in a sweep");
    report.update.changes.into_iter().map(|change| change.id).collect()
}

/// Applies, checks that nothing is left to do, and answers the report.
fn settle(adapter: &mut Postgres, spec: &GrantSpec) -> GrantReport {
    let report = Grants::grant(adapter, spec, &Selection::All).unwrap_or_else(|error| panic!("{spec:?}: {error:?}"));
    let all: Vec<&String> = report.update.changes.iter().map(|change| &change.id).collect();
    assert_eq!(all, report.update.applied.iter().collect::<Vec<_>>());
    let after = GrantSpec { recorded: report.held.clone(), ..spec.clone() };
    assert_eq!(detect(adapter, &after), [""; 0], "{spec:?}");
    let again = Grants::grant(adapter, &after, &Selection::All).unwrap();
    assert_eq!(again.update.applied, [""; 0], "{spec:?}");
    assert_eq!(again.held, report.held, "{spec:?}");
    report
}

/// `level object privilege`, with a star where it may be granted on.
fn words(all: &[Granted]) -> Vec<String> {
    let mut words: Vec<String> = all
        .iter()
        .map(|one| {
            let option = if one.grantable { "*" } else { "" };
            format!("{} {} {}{option}", one.level, one.object.get(1..).unwrap_or(&[]).join("."), one.privilege)
        })
        .collect();
    words.sort();
    words
}

/// A database of its own owner, with one of everything in the schema `app`, and a grantee.
struct World {
    database: String,
    owner: String,
    grantee: String,
}

fn world(server: &Server, adapter: &mut Postgres, name: &str, tag: &str) -> World {
    let world = World {
        database: format!("{name}_{tag}"),
        owner: format!("{name}_owner_{tag}"),
        grantee: format!("{name}_grantee_{tag}"),
    };
    role(adapter, &world.owner);
    role(adapter, &world.grantee);
    server.sql(&format!("CREATE DATABASE {} OWNER {}", world.database, world.owner));
    server.sql_in(
        &world.database,
        &format!(
            "SET ROLE {}; CREATE SCHEMA app; CREATE TABLE app.a (x int, y int); CREATE TABLE app.b (x int);
             CREATE VIEW app.v AS SELECT 1 AS x; CREATE SEQUENCE app.s;
             CREATE FUNCTION app.f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION app.f(text, integer[]) RETURNS integer LANGUAGE sql AS 'SELECT 2';
             CREATE FUNCTION app.g() RETURNS integer LANGUAGE sql AS 'SELECT 3';
             CREATE PROCEDURE app.p(integer) LANGUAGE sql AS 'SELECT 1';
             CREATE TYPE app.mood AS ENUM ('good', 'bad'); CREATE DOMAIN app.positive AS integer CHECK (VALUE > 0);
             CREATE FUNCTION app.h(app.mood) RETURNS integer LANGUAGE sql AS 'SELECT 4';
             REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA app FROM PUBLIC;
             REVOKE USAGE ON TYPE app.mood, app.positive FROM PUBLIC",
            world.owner
        ),
    );
    // Who administers a server and is no superuser needs a way in of its own.
    server.sql(&format!(
        "REVOKE ALL ON DATABASE {0} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO administrator",
        world.database
    ));
    world
}

impl World {
    fn options(&self, mut entry: Value) -> Value {
        entry["database"] = json!(self.database);
        json!({"grants": [entry]})
    }

    fn spec(&self, entry: Value) -> GrantSpec {
        spec(&self.grantee, &self.options(entry))
    }

    fn asks(&self, server: &Server, function: &str, object: &str, privilege: &str) -> String {
        let sql = format!("SELECT has_{function}_privilege('{}', '{object}', '{privilege}')", self.grantee);
        server.sql_in(&self.database, &sql)
    }
}

#[test]
fn every_level_is_given_read_changed_and_taken() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "levels", tag);
        let cases = [
            (
                json!({"privileges": ["CONNECT", "TEMP"]}),
                json!({"privileges": ["CREATE"]}),
                vec!["database  CONNECT", "database  TEMPORARY"],
            ),
            (
                json!({"schema": "app", "privileges": ["USAGE", "SELECT"]}),
                json!({"schema": "app", "privileges": ["CREATE"]}),
                vec!["schema app USAGE", "table app.a SELECT", "table app.b SELECT", "table app.v SELECT"],
            ),
            (
                json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "INSERT", "USAGE"]}),
                json!({"schema": "app", "tables": ["b"], "privileges": ["SELECT"]}),
                vec!["schema app USAGE", "table app.a INSERT", "table app.a SELECT"],
            ),
            (
                json!({"schema": "app", "columns": {"a": ["x", "y"], "b": ["x"]}, "privileges": ["SELECT", "UPDATE"]}),
                json!({"schema": "app", "columns": {"a": ["x"]}, "privileges": ["SELECT"]}),
                vec![
                    "column app.a.x SELECT",
                    "column app.a.x UPDATE",
                    "column app.a.y SELECT",
                    "column app.a.y UPDATE",
                    "column app.b.x SELECT",
                    "column app.b.x UPDATE",
                ],
            ),
            (
                json!({"schema": "app", "sequences": ["*"], "privileges": ["USAGE", "SELECT"]}),
                json!({"schema": "app", "sequences": ["s"], "privileges": ["UPDATE"]}),
                vec!["sequence app.s SELECT", "sequence app.s USAGE"],
            ),
            (
                json!({"schema": "app", "functions": ["f(int)", "g", "h( App.\"mood\" )"], "privileges": ["EXECUTE"]}),
                json!({"schema": "app", "functions": ["f(text, int[])"], "privileges": ["EXECUTE"]}),
                vec!["function app.f(integer) EXECUTE", "function app.g() EXECUTE", "function app.h(app.mood) EXECUTE"],
            ),
            (
                json!({"schema": "app", "functions": ["*"], "procedures": ["*"], "privileges": ["EXECUTE"]}),
                json!({"schema": "app", "procedures": ["p(int)"], "privileges": ["ALL"]}),
                vec![
                    "function app.f(integer) EXECUTE",
                    "function app.f(text, integer[]) EXECUTE",
                    "function app.g() EXECUTE",
                    "function app.h(app.mood) EXECUTE",
                    "procedure app.p(integer) EXECUTE",
                ],
            ),
            (
                json!({"schema": "app", "types": ["*"], "privileges": ["USAGE"]}),
                json!({"schema": "app", "types": ["mood"], "privileges": ["USAGE"]}),
                vec!["type app.mood USAGE", "type app.positive USAGE"],
            ),
            (
                json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"], "withGrantOption": true}),
                json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"]}),
                vec!["table app.a SELECT*"],
            ),
        ];
        for (first, second, expected) in cases {
            let stated = world.spec(first.clone());
            assert!(!detect(adapter, &stated).is_empty(), "{first}");
            let report = settle(adapter, &stated);
            assert_eq!(words(&report.held), expected, "{first}");
            assert_eq!(words(&Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap()), expected, "{first}");
            assert!(report.held.iter().all(|one| one.grantor.as_ref() == Some(&world.owner)), "{:?}", report.held);
            let changed = GrantSpec { recorded: report.held, ..world.spec(second.clone()) };
            let report = settle(adapter, &changed);
            assert!(report.update.changes.iter().all(|change| !change.destructive), "what we gave is ours to take");
            let left = words(&Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap());
            assert_eq!(left, words(&report.held), "{second}");
            Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..changed }).unwrap();
            assert_eq!(Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap(), [], "{second}");
        }
    });
}

#[test]
fn future_objects_and_default_privileges_are_given_for_their_owners() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "future", tag);
        let stated = world.spec(json!({"schema": "app", "privileges": ["SELECT"], "future": true}));
        let report = settle(adapter, &stated);
        let default = format!("default {}.tables.app SELECT", world.owner);
        assert!(words(&report.held).contains(&default), "{:?}", words(&report.held));
        server.sql_in(&world.database, &format!("SET ROLE {}; CREATE TABLE app.later (x int)", world.owner));
        assert_eq!(world.asks(server, "table", "app.later", "SELECT"), "t");
        let after = GrantSpec { recorded: report.held, ..stated };
        assert_eq!(detect(adapter, &after), [""; 0]);
        let report = Grants::grant(adapter, &after, &Selection::Detect).unwrap();
        assert!(
            words(&report.held).contains(&"table app.later SELECT".to_owned()),
            "the new table's right is ours too"
        );
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..after }).unwrap();
        assert_eq!(world.asks(server, "table", "app.later", "SELECT"), "f");
        let defaults = |kind: &str, schema: Option<&str>, privileges: &[&str]| {
            spec(
                &world.grantee,
                &json!({"defaultPrivileges": [{
                    "database": world.database, "schema": schema, "grantedBy": world.owner, "objectType": kind,
                    "privileges": privileges
                }]}),
            )
        };
        let mut recorded = Vec::new();
        for (kind, schema, privileges) in [
            ("tables", Some("app"), &["SELECT", "INSERT"][..]),
            ("sequences", Some("app"), &["USAGE"]),
            ("functions", None, &["EXECUTE"]),
            ("types", None, &["ALL"]),
            ("tables", None, &["ALL"]),
        ] {
            let stated = GrantSpec { recorded, ..defaults(kind, schema, privileges) };
            let report = settle(adapter, &stated);
            assert!(report.held.iter().all(|one| one.level == "default"), "{:?}", report.held);
            recorded = report.held;
        }
        let last = GrantSpec { recorded, ..defaults("tables", None, &["SELECT"]) };
        let report = settle(adapter, &last);
        assert_eq!(words(&report.held), [format!("default {}.tables SELECT", world.owner)]);
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..last }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap(), []);
    });
}
