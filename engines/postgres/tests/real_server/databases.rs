//! Databases on a real server.

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{Databases, ErrorKind, Proof, Schemas, Selection, Users};
use engine_postgres::Postgres;
use serde_json::{Value, json};

use crate::support::{PASSWORD, everywhere, hostile_names, mark, password, proof, sweeping};

pub(crate) fn spec(name: &str, owner: Option<&str>, options: &Value) -> DatabaseSpec {
    DatabaseSpec {
        name: name.to_owned(),
        owner: owner.map(str::to_owned),
        comment: None,
        options: Some(options.to_string()),
    }
}

pub(crate) fn user(adapter: &mut Postgres, name: &str) {
    let spec =
        UserSpec { name: name.to_owned(), roles: Vec::new(), shared_roles: Vec::new(), comment: None, options: None };
    Users::create(adapter, &spec, Some(&password()), &mark(&format!("user {name}"))).unwrap();
}

fn ids(adapter: &mut Postgres, spec: &DatabaseSpec, nonce: &str) -> Vec<String> {
    let report = Databases::update(adapter, spec, &mark(nonce), &[], &Selection::Detect).unwrap();
    let swept = Databases::update(&mut sweeping(), spec, &mark(nonce), &[], &Selection::Detect).unwrap();
    assert_eq!(swept, report, "in a sweep");
    report.changes.into_iter().map(|change| change.id).collect()
}

fn all(adapter: &mut Postgres, spec: &DatabaseSpec, nonce: &str) -> Vec<String> {
    let report = Databases::update(adapter, spec, &mark(nonce), &[], &Selection::All);
    report.unwrap_or_else(|error| panic!("{:?}: {error:?}", spec.options)).applied
}

#[test]
fn after_applying_all_nothing_is_different_for_every_field() {
    everywhere(|server, adapter, tag| {
        let name = format!("law_{tag}");
        let (owner, other) = (format!("own_{tag}"), format!("oth_{tag}"));
        user(adapter, &owner);
        user(adapter, &other);
        let folder = server.new_folder(&format!("space_{tag}"));
        server.sql(&format!("CREATE TABLESPACE space_{tag} LOCATION '{folder}'"));
        server.sql(&format!("GRANT CREATE ON TABLESPACE space_{tag}, pg_default TO administrator"));
        let plain = spec(&name, None, &json!({}));
        Databases::create(adapter, &plain, &mark("law")).unwrap();
        assert_eq!(ids(adapter, &plain, "law"), [""; 0], "right after creation");
        let space = format!("space_{tag}");
        let cases = [
            (None, json!({"encoding": "utf-8", "lcCollate": "C.UTF-8", "lcCtype": "C.utf8"})),
            (None, json!({"connectionLimit": 0})),
            (None, json!({"isTemplate": true})),
            (None, json!({"allowConnections": false})),
            (Some(&owner), json!({"connectionLimit": 5})),
            (Some(&owner), json!({"schemas": [{"name": "plain"}, {"name": "x'; DROP", "owner": other}]})),
            (Some(&owner), json!({"schemas": [{"name": "plain", "owner": other}]})),
            (
                Some(&owner),
                json!({"extensions": [{"name": "hstore", "version": "1.6"}, {"name": "citext", "schema": "made for it"}]}),
            ),
            (Some(&owner), json!({"extensions": [{"name": "hstore", "version": "1.7"}, {"name": "plpgsql"}]})),
            (Some(&owner), json!({"extensions": [{"name": "citext", "schema": "moved here"}]})),
            (
                Some(&owner),
                json!({"defaultPrivileges": [
                    {"role": owner, "grantee": other, "schema": "plain", "objectType": "tables", "privileges": ["SELECT", "INSERT"]},
                    {"role": owner, "grantee": other, "schema": "plain", "objectType": "tables", "privileges": ["UPDATE"]},
                    {"role": owner, "schema": "plain", "objectType": "sequences", "privileges": ["ALL"]},
                    {"role": other, "grantee": "PUBLIC", "schema": "plain", "objectType": "functions", "privileges": ["EXECUTE"]},
                    {"role": other, "grantee": owner, "schema": "public", "objectType": "types", "privileges": ["ALL PRIVILEGES"]},
                ]}),
            ),
            (Some(&other), json!({"tablespace": space})),
            (Some(&owner), json!({"tablespace": "pg_default"})),
        ];
        for (owner, options) in cases {
            let stated = spec(&name, owner.map(String::as_str), &options);
            let found = ids(adapter, &stated, "law");
            if found == ["extension-schema:citext"] && tag == "c" {
                // What a trusted extension made belongs to the first superuser: nobody else can move it.
                let error = Databases::update(adapter, &stated, &mark("law"), &[], &Selection::All).unwrap_err();
                assert_eq!(error.kind, ErrorKind::PermissionDenied);
                continue;
            }
            assert_eq!(found.is_empty(), options.get("encoding").is_some(), "{options}");
            assert_eq!(all(adapter, &stated, "law"), found, "{options}");
            assert_eq!(ids(adapter, &stated, "law"), [""; 0], "{options}");
        }
        let commented = DatabaseSpec { comment: Some("it's [x]".to_owned()), ..spec(&name, None, &json!({})) };
        assert_eq!(all(adapter, &commented, "law"), ["comment"]);
        assert_eq!(ids(adapter, &commented, "law"), [""; 0]);
        let info = Databases::get_info(adapter, &name).unwrap().unwrap();
        assert_eq!((info.mark, info.owner.as_deref()), (Some(mark("law")), Some(owner.as_str())));
        assert!(info.size_bytes.is_some_and(|size| size > 1_000_000));
        let details: Value = serde_json::from_str(&info.details.unwrap()).unwrap();
        assert_eq!(details["encoding"], "UTF8");
        let made = server.sql_in(&name, "SELECT string_agg(nspname || ':' || nspowner::regrole, ' ' ORDER BY nspname COLLATE \"C\") FROM pg_namespace WHERE nspname IN ('plain', 'x''; DROP')");
        assert_eq!(made.replace('"', ""), format!("plain:{other} x'; DROP:{other}"));
        // What creation fixed is reported and never tried.
        let fixed = spec(&name, None, &json!({"encoding": "LATIN1", "lcCollate": "POSIX"}));
        let report = Databases::update(adapter, &fixed, &mark("law"), &[], &Selection::All).unwrap();
        assert!(report.applied.iter().all(|id| id == "comment"), "{:?}", report.applied);
        let impossible: Vec<_> =
            report.changes.iter().filter(|one| one.impossible).map(|one| one.id.as_str()).collect();
        assert_eq!(impossible, ["encoding", "collation"]);
        // Nobody but the owner could drop it, and a template not even with force.
        all(adapter, &spec(&name, Some(&owner), &json!({"isTemplate": true})), "law");
        Databases::drop(adapter, &plain, &proof(&mark("law")), true).unwrap();
        assert!(!Databases::exists(adapter, &name).unwrap());
    });
}

#[test]
fn a_closed_database_is_opened_filled_and_closed_again() {
    everywhere(|_, adapter, tag| {
        let name = format!("closed_{tag}");
        let filled = json!({"allowConnections": false, "schemas": [{"name": "app"}]});
        let closed = spec(&name, None, &filled);
        Databases::create(adapter, &closed, &mark("c")).unwrap();
        assert_eq!(all(adapter, &closed, "c"), ["schema:app", "allowConnections"]);
        assert_eq!(ids(adapter, &closed, "c"), [""; 0]);
        let open = spec(&name, None, &json!({"schemas": [{"name": "app"}, {"name": "more"}]}));
        assert_eq!(ids(adapter, &open, "c"), ["allowConnections"]);
        assert_eq!(all(adapter, &open, "c"), ["allowConnections", "schema:more"]);
        assert_eq!(ids(adapter, &open, "c"), [""; 0]);
    });
}

#[test]
fn hostile_names_are_taken_literally() {
    everywhere(|server, adapter, tag| {
        for name in hostile_names(tag) {
            let owner = format!("{}o", name.chars().take(20).collect::<String>());
            if !Users::exists(adapter, &owner).unwrap() {
                user(adapter, &owner);
            }
            let stated = DatabaseSpec {
                comment: Some(name.clone()),
                ..spec(&name, Some(&owner), &json!({"schemas": [{"name": name, "owner": owner}]}))
            };
            Databases::create(adapter, &stated, &mark("h")).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            all(adapter, &stated, "h");
            assert_eq!(ids(adapter, &stated, "h"), [""; 0], "{name}");
            assert!(Schemas::list_schemas(adapter, &name).unwrap().contains(&name));
            Databases::drop(adapter, &stated, &proof(&mark("h")), false)
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(!Databases::exists(adapter, &name).unwrap());
        }
        for name in ["", "a\0b", &"n".repeat(64), "postgres", "template1", "dbops_x"] {
            let error = Databases::create(adapter, &spec(name, None, &json!({})), &mark("h")).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::InvalidOptions(_)), "{name:?}: {error:?}");
        }
        assert_eq!(
            server.sql("SELECT count(*) FROM pg_database WHERE datname IN ('postgres', 'template0', 'template1')"),
            "3"
        );
    });
}

#[test]
fn what_a_crash_left_is_taken_up_or_made_anew() {
    everywhere(|server, adapter, tag| {
        let name = format!("crash_{tag}");
        let nonce = format!("n{tag}");
        let admin = if tag == "s" { "root_of_all" } else { "administrator" };
        let plain = spec(&name, None, &json!({"tablespace": "pg_default"}));
        // Before the comment.
        server.sql(&format!("CREATE DATABASE dbops_{nonce} OWNER {admin} TEMPLATE template0"));
        let left = server.sql(&format!("SELECT oid FROM pg_database WHERE datname = 'dbops_{nonce}'"));
        let info = Databases::create(adapter, &plain, &mark(&nonce)).unwrap();
        assert_eq!(info.object_id.as_deref(), Some(left.as_str()), "taken up");
        assert_eq!(info.mark, Some(mark(&nonce)));
        // After everything: the answer was lost.
        assert_eq!(Databases::create(adapter, &plain, &mark(&nonce)).unwrap().object_id, info.object_id);
        Databases::drop(adapter, &plain, &proof(&mark(&nonce)), false).unwrap();
        // The spec was edited in between.
        server.sql(&format!("CREATE DATABASE dbops_{nonce} OWNER {admin} TEMPLATE template0"));
        let latin = spec(&name, None, &json!({"encoding": "SQL_ASCII", "lcCollate": "C", "lcCtype": "C"}));
        let info = Databases::create(adapter, &latin, &mark(&nonce)).unwrap();
        assert!(info.details.unwrap().contains("SQL_ASCII"));
        Databases::drop(adapter, &latin, &proof(&mark(&nonce)), false).unwrap();
        // The resource was deleted in between.
        server.sql(&format!("CREATE DATABASE dbops_{nonce} OWNER {admin} TEMPLATE template0"));
        Databases::clean_up(adapter, &mark(&nonce)).unwrap();
        Databases::clean_up(adapter, &mark(&nonce)).unwrap();
        // The name was taken in between.
        server.sql(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        let error = Databases::create(adapter, &plain, &mark(&nonce)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists);
        let error = Databases::update(
            adapter,
            &spec(&name, None, &json!({"connectionLimit": 1})),
            &mark(&nonce),
            &[],
            &Selection::All,
        )
        .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        for wrong in [proof(&mark(&nonce)), Proof { mark: None, object_id: Some("1".to_owned()) }] {
            let error = Databases::drop(adapter, &plain, &wrong, true).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict);
        }
        for name in ["postgres", "template1"] {
            let error =
                Databases::drop(adapter, &spec(name, None, &json!({})), &Proof { mark: None, object_id: None }, true)
                    .unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied);
        }
        assert_eq!(server.sql(&format!("SELECT datconnlimit FROM pg_database WHERE datname = '{name}'")), "-1");
    });
}

#[test]
fn a_database_in_use_is_dropped_only_by_force() {
    everywhere(|server, adapter, tag| {
        let (name, app) = (format!("used_{tag}"), format!("app_{tag}"));
        user(adapter, &app);
        let stated = spec(&name, Some(&app), &json!({}));
        Databases::create(adapter, &stated, &mark("u")).unwrap();
        all(adapter, &stated, "u");
        let mut idle = server.idle_session(&app, PASSWORD, &name);
        let error = Databases::drop(adapter, &stated, &proof(&mark("u")), false).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Transient(_)), "{error:?}");
        assert!(Databases::exists(adapter, &name).unwrap());
        Databases::drop(adapter, &stated, &proof(&mark("u")), true).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        assert!(idle.has_ended());
        assert!(!Databases::exists(adapter, &name).unwrap());
        Databases::drop(adapter, &stated, &proof(&mark("u")), true).unwrap();
    });
}

#[test]
fn companions_come_and_go_with_their_database() {
    everywhere(|server, adapter, tag| {
        let name = format!("auto_{tag}");
        let (role, app) = (format!("db_{name}_owner"), format!("db_{name}_app"));
        let stated = spec(&name, None, &json!({"ownership": {"autoOwnership": true, "dropOnDelete": true}}));
        let examined = <Postgres as Databases>::examine(&stated).unwrap();
        assert_eq!(
            examined.companions.iter().map(|one| one.name.clone()).collect::<Vec<_>>(),
            [role.clone(), app.clone()]
        );
        assert!(examined.companions[1].wants_password && examined.references.is_empty());
        Databases::create(adapter, &stated, &mark("a")).unwrap();
        let passwords = [(app.clone(), password())];
        let report = Databases::update(adapter, &stated, &mark("a"), &passwords, &Selection::All).unwrap();
        assert!(report.applied.contains(&format!("ownership-user:{app}")), "{:?}", report.applied);
        assert_eq!(ids(adapter, &stated, "a"), [""; 0]);
        let phase = |adapter: &mut Postgres| {
            let report = Databases::update(adapter, &stated, &mark("a"), &[], &Selection::Detect).unwrap();
            let details: Value = serde_json::from_str(&report.details.unwrap()).unwrap();
            (details["ownership"]["phase"].clone(), details["ownership"]["message"].as_str().map(str::to_owned))
        };
        assert_eq!(phase(adapter), (json!("Ready"), None));
        for (spoilt, word, mended) in [
            (format!("REVOKE {role} FROM {app}"), "no member", format!("GRANT {role} TO {app}")),
            (format!("ALTER ROLE {app} NOLOGIN"), "may not log in", format!("ALTER ROLE {app} LOGIN")),
            (
                format!("ALTER ROLE {app} IN DATABASE {name} RESET role"),
                "begin as",
                format!("ALTER ROLE {app} IN DATABASE {name} SET role = '{role}'"),
            ),
        ] {
            // What the administrator granted is its to take back, as which a superuser may act.
            let admin = if tag == "s" { "root_of_all" } else { "administrator" };
            server.sql(&format!("SET ROLE {admin}; {spoilt}"));
            let (phase, message) = phase(adapter);
            assert_eq!(phase, "Failed", "{spoilt}");
            assert!(message.as_deref().is_some_and(|message| message.contains(word)), "{message:?}");
            server.sql(&format!("SET ROLE {admin}; {mended}"));
        }
        assert_eq!(phase(adapter), (json!("Ready"), None));
        let answer = server.sql_as(
            &app,
            PASSWORD,
            &name,
            "CREATE SCHEMA s; CREATE TABLE s.t (a int); SELECT tableowner FROM pg_tables WHERE tablename = 't'",
        );
        assert_eq!(answer.unwrap(), role, "what the user creates is the role's");
        server.sql_as(&app, PASSWORD, &name, "RESET ROLE; SET ROLE none; CREATE TABLE s.mine (a int)").unwrap();
        assert_eq!(server.sql_in(&name, &format!("SELECT has_table_privilege('{role}', 's.mine', 'DELETE')")), "t");
        assert_eq!(Databases::get_info(adapter, &name).unwrap().unwrap().owner, Some(role.clone()));
        Databases::drop(adapter, &stated, &proof(&mark("a")), true).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
        for gone in [&role, &app] {
            assert!(!Users::exists(adapter, gone).unwrap(), "{gone}");
        }
        // Somebody else's role of that name is never used, changed or dropped.
        server.sql(&format!("CREATE ROLE \"{role}\""));
        Databases::create(adapter, &stated, &mark("b")).unwrap();
        let error = Databases::update(adapter, &stated, &mark("b"), &passwords, &Selection::All).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        Databases::drop(adapter, &stated, &proof(&mark("b")), true).unwrap();
        assert!(Users::exists(adapter, &role).unwrap());
    });
}

#[test]
fn what_is_missing_is_named_and_nothing_is_changed() {
    everywhere(|_, adapter, tag| {
        let name = format!("lack_{tag}");
        let plain = spec(&name, None, &json!({}));
        Databases::create(adapter, &plain, &mark("m")).unwrap();
        for (owner, options, word) in [
            (Some("nobody here"), json!({}), "nobody here"),
            (None, json!({"tablespace": "nowhere"}), "nowhere"),
            (None, json!({"extensions": [{"name": "no_such_thing"}]}), "no_such_thing"),
            (None, json!({"extensions": [{"name": "hstore", "version": "99"}]}), "99"),
            (None, json!({"schemas": [{"name": "s", "owner": "nobody here"}]}), "nobody here"),
            (
                None,
                json!({"defaultPrivileges": [{"role": "nobody here", "schema": "public", "objectType": "tables", "privileges": ["SELECT"]}]}),
                "nobody here",
            ),
        ] {
            let error = Databases::update(adapter, &spec(&name, owner, &options), &mark("m"), &[], &Selection::All)
                .unwrap_err();
            assert_eq!(error.kind, ErrorKind::DependencyMissing, "{options}: {error:?}");
            assert!(error.message.contains(word), "{}", error.message);
        }
        assert_eq!(ids(adapter, &plain, "m"), [""; 0]);
        let error =
            Databases::create(adapter, &spec(&format!("{name}2"), None, &json!({"template": "nothing"})), &mark("m2"))
                .unwrap_err();
        assert_eq!(error.kind, ErrorKind::DependencyMissing, "{error:?}");
        let error =
            Databases::create(adapter, &spec(&format!("{name}2"), None, &json!({"encoding": "KLINGON"})), &mark("m2"))
                .unwrap_err();
        assert!(matches!(error.kind, ErrorKind::InvalidOptions(_)), "{error:?}");
        let error = Databases::update(adapter, &spec("not there", None, &json!({})), &mark("m"), &[], &Selection::All)
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    });
}

#[test]
fn schemas_and_extensions_can_be_changed_one_at_a_time() {
    everywhere(|_, adapter, tag| {
        let name = format!("single_{tag}");
        Databases::create(adapter, &spec(&name, None, &json!({})), &mark("g")).unwrap();
        Schemas::create_schema(adapter, &name, "a b", None).unwrap();
        Schemas::create_schema(adapter, &name, "a b", None).unwrap();
        assert!(Schemas::schema_exists(adapter, &name, "a b").unwrap());
        let wanted = dbprovision_sdk::adapter::schemas::Extension {
            name: "hstore".to_owned(),
            schema: Some("a b".to_owned()),
            version: None,
        };
        Schemas::create_extension(adapter, &name, &wanted).unwrap();
        let listed = Schemas::list_extensions(adapter, &name).unwrap();
        assert!(listed.iter().any(|one| one.name == "hstore" && one.schema.as_deref() == Some("a b")));
        Schemas::drop_extension(adapter, &name, "hstore").unwrap();
        Schemas::drop_schema(adapter, &name, "a b").unwrap();
        Schemas::drop_schema(adapter, &name, "a b").unwrap();
        assert_eq!(Schemas::list_schemas(adapter, &name).unwrap(), ["public"]);
    });
}
