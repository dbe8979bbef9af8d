//! Scripts on a real server: what they may, what they may not, and what they leave.

use dbprovision_sdk::adapter::databases::Script;
use dbprovision_sdk::{Databases, ErrorKind, Selection};
use serde_json::json;

use crate::databases::{spec, user};
use crate::support::{everywhere, mark};

fn script(statements: &[&str]) -> Script {
    Script { statements: statements.iter().map(|&one| one.to_owned()).collect(), as_administrator: false }
}

#[test]
fn a_script_has_the_owners_rights_and_no_way_out_of_them() {
    everywhere(|server, adapter, tag| {
        let (name, owner) = (format!("script_{tag}"), format!("sowner_{tag}"));
        user(adapter, &owner);
        let stated = spec(&name, Some(&owner), &json!({}));
        Databases::create(adapter, &stated, &mark("s")).unwrap();
        Databases::update(adapter, &stated, &mark("s"), &[], &Selection::All).unwrap();
        server.sql(&format!("CREATE TABLE IF NOT EXISTS secrets_{tag} (a int)"));
        let report = Databases::run_script(
            adapter,
            &name,
            &script(&[
                "CREATE SCHEMA app",
                "CREATE TABLE app.t (a int); INSERT INTO app.t VALUES (1)",
                "BEGIN",
                "CREATE TABLE app.kept (a int)",
                "",
            ]),
            &mark("s"),
        )
        .unwrap();
        assert_eq!((report.executed, report.failure), (5, None));
        let owners = server.sql_in(&name, "SELECT string_agg(tableowner, ',') FROM pg_tables WHERE schemaname = 'app'");
        assert_eq!(owners, format!("{owner},{owner}"));
        // Whatever role it takes on, it never has more than the owner; what it makes as itself becomes the owner's.
        for attempt in [
            "CREATE ROLE intruder",
            "SET SESSION AUTHORIZATION root_of_all",
            "SET ROLE administrator",
            "SET ROLE root_of_all",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            "CREATE DATABASE more",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/passwd')",
        ] {
            let report =
                Databases::run_script(adapter, &name, &script(&["SELECT 1", "RESET ROLE", attempt]), &mark("s"))
                    .unwrap();
            let failure = report.failure.unwrap_or_else(|| panic!("{attempt}"));
            assert_eq!((report.executed, failure.statement), (2, 2), "{attempt}");
            assert_eq!(failure.error.kind, ErrorKind::PermissionDenied, "{attempt}: {:?}", failure.error);
        }
        let out = script(&[
            "RESET ROLE",
            "CREATE TABLE app.by_the_fence (a int)",
            "GRANT SELECT ON app.by_the_fence TO PUBLIC",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
            "CREATE FUNCTION app.f() RETURNS text LANGUAGE sql AS 'SELECT session_user::text'",
        ]);
        let report = Databases::run_script(adapter, &name, &out, &mark("s")).unwrap();
        assert_eq!(report.failure, None);
        assert_eq!(server.sql_in(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'by_the_fence'"), owner);
        let wrong =
            Databases::run_script(adapter, &name, &script(&["SELECT 'a value of mine' FROM nothing"]), &mark("s"))
                .unwrap();
        let error = wrong.failure.unwrap().error;
        assert!(!error.detail.contains("a value of mine") && error.message.contains("nothing"), "{error:?}");
        let wrong = Databases::run_script(adapter, &name, &script(&["SELEC 1"]), &mark("s")).unwrap();
        assert!(wrong.failure.unwrap().error.message.contains("syntax error"));
    });
}

#[test]
fn a_script_in_a_database_of_the_administrator_is_refused_unless_it_is_the_administrators_script() {
    everywhere(|server, adapter, tag| {
        let name = format!("noowner_{tag}");
        Databases::create(adapter, &spec(&name, None, &json!({})), &mark("r")).unwrap();
        let error = Databases::run_script(adapter, &name, &script(&["SELECT 1"]), &mark("r")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert!(error.message.contains("set an owner"), "{}", error.message);
        let own = Script { as_administrator: true, ..script(&["CREATE TABLE t (a int)", "SELECT * FROM t", "oops"]) };
        let report = Databases::run_script(adapter, &name, &own, &mark("r")).unwrap();
        assert_eq!((report.executed, report.failure.map(|failure| failure.statement)), (2, Some(2)));
        assert_eq!(server.sql_in(&name, "SELECT count(*) FROM public.t"), "0");
    });
}

#[test]
fn the_temporary_role_of_a_crashed_script_is_removed() {
    everywhere(|server, adapter, tag| {
        let (name, owner) = (format!("left_{tag}"), format!("lowner_{tag}"));
        user(adapter, &owner);
        let stated = spec(&name, Some(&owner), &json!({}));
        Databases::create(adapter, &stated, &mark(tag)).unwrap();
        Databases::update(adapter, &stated, &mark(tag), &[], &Selection::All).unwrap();
        let role = format!("dbops_script_{tag}");
        let leave = || {
            let comment = dbprovision_sdk::mark::write(None, &mark(tag)).replace('\'', "''");
            let admin = if tag == "s" { "root_of_all" } else { "administrator" };
            let password = if tag == "s" { "root's own" } else { "its own" };
            let options = if server.sql("SHOW server_version_num").parse::<u32>().unwrap() >= 160_000 {
                " WITH INHERIT TRUE, SET TRUE"
            } else {
                ""
            };
            server.sql_as(admin, password, "postgres", &format!("CREATE ROLE {role} LOGIN; COMMENT ON ROLE {role} IS '{comment}'; GRANT {owner} TO {role}{options}")).unwrap();
            server.sql_in(&name, &format!("CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION {owner}; SET ROLE {role}; CREATE TABLE IF NOT EXISTS app.half (a int)"));
        };
        leave();
        Databases::clean_up(adapter, &mark(tag)).unwrap();
        assert_eq!(server.sql_in(&name, "SELECT tableowner FROM pg_tables WHERE tablename = 'half'"), owner);
        leave();
        let report = Databases::run_script(adapter, &name, &script(&["SELECT 1"]), &mark(tag)).unwrap();
        assert_eq!(report.executed, 1);
        // Another resource's is left alone.
        leave();
        server.sql(&format!("COMMENT ON ROLE {role} IS 'mine'"));
        assert_eq!(Databases::clean_up(adapter, &mark(tag)).unwrap_err().kind, ErrorKind::Conflict);
        server.sql_in(&name, &format!("REASSIGN OWNED BY {role} TO {owner}; DROP ROLE {role}"));
    });
}

#[test]
fn a_server_that_takes_no_changes_is_one_to_come_back_to() {
    everywhere(|_, adapter, tag| {
        let (name, owner) = (format!("readonly_{tag}"), format!("rowner_{tag}"));
        user(adapter, &owner);
        let stated = spec(&name, Some(&owner), &json!({}));
        Databases::create(adapter, &stated, &mark("r")).unwrap();
        Databases::update(adapter, &stated, &mark("r"), &[], &Selection::All).unwrap();
        // A session says the same here as a standby does.
        let statements = ["SET default_transaction_read_only = on", "CREATE SCHEMA app"];
        let report = Databases::run_script(adapter, &name, &script(&statements), &mark("r")).unwrap();
        let failure = report.failure.unwrap();
        assert_eq!((failure.statement, &failure.error.kind), (1, &ErrorKind::Transient(None)), "{:?}", failure.error);
        assert!(failure.error.message.contains("read-only"), "{}", failure.error.message);
    });
}
