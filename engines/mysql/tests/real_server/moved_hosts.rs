//! Users whose hosts change: what was given to them goes along, and is taken back wherever it is.

use dbprovision_sdk::adapter::grants::Grantee;
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{Grants, Selection};
use serde_json::json;

use crate::grants::{all, fill, look, spec, user};
use crate::support::{everywhere, update_user};

fn allowed(name: &str, hosts: &[&str]) -> UserSpec {
    UserSpec {
        name: name.to_owned(),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: Some(json!({ "allowedHosts": hosts }).to_string()),
    }
}

#[test]
fn rights_are_taken_from_every_account_that_may_hold_them() {
    everywhere(|server, adapter, tag| {
        let name = format!("back_{tag}");
        fill(server, adapter, &name);
        let stated = json!({"grants": [{"level": "database", "database": name, "privileges": ["SELECT"]}]});
        let wider = json!({"allowedHosts": ["10.%", "192.168.%"]}).to_string();
        for (case, options) in [("wider", Some(wider)), ("unknown", None)] {
            let who = user(adapter, &format!("{case}_{tag}"), &["10.%"]);
            let given = all(adapter, &spec(&who, &stated, &[]));
            let held = || {
                let shown = server.query(&format!("SHOW GRANTS FOR '{}'@'10.%'", who.name)).unwrap();
                format!("{shown:?}").contains("SELECT")
            };
            assert!(held(), "{case}");
            let later = Grantee { options, ..who.clone() };
            Grants::revoke(adapter, &spec(&later, &json!({}), &given.held)).unwrap();
            assert!(!held(), "{case}");
        }
    });
}

#[test]
fn a_further_host_has_what_was_given_at_the_others() {
    everywhere(|server, adapter, tag| {
        let (name, role) = (format!("move_{tag}"), format!("move_role_{tag}"));
        fill(server, adapter, &name);
        crate::active::role(server, &role, &[server.administrator.name.as_str(), "super_of_all"]);
        let stated = json!({
            "roles": [role],
            "grants": [
                {"level": "table", "database": name, "table": "t", "privileges": ["SELECT"], "withGrantOption": true},
                {"level": "column", "database": name, "table": "t", "columns": ["a"], "privileges": ["UPDATE"]},
                {"level": "procedure", "database": name, "procedure": "p", "privileges": ["EXECUTE"]},
            ],
        });
        let who = user(adapter, &format!("mover_{tag}"), &["10.%"]);
        let given = all(adapter, &spec(&who, &stated, &[]));
        for hosts in [json!(["10.%", "%"]), json!(["192.168.%"])] {
            let options = json!({ "allowedHosts": hosts }).to_string();
            let there = UserSpec {
                name: who.name.clone(),
                roles: Vec::new(),
                shared_roles: Vec::new(),
                comment: None,
                options: Some(options.clone()),
            };
            update_user(adapter, &there, None, &Selection::All).unwrap();
            assert_eq!(update_user(adapter, &there, None, &Selection::Detect).unwrap().changes, []);
            let moved = Grantee { options: Some(options), ..who.clone() };
            let found = look(adapter, &spec(&moved, &stated, &given.held));
            assert_eq!((found.update.changes, found.held), (Vec::new(), given.held.clone()), "{hosts}");
        }
        server.query(&format!("DROP ROLE '{role}'")).unwrap();
    });
}

#[test]
fn a_right_that_outlived_its_object_is_in_nobodys_way() {
    everywhere(|server, adapter, tag| {
        let (place, name) = (format!("outlived_{tag}"), format!("outlived_user_{tag}"));
        fill(server, adapter, &place);
        user(adapter, &name, &["10.%"]);
        server
            .query(&format!(
                "CREATE TABLE {place}.gone (a int); CREATE TABLE {place}.changed (a int, b int); \
                 GRANT SELECT, INSERT ON {place}.gone TO '{name}'@'10.%'; \
                 GRANT SELECT (a), UPDATE (b) ON {place}.changed TO '{name}'@'10.%'; \
                 GRANT EXECUTE ON PROCEDURE {place}.p TO '{name}'@'10.%'; \
                 GRANT DELETE ON {place}.t TO '{name}'@'10.%'; \
                 DROP TABLE {place}.gone; ALTER TABLE {place}.changed DROP b; DROP PROCEDURE {place}.p"
            ))
            .unwrap();
        let moved = allowed(&name, &["192.168.%"]);
        update_user(adapter, &moved, None, &Selection::All).unwrap();
        assert_eq!(update_user(adapter, &moved, None, &Selection::Detect).unwrap().changes, []);
        let shown = server.query(&format!("SHOW GRANTS FOR '{name}'@'192.168.%'")).unwrap();
        assert!(shown.contains("SELECT (`a`)") && shown.contains("DELETE") && !shown.contains("gone"), "{shown}");
    });
}

#[test]
fn no_host_goes_before_the_other_has_everything() {
    everywhere(|server, adapter, tag| {
        // The superuser may give everything on.
        if tag == "s" {
            return;
        }
        let (place, name) = (format!("copied_{tag}"), format!("copied_user_{tag}"));
        fill(server, adapter, &place);
        user(adapter, &name, &["10.%"]);
        server
            .query(&format!("GRANT SHUTDOWN ON *.* TO '{name}'@'10.%'; GRANT DELETE ON {place}.t TO '{name}'@'10.%'"))
            .unwrap();
        let moved = allowed(&name, &["192.168.%"]);
        let hosts =
            || server.query(&format!("SELECT Host FROM mysql.user WHERE User = '{name}' ORDER BY Host")).unwrap();
        for _ in 0..2 {
            update_user(adapter, &moved, None, &Selection::All).unwrap_err();
            assert_eq!(hosts(), "10.%\n192.168.%");
            let told = update_user(adapter, &moved, None, &Selection::Detect).unwrap().changes;
            assert_eq!(told.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["host:192.168.%", "host:10.%"]);
        }
        server.query(&format!("REVOKE SHUTDOWN ON *.* FROM '{name}'@'10.%'")).unwrap();
        update_user(adapter, &moved, None, &Selection::All).unwrap();
        assert_eq!(hosts(), "192.168.%");
        assert!(server.query(&format!("SHOW GRANTS FOR '{name}'@'192.168.%'")).unwrap().contains("DELETE"));
        assert_eq!(update_user(adapter, &moved, None, &Selection::Detect).unwrap().changes, []);
    });
}
