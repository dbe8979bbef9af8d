//! Users whose hosts change: what was given to them goes along, and is taken back wherever it is.

use dbprovision_sdk::adapter::grants::Grantee;
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{Grants, Selection, Users};
use serde_json::json;

use crate::grants::{all, fill, look, spec, user};
use crate::support::everywhere;

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
        server.query(&format!("CREATE ROLE '{role}'")).unwrap();
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
            Users::update(adapter, &there, None, &Selection::All).unwrap();
            assert_eq!(Users::update(adapter, &there, None, &Selection::Detect).unwrap().changes, []);
            let moved = Grantee { options: Some(options), ..who.clone() };
            let found = look(adapter, &spec(&moved, &stated, &given.held));
            assert_eq!((found.update.changes, found.held), (Vec::new(), given.held.clone()), "{hosts}");
        }
        server.query(&format!("DROP ROLE '{role}'")).unwrap();
    });
}
