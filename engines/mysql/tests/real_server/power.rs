//! Who is told to be the administrator's equal: by own rights, and by roles of roles.

use dbprovision_sdk::{Roles, Users};
use engine_mysql::MySql;
use testkit::mysql::MysqlServer;

use crate::support::{everywhere, sweeping};

/// What both kinds of look say; none where there is no such user or role.
fn power(adapter: &mut MySql, name: &str) -> (Option<bool>, Option<bool>) {
    let look = |adapter: &mut MySql| {
        let user = Users::get_info(adapter, name).unwrap().map(|info| info.privileged);
        (user, Roles::get_info(adapter, name).unwrap().map(|info| info.privileged))
    };
    let found = look(adapter);
    assert_eq!(look(&mut sweeping()), found, "{name}: in a sweep");
    found
}

fn is_mariadb(server: &MysqlServer) -> bool {
    server.query("SELECT @@version").unwrap().contains("MariaDB")
}

#[test]
fn a_role_is_as_powerful_as_the_roles_that_it_is_a_member_of() {
    everywhere(|server, adapter, tag| {
        let [strong, middle, weak, user] =
            ["strong", "middle", "weak", "holder"].map(|name| format!("power_{name}_{tag}"));
        server
            .query(&format!(
                "CREATE ROLE '{strong}'; CREATE ROLE '{middle}'; CREATE ROLE '{weak}'; \
                 GRANT CREATE USER ON *.* TO '{strong}'; GRANT SELECT ON *.* TO '{weak}'; \
                 GRANT '{strong}' TO '{middle}'; \
                 CREATE USER '{user}'@'10.%' IDENTIFIED BY 'x'; CREATE USER '{user}'@'%' IDENTIFIED BY 'x'; \
                 GRANT '{weak}' TO '{user}'@'10.%'"
            ))
            .unwrap();
        // To MySQL a role is an account like others, and the host asks for both.
        let role = |privileged| (if is_mariadb(server) { None } else { Some(privileged) }, Some(privileged));
        assert_eq!(power(adapter, &strong), role(true));
        assert_eq!(power(adapter, &middle), role(true));
        assert_eq!(power(adapter, &weak), role(false));
        assert_eq!(power(adapter, &user), (Some(false), None));
        server.query(&format!("GRANT '{middle}' TO '{user}'@'10.%'")).unwrap();
        assert_eq!(power(adapter, &user), (Some(true), None));
        server
            .query(&format!(
                "DROP USER '{user}'@'10.%'; DROP USER '{user}'@'%'; \
                 DROP ROLE '{strong}'; DROP ROLE '{middle}'; DROP ROLE '{weak}'"
            ))
            .unwrap();
    });
}

#[test]
fn whoever_may_write_the_servers_accounts_or_act_for_others_is_powerful() {
    everywhere(|server, adapter, tag| {
        let name = format!("writer_{tag}");
        server.query("CREATE DATABASE IF NOT EXISTS mine").unwrap();
        let mut cases = vec![
            ("INSERT ON mysql.*", true),
            ("UPDATE ON `my%`.*", true),
            ("DELETE ON mysql.db", true),
            ("UPDATE (Select_priv) ON mysql.db", true),
            ("DROP ON *.*", true),
            ("FILE ON *.*", true),
            ("SELECT ON *.*", false),
            ("PROCESS, RELOAD ON *.*", false),
            ("SELECT ON mysql.*", false),
            ("ALL ON mine.*", false),
        ];
        if is_mariadb(server) {
            let dangerous = ["SET USER ON *.*", "FEDERATED ADMIN ON *.*", "REPLICATION SLAVE ADMIN ON *.*"];
            cases.extend(dangerous.map(|what| (what, true)));
        } else {
            let dangerous = ["SYSTEM_USER ON *.*", "SET_ANY_DEFINER ON *.*", "ROLE_ADMIN ON *.*"];
            cases.extend(dangerous.map(|what| (what, true)));
            cases.push(("BACKUP_ADMIN ON *.*", false));
        }
        for (what, expected) in cases {
            server.query(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'x'; GRANT {what} TO '{name}'@'%'")).unwrap();
            assert_eq!(power(adapter, &name).0, Some(expected), "{what}");
            server.query(&format!("DROP USER '{name}'@'%'; CREATE ROLE '{name}'; GRANT {what} TO '{name}'")).unwrap();
            assert_eq!(power(adapter, &name).1, Some(expected), "a role with {what}");
            server.query(&format!("DROP ROLE '{name}'")).unwrap();
        }
    });
}
