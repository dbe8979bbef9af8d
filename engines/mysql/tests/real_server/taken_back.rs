//! Taking back from a user whose accounts are no longer those that its resource states.

use dbprovision_sdk::Grants;
use dbprovision_sdk::adapter::grants::Grantee;
use serde_json::json;

use crate::grants::{all, fill, spec, user};
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
