//! Rights on databases by a pattern of their names, where somebody asks for one.

use dbprovision_sdk::adapter::grants::{GrantSpec, Granted};
use dbprovision_sdk::{ErrorKind, Grants, Privilege, Selection};
use engine_mysql::MySql;
use serde_json::json;

use crate::grants::{all, fill, look, spec, user};
use crate::support::{PASSWORD, everywhere};

#[test]
fn a_pattern_is_a_right_on_what_is_there_and_on_what_comes() {
    everywhere(|server, adapter, tag| {
        let name = format!("pattern_{tag}");
        let grantee = user(adapter, &name, &["%"]);
        let make = |name: &str| server.query(&format!("CREATE DATABASE `{name}`; CREATE TABLE `{name}`.t (a int)"));
        for database in ["one", "two"] {
            make(&format!("{tag}_{database}")).unwrap();
        }
        make(&format!("{tag}Xone")).unwrap();
        let reads = |database: &str| {
            server.query_as(&name, PASSWORD, None, &format!("SELECT a FROM `{tag}{database}`.t")).is_ok()
        };
        let stated = |pattern: &str| {
            let entry = json!({"level": "database", "databasePattern": pattern, "privileges": ["SELECT"]});
            spec(&grantee, &json!({ "grants": [entry] }), &[])
        };
        let given = all(adapter, &stated(&format!("{tag}\\_%")));
        make(&format!("{tag}_late")).unwrap();
        assert_eq!(["_one", "_two", "_late", "Xone"].map(reads), [true, true, true, false]);
        // A pattern and a name are two rights, and each goes by itself.
        let entry = json!({"level": "database", "database": format!("{tag}_one"), "privileges": ["SELECT"]});
        let named = spec(&grantee, &json!({ "grants": [entry] }), &given.held);
        let held = all(adapter, &named).held;
        assert_eq!(["_one", "_two", "_late", "Xone"].map(reads), [true, false, false, false]);
        Grants::revoke(adapter, &GrantSpec { recorded: held, ..named }).unwrap();
        assert!(!reads("_one"));
        for pattern in ["%", "mysq_", "%schema", "\\_dbop%"] {
            let error = Grants::grant(adapter, &stated(pattern), &Selection::All).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{pattern}: {error:?}") };
            assert_eq!(problems[0].path, "options.grants[0].databasePattern");
        }
        let needs = <MySql as Grants>::examine(&stated("a%")).unwrap();
        assert_eq!(needs.privileges[0].privilege, Privilege::Superuser);
        assert_eq!(needs.privileges[0].path, "options.grants[0].databasePattern");
        server
            .query(&format!(
                "DROP DATABASE {tag}_one; DROP DATABASE {tag}_two; DROP DATABASE {tag}_late; DROP DATABASE {tag}Xone"
            ))
            .unwrap();
    });
}

#[test]
fn a_right_is_recorded_by_the_name_of_its_database_and_in_whatever_form_it_was_taken_back() {
    everywhere(|server, adapter, tag| {
        let name = format!("shop_{tag}");
        fill(server, adapter, &name);
        let grantee = user(adapter, &format!("shopper_{tag}"), &["%"]);
        let entry = json!({"level": "database", "database": name, "privileges": ["SELECT", "INSERT"]});
        let stated = json!({ "grants": [entry] });
        let held = all(adapter, &spec(&grantee, &stated, &[])).held;
        assert!(held.iter().all(|one| one.level == "database" && one.object == [name.clone()]), "{held:?}");
        let former: Vec<Granted> =
            held.iter().map(|one| Granted { object: vec![format!("shop\\_{tag}")], ..one.clone() }).collect();
        let again = look(adapter, &spec(&grantee, &stated, &former));
        assert_eq!((again.update.changes, again.held), (Vec::new(), held.clone()));
        // It is taken from nobody else, so nobody has to agree.
        let entry = json!({"level": "database", "database": name, "privileges": ["SELECT"]});
        let narrowed = spec(&grantee, &json!({ "grants": [entry] }), &former);
        let told = look(adapter, &narrowed).update.changes;
        assert_eq!(told.iter().map(|one| one.destructive).collect::<Vec<_>>(), [false]);
        let left = all(adapter, &narrowed).held;
        assert_eq!(left.len(), 1);
        Grants::revoke(adapter, &spec(&grantee, &json!({}), &former)).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee).unwrap(), []);
    });
}

#[test]
fn a_right_on_one_database_does_not_take_the_place_of_what_a_pattern_gives() {
    everywhere(|server, adapter, tag| {
        let name = format!("hidden_{tag}");
        fill(server, adapter, &name);
        let app = format!("hider_{tag}");
        let grantee = user(adapter, &app, &["%"]);
        // As people write it, without knowing that it is a pattern.
        server.query(&format!("GRANT SELECT, INSERT ON `{name}`.* TO `{app}`")).unwrap();
        let stated = |privileges: &[&str]| {
            let entry = json!({"level": "database", "database": name, "privileges": privileges});
            spec(&grantee, &json!({ "grants": [entry] }), &[])
        };
        let waits = |adapter: &mut MySql, spec: &GrantSpec, what: &str| {
            let found = Grants::grant(adapter, spec, &Selection::All).unwrap().update.changes;
            assert!(found.iter().any(|one| one.lacking.as_ref().is_some_and(|it| it.contains(what))), "{found:?}");
        };
        waits(adapter, &stated(&["SELECT"]), &format!("state INSERT on {name} as well"));
        assert_eq!(Grants::get_grants(adapter, &grantee).unwrap().len(), 2, "nothing was given");
        let both = stated(&["SELECT", "INSERT"]);
        let held = all(adapter, &both).held;
        assert_eq!(look(adapter, &both).update.changes, []);
        Grants::revoke(adapter, &GrantSpec { recorded: held, ..both }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee).unwrap().len(), 2, "what somebody else gave stays");
        // And a pattern has to reach what it means.
        let by_name = all(adapter, &stated(&["SELECT", "INSERT", "UPDATE"])).held;
        let entry = json!({"level": "database", "databasePattern": format!("hidden%{tag}"), "privileges": ["DELETE"]});
        let pattern = GrantSpec { shared: by_name, ..spec(&grantee, &json!({ "grants": [entry] }), &[]) };
        waits(adapter, &pattern, "state DELETE");
    });
}
