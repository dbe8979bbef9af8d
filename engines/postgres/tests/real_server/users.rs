//! Users on a real server.

use dbprovision_sdk::adapter::users::{LoginOutcome, UserSpec};
use dbprovision_sdk::{ErrorKind, Page, Proof, Selection, Users};
use engine_postgres::Postgres;
use serde_json::{Value, json};

use crate::support::{PASSWORD, everywhere, hostile_names, mark, password, proof, sweeping, update_user};

pub(crate) fn spec(name: &str, options: &Value) -> UserSpec {
    UserSpec {
        name: name.to_owned(),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options.to_string()),
    }
}

fn ids(adapter: &mut Postgres, spec: &UserSpec, selection: &Selection) -> Vec<String> {
    let report = update_user(adapter, spec, None, selection).unwrap();
    if *selection == Selection::Detect {
        assert_eq!(update_user(&mut sweeping(), spec, None, selection).unwrap(), report, "in a sweep");
    }
    report.changes.into_iter().map(|change| change.id).collect()
}

#[test]
fn after_applying_all_nothing_is_different_for_every_field() {
    everywhere(|server, adapter, tag| {
        let name = format!("law_{tag}");
        let group = format!("group_{tag}");
        // Created through the adapter, so that the administrator may grant it on every version.
        Users::create(adapter, &spec(&group, &json!({"login": false})), None, &mark("group")).unwrap();
        Users::create(adapter, &spec(&name, &json!({})), Some(&password()), &mark("law")).unwrap();
        assert_eq!(ids(adapter, &spec(&name, &json!({})), &Selection::Detect), [""; 0], "right after creation");
        let mut cases = vec![
            (json!({"connectionLimit": 0}), "connectionLimit"),
            (json!({"connectionLimit": 7}), "connectionLimit"),
            (json!({"validUntil": "2030-12-31T23:59:59+01:00"}), "validUntil"),
            (json!({"validUntil": "2030-12-31T23:59:59.250Z"}), "validUntil"),
            (json!({"validUntil": "2031-01-01"}), "validUntil"),
            (json!({"validUntil": "2031-01-02 12:30"}), "validUntil"),
            (json!({"validUntil": "2031-01-02 23:30:00-01"}), "validUntil"),
            (json!({"validUntil": "2031-01-04 24:00"}), "validUntil"),
            (json!({"validUntil": "Jan 6 2031"}), "validUntil"),
            (json!({"login": false}), "login"),
            (json!({"inherit": false}), "inherit"),
            (json!({"createDB": true}), "createDB"),
            (json!({"inRoles": [&group]}), &*format!("member:{group}").leak()),
            (
                json!({"configParameters": {"search_path": "\"$user\", App, \"Odd, one\"", "work_mem": "64MB"}}),
                "config:search_path",
            ),
            (
                json!({"configParameters": {"application_name": "it's \\ 1", "timezone": "Europe/Berlin"}}),
                "config:application_name",
            ),
            (json!({"configParameters": {"search_path": ""}}), "config:search_path"),
        ];
        if tag == "s" {
            // Whether a setting that nobody knows yet may be set, only a superuser can say.
            cases.push((json!({"configParameters": {"app.tenant": "x"}}), "config:app.tenant"));
            for flag in ["superuser", "replication", "bypassRLS", "createRole"] {
                cases.push((json!({flag: true}), flag));
            }
        }
        for (options, id) in cases {
            let stated = spec(&name, &options);
            let found = ids(adapter, &stated, &Selection::Detect);
            assert!(found.iter().any(|found| found == id), "{options}: {found:?}");
            assert_eq!(ids(adapter, &stated, &Selection::Detect), found, "detection changes nothing");
            let report = update_user(adapter, &stated, None, &Selection::All).unwrap();
            assert_eq!(report.applied, found, "{options}");
            assert_eq!(ids(adapter, &stated, &Selection::Detect), [""; 0], "{options}");
            // What left the spec goes back to the documented default; settings only where their list is stated.
            let plain = spec(&name, &json!({"configParameters": {}}));
            update_user(adapter, &plain, None, &Selection::All).unwrap();
            assert_eq!(ids(adapter, &plain, &Selection::Detect), [""; 0], "taken back: {options}");
        }
        let row = server.sql(&format!(
            "SELECT rolsuper, rolcreatedb, rolinherit, rolcanlogin, rolconnlimit, rolvaliduntil, rolconfig FROM pg_roles WHERE rolname = '{name}'"
        ));
        assert_eq!(row, "f|f|t|t|-1|infinity|", "no setting is left");
        // A superuser may become any role; whoever else is no member of it has to wait.
        let apart = spec(&name, &json!({"defaultRole": group, "superuser": tag == "s"}));
        let made = update_user(adapter, &apart, None, &Selection::All).unwrap();
        let told = made.changes.iter().find(|change| change.id == "defaultRole").unwrap();
        assert_eq!(
            (told.lacking.is_none(), made.applied.len()),
            (tag == "s", if tag == "s" { 2 } else { 0 }),
            "{made:?}"
        );
        let becomes = if tag == "s" { &group } else { &name };
        assert_eq!(server.sql_as(&name, PASSWORD, "postgres", "SELECT current_user").unwrap(), *becomes);
        update_user(adapter, &spec(&name, &json!({})), None, &Selection::All).unwrap();
        let with_role = UserSpec { roles: vec![group.clone()], ..spec(&name, &json!({"defaultRole": group})) };
        let changes = ids(adapter, &with_role, &Selection::All);
        assert_eq!(changes, [format!("member:{group}"), "defaultRole".to_owned()]);
        assert_eq!(ids(adapter, &with_role, &Selection::Detect), [""; 0]);
        assert_eq!(server.sql_as(&name, PASSWORD, "postgres", "SELECT current_user").unwrap(), group);
        let commented = UserSpec { comment: Some("it's \"mine\" [x]".to_owned()), ..spec(&name, &json!({})) };
        let report = update_user(adapter, &commented, None, &Selection::All).unwrap();
        let membership = report.changes.iter().find(|change| change.id == format!("member:{group}")).unwrap();
        assert!(membership.destructive, "a revoked membership is a lost right");
        assert_eq!(ids(adapter, &commented, &Selection::Detect), [""; 0]);
        assert_eq!(Users::get_info(adapter, &name).unwrap().unwrap().mark, Some(mark("law")));
    });
}

#[test]
fn settings_that_left_the_spec_are_taken_back_and_those_of_others_are_not() {
    everywhere(|server, adapter, tag| {
        let name = format!("settings_{tag}");
        let plain = spec(&name, &json!({}));
        Users::create(adapter, &plain, None, &mark("s")).unwrap();
        let held =
            || server.sql(&format!("SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = '{name}'"));
        server.sql(&format!("ALTER ROLE {name} SET lock_timeout = '3s'"));
        assert_eq!(ids(adapter, &plain, &Selection::Detect), [""; 0], "nothing is said of settings");
        server.sql(&format!("ALTER ROLE {name} RESET lock_timeout"));
        let stated = spec(&name, &json!({"configParameters": {"timezone": "UTC", "work_mem": "64MB"}}));
        assert_eq!(ids(adapter, &stated, &Selection::All), ["config:timezone", "config:work_mem"]);
        // The mark may be written anew in between.
        Users::claim(adapter, &name, &proof(&mark("s")), None, &mark("again")).unwrap();
        server.sql(&format!("ALTER ROLE {name} SET lock_timeout = '3s'"));
        let only = Selection::Only(vec!["config:work_mem".to_owned()]);
        assert_eq!(ids(adapter, &plain, &Selection::Detect), ["config:TimeZone", "config:work_mem"]);
        update_user(adapter, &plain, None, &only).unwrap();
        assert_eq!(ids(adapter, &plain, &Selection::Detect), ["config:TimeZone"], "what is not taken yet stays noted");
        update_user(adapter, &plain, None, &Selection::All).unwrap();
        assert_eq!((held().as_str(), ids(adapter, &plain, &Selection::Detect)), ("lock_timeout=3s", Vec::new()));
        // Where the list is stated, it is the whole list.
        let empty = spec(&name, &json!({"configParameters": {}}));
        assert_eq!(ids(adapter, &empty, &Selection::All), ["config:lock_timeout"]);
        assert_eq!(Users::get_info(adapter, &name).unwrap().unwrap().mark, Some(mark("again")));
    });
}

#[test]
fn a_password_is_a_change_whenever_it_is_passed_and_the_server_gets_a_verifier() {
    everywhere(|server, adapter, tag| {
        let name = format!("pass_{tag}");
        let plain = spec(&name, &json!({}));
        Users::create(adapter, &plain, None, &mark("p")).unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Rejected);
        let report = update_user(adapter, &plain, Some(&password()), &Selection::Detect).unwrap();
        assert_eq!((report.changes[0].id.as_str(), report.applied.len()), ("password", 0));
        let only = Selection::Only(vec!["password".to_owned()]);
        update_user(adapter, &plain, Some(&password()), &only).unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Accepted);
        let wrong = dbprovision_sdk::Secret::Known(b"wrong".to_vec());
        assert_eq!(Users::try_login(adapter, &name, &wrong).unwrap(), LoginOutcome::Rejected);
        let stored = server.sql(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'"));
        assert!(stored.starts_with("SCRAM-SHA-256$4096:"), "{stored}");
        update_user(adapter, &spec(&name, &json!({"login": false})), None, &Selection::All).unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Unknown);
        update_user(adapter, &spec(&name, &json!({"connectionLimit": 0})), None, &Selection::All).unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Unknown);
        update_user(adapter, &spec(&name, &json!({"validUntil": "2001-01-01"})), None, &Selection::All).unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Unknown);
        assert_eq!(Users::try_login(adapter, "nobody at all", &password()).unwrap(), LoginOutcome::Unknown);
    });
}

#[test]
fn a_setting_of_superusers_asks_for_their_privilege_and_a_users_does_not() {
    everywhere(|server, _, _| {
        for (context, expected) in [("superuser", 1), ("user", 0)] {
            let names = server.sql(&format!("SELECT name FROM pg_settings WHERE context = '{context}'"));
            assert!(names.lines().count() > 30, "{names}");
            for name in names.lines() {
                let stated = spec("reader", &json!({ "configParameters": { name: "1" } }));
                let asked = Postgres::examine(&stated).unwrap().privileges;
                assert_eq!(asked.len(), expected, "{name}: {asked:?}");
            }
        }
    });
}

#[test]
fn hostile_names_and_values_are_taken_literally() {
    everywhere(|server, adapter, tag| {
        for name in hostile_names(tag) {
            let stated = UserSpec {
                comment: Some(name.clone()),
                ..spec(
                    &name,
                    &json!({"configParameters": {"default_text_search_config": "simple", "application_name": name, "search_path": format!("\"{}\"", name.replace('"', "\"\""))}}),
                )
            };
            let info = Users::create(adapter, &stated, Some(&password()), &mark("h")).unwrap();
            assert_eq!(info.name, name);
            update_user(adapter, &stated, None, &Selection::All).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(ids(adapter, &stated, &Selection::Detect), [""; 0], "{name}");
            assert_eq!(server.sql_as(&name, PASSWORD, "postgres", "SELECT current_user").unwrap(), name);
            assert!(Users::exists(adapter, &name).unwrap());
            Users::drop(adapter, &stated, &proof(&mark("h"))).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(!Users::exists(adapter, &name).unwrap());
        }
        for name in ["", "a\0b", &"n".repeat(64), &"ä".repeat(32), "pg_mine", "public", "none"] {
            let error = Users::create(adapter, &spec(name, &json!({})), None, &mark("h")).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::InvalidOptions(_)), "{name:?}: {error:?}");
        }
        assert_eq!(server.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'root_of_all'"), "1");
    });
}

#[test]
fn a_user_that_is_not_ours_is_not_taken_over() {
    everywhere(|server, adapter, tag| {
        let name = format!("foreign_{tag}");
        server.sql(&format!("CREATE ROLE {name} LOGIN"));
        let error = Users::create(adapter, &spec(&name, &json!({})), Some(&password()), &mark("n")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists);
        let error = Users::drop(adapter, &spec(&name, &json!({})), &proof(&mark("n"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(
            server.sql(&format!("SELECT rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname = '{name}'")),
            "t|t"
        );
        // Our own, from a call whose answer was lost.
        let ours = format!("ours_{tag}");
        let first = Users::create(adapter, &spec(&ours, &json!({})), Some(&password()), &mark("n")).unwrap();
        let again = Users::create(adapter, &spec(&ours, &json!({})), Some(&password()), &mark("n")).unwrap();
        assert_eq!(first.object_id, again.object_id);
        let other = Users::create(adapter, &spec(&ours, &json!({})), None, &mark("other")).unwrap_err();
        assert_eq!(other.kind, ErrorKind::AlreadyExists);
        for wrong in [
            Proof { mark: Some(mark("other")), object_id: None },
            Proof { mark: None, object_id: Some("1".to_owned()) },
            Proof { mark: Some(mark("n")), object_id: Some("1".to_owned()) },
        ] {
            let error = Users::drop(adapter, &spec(&ours, &json!({})), &wrong).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{wrong:?}");
        }
        let id = Proof { mark: None, object_id: first.object_id };
        Users::claim(adapter, &ours, &id, Some("mine now"), &mark("claimed")).unwrap();
        assert_eq!(Users::get_info(adapter, &ours).unwrap().unwrap().mark, Some(mark("claimed")));
        for protected in ["root_of_all", "postgres", "pg_monitor"] {
            assert!(
                Users::drop(adapter, &spec(protected, &json!({})), &Proof { mark: None, object_id: None }).is_err()
                    || !Users::exists(adapter, protected).unwrap()
            );
        }
        let own = if tag == "s" { "root_of_all" } else { "administrator" };
        let error = update_user(adapter, &spec(own, &json!({"login": false})), None, &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
    });
}

#[test]
fn a_user_that_owns_something_is_not_dropped_and_its_rights_go_with_it() {
    everywhere(|server, adapter, tag| {
        let name = format!("owner_{tag}");
        let keeper = format!("keeper_{tag}");
        let plain = spec(&name, &json!({}));
        Users::create(adapter, &plain, Some(&password()), &mark("o")).unwrap();
        Users::create(adapter, &spec(&keeper, &json!({})), None, &mark("k")).unwrap();
        let database = format!("theirs_{tag}");
        server.sql(&format!("CREATE DATABASE {database} OWNER {keeper}"));
        server.sql_in(&database, &format!(
            "GRANT CREATE ON SCHEMA public TO {keeper}, {name}; SET ROLE {keeper};
             CREATE TABLE shared (a int); GRANT SELECT ON shared TO {name};
             ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {name};
             RESET ROLE; SET ROLE {name}; CREATE TABLE own (a int); CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        ));
        server.sql(&format!("GRANT CONNECT ON DATABASE {database} TO {name}"));
        let error = Users::drop(adapter, &plain, &proof(&mark("o"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        assert!(error.message.contains("own") && error.message.contains(&database), "{}", error.message);
        assert_eq!(server.sql_in(&database, "SELECT count(*) FROM own"), "0");
        let owned = Users::owned_objects(adapter, &name, 10).unwrap();
        assert_eq!(owned.len(), 2, "{owned:?}");
        assert!(
            owned.iter().any(|one| one.name == "own" && one.kind == "table" && one.schema.as_deref() == Some("public"))
        );
        assert_eq!(Users::owned_objects(adapter, &name, 1).unwrap().len(), 1);
        // Nobody gets code that runs with its rights, unless it may be an heir; and the account is shut.
        let error = Users::reassign_owned(adapter, &name, &proof(&mark("o")), std::slice::from_ref(&name)).unwrap_err();
        assert!(error.kind == ErrorKind::DependencyMissing && error.message.contains(&keeper), "{error:?}");
        assert_eq!(server.sql_in(&database, "SELECT tableowner FROM pg_tables WHERE tablename = 'own'"), name);
        assert_eq!(server.sql(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'")), "f");
        server.sql(&format!("ALTER ROLE {name} LOGIN"));
        Users::reassign_owned(adapter, &name, &proof(&mark("o")), std::slice::from_ref(&keeper)).unwrap();
        server.sql(&format!("ALTER ROLE {name} LOGIN"));
        assert_eq!(server.sql_in(&database, "SELECT tableowner FROM pg_tables WHERE tablename = 'own'"), keeper);
        // Before PostgreSQL 15 the schema is the first superuser's, and only superusers take back what it granted.
        if server.sql("SELECT current_setting('server_version_num')::int < 150000") == "t" && tag == "c" {
            server.sql_in(&database, &format!("REVOKE CREATE ON SCHEMA public FROM {name}"));
        }
        let mut idle = server.idle_session(&name, PASSWORD, &database);
        Users::drop(adapter, &plain, &proof(&mark("o"))).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert!(idle.has_ended());
        assert!(!Users::exists(adapter, &name).unwrap());
        assert_eq!(server.sql_in(&database, "SELECT count(*) FROM own, shared"), "0", "nothing was dropped with it");
        Users::drop(adapter, &plain, &proof(&mark("o"))).unwrap();
        let kept = Users::owned_objects(adapter, &keeper, 10).unwrap();
        assert!(kept.iter().any(|one| one.kind == "database" && one.database.is_none()), "{kept:?}");
        let error =
            Users::reassign_owned(adapter, &keeper, &proof(&mark("k")), std::slice::from_ref(&keeper)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing);
    });
}

#[test]
fn a_selection_makes_exactly_its_changes() {
    everywhere(|_, adapter, tag| {
        let name = format!("select_{tag}");
        Users::create(adapter, &spec(&name, &json!({})), None, &mark("x")).unwrap();
        let stated = spec(&name, &json!({"connectionLimit": 3, "inherit": false}));
        let only = Selection::Only(vec!["inherit".to_owned()]);
        let report = update_user(adapter, &stated, None, &only).unwrap();
        assert_eq!(report.applied, ["inherit"]);
        assert_eq!(ids(adapter, &stated, &Selection::Detect), ["connectionLimit"]);
        let error = update_user(adapter, &stated, None, &only).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        let missing = UserSpec { roles: vec!["no such role".to_owned()], ..spec(&name, &json!({})) };
        let only = Selection::Only(vec!["member:no such role".to_owned()]);
        let error = update_user(adapter, &missing, None, &only).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        let made = update_user(adapter, &missing, None, &Selection::All).unwrap();
        let told = made.changes.iter().find(|change| change.id == "member:no such role");
        assert!(told.is_some_and(|change| change.lacking.is_some()), "{made:?}");
        // What the spec does not state any more.
        assert_eq!(made.applied, ["inherit"]);
        for (options, path) in [
            (json!({"validUntil": "no time"}), "options.validUntil"),
            (json!({"validUntil": "tomorrow"}), "options.validUntil"),
            (json!({"configParameters": {"no_such_setting": "1"}}), "options.configParameters.no_such_setting"),
            (json!({"configParameters": {"work_mem": "lots"}}), "options.configParameters.work_mem"),
            (json!({"configParameters": {"bad name": "1"}}), "options.configParameters.bad name"),
            (json!({"connectionLimit": -2}), "options.connectionLimit"),
        ] {
            let error = update_user(adapter, &spec(&name, &options), None, &Selection::All).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = &error.kind else { panic!("{options}: {error:?}") };
            assert_eq!(problems[0].path, path);
        }
    });
}

#[test]
fn users_are_listed_page_by_page() {
    everywhere(|_, adapter, tag| {
        for index in 0..3 {
            Users::create(adapter, &spec(&format!("zz_{tag}_{index}"), &json!({})), None, &mark("l")).unwrap();
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = Users::list(adapter, &Page { after, limit: 2 }).unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.iter().filter(|one| one.mark == Some(mark("l")) && one.name.contains(tag)).count(), 3);
        assert!(
            seen.iter().any(|one| one.name == "root_of_all" && one.standing != dbprovision_sdk::Standing::Ordinary)
        );
    });
}

#[test]
fn a_membership_that_is_of_no_use_is_none() {
    everywhere(|server, adapter, tag| {
        // Before PostgreSQL 16 every membership is of use.
        if server.sql("SHOW server_version_num").parse::<i32>().unwrap() < 160_000 {
            return;
        }
        let (name, group) = (format!("useless_{tag}"), format!("useless_group_{tag}"));
        Users::create(adapter, &spec(&group, &json!({"login": false})), None, &mark("group")).unwrap();
        let member = spec(&name, &json!({"inRoles": [&group]}));
        Users::create(adapter, &member, Some(&password()), &mark("member")).unwrap();
        ids(adapter, &member, &Selection::All);
        let by = server
            .sql(&format!("SELECT pg_get_userbyid(grantor) FROM pg_auth_members WHERE member = '{name}'::regrole"));
        for option in ["INHERIT", "SET"] {
            assert_eq!(ids(adapter, &member, &Selection::Detect), [""; 0], "before {option}");
            server.sql(&format!("REVOKE {option} OPTION FOR {group} FROM {name} GRANTED BY {by}"));
        }
        assert_eq!(ids(adapter, &member, &Selection::Detect), [format!("member:{group}")]);
        ids(adapter, &member, &Selection::All);
        assert_eq!(ids(adapter, &member, &Selection::Detect), [""; 0]);
        assert_eq!(server.sql(&format!("SELECT pg_has_role('{name}', '{group}', 'USAGE')")), "t");
    });
}
