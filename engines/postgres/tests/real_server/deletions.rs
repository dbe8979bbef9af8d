//! What a deletion of a user waits for, and what it does not.

use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{ErrorKind, Users};
use engine_postgres::Postgres;

use crate::databases::user;
use crate::support::{Server, everywhere, mark, proof};

fn remove(adapter: &mut Postgres, name: &str) -> dbprovision_sdk::Result<()> {
    let spec =
        UserSpec { name: name.to_owned(), roles: Vec::new(), shared_roles: Vec::new(), comment: None, options: None };
    Users::drop(adapter, &spec, &proof(&mark(&format!("user {name}"))))
}

/// A database of its owner with the table `app.a`, which the administrator may enter.
fn database(server: &Server, name: &str, owner: &str) {
    server.sql(&format!("CREATE DATABASE {name} OWNER {owner}"));
    server.sql_in(name, &format!("SET ROLE {owner}; CREATE SCHEMA app; CREATE TABLE app.a (x int)"));
}

#[test]
fn default_privileges_and_user_mappings_of_its_own_do_not_keep_a_user() {
    everywhere(|server, adapter, tag| {
        let [name, keeper, other] = ["habits", "habits_keeper", "habits_other"].map(|name| format!("{name}_{tag}"));
        for name in [&name, &keeper, &other] {
            user(adapter, name);
        }
        let place = format!("habits_{tag}");
        database(server, &place, &keeper);
        server.sql_in(
            &place,
            &format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {name} GRANT SELECT ON TABLES TO {other};
                 CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER far FOREIGN DATA WRAPPER elsewhere;
                 CREATE USER MAPPING FOR {name} SERVER far"
            ),
        );
        assert_eq!(Users::owned_objects(adapter, &name, 10).unwrap(), []);
        Users::reassign_owned(adapter, &name, &proof(&mark(&format!("user {name}"))), &[]).unwrap();
        remove(adapter, &name).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert!(!Users::exists(adapter, &name).unwrap());
        let left = "SELECT (SELECT count(*) FROM pg_default_acl) + (SELECT count(*) FROM pg_user_mappings)";
        assert_eq!(server.sql_in(&place, left), "0");
    });
}

#[test]
fn what_others_than_the_owner_gave_goes_with_the_user() {
    everywhere(|server, adapter, tag| {
        let [owner, lead, worker, other] =
            ["owner", "lead", "worker", "other"].map(|name| format!("chain_{name}_{tag}"));
        for name in [&owner, &lead, &worker, &other] {
            user(adapter, name);
        }
        let place = format!("chain_{tag}");
        database(server, &place, &owner);
        server.sql_in(
            &place,
            &format!(
                "SET ROLE {owner}; GRANT USAGE ON SCHEMA app TO {lead}, {worker}, {other};
                 GRANT SELECT, UPDATE (x) ON app.a TO {lead} WITH GRANT OPTION; GRANT SELECT ON app.a TO {worker};
                 GRANT CONNECT ON DATABASE {place} TO {lead} WITH GRANT OPTION;
                 SET ROLE {lead}; GRANT SELECT, UPDATE (x) ON app.a TO {worker} WITH GRANT OPTION;
                 GRANT CONNECT ON DATABASE {place} TO {worker};
                 SET ROLE {worker}; GRANT SELECT ON app.a TO {other}"
            ),
        );
        remove(adapter, &worker).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert!(!Users::exists(adapter, &worker).unwrap());
        let has =
            |role: &str| server.sql_in(&place, &format!("SELECT has_table_privilege('{role}', 'app.a', 'SELECT')"));
        assert_eq!(
            (has(&lead), has(&other)),
            ("t".to_owned(), "f".to_owned()),
            "only the dropped user's chain is gone"
        );
    });
}

#[test]
fn what_still_depends_on_a_user_is_told() {
    everywhere(|server, adapter, tag| {
        let [owner, lead, worker] = ["owner", "lead", "worker"].map(|name| format!("large_{name}_{tag}"));
        for name in [&owner, &lead, &worker] {
            user(adapter, name);
        }
        let place = format!("large_{tag}");
        database(server, &place, &owner);
        // Rights on large objects are not read, so what others than the owner gave on them stays.
        server.sql_in(
            &place,
            &format!(
                "SET ROLE {owner}; SELECT lo_create(4242); GRANT SELECT ON LARGE OBJECT 4242 TO {lead} WITH GRANT OPTION;
                 SET ROLE {lead}; GRANT SELECT ON LARGE OBJECT 4242 TO {worker}"
            ),
        );
        let error = remove(adapter, &worker).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        assert!(error.message.contains(&format!("1 object in database {place}")), "{}", error.message);
        server.sql_in(&place, &format!("SET ROLE {lead}; REVOKE SELECT ON LARGE OBJECT 4242 FROM {worker}"));
        remove(adapter, &worker).unwrap();
    });
}

#[test]
fn a_database_that_cannot_be_entered_is_named_and_waited_for() {
    everywhere(|server, adapter, tag| {
        let [owner, name] = ["owner", "user"].map(|name| format!("shut_{name}_{tag}"));
        for name in [&owner, &name] {
            user(adapter, name);
        }
        let place = format!("shut_{tag}");
        database(server, &place, &owner);
        server.sql_in(&place, &format!("SET ROLE {owner}; GRANT SELECT ON app.a TO {name}"));
        for (shut, word) in [
            (format!("ALTER DATABASE {place} ALLOW_CONNECTIONS false"), "accepts no connections"),
            (format!("UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{place}'"), "unusable"),
        ] {
            server.sql(&shut);
            let error = remove(adapter, &name).unwrap_err();
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            assert!(error.message.contains(&place) && error.message.contains(word), "{}", error.message);
            let can_log_in = server.sql(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'"));
            assert_eq!(can_log_in, "t", "nothing was begun");
            // An unusable database takes no other command than to be dropped.
            let open = "UPDATE pg_database SET datallowconn = true, datconnlimit = -1";
            server.sql(&format!("{open} WHERE datname = '{place}'"));
        }
        remove(adapter, &name).unwrap();
        assert!(!Users::exists(adapter, &name).unwrap());
    });
}
