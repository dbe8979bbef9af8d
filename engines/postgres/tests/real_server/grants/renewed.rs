//! What was made again, told from what somebody took a right on.

use super::*;

#[test]
fn an_object_that_was_made_again_is_told_from_one_that_somebody_took_the_right_on() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "renew", tag);
        let as_owner =
            |sql: &str| _ = server.sql_in(&world.database, &format!("SET ROLE {}; {sql}; RESET ROLE", world.owner));
        for (mut entry, on, again) in [
            (json!({"tables": ["b"], "privileges": ["SELECT"]}), "SELECT ON app.b", "TABLE app.b (x int)"),
            (json!({"sequences": ["s"], "privileges": ["USAGE"]}), "USAGE ON SEQUENCE app.s", "SEQUENCE app.s"),
            (
                json!({"functions": ["g"], "privileges": ["EXECUTE"]}),
                "EXECUTE ON FUNCTION app.g()",
                "FUNCTION app.g() RETURNS integer LANGUAGE sql AS 'SELECT 5'",
            ),
            (
                json!({"types": ["positive"], "privileges": ["USAGE"]}),
                "USAGE ON DOMAIN app.positive",
                "DOMAIN app.positive AS integer",
            ),
            (json!({"privileges": ["USAGE"]}), "USAGE ON SCHEMA app", "SCHEMA app"),
        ] {
            entry["schema"] = json!("app");
            let stated = world.spec(entry);
            let recorded = settle(adapter, &stated).held;
            let after = GrantSpec { recorded, ..stated };
            let mut look = || {
                assert!(!detect(adapter, &after).is_empty(), "{on}: nothing differs");
                Grants::grant(adapter, &after, &Selection::Detect).unwrap()
            };
            as_owner(&format!("REVOKE {on} FROM {}", world.grantee));
            assert!(!look().renewed, "{on}: somebody took it");
            let object = again.split(' ').take(2).collect::<Vec<_>>().join(" ");
            as_owner(&format!("DROP {object} CASCADE; CREATE {again}"));
            let lacks = |found: &GrantReport| found.update.changes.iter().any(|change| change.lacking.is_some());
            let found = look();
            assert!(found.renewed && !lacks(&found), "{on}: it was made again");
            as_owner(&format!("DROP {object} CASCADE"));
            let found = look();
            assert!(!found.renewed && lacks(&found), "{on}: it is not there: {:?}", found.update.changes);
            as_owner(&format!("CREATE {again}"));
            settle(adapter, &after);
        }
    });
}
