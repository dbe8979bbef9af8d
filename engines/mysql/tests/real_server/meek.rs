//! Administrators that may less than others, as managed services have them.

use dbprovision_sdk::native::log_in_as;
use dbprovision_sdk::{Adapter, Databases, ErrorKind, Users};
use engine_mysql::MySql;
use serde_json::json;
use testkit::mysql::{MysqlServer, Version};

use crate::databases::spec as database;
use crate::grants::user;
use crate::support::{PASSWORD, dial_plain, mark, proof, settings, start};

/// An administrator that may not end others' sessions.
fn meek(server: &MysqlServer) -> MySql {
    server
        .query(
            "CREATE USER 'meek'@'%' IDENTIFIED BY 'x'; GRANT CREATE USER, PROCESS, CREATE, DROP ON *.* TO 'meek'@'%'; \
             GRANT SELECT ON mysql.* TO 'meek'@'%'; GRANT ALL ON _dbops.* TO 'meek'@'%'",
        )
        .unwrap();
    dial_plain(server);
    log_in_as("meek", "x");
    let mut adapter = MySql::new();
    adapter.connect(&settings("{}", None)).unwrap();
    adapter
}

/// A session of this user, once the server knows of it.
fn idle(server: &MysqlServer, name: &str, database: Option<&str>) -> testkit::mysql::Idle {
    let session = server.idle_session(name, PASSWORD, database).unwrap();
    let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{name}'");
    while server.query(&count).unwrap() == "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    session
}

#[test]
fn a_deletion_goes_on_where_nobody_may_end_sessions_and_ends_them_by_the_services_own_way() {
    for version in Version::USUAL {
        let server = start(version, &[]);
        let mut adapter = meek(&server);
        let dropped = |name: &str| dbprovision_sdk::adapter::users::UserSpec {
            name: name.to_owned(),
            roles: Vec::new(),
            shared_roles: Vec::new(),
            comment: None,
            options: None,
        };
        user(&mut adapter, "first", &["%"]);
        let mut stays = idle(&server, "first", None);
        let error = Users::terminate_sessions(&mut adapter, "first").unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        Users::drop(&mut adapter, &dropped("first"), &proof(&mark("user"))).unwrap();
        assert!(!Users::exists(&mut adapter, "first").unwrap());
        assert!(!stays.has_ended());
        // So does a forced drop of a database.
        let place = database("place", &json!({}));
        Databases::create(&mut adapter, &place, &mark("place")).unwrap();
        let (name, word) = (server.administrator.name.clone(), server.administrator.password.clone());
        let _inside = server.idle_session(&name, &word, Some("place")).unwrap();
        while server.query("SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'place'").unwrap() == "0" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Databases::drop(&mut adapter, &place, &proof(&mark("place")), true).unwrap();
        assert!(!Databases::exists(&mut adapter, "place").unwrap());
        server
            .query(
                "CREATE PROCEDURE mysql.rds_kill(IN thread BIGINT) KILL thread; \
                 GRANT EXECUTE ON PROCEDURE mysql.rds_kill TO 'meek'@'%'",
            )
            .unwrap();
        user(&mut adapter, "second", &["%"]);
        let mut ends = idle(&server, "second", None);
        assert_eq!(Users::terminate_sessions(&mut adapter, "second").unwrap(), 1);
        assert!(ends.has_ended());
        let mut ends = idle(&server, "second", None);
        Users::drop(&mut adapter, &dropped("second"), &proof(&mark("user"))).unwrap();
        assert!(ends.has_ended());
    }
}
