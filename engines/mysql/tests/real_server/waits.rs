//! Grants that wait for something.

use dbprovision_sdk::{ErrorKind, Grants, Selection};
use serde_json::json;

use crate::grants::{all, fill, look, spec, user};
use crate::support::everywhere;

#[test]
fn a_grant_of_which_something_is_missing_gives_and_takes_nothing() {
    everywhere(|server, adapter, tag| {
        let name = format!("half_{tag}");
        fill(server, adapter, &name);
        let grantee = user(adapter, &format!("halved_{tag}"), &["%"]);
        let on = |kind: &str, object: &str, privilege: &str| json!({"level": kind, "database": name, kind: object, "privileges": [privilege]});
        let before = spec(&grantee, &json!({ "grants": [on("table", "t", "DELETE")] }), &[]);
        let held = all(adapter, &before).held;
        for (missing, words) in [
            (on("table", "u", "SELECT"), format!("the table {name}.u is not there")),
            (on("procedure", "u", "EXECUTE"), format!("the procedure {name}.u is not there")),
        ] {
            let stated = spec(&grantee, &json!({ "grants": [on("table", "t", "SELECT"), missing] }), &held);
            assert_eq!(look(adapter, &stated).lacking, [words]);
            let error = Grants::grant(adapter, &stated, &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            assert_eq!(Grants::get_grants(adapter, &grantee).unwrap(), held);
        }
    });
}
