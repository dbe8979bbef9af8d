//! Roles on a real server.

use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::{ErrorKind, Page, Roles, Selection, Users};
use engine_postgres::Postgres;
use serde_json::{Value, json};

use crate::support::{everywhere, hostile_names, mark, proof, sweeping, update_role};

fn spec(name: &str, options: &Value) -> RoleSpec {
    RoleSpec { name: name.to_owned(), shared_roles: Vec::new(), comment: None, options: Some(options.to_string()) }
}

fn ids(adapter: &mut Postgres, spec: &RoleSpec, selection: &Selection) -> Vec<String> {
    let report = update_role(adapter, spec, selection).unwrap_or_else(|error| panic!("{spec:?}: {error:?}"));
    if *selection == Selection::Detect {
        assert_eq!(update_role(&mut sweeping(), spec, selection).unwrap(), report, "in a sweep");
    }
    report.changes.into_iter().map(|change| change.id).collect()
}

#[test]
fn after_applying_all_nothing_is_different_for_every_field() {
    everywhere(|server, adapter, tag| {
        let name = format!("role_law_{tag}");
        let group = format!("role_group_{tag}");
        Roles::create(adapter, &spec(&group, &json!({})), &mark("group")).unwrap();
        Roles::create(adapter, &spec(&name, &json!({})), &mark("law")).unwrap();
        let plain = spec(&name, &json!({}));
        assert_eq!(ids(adapter, &plain, &Selection::Detect), [""; 0]);
        let row = "SELECT rolcanlogin, rolinherit, rolsuper, rolcreatedb FROM pg_roles WHERE rolname";
        assert_eq!(server.sql(&format!("{row} = '{name}'")), "f|t|f|f");
        let mut cases = vec![
            (json!({"login": true}), "login".to_owned()),
            (json!({"inherit": false}), "inherit".to_owned()),
            (json!({"createDB": true}), "createDB".to_owned()),
            (json!({"inRoles": [group]}), format!("member:{group}")),
        ];
        if tag == "s" {
            cases.extend(
                ["superuser", "replication", "bypassRLS", "createRole"]
                    .map(|flag| (json!({flag: true}), flag.to_owned())),
            );
        }
        for (options, id) in cases {
            let stated = spec(&name, &options);
            assert_eq!(ids(adapter, &stated, &Selection::Detect), [id.as_str()], "{options}");
            assert_eq!(ids(adapter, &stated, &Selection::All), [id.as_str()], "{options}");
            assert_eq!(ids(adapter, &stated, &Selection::Detect), [""; 0], "{options}");
            assert_eq!(ids(adapter, &plain, &Selection::All), [id.as_str()], "{options}");
            assert_eq!(ids(adapter, &plain, &Selection::Detect), [""; 0], "{options}");
        }
        // What a role does not state is not the operator's: it has no logins of its own.
        server.sql(&format!(
            "ALTER ROLE {name} CONNECTION LIMIT 3 VALID UNTIL '2030-01-01'; ALTER ROLE {name} SET work_mem = '1MB'"
        ));
        assert_eq!(ids(adapter, &plain, &Selection::Detect), [""; 0]);
        let grants = json!({"grants": [{"database": "postgres", "privileges": ["CONNECT"]}]});
        assert_eq!(ids(adapter, &spec(&name, &grants), &Selection::Detect), [""; 0], "the grant operations serve them");
        let commented = RoleSpec { comment: Some("mine".to_owned()), ..plain };
        assert_eq!(ids(adapter, &commented, &Selection::All), ["comment"]);
        assert_eq!(ids(adapter, &commented, &Selection::Detect), [""; 0]);
        assert_eq!(Roles::get_info(adapter, &name).unwrap().unwrap().mark, Some(mark("law")));
    });
}

#[test]
fn roles_come_and_go_with_their_proof() {
    everywhere(|server, adapter, tag| {
        for name in hostile_names(tag) {
            let stated = spec(&name, &json!({}));
            let info = Roles::create(adapter, &stated, &mark("r")).unwrap();
            assert_eq!((info.name.as_str(), info.privileged), (name.as_str(), false));
            assert_eq!(Roles::create(adapter, &stated, &mark("r")).unwrap().object_id, info.object_id);
            let error = Roles::create(adapter, &stated, &mark("other")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::AlreadyExists);
            let error = Roles::drop(adapter, &stated, &proof(&mark("other"))).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict);
            Roles::claim(adapter, &name, &proof(&mark("r")), Some("words"), &mark("claimed")).unwrap();
            Roles::drop(adapter, &stated, &proof(&mark("claimed"))).unwrap();
            assert!(!Roles::exists(adapter, &name).unwrap());
        }
        let name = format!("role_owner_{tag}");
        let stated = spec(&name, &json!({}));
        Roles::create(adapter, &stated, &mark("o")).unwrap();
        let database = format!("role_theirs_{tag}");
        server.sql(&format!("CREATE DATABASE {database}"));
        server.sql_in(&database, &format!("CREATE SCHEMA s AUTHORIZATION {name}"));
        let error = Roles::drop(adapter, &stated, &proof(&mark("o"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        let owned = Roles::owned_objects(adapter, &name, 5).unwrap();
        assert_eq!(owned.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["schema"]);
        let heir = format!("role_heir_{tag}");
        Roles::create(adapter, &spec(&heir, &json!({})), &mark("h")).unwrap();
        server.sql(&format!("ALTER DATABASE {database} OWNER TO {heir}"));
        Roles::reassign_owned(adapter, &name, &proof(&mark("o")), &[heir]).unwrap();
        Roles::drop(adapter, &stated, &proof(&mark("o"))).unwrap();
        for name in ["pg_mine", "postgres", "public", ""] {
            let error = Roles::create(adapter, &spec(name, &json!({})), &mark("x")).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::InvalidOptions(_)), "{name}: {error:?}");
        }
    });
}

#[test]
fn roles_and_users_are_listed_apart() {
    everywhere(|_, adapter, tag| {
        let name = format!("role_listed_{tag}");
        Roles::create(adapter, &spec(&name, &json!({})), &mark("l")).unwrap();
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = Roles::list(adapter, &Page { after, limit: 3 }).unwrap();
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(all.iter().any(|one| one.name == name && one.mark == Some(mark("l"))));
        assert!(all.iter().any(|one| one.name == "pg_monitor" && one.standing != dbprovision_sdk::Standing::Ordinary));
        assert!(!all.iter().any(|one| one.name == "root_of_all"));
        let users = Users::list(adapter, &Page { after: None, limit: 500 }).unwrap();
        assert!(!users.items.iter().any(|one| one.name == name));
    });
}

#[test]
fn who_can_become_a_dangerous_role_by_a_detour_is_privileged() {
    everywhere(|server, adapter, tag| {
        let [name, middle] = ["detour", "detour_middle"].map(|name| format!("{name}_{tag}"));
        for name in [&name, &middle] {
            Roles::create(adapter, &spec(name, &json!({})), &mark(name)).unwrap();
        }
        server.sql(&format!("GRANT {middle} TO {name}"));
        // A managed service's own, which no other server has.
        server.sql("DROP ROLE IF EXISTS rds_replication; CREATE ROLE rds_replication");
        let is_privileged = |adapter: &mut Postgres| Roles::get_info(adapter, &name).unwrap().unwrap().privileged;
        assert!(!is_privileged(adapter));
        let mut seen = 0;
        for dangerous in [
            "pg_create_subscription",
            "pg_execute_server_program",
            "pg_read_server_files",
            "pg_signal_backend",
            "pg_write_server_files",
            "rds_replication",
        ] {
            if server.sql(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{dangerous}'")) == "0" {
                continue;
            }
            seen += 1;
            server.sql(&format!("GRANT {dangerous} TO {middle}"));
            assert!(is_privileged(adapter), "{dangerous}");
            server.sql(&format!("REVOKE {dangerous} FROM {middle}"));
            assert!(!is_privileged(adapter), "{dangerous}");
        }
        assert!(seen >= 5, "{seen}");
    });
}
