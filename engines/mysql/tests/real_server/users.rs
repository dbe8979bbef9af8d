//! Users on a real server.

use dbprovision_sdk::adapter::users::{LoginOutcome, UserSpec};
use dbprovision_sdk::{Change, Databases, ErrorKind, Page, Proof, Secret, Selection, Users};
use engine_mysql::MySql;
use serde_json::{Value, json};

use crate::databases::spec as database;
use crate::support::{
    PASSWORD, everywhere, everywhere_with, hostile_names, mark, password, proof, sweeping, update_user,
};

fn spec(name: &str, roles: &[&str], options: &Value) -> UserSpec {
    UserSpec {
        name: name.to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options.to_string()),
    }
}

fn ids(adapter: &mut MySql, spec: &UserSpec) -> Vec<String> {
    let report = update_user(adapter, spec, None, &Selection::Detect);
    let report = report.unwrap_or_else(|error| panic!("{spec:?}: {error:?}"));
    assert_eq!(update_user(&mut sweeping(), spec, None, &Selection::Detect).unwrap(), report, "in a sweep");
    report.changes.into_iter().map(|change| change.id).collect()
}

fn look(adapter: &mut MySql, spec: &UserSpec) -> Vec<Change> {
    update_user(adapter, spec, None, &Selection::Detect).unwrap().changes
}

fn all(adapter: &mut MySql, spec: &UserSpec, password: Option<&Secret>) -> Vec<String> {
    let report = update_user(adapter, spec, password, &Selection::All);
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
        let (first, second) = (format!("r1_{tag}"), format!("r2_{tag}"));
        let is_mariadb = server.query("SELECT @@version").unwrap().contains("MariaDB");
        server.query(&format!("CREATE ROLE '{first}'; CREATE ROLE '{second}'")).unwrap();
        if is_mariadb {
            for role in [&first, &second] {
                for grantee in [server.administrator.name.as_str(), "super_of_all"] {
                    server.query(&format!("GRANT '{role}' TO '{grantee}'@'%' WITH ADMIN OPTION")).unwrap();
                }
            }
        }
        let plain = spec(&name, &[], &json!({}));
        Users::create(adapter, &plain, Some(&password()), &mark("law")).unwrap();
        assert_eq!(ids(adapter, &plain), [""; 0], "right after creation");
        let mut cases = vec![
            (
                vec![],
                json!({"maxQueriesPerHour": 10, "maxUpdatesPerHour": 20, "maxConnectionsPerHour": 30, "maxUserConnections": 4}),
            ),
            (vec![], json!({"maxUserConnections": 5})),
            (vec![], json!({"requireSSL": true})),
            (vec![], json!({"requireX509": true, "requireSSL": true})),
            (vec![], json!({"accountLocked": true})),
            (vec![], json!({"passwordLifetime": 90})),
            (vec![], json!({"passwordLifetime": 0, "requireSSL": true})),
            (vec![], json!({"allowedHosts": ["%", "10.0.0.1", "10.1.%"], "requireSSL": true})),
            (vec![first.as_str()], json!({"allowedHosts": ["10.0.0.1", "192.168.0.0/255.255.0.0"]})),
            (vec![second.as_str(), first.as_str()], json!({"allowedHosts": ["10.0.0.1"], "maxUserConnections": 1})),
            (vec![second.as_str()], json!({"allowedHosts": ["%"]})),
        ];
        if !is_mariadb {
            cases.push((vec![], json!({"failedLoginAttempts": 3, "passwordLockTime": 2})));
            cases.push((vec![], json!({"failedLoginAttempts": 4, "passwordLockTime": 2, "requireSSL": true})));
        }
        cases.push((vec![], json!({})));
        for (roles, options) in cases {
            let stated = spec(&name, &roles, &options);
            let found = ids(adapter, &stated);
            assert!(!found.is_empty(), "{options}");
            assert_eq!(all(adapter, &stated, None), found, "{options}");
            assert_eq!(ids(adapter, &stated), [""; 0], "{options} {roles:?}");
        }
        let commented = UserSpec { comment: Some("it's \\ [x]".to_owned()), ..plain.clone() };
        assert_eq!(all(adapter, &commented, None), ["comment"]);
        assert_eq!(ids(adapter, &commented), [""; 0]);
        assert_eq!(all(adapter, &plain, None), ["comment"]);
        let info = Users::get_info(adapter, &name).unwrap().unwrap();
        assert_eq!((info.mark, info.privileged), (Some(mark("law")), false));
        // The account still has the password that it was created with, whatever hosts came and went.
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Accepted);
        Users::drop(adapter, &plain, &proof(&mark("law"))).unwrap();
        assert!(!Users::exists(adapter, &name).unwrap());
        server.query(&format!("DROP ROLE '{first}'; DROP ROLE '{second}'")).unwrap();
    });
}

#[test]
fn every_login_method_takes_the_hash_that_was_computed_for_it() {
    everywhere(|server, adapter, tag| {
        let available = server
            .query("SELECT plugin_name FROM information_schema.plugins WHERE plugin_type = 'AUTHENTICATION' AND plugin_status = 'ACTIVE'")
            .unwrap();
        let methods = ["mysql_native_password", "caching_sha2_password", "sha256_password", "ed25519", "parsec"];
        let mut tried = 0;
        for method in methods {
            let name = format!("{}_{tag}", method.split('_').next().unwrap());
            let stated = spec(&name, &[], &json!({"authPlugin": method}));
            if !available.lines().any(|line| line == method) {
                assert_eq!(
                    paths(Users::create(adapter, &stated, Some(&password()), &mark("m")).map(|_| ())),
                    ["options.authPlugin"]
                );
                continue;
            }
            tried += 1;
            Users::create(adapter, &stated, Some(&password()), &mark("m")).unwrap();
            let kept = server.query(&format!("SELECT plugin FROM mysql.user WHERE User = '{name}'")).unwrap();
            assert_eq!(kept, method);
            // Twice: the second login is the fast one, where there is one.
            for _ in 0..2 {
                let outcome = Users::try_login(adapter, &name, &password());
                assert_eq!(
                    outcome.unwrap_or_else(|error| panic!("{method}: {error:?}")),
                    LoginOutcome::Accepted,
                    "{method}"
                );
            }
            let wrong = Secret::Known(b"wrong".to_vec());
            assert_eq!(Users::try_login(adapter, &name, &wrong).unwrap(), LoginOutcome::Rejected, "{method}");
            // The machine's own client knows all of them but one.
            if method != "parsec" {
                server.query_as(&name, PASSWORD, None, "SELECT 1").unwrap_or_else(|error| panic!("{method}: {error}"));
            }
            // A new password is a change, always; a new method needs one.
            let report = update_user(adapter, &stated, Some(&Secret::Known("neu ß".into())), &Selection::All).unwrap();
            assert_eq!(report.applied, ["password"]);
            assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Rejected, "{method}");
            assert_eq!(
                Users::try_login(adapter, &name, &Secret::Known("neu ß".into())).unwrap(),
                LoginOutcome::Accepted
            );
        }
        assert!(tried > 0);
        let other = if available.contains("sha256_password") && !available.contains("mysql_native_password") {
            "sha256_password"
        } else {
            "ed25519"
        };
        if available.lines().any(|line| line == other) {
            let name = format!("moves_{tag}");
            Users::create(adapter, &spec(&name, &[], &json!({})), Some(&password()), &mark("m")).unwrap();
            let moved = spec(&name, &[], &json!({"authPlugin": other}));
            let report = update_user(adapter, &moved, None, &Selection::All).unwrap();
            assert_eq!((report.changes.len(), report.changes[0].impossible, report.applied.len()), (1, true, 0));
            assert!(!look(adapter, &moved)[0].impossible, "it can be made, with the password");
            let only = Selection::Only(vec!["authPlugin".to_owned()]);
            let report = update_user(adapter, &moved, Some(&password()), &only).unwrap();
            assert_eq!(report.applied, ["authPlugin"]);
            assert_eq!(ids(adapter, &moved), [""; 0]);
            assert_eq!(all(adapter, &moved, Some(&password())), ["password"]);
            assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Accepted);
        }
    });
}

#[test]
fn hostile_names_and_passwords_are_what_they_are() {
    everywhere_with(&["--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES"], |server, adapter, tag| {
        for name in hostile_names(tag) {
            let secret = Secret::Known(format!("{name}\\' OR \"1\"`").into_bytes());
            let stated = UserSpec { comment: Some(name.clone()), ..spec(&name, &[], &json!({})) };
            Users::create(adapter, &stated, Some(&secret), &mark(&name))
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(ids(adapter, &stated), [""; 0], "{name}");
            assert_eq!(Users::try_login(adapter, &name, &secret).unwrap(), LoginOutcome::Accepted, "{name}");
        }
        let listed = Users::list(adapter, &Page { after: None, limit: 500 }).unwrap().items;
        for name in hostile_names(tag) {
            let found = listed.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
            assert_eq!(found.mark, Some(mark(&name)), "{name}");
            let error = Users::drop(adapter, &spec(&name, &[], &json!({})), &proof(&mark("another's"))).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{name}");
            Users::drop(adapter, &spec(&name, &[], &json!({})), &proof(&mark(&name))).unwrap();
            assert!(!Users::exists(adapter, &name).unwrap(), "{name}");
            Users::drop(adapter, &spec(&name, &[], &json!({})), &proof(&mark(&name))).unwrap();
        }
        assert_eq!(server.query("SELECT COUNT(*) FROM _dbops._dbops_metadata WHERE kind = 'user'").unwrap(), "0");
    });
}

#[test]
fn what_a_dialect_lacks_is_refused_with_its_path() {
    everywhere(|server, adapter, tag| {
        let is_mariadb = server.query("SELECT @@version").unwrap().contains("MariaDB");
        let name = format!("refused_{tag}");
        let mut create = |options: Value| {
            paths(Users::create(adapter, &spec(&name, &[], &options), Some(&password()), &mark("r")).map(|_| ()))
        };
        assert_eq!(create(json!({"allowedHosts": []})), ["options.allowedHosts"]);
        assert_eq!(
            create(json!({"allowedHosts": ["a b", "%", "%"]})),
            ["options.allowedHosts[0]", "options.allowedHosts[2]"]
        );
        assert_eq!(create(json!({"failedLoginAttempts": 3})), ["options.passwordLockTime"]);
        assert_eq!(create(json!({"passwordLockTime": 40000, "failedLoginAttempts": 1})), ["options.passwordLockTime"]);
        if is_mariadb {
            assert_eq!(
                create(json!({"failedLoginAttempts": 3, "passwordLockTime": 1})),
                ["options.failedLoginAttempts", "options.passwordLockTime"]
            );
        } else {
            let long = spec(&"n".repeat(33), &[], &json!({}));
            assert_eq!(paths(Users::create(adapter, &long, None, &mark("r")).map(|_| ())), ["name"]);
        }
        for own in ["root", "mysql.sys", "mariadb.sys"] {
            assert_eq!(
                paths(Users::create(adapter, &spec(own, &[], &json!({})), None, &mark("r")).map(|_| ())),
                ["name"]
            );
            let error = Users::drop(adapter, &spec(own, &[], &json!({})), &Proof { mark: None, object_id: None });
            assert_eq!(error.unwrap_err().kind, ErrorKind::PermissionDenied, "{own}");
        }
        let me = if tag == "s" { "super_of_all".to_owned() } else { server.administrator.name.clone() };
        let error =
            Users::drop(adapter, &spec(&me, &[], &json!({})), &Proof { mark: None, object_id: None }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "the administrator's own");
        let info = Users::get_info(adapter, &me).unwrap().unwrap();
        assert!(info.privileged);
        assert!(!Users::exists(adapter, &name).unwrap());
    });
}

#[test]
fn an_account_of_somebody_else_is_never_taken_and_never_changed() {
    everywhere(|server, adapter, tag| {
        let (theirs, shared) = (format!("theirs_{tag}"), format!("shared_{tag}"));
        server.query(&format!("CREATE USER '{theirs}'@'10.%' IDENTIFIED BY 'their own'")).unwrap();
        let stated = spec(&theirs, &[], &json!({}));
        let error = Users::create(adapter, &stated, Some(&password()), &mark("m")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists);
        assert_eq!(Users::drop(adapter, &stated, &proof(&mark("m"))).unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(update_user(adapter, &stated, None, &Selection::All).unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(server.query(&format!("SELECT Host FROM mysql.user WHERE User = '{theirs}'")).unwrap(), "10.%");
        // Adopted with all its accounts, it is brought to what is stated; what was there goes where it is named.
        Users::claim(adapter, &theirs, &Proof { mark: None, object_id: None }, None, &mark("m")).unwrap();
        assert_eq!(all(adapter, &stated, None), ["host:%"]);
        let named = Selection::Only(vec!["host:10.%".to_owned()]);
        assert_eq!(update_user(adapter, &stated, None, &named).unwrap().applied, ["host:10.%"]);
        assert_eq!(ids(adapter, &stated), [""; 0]);
        Users::drop(adapter, &stated, &proof(&mark("m"))).unwrap();
        // Another account of our user's name is somebody's, and stays.
        let ours = spec(&shared, &[], &json!({"allowedHosts": ["%"]}));
        Users::create(adapter, &ours, Some(&password()), &mark("o")).unwrap();
        server.query(&format!("CREATE USER '{shared}'@'10.%' IDENTIFIED BY 'their own'")).unwrap();
        assert_eq!(ids(adapter, &ours), [""; 0]);
        let wider = spec(&shared, &[], &json!({"allowedHosts": ["%", "10.%"]}));
        assert_eq!(update_user(adapter, &wider, None, &Selection::All).unwrap_err().kind, ErrorKind::Conflict);
        Users::drop(adapter, &ours, &proof(&mark("o"))).unwrap();
        assert_eq!(server.query(&format!("SELECT Host FROM mysql.user WHERE User = '{shared}'")).unwrap(), "10.%");
        server.query(&format!("DROP USER '{shared}'@'10.%'")).unwrap();
    });
}

#[test]
fn a_drop_ends_sessions_and_is_refused_while_something_runs_as_the_user() {
    everywhere(|server, adapter, tag| {
        let (name, place) = (format!("d'{tag}"), format!("place_{tag}"));
        let stated = spec(&name, &[], &json!({}));
        Users::create(adapter, &stated, Some(&password()), &mark("d")).unwrap();
        Databases::create(adapter, &database(&place, &json!({})), &mark("d")).unwrap();
        let quoted = name.replace('\'', "''");
        server
            .query(&format!(
                "GRANT SELECT, CREATE VIEW, EXECUTE, TRIGGER, EVENT ON `place\\_{tag}`.* TO '{quoted}'@'%'; CREATE DEFINER = '{quoted}'@'%' VIEW {place}.v AS SELECT 1; \
                 CREATE DEFINER = '{quoted}'@'%' PROCEDURE {place}.p() SELECT 1; CREATE TABLE {place}.t (a int); \
                 CREATE DEFINER = '{quoted}'@'%' TRIGGER {place}.g BEFORE INSERT ON {place}.t FOR EACH ROW SET @a = 1; \
                 CREATE DEFINER = '{quoted}'@'%' EVENT {place}.e ON SCHEDULE EVERY 1 DAY DO SET @a = 1"
            ))
            .unwrap();
        let mut kinds: Vec<_> =
            Users::owned_objects(adapter, &name, 10).unwrap().into_iter().map(|one| one.kind).collect();
        kinds.sort();
        assert_eq!(kinds, ["event", "procedure", "trigger", "view"]);
        assert_eq!(Users::owned_objects(adapter, &name, 2).unwrap().len(), 2);
        let error = Users::drop(adapter, &stated, &proof(&mark("d"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        Databases::drop(adapter, &database(&place, &json!({})), &proof(&mark("d")), true).unwrap();
        let busy = |server: &testkit::mysql::MysqlServer| {
            let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{quoted}'");
            while server.query(&count).unwrap() == "0" {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        };
        let mut idle = server.idle_session(&name, PASSWORD, None).unwrap();
        busy(server);
        assert_eq!(Users::terminate_sessions(adapter, &name).unwrap(), 1);
        assert!(idle.has_ended());
        let mut idle = server.idle_session(&name, PASSWORD, None).unwrap();
        busy(server);
        Users::drop(adapter, &stated, &proof(&mark("d"))).unwrap();
        assert!(idle.has_ended());
    });
}

#[test]
fn a_login_tells_only_what_it_can_tell() {
    everywhere(|server, adapter, tag| {
        let name = format!("login_{tag}");
        let wrong = Secret::Known(b"wrong".to_vec());
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Unknown, "nobody");
        for (options, right, other) in [
            (json!({}), LoginOutcome::Accepted, LoginOutcome::Rejected),
            (json!({"accountLocked": true}), LoginOutcome::Unknown, LoginOutcome::Unknown),
            (json!({"requireSSL": true}), LoginOutcome::Unknown, LoginOutcome::Unknown),
            (json!({"requireX509": true}), LoginOutcome::Unknown, LoginOutcome::Unknown),
            (json!({"allowedHosts": ["10.%"]}), LoginOutcome::Unknown, LoginOutcome::Unknown),
            (json!({"allowedHosts": ["127.0.0.1"]}), LoginOutcome::Accepted, LoginOutcome::Unknown),
        ] {
            let stated = spec(&name, &[], &options);
            Users::create(adapter, &stated, Some(&password()), &mark("l")).unwrap();
            assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), right, "{options}");
            assert_eq!(Users::try_login(adapter, &name, &wrong).unwrap(), other, "{options}");
            Users::drop(adapter, &stated, &proof(&mark("l"))).unwrap();
        }
        // An account without a name shadows every other from its host.
        let stated = spec(&name, &[], &json!({}));
        Users::create(adapter, &stated, Some(&password()), &mark("l")).unwrap();
        server.query("CREATE USER ''@'127.0.0.1'").unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Unknown);
        server.query("DROP USER ''@'127.0.0.1'").unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Accepted);
        Users::drop(adapter, &stated, &proof(&mark("l"))).unwrap();
    });
}

#[test]
fn a_missing_role_is_waited_for_and_a_membership_of_others_stays() {
    everywhere(|server, adapter, tag| {
        let (name, role, theirs) = (format!("member_{tag}"), format!("late_{tag}"), format!("their_{tag}"));
        let stated = spec(&name, &[&role], &json!({}));
        Users::create(adapter, &stated, Some(&password()), &mark("m")).unwrap();
        let made = update_user(adapter, &stated, None, &Selection::All).unwrap();
        assert_eq!(made.applied, [""; 0]);
        let told = made.changes.first().and_then(|change| change.lacking.clone());
        assert_eq!(told, Some(format!("the role {role} is not there")), "{made:?}");
        server
            .query(&format!("CREATE ROLE '{role}'; CREATE ROLE '{theirs}'; GRANT '{theirs}' TO '{name}'@'%'"))
            .unwrap();
        if server.query("SELECT @@version").unwrap().contains("MariaDB") {
            let grantee = server.administrator.name.clone();
            server.query(&format!("GRANT '{role}' TO '{grantee}'@'%' WITH ADMIN OPTION; GRANT '{role}' TO 'super_of_all'@'%' WITH ADMIN OPTION")).unwrap();
        }
        assert_eq!(all(adapter, &stated, None), [format!("member:{role}"), "defaultRoles".to_owned()]);
        assert_eq!(ids(adapter, &stated), [""; 0]);
        let active = server.query_as(&name, PASSWORD, None, "SELECT CURRENT_ROLE()").unwrap();
        assert!(active.contains(&role), "{active}");
        assert_eq!(
            all(adapter, &spec(&name, &[], &json!({})), None),
            [format!("member:{role}"), "defaultRoles".to_owned()]
        );
        assert_eq!(ids(adapter, &spec(&name, &[], &json!({}))), [""; 0], "the other membership is not ours");
        let grants = server.query(&format!("SHOW GRANTS FOR '{name}'@'%'")).unwrap();
        assert!(grants.contains(&theirs) && !grants.contains(&role), "{grants}");
        Users::drop(adapter, &stated, &proof(&mark("m"))).unwrap();
        server.query(&format!("DROP ROLE '{role}'; DROP ROLE '{theirs}'")).unwrap();
    });
}
