//! Grants on a real server: every level, given, read, compared, changed and taken.

use dbprovision_sdk::adapter::grants::{GrantReport, GrantSpec, Granted, Grantee, Mode};
use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::{ErrorKind, Grants, ObjectKind, Result, Roles, Selection};
use engine_postgres::Postgres;
use serde_json::{Value, json};

use crate::support::{Server, everywhere, hostile_names, mark};

pub(crate) fn role(adapter: &mut Postgres, name: &str) {
    let spec = RoleSpec { name: name.to_owned(), comment: None, options: None };
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

#[test]
fn resources_that_overlap_form_a_union() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "union", tag);
        let one = world.spec(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "INSERT"]}));
        let other = world.spec(
            json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "UPDATE"], "withGrantOption": true}),
        );
        let first = settle(adapter, &one);
        let second = settle(adapter, &GrantSpec { shared: first.held.clone(), ..other.clone() });
        assert_eq!(words(&second.held), ["table app.a SELECT*", "table app.a UPDATE*"]);
        // Neither sees the other as drift.
        let first_again = GrantSpec {
            recorded: first.held.clone(),
            shared: second.held.clone(),
            mode: Mode::Authoritative,
            ..one.clone()
        };
        assert_eq!(detect(adapter, &first_again), [""; 0]);
        Grants::revoke(adapter, &GrantSpec { recorded: second.held, shared: first.held.clone(), ..other }).unwrap();
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(
            words(&left),
            ["table app.a INSERT", "table app.a SELECT"],
            "the grant option goes, the rights stay"
        );
        Grants::revoke(adapter, &GrantSpec { recorded: first.held, ..one }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap(), []);
    });
}

#[test]
fn foreign_rights_stay_or_go_by_the_mode() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "mode", tag);
        server.sql_in(
            &world.database,
            &format!(
                "SET ROLE {0}; GRANT USAGE ON SCHEMA app TO {1}; GRANT DELETE ON app.a TO {1};
                 GRANT UPDATE (x) ON app.a TO {1}; GRANT SELECT ON app.b TO {1} WITH GRANT OPTION;
                 ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {1}",
                world.owner, world.grantee
            ),
        );
        server.sql(&format!("GRANT CONNECT ON DATABASE {} TO {}", world.database, world.grantee));
        let stated = world.spec(json!({"schema": "app", "tables": ["b"], "privileges": ["SELECT"]}));
        assert_eq!(detect(adapter, &stated), [""; 0], "additive leaves what others gave");
        let owns = GrantSpec { mode: Mode::Authoritative, ..stated.clone() };
        let report = Grants::grant(adapter, &owns, &Selection::Detect).unwrap();
        assert!(report.update.changes.iter().all(|change| change.destructive), "{:?}", report.update.changes);
        assert_eq!(report.update.changes.len(), 6, "{:?}", report.update.changes);
        let report = settle(adapter, &owns);
        assert_eq!(words(&report.held), ["table app.b SELECT"]);
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(words(&left), ["table app.b SELECT"]);
    });
}

#[test]
fn what_columns_keep_survives_the_loss_of_the_table() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "columns", tag);
        let both = spec(
            &world.grantee,
            &json!({"grants": [
                {"database": world.database, "schema": "app", "tables": ["a"], "privileges": ["SELECT", "UPDATE"]},
                {"database": world.database, "schema": "app", "columns": {"a": ["x", "y"]}, "privileges": ["SELECT"]},
            ]}),
        );
        let recorded = settle(adapter, &both).held;
        server.sql_in(&world.database, &format!("GRANT UPDATE (y) ON app.a TO {}", world.grantee));
        let narrowed = GrantSpec {
            recorded,
            ..world.spec(json!({"schema": "app", "columns": {"a": ["x"]}, "privileges": ["SELECT", "INSERT"]}))
        };
        let report = settle(adapter, &narrowed);
        assert_eq!(words(&report.held), ["column app.a.x INSERT", "column app.a.x SELECT"]);
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(words(&left), ["column app.a.x INSERT", "column app.a.x SELECT", "column app.a.y UPDATE"]);
    });
}

#[test]
fn a_recorded_right_is_taken_from_the_grantor_that_gave_it() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "grantor", tag);
        let middle = format!("grantor_middle_{tag}");
        role(adapter, &middle);
        server.sql_in(
            &world.database,
            &format!(
                "SET ROLE {0}; GRANT USAGE ON SCHEMA app TO {1}; GRANT SELECT ON app.a TO {1} WITH GRANT OPTION;
                 GRANT SELECT ON app.a TO {2}; RESET ROLE; SET ROLE {1}; GRANT SELECT ON app.a TO {2}",
                world.owner, middle, world.grantee
            ),
        );
        let held = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(held.len(), 2, "{held:?}");
        let of_middle: Vec<Granted> = held.into_iter().filter(|one| one.grantor.as_ref() == Some(&middle)).collect();
        Grants::revoke(adapter, &GrantSpec { recorded: of_middle, ..spec(&world.grantee, &json!({})) }).unwrap();
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(left.iter().map(|one| one.grantor.as_deref()).collect::<Vec<_>>(), [Some(world.owner.as_str())]);
        // The table has another owner now, who is the grantor of all that the former one gave.
        let heir = format!("grantor_heir_{tag}");
        role(adapter, &heir);
        server.sql_in(&world.database, &format!("ALTER TABLE app.a OWNER TO {heir}"));
        Grants::revoke(adapter, &GrantSpec { recorded: left, ..spec(&world.grantee, &json!({})) }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap(), []);
    });
}

#[test]
fn the_owners_own_rights_are_no_drift_and_never_taken() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "own", tag);
        let own = |options: &Value| GrantSpec { mode: Mode::Authoritative, ..spec(&world.owner, options) };
        let stated = own(&world.options(
            json!({"schema": "app", "tables": ["*"], "privileges": ["ALL"], "withGrantOption": true, "future": true}),
        ));
        assert_eq!(detect(adapter, &stated), [""; 0]);
        let report = settle(adapter, &stated);
        assert_eq!(report.held, []);
        server.sql_in(&world.database, "CREATE TABLE app.foreign_one (x int)");
        assert_eq!(detect(adapter, &own(&json!({}))), [""; 0]);
        let own_to_self = Granted {
            level: "table".to_owned(),
            object: [world.database.as_str(), "app", "a"].map(str::to_owned).to_vec(),
            privilege: "SELECT".to_owned(),
            grantable: false,
            grantor: Some(world.owner.clone()),
        };
        Grants::revoke(adapter, &GrantSpec { recorded: vec![own_to_self], ..own(&json!({})) }).unwrap();
        assert_eq!(
            server
                .sql_in(&world.database, &format!("SELECT has_table_privilege('{}', 'app.a', 'SELECT')", world.owner)),
            "t"
        );
    });
}

#[test]
fn everyone_is_given_and_denied() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "everyone", tag);
        let stated =
            world.spec(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"], "public": "Granted"}));
        let report = settle(adapter, &stated);
        assert_eq!(words(&report.held), ["public table app.a SELECT"]);
        assert_eq!(world.asks(server, "table", "app.a", "SELECT"), "t");
        let denied =
            world.spec(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"], "public": "Revoked"}));
        let error =
            Grants::grant(adapter, &GrantSpec { shared: report.held.clone(), ..denied.clone() }, &Selection::All)
                .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "another resource gives it");
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..stated }).unwrap();
        assert_eq!(world.asks(server, "table", "app.a", "SELECT"), "f");
        // What the server gives everyone is taken, and not taken back with the entry that states it.
        server.sql(&format!("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", world.database));
        let open = settle(adapter, &world.spec(json!({"privileges": ["CONNECT"], "public": "Granted"})));
        assert_eq!((open.update.changes.len(), open.held.len()), (0, 0));
        let closed = settle(adapter, &world.spec(json!({"privileges": ["ALL"], "public": "Revoked"})));
        assert_eq!(closed.update.applied.len(), 1);
        let connect = |server: &Server| world.asks(server, "database", &world.database, "CONNECT");
        assert_eq!(connect(server), "f");
        // The administrator does not lock itself out.
        server.sql(&format!(
            "GRANT CONNECT ON DATABASE {0} TO PUBLIC; REVOKE CONNECT ON DATABASE {0} FROM administrator",
            world.database
        ));
        settle(adapter, &world.spec(json!({"privileges": ["CONNECT"], "public": "Revoked"})));
        assert_eq!(connect(server), "f");
        server.sql_in(
            &world.database,
            &format!("SET ROLE {}; CREATE FUNCTION app.open() RETURNS int LANGUAGE sql AS 'SELECT 1'", world.owner),
        );
        let open =
            world.spec(json!({"schema": "app", "functions": ["*"], "privileges": ["EXECUTE"], "public": "Revoked"}));
        settle(adapter, &open);
        // What everyone had no more and was given again is this entry's to take back.
        let reopened =
            world.spec(json!({"schema": "app", "functions": ["open"], "privileges": ["EXECUTE"], "public": "Granted"}));
        let report = settle(adapter, &reopened);
        assert_eq!(words(&report.held), ["public function app.open() EXECUTE"]);
        assert_eq!(world.asks(server, "function", "app.open()", "EXECUTE"), "t");
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..reopened }).unwrap();
        assert_eq!(world.asks(server, "function", "app.open()", "EXECUTE"), "f");
        // The schema public belongs to the database's owner from 15 on, and to the first superuser before.
        if tag == "s" || server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 150_000 {
            let public = json!({"schema": "public", "privileges": ["USAGE", "CREATE"]});
            let report = settle(adapter, &world.spec(public));
            assert_eq!(words(&report.held), ["schema public CREATE", "schema public USAGE"]);
            let narrowed =
                GrantSpec { recorded: report.held, ..world.spec(json!({"schema": "public", "privileges": ["USAGE"]})) };
            settle(adapter, &narrowed);
            settle(adapter, &world.spec(json!({"schema": "public", "privileges": ["CREATE"], "public": "Revoked"})));
        }
    });
}

#[test]
fn memberships_have_options_and_form_a_union() {
    everywhere(|server, adapter, tag| {
        let [team, other, member] = ["team", "other", "member"].map(|name| format!("membership_{name}_{tag}"));
        for name in [&team, &other, &member] {
            role(adapter, name);
        }
        let with_options = server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 160_000;
        let held = |adapter: &mut Postgres| {
            let all = Grants::get_grants(adapter, &grantee(&member)).unwrap();
            let mut words: Vec<String> = all
                .iter()
                .map(|one| format!("{} {}{}", one.object[0], one.privilege, if one.grantable { "*" } else { "" }))
                .collect();
            words.sort();
            words
        };
        let all_of = |role: &str, star: &str| {
            let options = if with_options { &["INHERIT", "SET"][..] } else { &[] };
            let mut all: Vec<String> = options.iter().map(|one| format!("{role} {one}")).collect();
            all.push(format!("{role} MEMBER{star}"));
            all.sort();
            all
        };
        let plain = GrantSpec { roles: vec![team.clone()], ..spec(&member, &json!({"roles": [team]})) };
        let report = settle(adapter, &plain);
        assert_eq!(report.update.applied.len(), 1);
        assert_eq!(held(adapter), all_of(&team, ""));
        let admin = GrantSpec {
            recorded: report.held,
            ..spec(&member, &json!({"memberships": [{"role": team, "admin": true}]}))
        };
        let report = settle(adapter, &admin);
        assert_eq!(held(adapter), all_of(&team, "*"));
        let moved = GrantSpec { recorded: report.held, ..spec(&member, &json!({"roles": [other]})) };
        let report = settle(adapter, &moved);
        assert_eq!(held(adapter), all_of(&other, ""));
        let narrow = json!({"memberships": [{"role": other, "inherit": false, "set": true}]});
        let narrow = GrantSpec { recorded: report.held.clone(), ..spec(&member, &narrow) };
        if with_options {
            let shared = GrantSpec { shared: report.held.clone(), ..narrow.clone() };
            assert_eq!(detect(adapter, &shared), [""; 0], "another resource states what this one takes");
            let report = settle(adapter, &narrow);
            assert_eq!(held(adapter), [format!("{other} MEMBER"), format!("{other} SET")]);
            let wide = GrantSpec { recorded: report.held, ..spec(&member, &json!({"roles": [other]})) };
            settle(adapter, &wide);
        } else {
            let error = Grants::grant(adapter, &narrow, &Selection::Detect).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
            let paths: Vec<_> = problems.iter().map(|one| one.path.as_str()).collect();
            assert_eq!(paths, ["options.memberships[0].inherit", "options.memberships[0].set"]);
        }
        let recorded = Grants::get_grants(adapter, &grantee(&member)).unwrap();
        Grants::revoke(adapter, &GrantSpec { recorded, ..spec(&member, &json!({})) }).unwrap();
        assert_eq!(held(adapter), [""; 0]);
        server.sql(&format!("GRANT {team} TO {member}"));
        assert_eq!(detect(adapter, &spec(&member, &json!({}))), [""; 0]);
        if tag == "s" {
            settle(adapter, &GrantSpec { mode: Mode::Authoritative, ..spec(&member, &json!({})) });
            assert_eq!(held(adapter), [""; 0]);
        }
    });
}

#[test]
fn what_is_missing_is_waited_for_by_its_name() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "missing", tag);
        let refused = |adapter: &mut Postgres, spec: &GrantSpec| {
            // Looking is no error: it tells what would be made.
            if spec.grantee.name == world.grantee {
                assert!(!detect(adapter, spec).is_empty(), "{spec:?}");
            }
            let error = Grants::grant(adapter, spec, &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            error.message
        };
        let entry = |adapter: &mut Postgres, entry: Value| refused(adapter, &world.spec(entry));
        assert!(
            entry(adapter, json!({"schema": "app", "tables": ["a", "nothing"], "privileges": ["SELECT"]}))
                .contains("table app.nothing")
        );
        assert!(entry(adapter, json!({"schema": "nowhere", "privileges": ["SELECT"]})).contains("schema nowhere"));
        assert!(
            entry(adapter, json!({"schema": "app", "columns": {"a": ["z"]}, "privileges": ["SELECT"]}))
                .contains("app.a.z")
        );
        for (field, name) in
            [("sequences", "a"), ("functions", "f(boolean)"), ("functions", "p"), ("procedures", "g"), ("types", "a")]
        {
            let mut entry_of = json!({"schema": "app", "privileges": ["ALL"]});
            entry_of[field] = json!([name]);
            assert!(entry(adapter, entry_of).contains(name), "{field} {name}");
        }
        let grants = json!({"grants": [{"database": "no such place", "schema": "app", "privileges": ["SELECT"]}]});
        assert!(refused(adapter, &spec(&world.grantee, &grants)).contains("database no such place"));
        assert!(
            refused(adapter, &spec(&world.grantee, &json!({"roles": ["no such role"]}))).contains("role no such role")
        );
        assert!(refused(adapter, &spec("nobody here", &json!({"roles": [world.owner]}))).contains("role nobody here"));
        let default = json!({"defaultPrivileges": [{"database": world.database, "schema": "app", "grantedBy": "no such owner", "objectType": "tables", "privileges": ["SELECT"]}]});
        assert!(refused(adapter, &spec(&world.grantee, &default)).contains("role no such owner"));
        // What was applied where something is gone now is simply gone.
        let gone = Granted {
            level: "table".to_owned(),
            object: ["gone", "app", "a"].map(str::to_owned).to_vec(),
            privilege: "SELECT".to_owned(),
            grantable: false,
            grantor: Some(world.owner.clone()),
        };
        Grants::revoke(adapter, &GrantSpec { recorded: vec![gone.clone()], ..spec(&world.grantee, &json!({})) })
            .unwrap();
        Grants::revoke(adapter, &GrantSpec { recorded: vec![gone], ..spec("nobody here", &json!({})) }).unwrap();
        let error = Grants::get_grants(adapter, &grantee("nobody here")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        server.sql(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", world.database));
        assert!(entry(adapter, json!({"schema": "app", "privileges": ["SELECT"]})).contains("accepts no connections"));
    });
}

#[test]
fn what_cannot_be_is_refused_by_its_path() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "refused", tag);
        let problem = |adapter: &mut Postgres, options: &Value| {
            let error = Grants::grant(adapter, &spec(&world.grantee, options), &Selection::Detect).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{options}: {error:?}") };
            (problems[0].path.clone(), problems[0].problem.clone())
        };
        let (path, text) = problem(
            adapter,
            &world.options(json!({"schema": "app", "functions": ["g", "f"], "privileges": ["EXECUTE"]})),
        );
        assert_eq!(path, "options.grants[0].functions[1]");
        assert!(text.contains("f(integer), f(text, integer[])"), "{text}");
        let unreadable = world.spec(json!({"schema": "app", "functions": ["f(in'te]ger)"], "privileges": ["EXECUTE"]}));
        let error = Grants::grant(adapter, &unreadable, &Selection::All).unwrap_err();
        // Before 16 the server says that this is no type, and from then on that there is none.
        assert!(matches!(error.kind, ErrorKind::InvalidOptions(_) | ErrorKind::DependencyMissing), "{error:?}");
        let maintain = world.options(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "MAINTAIN"]}));
        if server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 170_000 {
            let report = settle(adapter, &spec(&world.grantee, &maintain));
            assert_eq!(words(&report.held), ["table app.a MAINTAIN", "table app.a SELECT"]);
            let all = world.spec(json!({"schema": "app", "tables": ["b"], "privileges": ["ALL PRIVILEGES"]}));
            assert_eq!(settle(adapter, &all).held.len(), 8);
        } else {
            assert_eq!(problem(adapter, &maintain).0, "options.grants[0].privileges[1]");
            let all = world.spec(json!({"schema": "app", "tables": ["b"], "privileges": ["ALL PRIVILEGES"]}));
            assert_eq!(settle(adapter, &all).held.len(), 7);
        }
        let opposite = json!({"grants": [
            {"database": world.database, "privileges": ["CONNECT"], "public": "Granted"},
            {"database": world.database, "privileges": ["CONNECT"], "public": "Revoked"},
        ]});
        assert_eq!(problem(adapter, &opposite).0, "options.grants[1].privileges[0]");
        let own = if tag == "s" { "root_of_all" } else { "administrator" };
        let error = Grants::grant(adapter, &spec(own, &json!({"roles": [world.owner]})), &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
    });
}

#[test]
fn hostile_names_are_taken_literally() {
    everywhere(|server, adapter, tag| {
        for (at, name) in hostile_names(tag).into_iter().enumerate() {
            let database = format!("hostile_{at}_{tag}");
            let owner = format!("{database}_owner");
            role(adapter, &owner);
            role(adapter, &name);
            server.sql(&format!("CREATE DATABASE {database} OWNER {owner}"));
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            server.sql_in(
                &database,
                &format!(
                    "SET ROLE {owner}; CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} ({quoted} int);
                     CREATE SEQUENCE {quoted}.\"s{}\"; CREATE TYPE {quoted}.\"t{0}\" AS ENUM ('x');
                     CREATE FUNCTION {quoted}.{quoted}({quoted}.\"t{0}\", int) RETURNS int LANGUAGE sql AS 'SELECT 1';
                     CREATE FUNCTION {quoted}.{quoted}({quoted}.\"t{0}\"[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
                     REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA {quoted} FROM PUBLIC",
                    name.replace('"', "\"\"").chars().take(20).collect::<String>().replace('"', "")
                ),
            );
            let stated = spec(
                &name,
                &json!({
                    "roles": [owner],
                    "grants": [
                        {"database": database, "privileges": ["CONNECT"]},
                        {"database": database, "schema": name, "privileges": ["USAGE"]},
                        {"database": database, "schema": name, "tables": [name], "columns": {name.as_str(): [name]}, "privileges": ["SELECT"]},
                        {"database": database, "schema": name, "sequences": ["*"], "functions": ["*"], "types": ["*"], "privileges": ["ALL"], "future": true},
                    ],
                    "defaultPrivileges": [{"database": database, "schema": name, "grantedBy": owner, "objectType": "tables", "privileges": ["SELECT"]}],
                }),
            );
            let report = settle(adapter, &stated);
            let signed: Vec<&Granted> = report.held.iter().filter(|one| one.level == "function").collect();
            assert_eq!(signed.len(), 2, "{:?}", report.held);
            // A function that was read can be named as it was read.
            let one = json!({"grants": [{"database": database, "schema": name, "functions": [signed[0].object[2]], "privileges": ["EXECUTE"]}]});
            let one = GrantSpec { recorded: report.held, ..spec(&name, &one) };
            let report = settle(adapter, &one);
            assert_eq!(report.held.len(), 1, "{:?}", report.held);
            Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..one }).unwrap();
            assert_eq!(Grants::get_grants(adapter, &grantee(&name)).unwrap(), []);
        }
    });
}

#[test]
fn concurrent_grants_on_one_table_all_succeed() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "race", tag);
        let grantees: Vec<String> = (0..4).map(|at| format!("race_{at}_{tag}")).collect();
        for name in &grantees {
            role(adapter, name);
        }
        std::thread::scope(|scope| {
            let runs: Vec<_> = grantees
                .iter()
                .map(|name| {
                    let world = &world;
                    scope.spawn(move || -> Result<()> {
                        let mut adapter = server.adapter(tag == "s");
                        for _ in 0..5 {
                            let stated = spec(
                                name,
                                &json!({"roles": [world.grantee], "grants": [
                                    {"database": world.database, "privileges": ["CONNECT"]},
                                    {"database": world.database, "schema": "app", "tables": ["a"], "privileges": ["SELECT", "USAGE"], "withGrantOption": true},
                                ]}),
                            );
                            let report = Grants::grant(&mut adapter, &stated, &Selection::All)?;
                            Grants::revoke(&mut adapter, &GrantSpec { recorded: report.held, ..stated })?;
                        }
                        Ok(())
                    })
                })
                .collect();
            for run in runs {
                run.join().unwrap().unwrap_or_else(|error| panic!("{tag}: {error:?}"));
            }
        });
        for name in &grantees {
            assert_eq!(Grants::get_grants(adapter, &grantee(name)).unwrap(), []);
        }
    });
}

#[test]
fn a_selection_makes_exactly_its_changes_and_what_is_not_taken_stays_recorded() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "select", tag);
        let wide = world.spec(json!({"schema": "app", "tables": ["a", "b"], "privileges": ["SELECT"]}));
        let recorded = settle(adapter, &wide).held;
        let moved = GrantSpec {
            recorded,
            ..world.spec(json!({"schema": "app", "tables": ["v"], "privileges": ["SELECT", "INSERT"]}))
        };
        let found = detect(adapter, &moved);
        assert_eq!(found.len(), 3, "{found:?}");
        let only = Selection::Only(found.iter().filter(|id| id.starts_with("grant:")).cloned().collect());
        let report = Grants::grant(adapter, &moved, &only).unwrap();
        assert_eq!(report.update.applied.len(), 1);
        assert_eq!(
            words(&report.held),
            ["table app.a SELECT", "table app.b SELECT", "table app.v INSERT", "table app.v SELECT"]
        );
        let error = Grants::grant(adapter, &moved, &only).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        let rest = GrantSpec { recorded: report.held, ..moved };
        assert_eq!(detect(adapter, &rest).len(), 2);
        settle(adapter, &rest);
        // An object of an owner whose rights nobody here may use: nothing is half done.
        if tag == "c" {
            server.sql_in(
                &world.database,
                "CREATE TABLE app.superusers (x int); CREATE SCHEMA closed; CREATE TABLE closed.t (x int)",
            );
            let all = world.spec(json!({"schema": "app", "tables": ["a", "superusers"], "privileges": ["SELECT"]}));
            let error = Grants::grant(adapter, &all, &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
            assert_eq!(world.asks(server, "table", "app.a", "SELECT"), "f");
        }
    });
}

#[test]
fn a_membership_by_a_grant_is_no_business_of_the_members_own_resource() {
    everywhere(|server, adapter, tag| {
        let [stated, granted, by_hand, member] =
            ["stated", "granted", "by_hand", "member"].map(|name| format!("twice_{name}_{tag}"));
        for name in [&stated, &granted, &by_hand, &member] {
            role(adapter, name);
        }
        let own = |options: Value| RoleSpec {
            name: member.clone(),
            comment: Some("words".to_owned()),
            options: Some(options.to_string()),
        };
        let update = |adapter: &mut Postgres, spec: &RoleSpec, selection: &Selection| -> Vec<String> {
            let report = Roles::update(adapter, spec, selection).unwrap();
            report.changes.into_iter().map(|change| change.id).collect()
        };
        update(adapter, &own(json!({"inRoles": [stated]})), &Selection::All);
        let grant = settle(adapter, &spec(&member, &json!({"roles": [granted]})));
        Grants::grant(adapter, &spec(&member, &json!({"roles": [by_hand]})), &Selection::All).unwrap();
        let narrowed = own(json!({}));
        assert_eq!(update(adapter, &own(json!({"inRoles": [stated]})), &Selection::Detect), [""; 0]);
        assert_eq!(update(adapter, &narrowed, &Selection::Detect), [format!("member:{stated}")]);
        // The mark may be written anew in between.
        let claimed = dbprovision_sdk::Proof { mark: None, object_id: None };
        Roles::claim(adapter, &member, &claimed, Some("words"), &mark("again")).unwrap();
        assert_eq!(update(adapter, &narrowed, &Selection::All), [format!("member:{stated}")]);
        assert_eq!(update(adapter, &narrowed, &Selection::Detect), [""; 0]);
        assert_eq!(Roles::get_info(adapter, &member).unwrap().unwrap().mark, Some(mark("again")));
        let member_of = |role: &str| {
            server.sql(&format!(
                "SELECT count(*) FROM pg_auth_members WHERE roleid = '{role}'::regrole AND member = '{member}'::regrole"
            ))
        };
        assert_eq!(
            (member_of(&stated), member_of(&granted), member_of(&by_hand)),
            ("0".into(), "1".into(), "1".into())
        );
        assert_eq!(
            detect(adapter, &GrantSpec { recorded: grant.held, ..spec(&member, &json!({"roles": [granted]})) }),
            [""; 0]
        );
    });
}

#[test]
fn one_grant_may_be_about_several_databases_and_the_authority_sees_all() {
    everywhere(|server, adapter, tag| {
        let one = world(server, adapter, "several_one", tag);
        let two = world(server, adapter, "several_two", tag);
        let unnamed = world(server, adapter, "several_more", tag);
        let entry = |world: &World| json!({"database": world.database, "schema": "app", "tables": ["*"], "privileges": ["USAGE", "SELECT"]});
        let stated = spec(&one.grantee, &json!({"grants": [entry(&one), entry(&two)]}));
        let both = settle(adapter, &stated);
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'db-provision-operator'";
        assert_eq!(server.sql(sessions), "1", "no session stays open in a database");
        assert_eq!(both.held.iter().filter(|held| held.object[0] == two.database).count(), 4);
        let narrowed = GrantSpec { recorded: both.held, ..spec(&one.grantee, &json!({"grants": [entry(&one)]})) };
        let report = settle(adapter, &narrowed);
        assert!(report.held.iter().all(|held| held.object[0] == one.database), "{:?}", report.held);
        server.sql_in(
            &unnamed.database,
            &format!("SET ROLE {}; GRANT SELECT ON app.v TO {}", unnamed.owner, one.grantee),
        );
        let authority = GrantSpec { recorded: report.held, mode: Mode::Authoritative, ..narrowed };
        let found = Grants::grant(adapter, &authority, &Selection::Detect).unwrap();
        assert_eq!(found.update.changes.len(), 1, "{:?}", found.update.changes);
        assert!(found.update.changes[0].destructive);
        let report = settle(adapter, &authority);
        // A database that is dropped takes its rights along, and nothing waits for it.
        server.sql(&format!("DROP DATABASE {}", one.database));
        let error = Grants::grant(adapter, &authority, &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..authority }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&one.grantee)).unwrap(), []);
    });
}

#[test]
fn an_extensions_functions_are_not_given() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "extension", tag);
        server.sql_in(
            &world.database,
            "CREATE EXTENSION hstore SCHEMA app; REVOKE EXECUTE ON FUNCTION app.akeys(app.hstore) FROM PUBLIC",
        );
        let all = settle(adapter, &world.spec(json!({"schema": "app", "functions": ["*"], "privileges": ["EXECUTE"]})));
        assert_eq!(all.held.len(), 4, "{:?}", words(&all.held));
        let named = world.spec(json!({"schema": "app", "functions": ["akeys"], "privileges": ["EXECUTE"]}));
        let error = Grants::grant(adapter, &named, &Selection::All).unwrap_err();
        let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
        assert_eq!(problems[0].path, "options.grants[0].functions[0]");
        assert_eq!(world.asks(server, "function", "app.akeys(app.hstore)", "EXECUTE"), "f");
    });
}
