//! Rights on what has a name that the server spells or reads in its own way.

use dbprovision_sdk::{Grants, Selection};
use serde_json::json;

use crate::grants::{fill, may, paths, spec, user};
use crate::support::everywhere;

/// With an active role MySQL takes for a name what without one is a pattern.
#[test]
fn a_right_on_a_database_holds_with_an_active_role_and_without_or_is_refused() {
    everywhere(|server, adapter, tag| {
        let role = format!("active_{tag}");
        server.query(&format!("CREATE ROLE '{role}'")).unwrap();
        let is_mariadb = server.query("SELECT @@version").unwrap().contains("MariaDB");
        let mut refused = Vec::new();
        for (at, name) in ["plain", "under_score", "back\\slash", "back\\_both", "per%cent"].iter().enumerate() {
            let name = format!("{name}{}", tag.replace('_', ""));
            fill(server, adapter, &name);
            let who = user(adapter, &format!("holder{at}_{tag}"), &["%"]);
            let entry = json!({"level": "database", "database": name, "privileges": ["SELECT"]});
            let stated = spec(&who, &json!({ "grants": [entry] }), &[]);
            let given = Grants::grant(adapter, &stated, &Selection::All);
            if given.is_err() {
                assert_eq!(paths(given), ["options.grants[0].database"]);
                refused.push(at);
                continue;
            }
            let select = format!("SELECT * FROM `{name}`.t");
            assert!(may(server, &who.name, &select), "{name}");
            server.query(&format!("GRANT '{role}' TO '{}'@'%'", who.name)).unwrap();
            let word = if is_mariadb { "FOR" } else { "TO" };
            server.query(&format!("SET DEFAULT ROLE '{role}' {word} '{}'@'%'", who.name)).unwrap();
            assert!(may(server, &who.name, &select), "{name} with an active role");
        }
        assert_eq!(refused, if is_mariadb { vec![] } else { vec![2] });
        server.query(&format!("DROP ROLE '{role}'")).unwrap();
    });
}

/// The servers keep names in these rights as if they were latin1, and read them back as something else.
#[test]
fn a_right_on_a_routine_outlives_a_reading_of_the_servers_tables_or_is_refused() {
    everywhere(|server, adapter, tag| {
        for (at, [who, database, routine]) in [
            ["low", "low", "low"],
            ["UP", "UP", "UP"],
            ["'`\"%_", "'`\"%_", "'`\"\\%_"],
            ["Ünï", "low2", "low"],
            ["low3", "Ünï", "low"],
            ["low4", "low4", "数"],
        ]
        .iter()
        .enumerate()
        {
            let (who, database) = (user(adapter, &format!("{who}{tag}"), &["%"]), format!("{database}{tag}"));
            fill(server, adapter, &database);
            let place = [&database, *routine].map(|name| format!("`{}`", name.replace('`', "``"))).join(".");
            server.query(&format!("CREATE PROCEDURE {place}() SELECT 1")).unwrap();
            let entry =
                json!({"level": "procedure", "database": database, "procedure": routine, "privileges": ["EXECUTE"]});
            let given = Grants::grant(adapter, &spec(&who, &json!({ "grants": [entry] }), &[]), &Selection::All);
            if at >= 3 {
                assert_eq!(paths(given), ["options.grants[0].procedure"], "{place}");
                continue;
            }
            given.unwrap();
            let call = format!("CALL {place}()");
            assert!(may(server, &who.name, &call), "{place}");
            server.query("FLUSH PRIVILEGES").unwrap();
            assert!(may(server, &who.name, &call), "{place} once the tables are read again");
        }
    });
}
