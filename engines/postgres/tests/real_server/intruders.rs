//! Accounts that keep what the operator waits for: nobody keeps itself from being changed or removed.

use dbprovision_sdk::{Selection, Users};
use serde_json::json;

use crate::support::{PASSWORD, everywhere, mark, password, proof};
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
            Users::update(adapter, &stated, None, &Selection::All).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
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
