//! Sessions on a real server: what they are pinned to, how they end, how refusals are told.

use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::native::log_in_as;
use dbprovision_sdk::{Adapter, Databases, ErrorKind, Schemas, Selection, Users};
use engine_postgres::Postgres;
use serde_json::json;

use crate::databases::{spec, user};
use crate::support::{everywhere, mark, settings, sweeping, update_user};

#[test]
fn the_server_is_known_by_its_identity() {
    everywhere(|server, adapter, tag| {
        let found = adapter.get_version().unwrap();
        assert_eq!(found.identity, server.sql("SELECT system_identifier FROM pg_control_system()"));
        assert_eq!(found.superuser, tag == "s");
        assert!(server.sql("SELECT version()").contains(found.version.split(' ').next().unwrap()));
    });
}

#[test]
fn refused_credentials_are_told_apart_from_everything_else() {
    everywhere(|_, _, _| {
        let mut adapter = Postgres::new();
        log_in_as("administrator", "wrong");
        let error = adapter.connect(&settings("{}")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
        log_in_as("administrator", "its own");
        let mut elsewhere = settings("{}");
        elsewhere.database = "no such database".to_owned();
        let error = adapter.connect(&elsewhere).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        let error = adapter.connect(&settings(r#"{"channelBinding": "require"}"#)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
        assert_eq!(adapter.ping().unwrap_err().kind, ErrorKind::Transient(None), "there is no session");
    });
}

#[test]
fn a_session_that_ended_is_opened_anew() {
    const OURS: &str = "FROM pg_stat_activity WHERE application_name = 'db-provision-operator'";
    everywhere(|server, adapter, _| {
        let end = || {
            let ended = server.sql(&format!("SELECT count(pg_terminate_backend(pid)) {OURS}"));
            // The server ends a session when that one comes to it, not at once.
            let is_gone = (0..250).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                server.sql(&format!("SELECT count(*) {OURS}")) == "0"
            });
            assert!(is_gone, "the session did not end");
            ended
        };
        assert_eq!(end(), "1", "one session, and no more, between the calls");
        adapter.ping().unwrap();
        end();
        let outcome = Users::exists(adapter, "anybody");
        assert!(outcome.is_ok_and(|exists| !exists) || !Users::exists(adapter, "anybody").unwrap());
    });
}

#[test]
fn a_tenants_database_does_not_steer_the_administrators_session() {
    everywhere(|server, adapter, tag| {
        let (name, owner) = (format!("trap_{tag}"), format!("trapper_{tag}"));
        user(adapter, &owner);
        let stated = spec(&name, Some(&owner), &json!({}));
        Databases::create(adapter, &stated, &mark("t")).unwrap();
        Databases::update(adapter, &stated, &mark("t"), &[], &Selection::All).unwrap();
        // The owner shadows what the adapter calls, sets the path, the role and read-only transactions.
        server.sql_in(
            &name,
            &format!(
                "CREATE SCHEMA trap AUTHORIZATION {owner}; SET ROLE {owner};
             CREATE FUNCTION trap.shobj_description(oid, name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
             CREATE FUNCTION trap.same(name, name) RETURNS bool LANGUAGE sql AS 'SELECT true';
             CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = name, FUNCTION = trap.same);
             CREATE TABLE trap.pg_extension (extname name);
             ALTER DATABASE {name} SET search_path = trap, pg_catalog;
             ALTER DATABASE {name} SET default_transaction_read_only = on;
             ALTER DATABASE {name} SET role = '{owner}';
             ALTER DATABASE {name} SET quote_all_identifiers = on;
             ALTER DATABASE {name} SET statement_timeout = '1ms'"
            ),
        );
        let version: i32 = server.sql("SHOW server_version_num").parse().unwrap();
        for (since, setting) in [(140_000, "idle_session_timeout"), (170_000, "transaction_timeout")] {
            if version >= since {
                server.sql(&format!("SET ROLE {owner}; ALTER DATABASE {name} SET {setting} = '1ms'"));
            }
        }
        let stated =
            spec(&name, Some(&owner), &json!({"schemas": [{"name": "app"}], "extensions": [{"name": "hstore"}]}));
        let report = Databases::update(adapter, &stated, &mark("t"), &[], &Selection::All)
            .unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert_eq!(report.applied, ["schema:app", "extension:hstore"]);
        let report = Databases::update(adapter, &stated, &mark("t"), &[], &Selection::Detect).unwrap();
        assert!(report.changes.is_empty(), "{:?}", report.changes);
        Databases::drop(adapter, &stated, &crate::support::proof(&mark("t")), true).unwrap();
    });
}

#[test]
fn changes_of_one_role_at_the_same_time_do_not_disturb_each_other() {
    everywhere(|server, adapter, tag| {
        let name = format!("busy_{tag}");
        user(adapter, &name);
        std::thread::scope(|scope| {
            for index in 0..4 {
                let name = &name;
                scope.spawn(move || {
                    let mut adapter = server.adapter(tag == "s");
                    for round in 0..10 {
                        let options = json!({"connectionLimit": index * 10 + round}).to_string();
                        let spec = UserSpec {
                            name: name.clone(),
                            roles: Vec::new(),
                            shared_roles: Vec::new(),
                            comment: None,
                            options: Some(options),
                        };
                        update_user(&mut adapter, &spec, None, &Selection::All).unwrap();
                    }
                    adapter.close();
                });
            }
        });
    });
}

#[test]
fn an_owner_that_shuts_everybody_out_does_not_keep_the_operator_out() {
    everywhere(|server, adapter, tag| {
        let (name, owner) = (format!("shut_out_{tag}"), format!("shutter_{tag}"));
        user(adapter, &owner);
        let stated = spec(&name, Some(&owner), &json!({}));
        Databases::create(adapter, &stated, &mark("w")).unwrap();
        Databases::update(adapter, &stated, &mark("w"), &[], &Selection::All).unwrap();
        let shut = || server.sql(&format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC, administrator"));
        let may_connect =
            || server.sql(&format!("SELECT has_database_privilege('administrator', '{name}', 'CONNECT')"));
        shut();
        let stated = spec(&name, Some(&owner), &json!({"schemas": [{"name": "app"}]}));
        let report = Databases::update(adapter, &stated, &mark("w"), &[], &Selection::All)
            .unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert_eq!(report.applied, ["schema:app"]);
        // A superuser needs no right, and is given none.
        let expected = if tag == "s" { "f" } else { "t" };
        assert_eq!(may_connect(), expected);
        shut();
        let swept = Databases::update(&mut sweeping(), &stated, &mark("w"), &[], &Selection::Detect).unwrap();
        assert_eq!(swept.changes, []);
        assert_eq!(may_connect(), expected);
        // Where the owner's rights cannot be used, it is said what is missing.
        if tag == "c" {
            server.sql("CREATE DATABASE shut_by_root");
            server.sql("REVOKE ALL ON DATABASE shut_by_root FROM PUBLIC");
            let error = Schemas::list_schemas(adapter, "shut_by_root").unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
            assert!(error.message.contains("shut_by_root") && error.message.contains("CONNECT"), "{}", error.message);
        }
    });
}
