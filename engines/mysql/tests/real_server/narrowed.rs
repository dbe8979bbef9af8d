//! Users whose hosts become fewer, and users that are given up: with the care of a drop.

use dbprovision_sdk::adapter::users::{LoginOutcome, UserSpec};
use dbprovision_sdk::{Change, ErrorKind, Mark, Proof, Selection, Users};
use engine_mysql::MySql;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use testkit::mysql::MysqlServer;

use crate::grants::{fill, user};
use crate::support::{PASSWORD, everywhere, mark, password, proof, update_user};

fn allowed(name: &str, hosts: &[&str]) -> UserSpec {
    UserSpec {
        name: name.to_owned(),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: Some(json!({ "allowedHosts": hosts }).to_string()),
    }
}

fn look(adapter: &mut MySql, spec: &UserSpec) -> Vec<Change> {
    update_user(adapter, spec, None, &Selection::Detect).unwrap().changes
}

fn hosts(server: &MysqlServer, name: &str) -> String {
    server.query(&format!("SELECT Host FROM mysql.user WHERE User = '{name}' ORDER BY Host")).unwrap()
}

#[test]
fn a_host_that_is_the_definer_of_something_stays_and_all_the_rest_is_made() {
    everywhere(|server, adapter, tag| {
        let (place, name) = (format!("narrow_{tag}"), format!("narrow_user_{tag}"));
        fill(server, adapter, &place);
        user(adapter, &name, &["%"]);
        server.query(&format!("CREATE DEFINER = '{name}'@'%' VIEW {place}.v AS SELECT 1")).unwrap();
        let narrowed = allowed(&name, &["10.%"]);
        let told = look(adapter, &narrowed);
        let gone = told.iter().find(|one| one.id == "host:%").unwrap();
        assert!(gone.destructive && gone.actual.contains(&format!("view {place}.v")), "{gone:?}");
        let error = update_user(adapter, &narrowed, None, &Selection::Only(vec![gone.id.clone()])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing);
        assert!(error.message.contains(&format!("view {place}.v")), "{error:?}");
        let made = update_user(adapter, &narrowed, None, &Selection::All).unwrap();
        assert!(made.changes.contains(gone) && !made.applied.contains(&gone.id), "{made:?}");
        assert_eq!(hosts(server, &name), "%\n10.%");
        server.query(&format!("DROP VIEW {place}.v")).unwrap();
        update_user(adapter, &narrowed, None, &Selection::All).unwrap();
        assert_eq!(hosts(server, &name), "10.%");
        assert_eq!(look(adapter, &narrowed), []);
    });
}

#[test]
fn the_sessions_of_a_host_end_with_it() {
    everywhere(|server, adapter, tag| {
        let name = format!("narrow_session_{tag}");
        user(adapter, &name, &["127.0.0.1", "localhost", "10.%"]);
        let mut idle = server.idle_session(&name, PASSWORD, None).unwrap();
        let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{name}'");
        while server.query(&count).unwrap() == "0" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        update_user(adapter, &allowed(&name, &["127.0.0.1", "localhost"]), None, &Selection::All).unwrap();
        assert_eq!(server.query(&count).unwrap(), "1", "it does not come from there");
        update_user(adapter, &allowed(&name, &["10.%"]), None, &Selection::All).unwrap();
        assert!(idle.has_ended());
    });
}

#[test]
fn a_user_that_is_adopted_keeps_its_hosts_until_somebody_agrees() {
    everywhere(|server, adapter, tag| {
        let name = format!("adopted_{tag}");
        server
            .query(&format!(
                "CREATE USER '{name}'@'%' IDENTIFIED BY 'x'; CREATE USER '{name}'@'10.%' IDENTIFIED BY 'x'"
            ))
            .unwrap();
        let nobodys = Proof { mark: None, object_id: None };
        Users::claim(adapter, &name, &nobodys, None, &mark("adopted")).unwrap();
        let stated = allowed(&name, &["%"]);
        let report = update_user(adapter, &stated, Some(&password()), &Selection::All).unwrap();
        assert_eq!(report.applied, ["password"]);
        assert_eq!(hosts(server, &name), "%\n10.%");
        let told = look(adapter, &stated);
        assert_eq!(
            told.iter().map(|one| (one.id.as_str(), one.destructive)).collect::<Vec<_>>(),
            [("host:10.%", true)]
        );
        // A membership or a comment that is written meanwhile does not forget it.
        let commented = UserSpec { comment: Some("words".to_owned()), ..stated.clone() };
        update_user(adapter, &commented, None, &Selection::All).unwrap();
        assert_eq!(hosts(server, &name), "%\n10.%");
        update_user(adapter, &commented, None, &Selection::Only(vec!["host:10.%".to_owned()])).unwrap();
        assert_eq!(hosts(server, &name), "%");
        assert_eq!(look(adapter, &commented), []);
        // A host that the spec brought goes with the spec.
        update_user(adapter, &allowed(&name, &["%", "10.%"]), None, &Selection::All).unwrap();
        update_user(adapter, &stated, None, &Selection::All).unwrap();
        assert_eq!(hosts(server, &name), "%");
        // What another resource left behind is adopted like anything else.
        update_user(adapter, &allowed(&name, &["%", "10.%"]), None, &Selection::All).unwrap();
        let heirs = Mark { name: "another".to_owned(), ..mark("adopted") };
        Users::claim(adapter, &name, &proof(&mark("adopted")), None, &heirs).unwrap();
        update_user(adapter, &stated, None, &Selection::All).unwrap();
        assert_eq!(hosts(server, &name), "%\n10.%");
        Users::claim(adapter, &name, &proof(&heirs), None, &mark("adopted")).unwrap();
        update_user(adapter, &stated, None, &Selection::Only(vec!["host:10.%".to_owned()])).unwrap();
        update_user(adapter, &allowed(&name, &["%", "10.%"]), None, &Selection::All).unwrap();
        update_user(adapter, &stated, None, &Selection::All).unwrap();
        assert_eq!(hosts(server, &name), "%");
    });
}

#[test]
fn what_is_given_up_as_a_definer_is_locked() {
    everywhere(|server, adapter, tag| {
        let (place, name) = (format!("given_{tag}"), format!("given_user_{tag}"));
        fill(server, adapter, &place);
        user(adapter, &name, &["%"]);
        server
            .query(&format!(
                "GRANT SELECT ON {place}.t TO '{name}'@'%'; \
                 CREATE DEFINER = '{name}'@'%' VIEW {place}.v AS SELECT a FROM {place}.t"
            ))
            .unwrap();
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Accepted);
        let error = Users::reassign_owned(adapter, &name, &proof(&mark("x")), &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Accepted);
        let error = Users::reassign_owned(adapter, &name, &proof(&mark("user")), &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.message.contains("locked"), "{error:?}");
        assert_eq!(Users::try_login(adapter, &name, &password()).unwrap(), LoginOutcome::Unknown);
        assert_eq!(server.query(&format!("SELECT * FROM {place}.v")).unwrap(), "1");
    });
}

#[test]
fn a_user_that_holds_the_operators_lock_is_changed_all_the_same() {
    everywhere(|server, adapter, tag| {
        let [name, other] = ["intruder", "victim"].map(|name| format!("{name}_{tag}"));
        for name in [&name, &other] {
            user(adapter, name, &["%"]);
        }
        let digest = hex::encode(Sha256::digest(format!("account:{other}")));
        let lock = format!("dbops:{}", digest.get(..40).unwrap());
        let mut session = server.session_after(&name, PASSWORD, None, &format!("DO GET_LOCK('{lock}', 0)")).unwrap();
        let is_free = || server.query(&format!("SELECT IS_FREE_LOCK('{lock}')")).unwrap() == "1";
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while is_free() {
            assert!(std::time::Instant::now() < limit, "the session did not take it");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        update_user(adapter, &allowed(&other, &["%", "10.%"]), None, &Selection::All).unwrap();
        assert_eq!(hosts(server, &other), "%\n10.%");
        assert!(session.has_ended());
    });
}

#[test]
fn a_user_that_somebody_made_again_is_not_ours_to_change() {
    everywhere(|server, adapter, tag| {
        let name = format!("again_{tag}");
        user(adapter, &name, &["%"]);
        server.query(&format!("DROP USER '{name}'@'%'; CREATE USER '{name}'@'%' IDENTIFIED BY 'theirs'")).unwrap();
        let theirs = Mark { name: "another".to_owned(), ..mark("theirs") };
        Users::claim(adapter, &name, &Proof { mark: None, object_id: None }, None, &theirs).unwrap();
        let (stated, secret) = (allowed(&name, &["%", "10.%"]), password());
        let error = Users::update(adapter, &stated, &mark("user"), Some(&secret), &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error:?}");
        assert_eq!(hosts(server, &name), "%");
        assert_eq!(server.query_as(&name, "theirs", None, "SELECT 1").unwrap(), "1");
    });
}
