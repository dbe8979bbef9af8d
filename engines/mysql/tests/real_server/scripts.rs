//! Scripts on a real server.

use dbprovision_sdk::adapter::databases::{Script, ScriptReport};
use dbprovision_sdk::{Databases, Users};
use engine_mysql::MySql;
use serde_json::json;

use crate::databases::spec;
use crate::support::{everywhere, mark, proof};

fn run(adapter: &mut MySql, name: &str, as_administrator: bool, statements: &[&str]) -> ScriptReport {
    let statements = statements.iter().map(|&one| one.to_owned()).collect();
    Databases::run_script(adapter, name, &Script { statements, as_administrator }, &mark("s")).unwrap()
}

const LEFT: &str = "SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'dbops\\\\_s\\\\_%'";

#[test]
fn a_script_has_every_right_inside_and_none_outside() {
    everywhere(|server, adapter, tag| {
        let (name, other) = (format!("in_{tag}"), format!("inX{tag}"));
        Databases::create(adapter, &spec(&name, &json!({})), &mark("s")).unwrap();
        server.query(&format!("CREATE DATABASE {other}; CREATE TABLE {other}.t (a int)")).unwrap();
        let report = run(
            adapter,
            &name,
            false,
            &["CREATE TABLE t (a VARCHAR(20))", "BEGIN", "INSERT INTO t VALUES ('it\\'s ?')", "SELECT * FROM t"],
        );
        assert_eq!((report.executed, report.failure.is_none()), (4, true), "{report:?}");
        assert_eq!(server.query(&format!("SELECT a FROM {name}.t")).unwrap(), "it's ?");
        for (statement, word) in [
            (format!("SELECT * FROM {other}.t"), "denied"),
            ("CREATE USER intruder".to_owned(), "denied"),
            ("SELECT * FROM mysql.user".to_owned(), "denied"),
            ("SELECT 1 INTO OUTFILE '/tmp/x'".to_owned(), "denied"),
            ("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t".to_owned(), ""),
            ("nonsense".to_owned(), "syntax"),
        ] {
            let report = run(adapter, &name, false, &["SELECT 1", &statement, "SELECT 2"]);
            let failure = report.failure.unwrap_or_else(|| panic!("{statement} was let pass"));
            assert_eq!((report.executed, failure.statement), (1, 1), "{statement}");
            let said = failure.error.message.to_lowercase();
            assert!(said.contains(word), "{statement}: {:?}", failure.error);
        }
        assert_eq!(server.query(LEFT).unwrap(), "0");
        let report = run(adapter, &name, true, &[&format!("INSERT INTO {other}.t VALUES (1)")]);
        assert!(report.failure.is_none(), "{report:?}");
        Databases::drop(adapter, &spec(&name, &json!({})), &proof(&mark("s")), true).unwrap();
        server.query(&format!("DROP DATABASE {other}")).unwrap();
    });
}

#[test]
fn what_a_script_defines_goes_on_working_and_its_account_goes_with_the_database() {
    everywhere(|server, adapter, tag| {
        let name = format!("definer_{tag}");
        Databases::create(adapter, &spec(&name, &json!({})), &mark("s")).unwrap();
        let report = run(
            adapter,
            &name,
            false,
            &[
                "CREATE TABLE t (a int)",
                "CREATE VIEW v AS SELECT a FROM t",
                "CREATE PROCEDURE p() INSERT INTO t VALUES (1)",
                "CALL p()",
            ],
        );
        assert!(report.failure.is_none(), "{report:?}");
        assert_eq!(server.query(LEFT).unwrap(), "1");
        server.query(&format!("CALL {name}.p()")).unwrap();
        assert_eq!(server.query(&format!("SELECT COUNT(*) FROM {name}.v")).unwrap(), "2");
        let account = server.query("SELECT User FROM mysql.user WHERE User LIKE 'dbops\\\\_s\\\\_%'").unwrap();
        assert_eq!(Users::owned_objects(adapter, &account, 10).unwrap().len(), 2);
        // A second script takes the same account, and neither is a leftover.
        let report = run(adapter, &name, false, &["DROP VIEW v", "CREATE VIEW v AS SELECT 2"]);
        assert!(report.failure.is_none(), "{report:?}");
        Databases::clean_up(adapter, &mark("s")).unwrap();
        assert_eq!(server.query(LEFT).unwrap(), "1");
        assert_eq!(server.query(&format!("SELECT * FROM {name}.v")).unwrap(), "2");
        Databases::drop(adapter, &spec(&name, &json!({})), &proof(&mark("s")), true).unwrap();
        assert_eq!(server.query(LEFT).unwrap(), "0");
    });
}

#[test]
fn one_text_may_have_several_statements_and_ends_at_the_first_that_fails() {
    everywhere(|server, adapter, tag| {
        let name = format!("several_{tag}");
        Databases::create(adapter, &spec(&name, &json!({})), &mark("s")).unwrap();
        for as_administrator in [false, true] {
            let text = "CREATE TABLE t (a VARCHAR(9)); -- a comment; and more
                INSERT INTO t VALUES (';'); SELECT * FROM t; SELECT a FROM t;
                CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES ('p'); SELECT 1; SELECT 2; END;
                CALL p();
                /* the last */";
            let report = run(adapter, &name, as_administrator, &[text, "SELECT 1;", "-- nothing", "CALL p()"]);
            assert_eq!((report.executed, report.failure.is_none()), (4, true), "{report:?}");
            assert_eq!(server.query(&format!("SELECT a FROM {name}.t")).unwrap(), ";\np\np");
            // What stands before the mistake is done, what stands behind it is not.
            for mistake in ["nonsense", "SELECT * FROM no_such_table"] {
                let text = format!("INSERT INTO t VALUES ('1'); {mistake}; DROP TABLE t");
                let report = run(adapter, &name, as_administrator, &["SELECT 1", &text, "DROP TABLE t"]);
                let failure = report.failure.unwrap_or_else(|| panic!("{mistake} was let pass"));
                assert_eq!((report.executed, failure.statement), (1, 1), "{mistake}");
                let said = failure.error.message;
                assert!(said.contains(if mistake == "nonsense" { "nonsense" } else { "no_such_table" }), "{said}");
            }
            assert_eq!(server.query(&format!("SELECT COUNT(*) FROM {name}.t WHERE a = '1'")).unwrap(), "2");
            server.query(&format!("DROP TABLE {name}.t; DROP PROCEDURE {name}.p")).unwrap();
        }
        Databases::drop(adapter, &spec(&name, &json!({})), &proof(&mark("s")), true).unwrap();
    });
}
