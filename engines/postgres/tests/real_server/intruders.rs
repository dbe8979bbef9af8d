//! Accounts that keep what the operator waits for: nobody keeps itself from being changed or removed.

use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::{ErrorKind, Proof, Roles, Selection, Users};
use serde_json::json;

use crate::support::{PASSWORD, everywhere, mark, password, proof, update_user};
use crate::users::spec;

#[test]
fn an_account_that_holds_the_operators_locks_is_changed_and_dropped_all_the_same() {
    everywhere(|server, adapter, tag| {
        let [name, other] = ["intruder", "victim"].map(|name| format!("{name}_{tag}"));
        for name in [&name, &other] {
            Users::create(adapter, &spec(name, &json!({})), Some(&password()), &mark(name)).unwrap();
        }
        let lock = format!("SELECT pg_advisory_lock(hashtextextended('dbops:role:{other}', 0))");
        let mut session = server.session_after(&name, PASSWORD, "postgres", &[&lock]);
        let stated = spec(&other, &json!({"connectionLimit": 3}));
        let report =
            update_user(adapter, &stated, None, &Selection::All).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert_eq!(report.applied, ["connectionLimit"]);
        assert!(session.has_ended());

        // An unfinished change of itself is in the way of every other one.
        let unfinished = format!("ALTER ROLE {name} SET work_mem = '1MB'");
        let mut session = server.session_after(&name, PASSWORD, "postgres", &["BEGIN", &unfinished]);
        Users::drop(adapter, &spec(&name, &json!({})), &proof(&mark(&name)))
            .unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert!(session.has_ended());
        assert!(!Users::exists(adapter, &name).unwrap());
    });
}

#[test]
fn an_account_that_somebody_made_again_is_not_ours_to_change() {
    everywhere(|server, adapter, tag| {
        let name = format!("again_{tag}");
        let stated = spec(&name, &json!({"connectionLimit": 3}));
        Users::create(adapter, &spec(&name, &json!({})), Some(&password()), &mark("ours")).unwrap();
        server.sql(&format!("DROP ROLE {name}"));
        let again = format!("CREATE ROLE {name} LOGIN PASSWORD 'theirs'");
        server.sql_as("administrator", "its own", "postgres", &again).unwrap();
        for carried in [None, Some(mark("theirs"))] {
            if let Some(theirs) = &carried {
                Users::claim(adapter, &name, &Proof { mark: None, object_id: None }, None, theirs).unwrap();
            }
            let secret = password();
            let error = Users::update(adapter, &stated, &mark("ours"), Some(&secret), &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{tag}: {error:?}");
            let role = RoleSpec { name: name.clone(), shared_roles: Vec::new(), comment: None, options: None };
            let error = Roles::update(adapter, &role, &mark("ours"), &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{tag}: {error:?}");
        }
        assert_eq!(server.sql(&format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{name}'")), "-1");
        assert!(server.sql_as(&name, "theirs", "postgres", "SELECT 1").is_ok(), "its password was changed");
    });
}
