//! Several at once: sessions, changes of a selection, databases.

use super::*;

#[test]
fn concurrent_grants_on_one_table_all_succeed() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "race", tag);
        let grantees: Vec<String> = (0..4).map(|at| format!("race_{at}_{tag}")).collect();
        for name in &grantees {
            role(adapter, name);
        }
        std::thread::scope(|scope| {
            let runs: Vec<_> = grantees
                .iter()
                .map(|name| {
                    let world = &world;
                    scope.spawn(move || -> Result<()> {
                        let mut adapter = server.adapter(tag == "s");
                        for _ in 0..5 {
                            let stated = spec(
                                name,
                                &json!({"roles": [world.grantee], "grants": [
                                    {"database": world.database, "privileges": ["CONNECT"]},
                                    {"database": world.database, "schema": "app", "tables": ["a"], "privileges": ["SELECT", "USAGE"], "withGrantOption": true},
                                ]}),
                            );
                            let report = Grants::grant(&mut adapter, &stated, &Selection::All)?;
                            Grants::revoke(&mut adapter, &GrantSpec { recorded: report.held, ..stated })?;
                        }
                        Ok(())
                    })
                })
                .collect();
            for run in runs {
                run.join().unwrap().unwrap_or_else(|error| panic!("{tag}: {error:?}"));
            }
        });
        for name in &grantees {
            assert_eq!(Grants::get_grants(adapter, &grantee(name)).unwrap(), []);
        }
    });
}

#[test]
fn a_selection_makes_exactly_its_changes_and_what_is_not_taken_stays_recorded() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "select", tag);
        let wide = world.spec(json!({"schema": "app", "tables": ["a", "b"], "privileges": ["SELECT"]}));
        let recorded = settle(adapter, &wide).held;
        let moved = GrantSpec {
            recorded,
            ..world.spec(json!({"schema": "app", "tables": ["v"], "privileges": ["SELECT", "INSERT"]}))
        };
        let found = detect(adapter, &moved);
        assert_eq!(found.len(), 3, "{found:?}");
        let only = Selection::Only(found.iter().filter(|id| id.starts_with("grant:")).cloned().collect());
        let report = Grants::grant(adapter, &moved, &only).unwrap();
        assert_eq!(report.update.applied.len(), 1);
        assert_eq!(
            words(&report.held),
            ["table app.a SELECT", "table app.b SELECT", "table app.v INSERT", "table app.v SELECT"]
        );
        let error = Grants::grant(adapter, &moved, &only).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        let rest = GrantSpec { recorded: report.held, ..moved };
        assert_eq!(detect(adapter, &rest).len(), 2);
        settle(adapter, &rest);
        // An object of an owner whose rights nobody here may use: nothing is half done.
        if tag == "c" {
            server.sql_in(
                &world.database,
                "CREATE TABLE app.superusers (x int); CREATE SCHEMA closed; CREATE TABLE closed.t (x int)",
            );
            let all = world.spec(json!({"schema": "app", "tables": ["a", "superusers"], "privileges": ["SELECT"]}));
            let error = Grants::grant(adapter, &all, &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
            assert_eq!(world.asks(server, "table", "app.a", "SELECT"), "f");
        }
    });
}

#[test]
fn one_grant_may_be_about_several_databases_and_the_authority_sees_all() {
    everywhere(|server, adapter, tag| {
        let one = world(server, adapter, "several_one", tag);
        let two = world(server, adapter, "several_two", tag);
        let unnamed = world(server, adapter, "several_more", tag);
        let entry = |world: &World| json!({"database": world.database, "schema": "app", "tables": ["*"], "privileges": ["USAGE", "SELECT"]});
        let stated = spec(&one.grantee, &json!({"grants": [entry(&one), entry(&two)]}));
        let both = settle(adapter, &stated);
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'db-provision-operator'";
        // A session that was closed is listed for a moment longer.
        let closed = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            server.sql(sessions) == "1"
        });
        assert!(closed, "a session stays open in a database");
        assert_eq!(both.held.iter().filter(|held| held.object[0] == two.database).count(), 4);
        let narrowed = GrantSpec { recorded: both.held, ..spec(&one.grantee, &json!({"grants": [entry(&one)]})) };
        let report = settle(adapter, &narrowed);
        assert!(report.held.iter().all(|held| held.object[0] == one.database), "{:?}", report.held);
        server.sql_in(
            &unnamed.database,
            &format!("SET ROLE {}; GRANT SELECT ON app.v TO {}", unnamed.owner, one.grantee),
        );
        let authority = GrantSpec { recorded: report.held, mode: Mode::Authoritative, ..narrowed };
        let found = Grants::grant(adapter, &authority, &Selection::Detect).unwrap();
        assert_eq!(found.update.changes.len(), 1, "{:?}", found.update.changes);
        assert!(found.update.changes[0].destructive);
        let report = settle(adapter, &authority);
        // A database that is dropped takes its rights along, and nothing waits for it.
        server.sql(&format!("DROP DATABASE {}", one.database));
        let waiting = Grants::grant(adapter, &authority, &Selection::All).unwrap().update.changes;
        assert!(!waiting.is_empty() && waiting.iter().all(|change| change.lacking.is_some()), "{waiting:?}");
        Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..authority }).unwrap();
        assert_eq!(Grants::get_grants(adapter, &grantee(&one.grantee)).unwrap(), []);
    });
}
