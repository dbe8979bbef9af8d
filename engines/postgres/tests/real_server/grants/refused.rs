//! What is waited for, what is refused, and names that hurt.

use super::*;

#[test]
fn what_is_missing_is_waited_for_by_its_name() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "missing", tag);
        let refused = |adapter: &mut Postgres, spec: &GrantSpec, selection: &Selection| {
            let error = Grants::grant(adapter, spec, selection).unwrap_err();
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            error.message
        };
        // No error, but it tells what it lacks; only to want it by name is one.
        let waits = |adapter: &mut Postgres, spec: &GrantSpec| {
            let found = Grants::grant(adapter, spec, &Selection::All).unwrap().update;
            let lacking: Vec<_> = found.changes.iter().filter(|change| change.lacking.is_some()).collect();
            assert_eq!(found.applied.len() + lacking.len(), found.changes.len(), "{spec:?}");
            let named = Selection::Only(lacking.iter().map(|change| change.id.clone()).collect());
            let sentences: Vec<_> = lacking.iter().filter_map(|change| change.lacking.clone()).collect();
            assert_eq!(refused(adapter, spec, &named), sentences[0]);
            sentences.join("; ")
        };
        let entry = |adapter: &mut Postgres, entry: Value| waits(adapter, &world.spec(entry));
        assert!(
            entry(adapter, json!({"schema": "app", "tables": ["a", "nothing"], "privileges": ["SELECT"]}))
                .contains("table app.nothing")
        );
        let nowhere = json!({"schema": "nowhere", "tables": ["a"], "privileges": ["SELECT"]});
        assert!(entry(adapter, nowhere.clone()).contains("schema nowhere"));
        // The way to what is not there is nobody's statement: it would be recorded, and taken from whoever has it later.
        assert_eq!(Grants::grant(adapter, &world.spec(nowhere), &Selection::All).unwrap().stated, []);
        assert!(
            entry(adapter, json!({"schema": "app", "columns": {"a": ["z"]}, "privileges": ["SELECT"]}))
                .contains("app.a.z")
        );
        for (field, name) in
            [("sequences", "a"), ("functions", "f(boolean)"), ("functions", "p"), ("procedures", "g"), ("types", "a")]
        {
            let mut entry_of = json!({"schema": "app", "privileges": ["ALL"]});
            entry_of[field] = json!([name]);
            assert!(entry(adapter, entry_of).contains(name), "{field} {name}");
        }
        let grants = json!({"grants": [{"database": "no such place", "schema": "app", "privileges": ["SELECT"]}]});
        assert!(waits(adapter, &spec(&world.grantee, &grants)).contains("database no such place"));
        assert!(
            waits(adapter, &spec(&world.grantee, &json!({"roles": ["no such role"]}))).contains("role no such role")
        );
        assert!(
            refused(adapter, &spec("nobody here", &json!({"roles": [world.owner]})), &Selection::All)
                .contains("role nobody here")
        );
        let default = json!({"defaultPrivileges": [{"database": world.database, "schema": "app", "grantedBy": "no such owner", "objectType": "tables", "privileges": ["SELECT"]}]});
        assert!(waits(adapter, &spec(&world.grantee, &default)).contains("role no such owner"));
        // What was applied where something is gone now is simply gone.
        let gone = Granted {
            level: "table".to_owned(),
            object: ["gone", "app", "a"].map(str::to_owned).to_vec(),
            privilege: "SELECT".to_owned(),
            grantable: false,
            grantor: Some(world.owner.clone()),
        };
        Grants::revoke(adapter, &GrantSpec { recorded: vec![gone.clone()], ..spec(&world.grantee, &json!({})) })
            .unwrap();
        Grants::revoke(adapter, &GrantSpec { recorded: vec![gone], ..spec("nobody here", &json!({})) }).unwrap();
        let error = Grants::get_grants(adapter, &grantee("nobody here")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        server.sql(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", world.database));
        let shut = world.spec(json!({"schema": "app", "privileges": ["SELECT"]}));
        assert!(waits(adapter, &shut).contains("accepts no connections"));
        assert_eq!(Grants::grant(adapter, &shut, &Selection::All).unwrap().stated, []);
    });
}

#[test]
fn what_cannot_be_is_refused_by_its_path() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "refused", tag);
        let problem = |adapter: &mut Postgres, options: &Value| {
            let error = Grants::grant(adapter, &spec(&world.grantee, options), &Selection::Detect).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{options}: {error:?}") };
            (problems[0].path.clone(), problems[0].problem.clone())
        };
        let (path, text) = problem(
            adapter,
            &world.options(json!({"schema": "app", "functions": ["g", "f"], "privileges": ["EXECUTE"]})),
        );
        assert_eq!(path, "options.grants[0].functions[1]");
        assert!(text.contains("f(integer), f(text, integer[])"), "{text}");
        let unreadable = world.spec(json!({"schema": "app", "functions": ["f(in'te]ger)"], "privileges": ["EXECUTE"]}));
        let error = Grants::grant(adapter, &unreadable, &Selection::All).unwrap_err();
        // Before 16 the server says that this is no type, and from then on that there is none.
        assert!(matches!(error.kind, ErrorKind::InvalidOptions(_) | ErrorKind::DependencyMissing), "{error:?}");
        let maintain = world.options(json!({"schema": "app", "tables": ["a"], "privileges": ["SELECT", "MAINTAIN"]}));
        if server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 170_000 {
            let report = settle(adapter, &spec(&world.grantee, &maintain));
            assert_eq!(words(&report.held), ["table app.a MAINTAIN", "table app.a SELECT"]);
            let all = world.spec(json!({"schema": "app", "tables": ["b"], "privileges": ["ALL PRIVILEGES"]}));
            assert_eq!(settle(adapter, &all).held.len(), 8);
        } else {
            let (path, text) = problem(adapter, &maintain);
            assert_eq!(path, "options.grants[0].privileges[1]");
            assert!(text.contains("a table has SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER and ALL"));
            let all = world.spec(json!({"schema": "app", "tables": ["b"], "privileges": ["ALL PRIVILEGES"]}));
            assert_eq!(settle(adapter, &all).held.len(), 7);
        }
        let opposite = json!({"grants": [
            {"database": world.database, "privileges": ["CONNECT"], "public": "Granted"},
            {"database": world.database, "privileges": ["CONNECT"], "public": "Revoked"},
        ]});
        assert_eq!(problem(adapter, &opposite).0, "options.grants[1].privileges[0]");
        let own = if tag == "s" { "root_of_all" } else { "administrator" };
        let error = Grants::grant(adapter, &spec(own, &json!({"roles": [world.owner]})), &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
    });
}

#[test]
fn hostile_names_are_taken_literally() {
    everywhere(|server, adapter, tag| {
        for (at, name) in hostile_names(tag).into_iter().enumerate() {
            let database = format!("hostile_{at}_{tag}");
            let owner = format!("{database}_owner");
            role(adapter, &owner);
            role(adapter, &name);
            server.sql(&format!("CREATE DATABASE {database} OWNER {owner}"));
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            server.sql_in(
                &database,
                &format!(
                    "SET ROLE {owner}; CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} ({quoted} int);
                     CREATE SEQUENCE {quoted}.\"s{}\"; CREATE TYPE {quoted}.\"t{0}\" AS ENUM ('x');
                     CREATE FUNCTION {quoted}.{quoted}({quoted}.\"t{0}\", int) RETURNS int LANGUAGE sql AS 'SELECT 1';
                     CREATE FUNCTION {quoted}.{quoted}({quoted}.\"t{0}\"[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
                     REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA {quoted} FROM PUBLIC",
                    name.replace('"', "\"\"").chars().take(20).collect::<String>().replace('"', "")
                ),
            );
            let stated = spec(
                &name,
                &json!({
                    "roles": [owner],
                    "grants": [
                        {"database": database, "privileges": ["CONNECT"]},
                        {"database": database, "schema": name, "privileges": ["USAGE"]},
                        {"database": database, "schema": name, "tables": [name], "columns": {name.as_str(): [name]}, "privileges": ["SELECT"]},
                        {"database": database, "schema": name, "sequences": ["*"], "functions": ["*"], "types": ["*"], "privileges": ["ALL"], "future": true},
                    ],
                    "defaultPrivileges": [{"database": database, "schema": name, "grantedBy": owner, "objectType": "tables", "privileges": ["SELECT"]}],
                }),
            );
            let report = settle(adapter, &stated);
            let signed: Vec<&Granted> = report.held.iter().filter(|one| one.level == "function").collect();
            assert_eq!(signed.len(), 2, "{:?}", report.held);
            // A function that was read can be named as it was read.
            let one = json!({"grants": [{"database": database, "schema": name, "functions": [signed[0].object[2]], "privileges": ["EXECUTE"]}]});
            let one = GrantSpec { recorded: report.held, ..spec(&name, &one) };
            let report = settle(adapter, &one);
            assert_eq!(report.held.len(), 1, "{:?}", report.held);
            Grants::revoke(adapter, &GrantSpec { recorded: report.held, ..one }).unwrap();
            assert_eq!(Grants::get_grants(adapter, &grantee(&name)).unwrap(), []);
        }
    });
}

#[test]
fn an_extensions_functions_are_not_given() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "extension", tag);
        server.sql_in(
            &world.database,
            "CREATE EXTENSION hstore SCHEMA app; REVOKE EXECUTE ON FUNCTION app.akeys(app.hstore) FROM PUBLIC",
        );
        let all = settle(adapter, &world.spec(json!({"schema": "app", "functions": ["*"], "privileges": ["EXECUTE"]})));
        assert_eq!(all.held.len(), 4, "{:?}", words(&all.held));
        let named = world.spec(json!({"schema": "app", "functions": ["akeys"], "privileges": ["EXECUTE"]}));
        let error = Grants::grant(adapter, &named, &Selection::All).unwrap_err();
        let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
        assert_eq!(problems[0].path, "options.grants[0].functions[0]");
        assert_eq!(world.asks(server, "function", "app.akeys(app.hstore)", "EXECUTE"), "f");
    });
}

#[test]
fn what_the_grantee_gave_on_is_named_before_it_is_taken() {
    everywhere(|server, adapter, tag| {
        let world = world(server, adapter, "passed", tag);
        let other = format!("passed_other_{tag}");
        role(adapter, &other);
        let entry = |grantable: bool| json!({"schema": "app", "tables": ["a"], "privileges": ["USAGE", "SELECT"], "withGrantOption": grantable});
        let wide = settle(adapter, &world.spec(entry(true)));
        server.sql_in(&world.database, &format!("SET ROLE {}; GRANT SELECT ON app.a TO {other}", world.grantee));
        let narrow = GrantSpec { recorded: wide.held.clone(), ..world.spec(entry(false)) };
        let gone = GrantSpec { recorded: wide.held, ..spec(&world.grantee, &json!({})) };
        let told = |error: dbprovision_sdk::Error| {
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            assert!(error.message.contains("SELECT on the table") && error.message.contains(&other), "{error:?}");
        };
        told(Grants::grant(adapter, &narrow, &Selection::All).unwrap_err());
        told(Grants::revoke(adapter, &gone).unwrap_err());
        server.sql_in(&world.database, &format!("SET ROLE {}; REVOKE SELECT ON app.a FROM {other}", world.grantee));
        Grants::revoke(adapter, &gone).unwrap();
        // A membership keeps who was made a member by whom from 16 on.
        let team = format!("passed_team_{tag}");
        role(adapter, &team);
        let admin = json!({"memberships": [{"role": team, "admin": true}]});
        let held = settle(adapter, &spec(&world.grantee, &admin)).held;
        server.sql(&format!("SET ROLE {}; GRANT {team} TO {other}", world.grantee));
        let gone = GrantSpec { recorded: held, ..spec(&world.grantee, &json!({})) };
        if server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 160_000 {
            let error = Grants::revoke(adapter, &gone).unwrap_err();
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
            assert!(error.message.contains(&team) && error.message.contains(&other), "{error:?}");
            server.sql(&format!("SET ROLE {}; REVOKE {team} FROM {other}", world.grantee));
        }
        Grants::revoke(adapter, &gone).unwrap();
    });
}

#[test]
fn what_only_a_superuser_could_give_is_there_where_everyone_has_it() {
    everywhere(|server, adapter, tag| {
        let (name, database) = (format!("reach_{tag}"), format!("reach_{tag}"));
        role(adapter, &name);
        server.sql(&format!("CREATE DATABASE {database}"));
        let entries = |grantable: bool| {
            json!({"grants": [
                {"database": database, "privileges": ["CONNECT"], "withGrantOption": grantable},
                {"database": database, "schema": "public", "privileges": ["USAGE"], "withGrantOption": grantable},
            ]})
        };
        let report = settle(adapter, &spec(&name, &entries(false)));
        if tag == "c" {
            assert_eq!((report.update.changes.len(), report.held.len()), (0, 0), "{:?}", report.update.changes);
            let error = Grants::grant(adapter, &spec(&name, &entries(true)), &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
        } else {
            assert_eq!(words(&report.held), ["database  CONNECT", "schema public USAGE"]);
        }
    });
}
