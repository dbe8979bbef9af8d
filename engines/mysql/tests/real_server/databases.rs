//! Databases on a real server.

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use dbprovision_sdk::{Databases, ErrorKind, Page, Proof, Selection};
use engine_mysql::MySql;
use serde_json::{Value, json};
use testkit::mysql::MysqlServer;

use crate::support::{everywhere, everywhere_with, hostile_names, mark, proof, sweeping};

pub(crate) fn spec(name: &str, options: &Value) -> DatabaseSpec {
    DatabaseSpec { name: name.to_owned(), owner: None, comment: None, options: Some(options.to_string()) }
}

fn ids(adapter: &mut MySql, spec: &DatabaseSpec, nonce: &str) -> Vec<String> {
    let report = Databases::update(adapter, spec, &mark(nonce), &[], &Selection::Detect).unwrap();
    let swept = Databases::update(&mut sweeping(), spec, &mark(nonce), &[], &Selection::Detect).unwrap();
    assert_eq!(swept, report, "in a sweep");
    report.changes.into_iter().map(|change| change.id).collect()
}

fn all(adapter: &mut MySql, spec: &DatabaseSpec, nonce: &str) -> Vec<String> {
    let report = Databases::update(adapter, spec, &mark(nonce), &[], &Selection::All);
    report.unwrap_or_else(|error| panic!("{:?}: {error:?}", spec.options)).applied
}

fn paths(outcome: dbprovision_sdk::Result<impl std::fmt::Debug>) -> Vec<String> {
    let error = outcome.unwrap_err();
    let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
    problems.into_iter().map(|one| one.path).collect()
}

#[test]
fn after_applying_all_nothing_is_different_for_every_field() {
    everywhere(|server, adapter, tag| {
        let name = format!("law_{tag}");
        let plain = spec(&name, &json!({}));
        let made = Databases::create(adapter, &plain, &mark("law")).unwrap();
        assert_eq!(made.details.as_deref(), Some(r#"{"charset":"utf8mb4","collation":"utf8mb4_unicode_ci"}"#));
        assert_eq!(ids(adapter, &plain, "law"), [""; 0], "right after creation");
        let servers_own = server.query("SELECT @@GLOBAL.sql_mode").unwrap();
        let reversed: Vec<&str> = servers_own.split(',').rev().collect();
        for (options, differs) in [
            (json!({"charset": "utf8mb4", "collation": "utf8mb4_unicode_ci"}), false),
            (json!({"collation": "utf8mb4_bin"}), true),
            (json!({"charset": "latin1"}), true),
            (json!({"charset": "utf8", "collation": "utf8_bin"}), true),
            (json!({"charset": "utf8mb3"}), false),
            (json!({"charset": "utf8mb4", "collation": "utf8mb4_general_ci"}), true),
            (json!({"sqlMode": reversed.join(" , ").to_lowercase(), "defaultStorageEngine": "innodb"}), false),
        ] {
            let stated = spec(&name, &options);
            let found = ids(adapter, &stated, "law");
            assert_eq!(!found.is_empty(), differs, "{options}: {found:?}");
            assert_eq!(all(adapter, &stated, "law"), found, "{options}");
            assert_eq!(ids(adapter, &stated, "law"), [""; 0], "{options}");
        }
        let commented = DatabaseSpec { comment: Some("it's \\ [x]".to_owned()), ..plain.clone() };
        assert_eq!(all(adapter, &commented, "law"), ["comment"]);
        assert_eq!(ids(adapter, &commented, "law"), [""; 0]);
        assert_eq!(all(adapter, &plain, "law"), ["comment"]);
        let info = Databases::get_info(adapter, &name).unwrap().unwrap();
        assert_eq!((info.mark, info.size_bytes), (Some(mark("law")), Some(0)));
        server.query(&format!("CREATE TABLE {name}.t (a int)")).unwrap();
        let sized = Databases::get_info(adapter, &name).unwrap().unwrap().size_bytes;
        assert!(sized.is_some_and(|size| size > 0), "{sized:?}");
        Databases::drop(adapter, &plain, &proof(&mark("law")), false).unwrap();
        assert!(!Databases::exists(adapter, &name).unwrap());
        Databases::drop(adapter, &plain, &proof(&mark("law")), false).unwrap();
    });
}

#[test]
fn what_the_server_cannot_keep_is_refused_and_nothing_is_created() {
    everywhere(|_, adapter, tag| {
        let name = format!("refused_{tag}");
        let create = |adapter: &mut MySql, options: &Value| {
            Databases::create(adapter, &spec(&name, options), &mark("r")).map(|info| info.name)
        };
        assert_eq!(
            paths(create(adapter, &json!({"sqlMode": "ANSI", "defaultStorageEngine": "MyISAM"}))),
            ["options.sqlMode", "options.defaultStorageEngine"]
        );
        assert_eq!(paths(create(adapter, &json!({"charset": "klingon"}))), ["options.charset"]);
        assert_eq!(paths(create(adapter, &json!({"collation": "klingon_ci"}))), ["options.collation"]);
        assert_eq!(
            paths(create(adapter, &json!({"charset": "latin1", "collation": "utf8mb4_bin"}))),
            ["options.collation"]
        );
        assert_eq!(paths(create(adapter, &json!({"charset": "x; DROP"}))), ["options.charset"]);
        assert_eq!(paths(create(adapter, &json!({"engine": "x"}))), ["options.engine"]);
        let owned = DatabaseSpec { owner: Some("somebody".to_owned()), ..spec(&name, &json!({})) };
        assert_eq!(paths(Databases::create(adapter, &owned, &mark("r")).map(|info| info.name)), ["owner"]);
        assert!(!Databases::exists(adapter, &name).unwrap());
        for own in ["mysql", "sys", "information_schema", "_dbops"] {
            assert_eq!(paths(Databases::create(adapter, &spec(own, &json!({})), &mark("r")).map(|_| ())), ["name"]);
            let error = Databases::drop(adapter, &spec(own, &json!({})), &Proof { mark: None, object_id: None }, true);
            assert_eq!(error.unwrap_err().kind, ErrorKind::PermissionDenied, "{own}");
        }
    });
}

/// Databases may have names twice as long as users.
fn longer_names(tag: &str) -> Vec<String> {
    let mut names = hostile_names(tag);
    names.push(format!("{}{tag}", "ß".repeat(63)));
    names
}

#[test]
fn hostile_names_are_names_and_nothing_else() {
    everywhere_with(&["--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES"], |server, adapter, tag| {
        for name in longer_names(tag) {
            let stated = DatabaseSpec { comment: Some(name.clone()), ..spec(&name, &json!({})) };
            Databases::create(adapter, &stated, &mark(&name)).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        let listed = Databases::list(adapter, &Page { after: None, limit: 500 }).unwrap().items;
        for name in longer_names(tag) {
            let found = listed.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
            assert_eq!(found.mark, Some(mark(&name)), "{name}");
            assert_eq!(ids(adapter, &spec(&name, &json!({})), &name), ["comment"], "{name}");
            let error =
                Databases::drop(adapter, &spec(&name, &json!({})), &proof(&mark("another's")), true).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{name}");
            Databases::drop(adapter, &spec(&name, &json!({})), &proof(&mark(&name)), true).unwrap();
            assert!(!Databases::exists(adapter, &name).unwrap(), "{name}");
        }
        assert!(server.query("SHOW DATABASES LIKE 'mysql'").unwrap().contains("mysql"));
        assert_eq!(server.query("SELECT COUNT(*) FROM _dbops._dbops_metadata WHERE kind = 'database'").unwrap(), "0");
    });
}

#[test]
fn a_database_of_somebody_else_is_never_taken() {
    everywhere(|server, adapter, tag| {
        let name = format!("theirs_{tag}");
        server.query(&format!("CREATE DATABASE {name}")).unwrap();
        let stated = spec(&name, &json!({}));
        assert_eq!(Databases::create(adapter, &stated, &mark("m")).unwrap_err().kind, ErrorKind::AlreadyExists);
        assert_eq!(
            Databases::drop(adapter, &stated, &proof(&mark("m")), true).unwrap_err().kind,
            ErrorKind::Conflict,
            "it was never ours"
        );
        // Adopted, it is ours; a record that another resource wrote meanwhile is not overwritten.
        Databases::claim(adapter, &name, &Proof { mark: None, object_id: None }, Some("words"), &mark("m")).unwrap();
        assert_eq!(Databases::get_info(adapter, &name).unwrap().unwrap().mark, Some(mark("m")));
        let error = Databases::claim(adapter, &name, &proof(&mark("x")), None, &mark("y")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        Databases::create(adapter, &stated, &mark("m")).unwrap();
        Databases::drop(adapter, &stated, &proof(&mark("m")), true).unwrap();
        assert!(!Databases::exists(adapter, &name).unwrap());
    });
}

/// The record of a creation that began.
fn begin(server: &MysqlServer, name: &str, nonce: &str) {
    let text = dbprovision_sdk::mark::write(None, &mark(nonce)).replace('\\', "\\\\").replace('\'', "''");
    server
        .query(&format!("INSERT INTO _dbops._dbops_metadata VALUES ('database', '{name}', '', '{text}', '[]', 0)"))
        .unwrap();
}

#[test]
fn a_creation_that_was_cut_off_is_finished_or_cleaned_up() {
    everywhere(|server, adapter, tag| {
        let (early, late, other) = (format!("early_{tag}"), format!("late_{tag}"), format!("other_{tag}"));
        // Cut off before the database: nothing is there, and the record goes.
        begin(server, &early, "e");
        assert!(Databases::get_info(adapter, &early).unwrap().is_none());
        Databases::clean_up(adapter, &mark("somebody's")).unwrap();
        let count = format!("SELECT COUNT(*) FROM _dbops._dbops_metadata WHERE name = '{early}'");
        assert_eq!(server.query(&count).unwrap(), "1");
        Databases::clean_up(adapter, &mark("e")).unwrap();
        assert_eq!(server.query(&count).unwrap(), "0");
        // Cut off behind it: it is ours.
        begin(server, &late, "l");
        server.query(&format!("CREATE DATABASE {late}")).unwrap();
        assert_eq!(Databases::get_info(adapter, &late).unwrap().unwrap().mark, Some(mark("l")));
        Databases::clean_up(adapter, &mark("l")).unwrap();
        Databases::create(adapter, &spec(&late, &json!({})), &mark("l")).unwrap();
        server.query(&format!("CREATE TABLE {late}.t (a int)")).unwrap();
        assert_eq!(Databases::get_info(adapter, &late).unwrap().unwrap().mark, Some(mark("l")));
        Databases::drop(adapter, &spec(&late, &json!({})), &proof(&mark("l")), false).unwrap();
        // What somebody filled was never made by a creation that was not finished.
        begin(server, &other, "o");
        server.query(&format!("CREATE DATABASE {other}; CREATE TABLE {other}.t (a int)")).unwrap();
        assert_eq!(Databases::get_info(adapter, &other).unwrap().unwrap().mark, None);
        let error = Databases::create(adapter, &spec(&other, &json!({})), &mark("o")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists);
        server
            .query(&format!("DROP DATABASE {other}; DELETE FROM _dbops._dbops_metadata WHERE name = '{other}'"))
            .unwrap();
    });
}

#[test]
fn a_drop_waits_for_sessions_unless_it_is_forced() {
    everywhere(|server, adapter, tag| {
        let name = format!("busy_{tag}");
        let stated = spec(&name, &json!({}));
        Databases::create(adapter, &stated, &mark("b")).unwrap();
        let (user, word) = (server.administrator.name.clone(), server.administrator.password.clone());
        let mut idle = server.idle_session(&user, &word, Some(&name)).unwrap();
        let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{name}'");
        while server.query(&count).unwrap() == "0" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let error = Databases::drop(adapter, &stated, &proof(&mark("b")), false).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient(None), "{error:?}");
        Databases::drop(adapter, &stated, &proof(&mark("b")), true).unwrap();
        assert!(idle.has_ended());
        Databases::create(adapter, &stated, &mark("b")).unwrap();
        let mut idle = server.idle_session(&user, &word, Some(&name)).unwrap();
        while server.query(&count).unwrap() == "0" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(Databases::terminate_sessions(adapter, &name).unwrap(), 1);
        assert!(idle.has_ended());
        Databases::drop(adapter, &stated, &proof(&mark("b")), false).unwrap();
    });
}

#[test]
fn rights_do_not_outlive_their_database() {
    everywhere(|server, adapter, tag| {
        let name = format!("gone_{tag}");
        let neighbour = format!("goneX{tag}");
        let stated = spec(&name, &json!({}));
        Databases::create(adapter, &stated, &mark("g")).unwrap();
        server
            .query(&format!(
                "CREATE DATABASE {neighbour}; CREATE TABLE {name}.t (a int, b int); \
                 CREATE TABLE {neighbour}.t (a int); CREATE PROCEDURE {name}.p() SELECT 1; \
                 CREATE USER 'g''{tag}'@'10.%' IDENTIFIED BY 'x'; CREATE ROLE r{tag}; \
                 GRANT SELECT, INSERT ON `gone\\_{tag}`.* TO 'g''{tag}'@'10.%' WITH GRANT OPTION; \
                 GRANT SELECT, UPDATE (b) ON {name}.t TO 'g''{tag}'@'10.%' WITH GRANT OPTION; \
                 GRANT EXECUTE ON PROCEDURE {name}.p TO 'g''{tag}'@'10.%'; \
                 GRANT SELECT ON `gone\\_{tag}`.* TO r{tag}; GRANT DELETE ON {name}.t TO r{tag}; \
                 GRANT DELETE ON `gone_{tag}`.* TO 'g''{tag}'@'10.%'; GRANT SELECT ON {neighbour}.t TO r{tag}"
            ))
            .unwrap();
        Databases::drop(adapter, &stated, &proof(&mark("g")), true).unwrap();
        let left = format!(
            "SELECT Db FROM mysql.db WHERE Db LIKE 'gone%{tag}' UNION ALL SELECT Db FROM mysql.tables_priv WHERE Db LIKE 'gone%{tag}'
             UNION ALL SELECT Db FROM mysql.columns_priv WHERE Db LIKE 'gone%{tag}' UNION ALL SELECT Db FROM mysql.procs_priv WHERE Db LIKE 'gone%{tag}' ORDER BY LENGTH(Db), Db DESC"
        );
        // The pattern that also matches the neighbour is the neighbour's too.
        assert_eq!(server.query(&left).unwrap(), format!("gone_{tag}\n{neighbour}"));
        server.query(&format!("DROP DATABASE {neighbour}; DROP USER 'g''{tag}'@'10.%'; DROP ROLE r{tag}")).unwrap();
    });
}

#[test]
fn nobody_has_rights_on_a_new_database_from_a_former_one() {
    everywhere(|server, adapter, tag| {
        let (name, former) = (format!("anew_{tag}"), format!("former_{tag}"));
        server
            .query(&format!(
                "CREATE DATABASE {name}; CREATE TABLE {name}.t (a int); CREATE USER '{former}' IDENTIFIED BY 'former'; \
                 GRANT SELECT ON `anew\\_{tag}`.* TO '{former}'; GRANT INSERT ON {name}.t TO '{former}'; \
                 DROP DATABASE {name}"
            ))
            .unwrap();
        Databases::create(adapter, &spec(&name, &json!({})), &mark("n")).unwrap();
        server.query(&format!("CREATE TABLE {name}.t (a int)")).unwrap();
        let reads = server.query_as(&former, "former", None, &format!("SELECT a FROM {name}.t"));
        assert!(reads.is_err(), "{reads:?}");
        let left = server.query(&format!("SHOW GRANTS FOR '{former}'")).unwrap();
        assert!(!left.contains("anew"), "{left}");
        server.query(&format!("DROP USER '{former}'")).unwrap();
    });
}

#[test]
fn the_place_of_the_marks_is_refused_with_the_setting_that_moves_it() {
    everywhere(|server, _, tag| {
        let name = format!("marks_{tag}");
        server.query(&format!("CREATE DATABASE IF NOT EXISTS {name}")).unwrap();
        let tracking = format!(r#"{{"mysql": {{"metadataDatabase": "{name}"}}}}"#);
        let mut adapter = crate::support::adapter(server, tag == "s", Some(&tracking));
        let stated = spec(&name, &json!({}));
        let said = |error: dbprovision_sdk::Error| {
            assert!(error.message.contains("resourceTracking.mysql.metadataDatabase"), "{error:?}");
            paths(Err::<(), _>(error))
        };
        assert_eq!(said(Databases::get_info(&mut adapter, &name).unwrap_err()), ["name"]);
        assert_eq!(said(Databases::create(&mut adapter, &stated, &mark("m")).unwrap_err()), ["name"]);
        let error = Databases::drop(&mut adapter, &stated, &proof(&mark("m")), true).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        // The name that is kept for them is refused without a server.
        let mut usual = crate::support::adapter(server, tag == "s", None);
        let info = Databases::get_info(&mut usual, "_dbops").unwrap().unwrap();
        assert_eq!(info.standing, dbprovision_sdk::Standing::Protected);
    });
}
