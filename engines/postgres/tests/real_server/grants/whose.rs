//! Whose a right is: shared by resources, given by somebody else, an owner's own, or everyone's.

use super::*;

#[test]
fn resources_that_overlap_form_a_union() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "union", tag);
        let one = world.spec(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "INSERT"]}));
        let other = world.spec(
            json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "UPDATE"], "withGrantOption": true}),
        );
        let first = settle(adapter, &one);
        let second = settle(adapter, &GrantSpec { shared: first.held.clone(), ..other.clone() });
        assert_eq!(words(&second.held), ["table app.a SELECT*", "table app.a UPDATE*"]);
        // Neither sees the other as drift.
        let first_again = GrantSpec {
            recorded: first.held.clone(),
            shared: second.held.clone(),
            mode: Mode::Authoritative,
            ..one.clone()
        };
        assert_eq!(detect(adapter, &first_again), [""; 0]);
        Grants::revoke(adapter, &GrantSpec { recorded: second.held, shared: first.held.clone(), ..other }).unwrap();
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(
            words(&left),
            ["table app.a INSERT", "table app.a SELECT"],
            "the grant option goes, the rights stay"
        );
        Grants::revoke(adapter, &GrantSpec { recorded: first.held, ..one }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap(), []);
    });
}

#[test]
fn a_grant_option_that_leaves_the_spec_is_taken_whatever_else_was_recorded() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "option", tag);
        let stated = |option: bool| json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"], "withGrantOption": option});
        let given = settle(adapter, &world.spec(stated(true))).held;
        assert_eq!(words(&given), ["table app.a SELECT*"]);
        // What is wanted is recorded before it is made, beside what was recorded before.
        let wanted = given.iter().map(|one| Granted { grantable: false, ..one.clone() });
        let recorded = wanted.chain(given.iter().cloned()).collect();
        let narrowed = GrantSpec { recorded, ..world.spec(stated(false)) };
        assert_eq!(words(&settle(adapter, &narrowed).held), ["table app.a SELECT"]);
        assert_eq!(words(&Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap()), ["table app.a SELECT"]);
    });
}

#[test]
fn foreign_rights_stay_or_go_by_the_mode() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "mode", tag);
        server.sql_in(
            &world.database,
            &format!(
                "SET ROLE {0}; GRANT USAGE ON SCHEMA app TO {1}; GRANT DELETE ON app.a TO {1};
                 GRANT UPDATE (x) ON app.a TO {1}; GRANT SELECT ON app.b TO {1} WITH GRANT OPTION;
                 ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {1}",
                world.owner, world.grantee
            ),
        );
        server.sql(&format!("GRANT CONNECT ON DATABASE {} TO {}", world.database, world.grantee));
        let stated = world.spec(json!({"schema": "app", "tables": ["b"], "privileges": ["SELECT"]}));
        assert_eq!(detect(adapter, &stated), [""; 0], "additive leaves what others gave");
        let owns = GrantSpec { mode: Mode::Authoritative, ..stated.clone() };
        let report = Grants::grant(adapter, &owns, &Selection::Detect).unwrap();
        assert!(report.update.changes.iter().all(|change| change.destructive), "{:?}", report.update.changes);
        assert_eq!(report.update.changes.len(), 6, "{:?}", report.update.changes);
        let report = settle(adapter, &owns);
        assert_eq!(words(&report.held), ["table app.b SELECT"]);
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(words(&left), ["table app.b SELECT"]);
    });
}

#[test]
fn what_columns_keep_survives_the_loss_of_the_table() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "columns", tag);
        let both = spec(
            &world.grantee,
            &json!({"grants": [
                {"database": world.database, "schema": "app", "tables": ["a"], "privileges": ["SELECT", "UPDATE"]},
                {"database": world.database, "schema": "app", "columns": {"a": ["x", "y"]}, "privileges": ["SELECT"]},
            ]}),
        );
        let recorded = settle(adapter, &both).held;
        server.sql_in(&world.database, &format!("GRANT UPDATE (y) ON app.a TO {}", world.grantee));
        let narrowed = GrantSpec {
            recorded,
            ..world.spec(json!({"schema": "app", "columns": {"a": ["x"]}, "privileges": ["SELECT", "INSERT"]}))
        };
        let report = settle(adapter, &narrowed);
        assert_eq!(words(&report.held), ["column app.a.x INSERT", "column app.a.x SELECT"]);
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(words(&left), ["column app.a.x INSERT", "column app.a.x SELECT", "column app.a.y UPDATE"]);
    });
}

#[test]
fn a_recorded_right_is_taken_from_the_grantor_that_gave_it() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "grantor", tag);
        let middle = format!("grantor_middle_{tag}");
        role(adapter, &middle);
        server.sql_in(
            &world.database,
            &format!(
                "SET ROLE {0}; GRANT USAGE ON SCHEMA app TO {1}; GRANT SELECT ON app.a TO {1} WITH GRANT OPTION;
                 GRANT SELECT ON app.a TO {2}; RESET ROLE; SET ROLE {1}; GRANT SELECT ON app.a TO {2}",
                world.owner, middle, world.grantee
            ),
        );
        let held = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(held.len(), 2, "{held:?}");
        let of_middle: Vec<Granted> = held.into_iter().filter(|one| one.grantor.as_ref() == Some(&middle)).collect();
        Grants::revoke(adapter, &GrantSpec { recorded: of_middle, ..spec(&world.grantee, &json!({})) }).unwrap();
        let left = Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap();
        assert_eq!(left.iter().map(|one| one.grantor.as_deref()).collect::<Vec<_>>(), [Some(world.owner.as_str())]);
        // The table has another owner now, who is the grantor of all that the former one gave.
        let heir = format!("grantor_heir_{tag}");
        role(adapter, &heir);
        server.sql_in(&world.database, &format!("ALTER TABLE app.a OWNER TO {heir}"));
        Grants::revoke(adapter, &GrantSpec { recorded: left, ..spec(&world.grantee, &json!({})) }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&world.grantee)).unwrap(), []);
    });
}

#[test]
fn the_owners_own_rights_are_no_drift_and_never_taken() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "own", tag);
        let own = |options: &Value| GrantSpec { mode: Mode::Authoritative, ..spec(&world.owner, options) };
        let stated = own(&world.options(
            json!({"schema": "app", "tables": ["*"], "privileges": ["ALL"], "withGrantOption": true, "future": true}),
        ));
        assert_eq!(detect(adapter, &stated), [""; 0]);
        let report = settle(adapter, &stated);
        assert_eq!(report.held, []);
        server.sql_in(&world.database, "CREATE TABLE app.foreign_one (x int)");
        assert_eq!(detect(adapter, &own(&json!({}))), [""; 0]);
        let own_to_self = Granted {
            level: "table".to_owned(),
            object: [world.database.as_str(), "app", "a"].map(str::to_owned).to_vec(),
            privilege: "SELECT".to_owned(),
            grantable: false,
            grantor: Some(world.owner.clone()),
        };
        Grants::revoke(adapter, &GrantSpec { recorded: vec![own_to_self], ..own(&json!({})) }).unwrap();
        assert_eq!(
            server
                .sql_in(&world.database, &format!("SELECT has_table_privilege('{}', 'app.a', 'SELECT')", world.owner)),
            "t"
        );
    });
}

#[test]
fn everyone_is_given_and_denied() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "everyone", tag);
        let stated =
            world.spec(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"], "public": "Granted"}));
        let report = settle(adapter, &stated);
        assert_eq!(words(&report.held), ["public table app.a SELECT"]);
        assert_eq!(world.asks(server, "table", "app.a", "SELECT"), "t");
        let denied =
            world.spec(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT"], "public": "Revoked"}));
        let error =
            Grants::grant(adapter, &GrantSpec { shared: report.held.clone(), ..denied.clone() }, &Selection::All)
                .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "another resource gives it");
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..stated }).unwrap();
        assert_eq!(world.asks(server, "table", "app.a", "SELECT"), "f");
        // What the server gives everyone is taken, and not taken back with the entry that states it.
        server.sql(&format!("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", world.database));
        let open = settle(adapter, &world.spec(json!({"privileges": ["CONNECT"], "public": "Granted"})));
        assert_eq!((open.update.changes.len(), open.held.len()), (0, 0));
        let closed = settle(adapter, &world.spec(json!({"privileges": ["ALL"], "public": "Revoked"})));
        assert_eq!(closed.update.applied.len(), 1);
        let connect = |server: &Server| world.asks(server, "database", &world.database, "CONNECT");
        assert_eq!(connect(server), "f");
        // The administrator does not lock itself out.
        server.sql(&format!(
            "GRANT CONNECT ON DATABASE {0} TO PUBLIC; REVOKE CONNECT ON DATABASE {0} FROM administrator",
            world.database
        ));
        settle(adapter, &world.spec(json!({"privileges": ["CONNECT"], "public": "Revoked"})));
        assert_eq!(connect(server), "f");
        server.sql_in(
            &world.database,
            &format!("SET ROLE {}; CREATE FUNCTION app.open() RETURNS int LANGUAGE sql AS 'SELECT 1'", world.owner),
        );
        let open =
            world.spec(json!({"schema": "app", "functions": ["*"], "privileges": ["EXECUTE"], "public": "Revoked"}));
        settle(adapter, &open);
        // What everyone had no more and was given again is this entry's to take back.
        let reopened =
            world.spec(json!({"schema": "app", "functions": ["open"], "privileges": ["EXECUTE"], "public": "Granted"}));
        let report = settle(adapter, &reopened);
        assert_eq!(words(&report.held), ["public function app.open() EXECUTE"]);
        assert_eq!(world.asks(server, "function", "app.open()", "EXECUTE"), "t");
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..reopened }).unwrap();
        assert_eq!(world.asks(server, "function", "app.open()", "EXECUTE"), "f");
        // The schema public belongs to the database's owner from 15 on, and to the first superuser before.
        if tag == "s" || server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 150_000 {
            let public = json!({"schema": "public", "privileges": ["USAGE", "CREATE"]});
            let report = settle(adapter, &world.spec(public));
            assert_eq!(words(&report.held), ["schema public CREATE", "schema public USAGE"]);
            let narrowed =
                GrantSpec { recorded: report.held, ..world.spec(json!({"schema": "public", "privileges": ["USAGE"]})) };
            settle(adapter, &narrowed);
            settle(adapter, &world.spec(json!({"schema": "public", "privileges": ["CREATE"], "public": "Revoked"})));
        }
    });
}
