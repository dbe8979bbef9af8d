//! Rights and memberships on a real server, as a real client feels them.

use std::sync::atomic::{AtomicBool, Ordering};

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use dbprovision_sdk::adapter::grants::{GrantReport, GrantSpec, Granted, Grantee};
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::groups::grant_operations::Mode;
use dbprovision_sdk::{Databases, ErrorKind, Grants, ObjectKind, Selection, Users};
use engine_mysql::MySql;
use serde_json::{Value, json};
use testkit::mysql::MysqlServer;

use crate::support::{PASSWORD, everywhere, everywhere_with, mark, password, sweeping};

pub(crate) fn user(adapter: &mut MySql, name: &str, hosts: &[&str]) -> Grantee {
    let options = json!({"allowedHosts": hosts}).to_string();
    let spec = UserSpec {
        name: name.to_owned(),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options.clone()),
    };
    Users::create(adapter, &spec, Some(&password()), &mark("user")).unwrap();
    Grantee { kind: ObjectKind::User, name: name.to_owned(), options: Some(options) }
}

pub(crate) fn spec(grantee: &Grantee, options: &Value, recorded: &[Granted]) -> GrantSpec {
    GrantSpec {
        grantee: grantee.clone(),
        roles: Vec::new(),
        options: Some(options.to_string()),
        mode: Mode::Additive,
        recorded: recorded.to_vec(),
        shared: Vec::new(),
    }
}

pub(crate) fn all(adapter: &mut MySql, spec: &GrantSpec) -> GrantReport {
    let report = Grants::grant(adapter, spec, &Selection::All);
    let report = report.unwrap_or_else(|error| panic!("{:?}: {error:?}", spec.options));
    // The law: what was applied is different no more, and doing it again changes nothing.
    let after = GrantSpec { recorded: report.held.clone(), ..spec.clone() };
    let again = Grants::grant(adapter, &after, &Selection::Detect).unwrap();
    assert_eq!(Grants::grant(&mut sweeping(), &after, &Selection::Detect).unwrap(), again, "in a sweep");
    assert_eq!(Grants::grant(&mut sweeping(), spec, &Selection::Detect).unwrap(), look(adapter, spec), "in a sweep");
    let left: Vec<_> = again.update.changes.iter().filter(|one| !one.impossible).collect();
    assert!(left.is_empty(), "{:?}: {left:?}", spec.options);
    assert_eq!(again.held, report.held);
    report
}

pub(crate) fn look(adapter: &mut MySql, spec: &GrantSpec) -> GrantReport {
    Grants::grant(adapter, spec, &Selection::Detect).unwrap()
}

pub(crate) fn paths(outcome: dbprovision_sdk::Result<impl std::fmt::Debug>) -> Vec<String> {
    let error = outcome.unwrap_err();
    let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
    problems.into_iter().map(|one| one.path).collect()
}

/// A database with a table, a procedure and a function.
pub(crate) fn fill(server: &MysqlServer, adapter: &mut MySql, name: &str) {
    let spec = DatabaseSpec { name: name.to_owned(), owner: None, comment: None, options: None };
    Databases::create(adapter, &spec, &mark("database")).unwrap();
    let quoted = name.replace('`', "``");
    server
        .query(&format!(
            "CREATE TABLE `{quoted}`.t (a int, b int); INSERT INTO `{quoted}`.t VALUES (1, 2); \
             CREATE PROCEDURE `{quoted}`.p() SELECT 3; \
             CREATE FUNCTION `{quoted}`.f() RETURNS int DETERMINISTIC RETURN 4"
        ))
        .unwrap();
}

/// What a client with the user's password may do.
pub(crate) fn may(server: &MysqlServer, user: &str, sql: &str) -> bool {
    match server.query_as(user, PASSWORD, None, sql) {
        Ok(_) => true,
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("denied"), "{sql}: {said}");
            false
        }
    }
}

#[test]
fn every_level_opens_what_it_says_and_nothing_else() {
    everywhere(|server, adapter, tag| {
        let (name, near) = (format!("lev_{tag}"), format!("levX{tag}"));
        fill(server, adapter, &name);
        fill(server, adapter, &near);
        let who = user(adapter, &format!("reader_{tag}"), &["%", "10.%"]);
        let select = format!("SELECT * FROM {name}.t");
        let column = format!("SELECT a FROM {name}.t");
        let other = format!("SELECT a FROM {near}.t");
        let update = format!("UPDATE {name}.t SET b = 3");
        let call = format!("CALL {name}.p()");
        let function = format!("SELECT {name}.f()");
        let entry = |level: &str, more: Value| {
            let mut whole = json!({"level": level});
            whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"grants": [whole]})
        };
        let mut recorded = Vec::new();
        for (options, expected) in [
            (
                entry("column", json!({"database": name, "table": "t", "columns": ["a"], "privileges": ["SELECT"]})),
                [false, true, false, false, false, false],
            ),
            (
                entry("table", json!({"database": name, "table": "t", "privileges": ["SELECT"]})),
                [true, true, false, false, false, false],
            ),
            (
                entry("table", json!({"database": name, "table": "t", "privileges": ["SELECT", "UPDATE"]})),
                [true, true, false, true, false, false],
            ),
            (
                entry("database", json!({"database": name, "privileges": ["SELECT", "CREATE TEMPORARY TABLES"]})),
                [true, true, false, false, false, false],
            ),
            (
                entry("procedure", json!({"database": name, "procedure": "p", "privileges": ["EXECUTE"]})),
                [false, false, false, false, true, false],
            ),
            (
                entry("function", json!({"database": name, "function": "f", "privileges": ["ALL"]})),
                [false, false, false, false, false, true],
            ),
            (entry("global", json!({"privileges": ["SELECT"]})), [true, true, true, false, false, false]),
            (json!({"grants": []}), [false; 6]),
        ] {
            if tag == "a" && options.to_string().contains("ALL") {
                // The administrator of a managed service does not have every right there is.
                continue;
            }
            let stated = spec(&who, &options, &recorded);
            recorded = all(adapter, &stated).held;
            let actual = [&select, &column, &other, &update, &call, &function].map(|sql| may(server, &who.name, sql));
            assert_eq!(actual, expected, "{options}");
            let listed = Grants::get_grants(adapter, &who).unwrap();
            assert!(recorded.iter().all(|one| listed.contains(one)), "{options}: {listed:?}");
        }
        assert!(recorded.is_empty());
        assert!(Grants::get_grants(adapter, &who).unwrap().is_empty());
    });
}

#[test]
fn a_right_that_stays_never_blinks() {
    everywhere(|server, adapter, tag| {
        let name = format!("probe_{tag}");
        fill(server, adapter, &name);
        let who = user(adapter, &format!("prober_{tag}"), &["%"]);
        // What is read stays readable, although the right to it moves from one level to another and back.
        let narrow = json!({"grants": [{"level": "table", "database": name, "table": "t", "privileges": ["SELECT"]}]});
        let wide = json!({"grants": [
            {"level": "database", "database": name, "privileges": ["SELECT", "INSERT", "UPDATE"], "withGrantOption": true},
            {"level": "table", "database": name, "table": "t", "privileges": ["DELETE"]},
        ]});
        let mut recorded = all(adapter, &spec(&who, &narrow, &[])).held;
        let (done, misses) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    if !may(server, &who.name, &format!("SELECT * FROM {name}.t")) {
                        misses.store(true, Ordering::Relaxed);
                    }
                }
            });
            for _ in 0..5 {
                recorded = all(adapter, &spec(&who, &wide, &recorded)).held;
                recorded = all(adapter, &spec(&who, &narrow, &recorded)).held;
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(!misses.load(Ordering::Relaxed));
        let left: Vec<_> = recorded.iter().map(|one| one.privilege.as_str()).collect();
        assert_eq!(left, ["SELECT"]);
    });
}

#[test]
fn overlapping_grants_are_a_union_and_foreign_rights_stay_unless_they_must_go() {
    everywhere(|server, adapter, tag| {
        let name = format!("union_{tag}");
        fill(server, adapter, &name);
        let who = user(adapter, &format!("both_{tag}"), &["%"]);
        let one = json!({"grants": [{"level": "database", "database": name, "privileges": ["SELECT", "INSERT"]}]});
        let two = json!({"grants": [{"level": "database", "database": name, "privileges": ["SELECT", "DELETE"]}]});
        let first = all(adapter, &spec(&who, &one, &[])).held;
        let second = all(adapter, &spec(&who, &two, &[])).held;
        server.query(&format!("GRANT TRIGGER ON `union\\_{tag}`.* TO '{}'@'%'", who.name)).unwrap();
        let privileges = |adapter: &mut MySql| -> Vec<String> {
            Grants::get_grants(adapter, &who).unwrap().into_iter().map(|one| one.privilege).collect()
        };
        // The first goes, and leaves the second's share.
        let mut gone = spec(&who, &one, &first);
        gone.shared = second.clone();
        Grants::revoke(adapter, &gone).unwrap();
        assert_eq!(privileges(adapter), ["DELETE", "SELECT", "TRIGGER"]);
        let mut strict = spec(&who, &two, &second);
        strict.mode = Mode::Authoritative;
        let found = Grants::grant(adapter, &strict, &Selection::Detect).unwrap();
        assert_eq!(found.update.changes.len(), 1);
        assert!(found.update.changes[0].destructive && found.update.changes[0].id.contains("TRIGGER"));
        all(adapter, &strict);
        assert_eq!(privileges(adapter), ["DELETE", "SELECT"]);
        Grants::revoke(adapter, &spec(&who, &json!({}), &second)).unwrap();
        Grants::revoke(adapter, &spec(&who, &json!({}), &second)).unwrap();
        assert!(privileges(adapter).is_empty());
        let nobody = Grantee { name: "nobody at all".to_owned(), ..who.clone() };
        Grants::revoke(adapter, &spec(&nobody, &json!({}), &second)).unwrap();
    });
}

#[test]
fn grant_options_and_dynamic_privileges_are_rights_of_their_own() {
    everywhere(|server, adapter, tag| {
        let name = format!("opt_{tag}");
        fill(server, adapter, &name);
        let who = user(adapter, &format!("granter_{tag}"), &["%"]);
        let on = |level: &str, privileges: &[&str], option: bool| {
            let mut one = json!({"level": level, "privileges": privileges, "withGrantOption": option});
            if level != "global" {
                one["database"] = json!(name);
            }
            match level {
                "table" => one["table"] = json!("t"),
                "column" => (one["table"], one["columns"]) = (json!("t"), json!(["a", "b"])),
                "procedure" => one["procedure"] = json!("p"),
                _ => {}
            }
            json!({"grants": [one]})
        };
        let mut recorded = Vec::new();
        for level in ["database", "table", "column", "procedure"] {
            let privilege = if level == "procedure" { "EXECUTE" } else { "SELECT" };
            recorded = all(adapter, &spec(&who, &on(level, &[privilege], true), &recorded)).held;
            assert!(recorded.iter().any(|one| one.privilege == "GRANT OPTION"), "{level}");
            recorded = all(adapter, &spec(&who, &on(level, &[privilege], false), &recorded)).held;
            assert!(!recorded.iter().any(|one| one.privilege == "GRANT OPTION"), "{level}");
        }
        let is_mariadb = server.query("SELECT @@version").unwrap().contains("MariaDB");
        if tag == "s" {
            let everything = on("database", &["ALL"], true);
            recorded = all(adapter, &spec(&who, &everything, &recorded)).held;
            assert!(recorded.len() > 15);
            let global = if is_mariadb { "CONNECTION ADMIN" } else { "BACKUP_ADMIN" };
            recorded = all(adapter, &spec(&who, &on("global", &[global, "RELOAD"], false), &recorded)).held;
            assert_eq!(recorded.len(), 2);
            if !is_mariadb {
                recorded = all(adapter, &spec(&who, &on("global", &["BACKUP_ADMIN"], true), &recorded)).held;
                assert!(recorded.iter().all(|one| one.grantable), "{recorded:?}");
                // It could only be taken together with the privilege, for a moment.
                let less = spec(&who, &on("global", &["BACKUP_ADMIN"], false), &recorded);
                let report = Grants::grant(adapter, &less, &Selection::All).unwrap();
                assert!(report.update.changes.iter().all(|one| one.impossible) && report.update.applied.is_empty());
            }
        }
        Grants::revoke(adapter, &spec(&who, &json!({}), &recorded)).unwrap();
        assert!(Grants::get_grants(adapter, &who).unwrap().is_empty());
    });
}

#[test]
fn a_name_is_never_a_pattern() {
    for settings in [&[][..], &["--loose-partial-revokes=ON"]] {
        everywhere_with(settings, |server, adapter, tag| {
            for (at, (name, other)) in
                [("x_`y", "xx`y"), ("p%", "pq"), ("back\\_s", "backXs"), ("Größe", "groesse")].iter().enumerate()
            {
                let (name, other) = (format!("{name}{tag}"), format!("{other}{tag}"));
                fill(server, adapter, &name);
                fill(server, adapter, &other);
                let who = user(adapter, &format!("n'{at}{tag}"), &["%"]);
                let options = json!({"grants": [{"level": "database", "database": name, "privileges": ["SELECT"]}]});
                let recorded = all(adapter, &spec(&who, &options, &[])).held;
                let select = |name: &str| format!("SELECT * FROM `{}`.t", name.replace('`', "``"));
                assert!(may(server, &who.name, &select(&name)), "{name}");
                assert!(!may(server, &who.name, &select(&other)), "{other} by a right on {name}");
                Grants::revoke(adapter, &spec(&who, &options, &recorded)).unwrap();
                assert!(!may(server, &who.name, &select(&name)), "{name}");
            }
        });
    }
}

#[test]
fn a_wrong_entry_is_named_with_what_would_be_right() {
    let who = Grantee { kind: ObjectKind::User, name: "u".to_owned(), options: None };
    let examine = |grant: Value| paths(<MySql as Grants>::examine(&spec(&who, &json!({"grants": [grant]}), &[])));
    for (grant, path) in [
        (json!({"level": "database", "privileges": ["SELECT"]}), "options.grants[0].database"),
        (json!({"level": "database", "database": "mysql", "privileges": ["SELECT"]}), "options.grants[0].database"),
        (
            json!({"level": "database", "database": "d", "table": "t", "privileges": ["SELECT"]}),
            "options.grants[0].table",
        ),
        (json!({"level": "table", "database": "d", "privileges": ["SELECT"]}), "options.grants[0].table"),
        (
            json!({"level": "column", "database": "d", "table": "t", "privileges": ["SELECT"]}),
            "options.grants[0].columns",
        ),
        (
            json!({"level": "table", "database": "d", "table": "t", "privileges": ["EXECUTE"]}),
            "options.grants[0].privileges[0]",
        ),
        (
            json!({"level": "database", "database": "d", "privileges": ["SELECT", "SUPER"]}),
            "options.grants[0].privileges[1]",
        ),
        (json!({"level": "global", "privileges": ["NONSENSE"]}), "options.grants[0].privileges[0]"),
        (json!({"level": "global", "database": "d", "privileges": ["SELECT"]}), "options.grants[0].database"),
        (
            json!({"level": "function", "database": "d", "procedure": "p", "function": "f", "privileges": ["EXECUTE"]}),
            "options.grants[0].procedure",
        ),
        (json!({"level": "database", "database": "d", "privileges": []}), "options.grants[0].privileges"),
    ] {
        assert_eq!(examine(grant.clone()), [path], "{grant}");
    }
    everywhere(|server, adapter, tag| {
        let who = user(adapter, &format!("wrong_{tag}"), &["%"]);
        let unknown = json!({"grants": [{"level": "global", "privileges": ["NO_SUCH_ADMIN"]}]});
        assert_eq!(
            paths(Grants::grant(adapter, &spec(&who, &unknown, &[]), &Selection::Detect).map(|_| ())),
            ["options.grants[0].privileges[0]"]
        );
        server.query("CREATE DATABASE IF NOT EXISTS ops").unwrap();
        let place = json!({"grants": [{"level": "database", "database": "ops", "privileges": ["SELECT"]}]});
        let tracking = r#"{"mysql": {"metadataDatabase": "ops"}}"#;
        let mut elsewhere = crate::support::adapter(server, tag == "s", Some(tracking));
        assert_eq!(
            paths(Grants::grant(&mut elsewhere, &spec(&who, &place, &[]), &Selection::Detect).map(|_| ())),
            ["options.grants[0].database"],
            "the place of the marks"
        );
        for own in ["root", server.administrator.name.as_str()] {
            let own = Grantee { name: own.to_owned(), ..who.clone() };
            let outcome = Grants::grant(adapter, &spec(&own, &json!({}), &[]), &Selection::All).map(|_| ());
            // The other pass's administrator is an account like others to this one.
            if tag == "a" || own.name == "root" {
                assert!(outcome.is_err(), "{}", own.name);
            }
        }
    });
}
