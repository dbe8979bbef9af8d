//! Sessions that end, servers that stop, several at the same object.

use dbprovision_sdk::adapter::grants::Grantee;
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{Adapter, Grants, Selection, Users};
use serde_json::json;

use crate::grants;
use crate::support::{adapter, everywhere, mark, password, update_user};

#[test]
fn a_session_that_ended_is_opened_anew() {
    everywhere(|server, adapter, _| {
        adapter.ping().unwrap();
        let mine = "SELECT id FROM information_schema.processlist WHERE user IN ('super_of_all', 'provisioner')";
        let ids = server.query(mine).unwrap();
        assert_eq!(ids.lines().count(), 1, "one session, and no more, between the calls: {ids}");
        server.query(&format!("KILL {ids}")).unwrap();
        adapter.ping().unwrap();
        server.query(&format!("KILL {}", server.query(mine).unwrap())).unwrap();
        let outcome = Users::exists(adapter, "anybody");
        assert!(outcome.is_ok_and(|exists| !exists) || !Users::exists(adapter, "anybody").unwrap());
    });
}

#[test]
fn changes_of_one_user_at_the_same_time_do_not_disturb_each_other() {
    everywhere(|server, one, tag| {
        let name = format!("busy_{tag}");
        let spec = |limit: u32| UserSpec {
            name: name.clone(),
            roles: Vec::new(),
            shared_roles: Vec::new(),
            comment: None,
            options: Some(json!({"maxUserConnections": limit}).to_string()),
        };
        Users::create(one, &spec(0), Some(&password()), &mark("b")).unwrap();
        let is_table = tag == "s";
        std::thread::scope(|scope| {
            for index in 0..4 {
                let spec = &spec;
                scope.spawn(move || {
                    let tracking = r#"{"mysql": {"useUserAttributes": false}}"#;
                    let mut adapter = adapter(server, is_table, is_table.then_some(tracking));
                    for round in 1..6 {
                        update_user(&mut adapter, &spec(index * 10 + round), None, &Selection::All).unwrap();
                    }
                    adapter.close();
                });
            }
        });
    });
}

#[test]
fn a_wait_for_somebody_elses_work_ends_and_the_next_try_works() {
    everywhere(|server, adapter, tag| {
        let name = format!("slow_{tag}");
        let spec =
            UserSpec { name: name.clone(), roles: Vec::new(), shared_roles: Vec::new(), comment: None, options: None };
        Users::create(adapter, &spec, Some(&password()), &mark("w")).unwrap();
        adapter.connect(&crate::support::settings(r#"{"readTimeout": "1s"}"#, None)).unwrap();
        // Somebody else works on the same account, and does not come to an end.
        let lock = "SELECT CONCAT('dbops:', LEFT(SHA2('account:".to_owned() + &name + "', 256), 40))";
        let lock = server.query(&lock).unwrap();
        let (user, word) = (server.administrator.name.clone(), server.administrator.password.clone());
        let query = format!("SELECT GET_LOCK('{lock}', 1), SLEEP(4)");
        std::thread::scope(|scope| {
            scope.spawn(|| server.query_as(&user, &word, None, &query).unwrap());
            std::thread::sleep(std::time::Duration::from_millis(500));
            let error = update_user(adapter, &spec, None, &Selection::All).unwrap_err();
            assert_eq!(error.kind, dbprovision_sdk::ErrorKind::Transient(None), "{error:?}");
        });
        update_user(adapter, &spec, None, &Selection::All).unwrap();
    });
}

#[test]
fn twenty_grants_at_once_do_not_disturb_each_other() {
    everywhere(|server, adapter, tag| {
        let name = format!("busy_{tag}");
        grants::fill(server, adapter, &name);
        let grantees: Vec<Grantee> =
            (0..5).map(|at| grants::user(adapter, &format!("busy{at}_{tag}"), &["%"])).collect();
        let privileges = ["SELECT", "INSERT", "UPDATE", "DELETE"];
        std::thread::scope(|scope| {
            for privilege in privileges {
                let (name, grantees) = (&name, &grantees);
                scope.spawn(move || {
                    let mut adapter = crate::support::adapter(server, tag == "s", None);
                    for who in grantees {
                        let options = json!({"grants": [{"level": "table", "database": name, "table": "t", "privileges": [privilege]}]});
                        let report = Grants::grant(&mut adapter, &grants::spec(who, &options, &[]), &Selection::All);
                        assert_eq!(report.unwrap().update.applied.len(), 1);
                    }
                });
            }
        });
        for who in &grantees {
            assert_eq!(Grants::get_grants(adapter, who).unwrap().len(), privileges.len());
        }
    });
}
