//! Grants that wait for something.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::grants::{GrantReport, GrantSpec, Grantee};
use dbprovision_sdk::{ErrorKind, Grants, Selection};
use engine_mysql::MySql;
use serde_json::{Value, json};

use crate::grants::{all, fill, look, spec, user};
use crate::support::{PASSWORD, everywhere};

#[test]
fn a_grant_of_which_something_is_missing_gives_and_takes_all_the_rest() {
    everywhere(|server, adapter, tag| {
        let name = format!("half_{tag}");
        fill(server, adapter, &name);
        let grantee = user(adapter, &format!("halved_{tag}"), &["%"]);
        let on = |kind: &str, object: &str, privilege: &str| json!({"level": kind, "database": name, kind: object, "privileges": [privilege]});
        let column = |column: &str| json!({"level": "column", "database": name, "table": "t", "columns": [column], "privileges": ["SELECT"]});
        let before = spec(&grantee, &json!({ "grants": [on("table", "t", "DELETE")] }), &[]);
        for (missing, words) in [
            (on("table", "u", "SELECT"), format!("the table {name}.u is not there")),
            (on("procedure", "u", "EXECUTE"), format!("the procedure {name}.u is not there")),
            (column("u"), format!("the column u of {name}.t is not there")),
        ] {
            let held = all(adapter, &before).held;
            let stated = spec(&grantee, &json!({ "grants": [on("table", "t", "SELECT"), missing] }), &held);
            let lacking = |report: GrantReport| -> BTreeSet<String> {
                report.update.changes.into_iter().filter_map(|change| change.lacking).collect()
            };
            assert_eq!(lacking(look(adapter, &stated)), BTreeSet::from([words.clone()]));
            let report = Grants::grant(adapter, &stated, &Selection::All).unwrap();
            let now = Grants::get_grants(adapter, &grantee).unwrap();
            assert_eq!(now.iter().map(|one| one.privilege.as_str()).collect::<Vec<_>>(), ["SELECT"]);
            assert_eq!(report.held, now);
            assert_eq!(lacking(report), BTreeSet::from([words]));
            Grants::revoke(adapter, &GrantSpec { recorded: now, ..before.clone() }).unwrap();
        }
        // What is narrowed to columns is given back at once, but only on those that are there.
        let wide = all(adapter, &spec(&grantee, &json!({ "grants": [on("table", "t", "SELECT")] }), &[])).held;
        let narrow = spec(&grantee, &json!({ "grants": [column("a"), column("u")] }), &wide);
        let report = Grants::grant(adapter, &narrow, &Selection::All).unwrap();
        let levels: Vec<_> = report.held.iter().map(|one| one.level.as_str()).collect();
        assert_eq!(levels, ["column"]);
        assert_eq!(Grants::get_grants(adapter, &grantee).unwrap(), report.held);
    });
}

#[test]
fn what_is_not_there_is_waited_for() {
    everywhere(|server, adapter, tag| {
        let (name, role) = (format!("later_{tag}"), format!("later_role_{tag}"));
        let who = user(adapter, &format!("waiter_{tag}"), &["%"]);
        let of = |adapter: &mut MySql, options: &Value| {
            let found = Grants::grant(adapter, &spec(&who, options, &[]), &Selection::All).unwrap().update;
            let lacking: Vec<_> = found.changes.into_iter().filter(|change| change.lacking.is_some()).collect();
            if let Some(first) = lacking.first() {
                let named = Selection::Only(vec![first.id.clone()]);
                let error = Grants::grant(adapter, &spec(&who, options, &[]), &named).unwrap_err();
                assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            }
            (found.applied.len(), lacking.len())
        };
        let database = json!({"grants": [{"level": "database", "database": name, "privileges": ["SELECT"]}]});
        let table = json!({"grants": [{"level": "table", "database": name, "table": "u", "privileges": ["SELECT"]}]});
        let procedure =
            json!({"grants": [{"level": "procedure", "database": name, "procedure": "q", "privileges": ["EXECUTE"]}]});
        let column = json!({"grants": [
            {"level": "column", "database": name, "table": "t", "columns": ["later"], "privileges": ["SELECT"]},
        ]});
        let member = json!({"roles": [role]});
        for options in [&database, &table, &member] {
            assert_eq!(of(adapter, options), (0, 1), "{options}");
        }
        fill(server, adapter, &name);
        assert_eq!(of(adapter, &database), (1, 0));
        for options in [&table, &column, &procedure] {
            assert_eq!(of(adapter, options), (0, 1), "{options}");
        }
        server.query(&format!("CREATE TABLE {name}.u (a int); ALTER TABLE {name}.t ADD later int")).unwrap();
        assert_eq!(of(adapter, &table), (1, 0));
        assert_eq!(of(adapter, &column), (1, 0));
        server.query(&format!("CREATE ROLE '{role}'; GRANT SELECT ON {name}.u TO '{role}'")).unwrap();
        if server.query("SELECT @@version").unwrap().contains("MariaDB") {
            for grantee in [server.administrator.name.as_str(), "super_of_all"] {
                server.query(&format!("GRANT '{role}' TO '{grantee}'@'%' WITH ADMIN OPTION")).unwrap();
            }
        }
        let report = all(adapter, &spec(&who, &member, &[]));
        assert_eq!(report.update.applied, [format!("grant:membership:{role}:MEMBER")]);
        let active = server.query_as(&who.name, PASSWORD, None, "SELECT CURRENT_ROLE()").unwrap();
        assert!(active.contains(&role), "{active}");
        let report = all(adapter, &spec(&who, &json!({}), &report.held));
        assert_eq!(report.update.applied, [format!("revoke:membership:{role}:MEMBER")]);
        let nobody = Grantee { name: "nobody at all".to_owned(), ..who.clone() };
        let error = Grants::grant(adapter, &spec(&nobody, &database, &[]), &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing);
        server.query(&format!("DROP ROLE '{role}'")).unwrap();
    });
}
