//! Roles that a user was given, and whether they are active from the login on.

use dbprovision_sdk::native::log_in_as;
use dbprovision_sdk::{Adapter, Grants, Selection};
use engine_mysql::MySql;
use serde_json::json;
use testkit::mysql::{MysqlServer, Version};

use crate::grants::{all, look, spec, user};
use crate::support::{PASSWORD, dial_plain, everywhere, settings, start};

fn is_mariadb(server: &MysqlServer) -> bool {
    server.query("SELECT @@version").unwrap().contains("MariaDB")
}

/// A role that every administrator may give on.
pub(crate) fn role(server: &MysqlServer, name: &str, administrators: &[&str]) {
    server.query(&format!("CREATE ROLE '{name}'")).unwrap();
    for administrator in administrators.iter().filter(|_| is_mariadb(server)) {
        server.query(&format!("GRANT '{name}' TO '{administrator}'@'%' WITH ADMIN OPTION")).unwrap();
    }
}

/// What is active from the login on, as the server keeps it.
fn kept(server: &MysqlServer, user: &str) -> String {
    let query = if is_mariadb(server) {
        format!("SELECT default_role FROM mysql.user WHERE User = '{user}'")
    } else {
        format!("SELECT DEFAULT_ROLE_USER FROM mysql.default_roles WHERE USER = '{user}' ORDER BY 1")
    };
    server.query(&query).unwrap().trim().to_owned()
}

fn deactivate(server: &MysqlServer, user: &str) {
    let word = if is_mariadb(server) { "FOR" } else { "TO" };
    server.query(&format!("SET DEFAULT ROLE NONE {word} '{user}'@'%'")).unwrap();
}

#[test]
fn a_role_that_is_held_and_sleeps_is_told_and_woken() {
    everywhere(|server, adapter, tag| {
        let [first, second] = ["wake_1", "wake_2"].map(|name| format!("{name}_{tag}"));
        let administrators = [server.administrator.name.as_str(), "super_of_all"];
        role(server, &first, &administrators);
        role(server, &second, &administrators);
        let who = user(adapter, &format!("sleeper_{tag}"), &["%"]);
        let stated = |roles: &[&String]| json!({ "roles": roles });
        let one = all(adapter, &spec(&who, &stated(&[&first]), &[]));
        assert_eq!(kept(server, &who.name), first);
        // As if the operator had been killed behind the membership.
        deactivate(server, &who.name);
        let again = spec(&who, &stated(&[&first]), &one.held);
        let ids = |report: dbprovision_sdk::adapter::grants::GrantReport| -> Vec<String> {
            report.update.changes.into_iter().map(|one| one.id).collect()
        };
        assert_eq!(ids(look(adapter, &again)), [format!("active:{first}")]);
        all(adapter, &again);
        let active = server.query_as(&who.name, PASSWORD, None, "SELECT CURRENT_ROLE()").unwrap();
        assert!(active.contains(&first), "{active}");
        // Both of them, where the server can; and one that somebody took away is in nobody's way.
        let both = all(adapter, &spec(&who, &stated(&[&first, &second]), &one.held));
        let expected = if is_mariadb(server) { first.clone() } else { format!("{first}\n{second}") };
        assert_eq!(kept(server, &who.name), expected);
        server.query(&format!("REVOKE '{first}' FROM '{}'@'%'", who.name)).unwrap();
        let left = all(adapter, &spec(&who, &stated(&[&second]), &both.held));
        assert_eq!(kept(server, &who.name), second);
        all(adapter, &spec(&who, &stated(&[]), &left.held));
        assert_eq!(kept(server, &who.name), "");
        let held = all(adapter, &spec(&who, &stated(&[&first]), &[])).held;
        Grants::revoke(adapter, &spec(&who, &stated(&[]), &held)).unwrap();
        assert_eq!(kept(server, &who.name), "");
        server.query(&format!("DROP ROLE '{first}'; DROP ROLE '{second}'")).unwrap();
    });
}

#[test]
fn a_membership_is_made_although_the_administrator_may_not_wake_the_role() {
    for version in Version::USUAL.into_iter().filter(|version| version.is_mariadb()) {
        let server = start(version, &[]);
        server
            .query(
                "CREATE USER 'meek'@'%' IDENTIFIED BY 'x'; GRANT CREATE USER, PROCESS ON *.* TO 'meek'@'%'; \
                 GRANT SELECT ON mysql.* TO 'meek'@'%'; GRANT ALL ON _dbops.* TO 'meek'@'%'",
            )
            .unwrap();
        role(&server, "given", &["meek"]);
        dial_plain(&server);
        log_in_as("meek", "x");
        let mut adapter = MySql::new();
        adapter.connect(&settings("{}", None)).unwrap();
        let who = user(&mut adapter, "member", &["%"]);
        let stated = spec(&who, &json!({"roles": ["given"]}), &[]);
        let report = Grants::grant(&mut adapter, &stated, &Selection::All).unwrap();
        assert_eq!(report.update.applied, ["grant:membership:given:MEMBER"]);
        let left = look(&mut adapter, &spec(&who, &json!({"roles": ["given"]}), &report.held)).update.changes;
        assert_eq!(left.len(), 1);
        assert!(left[0].impossible && left[0].actual.contains("UPDATE on `mysql`.*"), "{left:?}");
        assert_eq!(server.query("SELECT COUNT(*) FROM mysql.roles_mapping WHERE User = 'member'").unwrap(), "1");
    }
}
