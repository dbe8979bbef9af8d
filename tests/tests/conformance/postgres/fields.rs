//! The fields of databases, users and roles.

use serde_json::json;

use crate::cases::{Case, SUBJECT, Sql};

const FIRST: &str = "first_user";
const SECOND: &str = "second_user";
const GROUP: &str = "first_role";
const OTHER_GROUP: &str = "second_role";

fn server(text: impl Into<String>) -> Sql {
    Sql::new("postgres", text)
}

fn within(text: &str) -> Sql {
    Sql::new(SUBJECT, text)
}

/// A tablespace to move to, and a template with something in it.
pub(super) fn scenery() -> Vec<Sql> {
    vec![
        server("CREATE TABLESPACE other_space LOCATION ''"),
        server("GRANT CREATE ON TABLESPACE other_space, pg_default TO provisioner"),
        server("CREATE DATABASE pattern TEMPLATE template0 IS_TEMPLATE true"),
        Sql::new("pattern", "CREATE TABLE from_the_pattern (a int)"),
    ]
}

/// How somebody else changes the words of a comment and leaves the mark.
fn reworded(catalogue: &str, name: &str, object: &str) -> Sql {
    server(format!(
        "DO $do$ BEGIN EXECUTE format('COMMENT ON {object} law IS %L', replace(
           (SELECT shobj_description(oid, '{catalogue}') FROM {catalogue} WHERE {name} = 'law'), 'words', 'others'));
         END $do$"
    ))
}

pub(super) fn databases() -> Vec<Case> {
    let of = |column: &str| server(format!("SELECT {column} FROM pg_database WHERE datname = 'law'"));
    let alter = |clause: &str| server(format!("ALTER DATABASE law {clause}"));
    let mut cases = vec![
        Case::options(json!({"encoding": "utf-8", "lcCollate": "C.UTF-8", "lcCtype": "C.utf8"}), &[]),
        Case::options(
            json!({"encoding": "LATIN1", "lcCollate": "POSIX", "lcCtype": "C"}),
            &["options.encoding", "options.lcCollate", "options.lcCtype"],
        )
        .never(),
        Case::options(json!({"connectionLimit": 0}), &["options.connectionLimit"]),
        Case::options(json!({"connectionLimit": 5}), &["options.connectionLimit"]).drifts(
            "options.connectionLimit",
            alter("CONNECTION LIMIT 9"),
            of("datconnlimit"),
        ),
        Case::options(json!({"isTemplate": true}), &["options.isTemplate", "options.connectionLimit"]).drifts(
            "options.isTemplate",
            alter("IS_TEMPLATE false"),
            of("datistemplate"),
        ),
        Case::options(json!({"allowConnections": false}), &["options.allowConnections"]).drifts(
            "options.allowConnections",
            alter("ALLOW_CONNECTIONS true"),
            of("datallowconn"),
        ),
        Case::options(json!({"tablespace": "other_space"}), &["options.tablespace", "options.allowConnections"])
            .drifts("options.tablespace", alter("SET TABLESPACE pg_default"), of("dattablespace")),
        Case::options(json!({"allowConnections": true}), &["owner"]).owner(FIRST).drifts(
            "owner",
            alter(&format!("OWNER TO {SECOND}")),
            of("datdba::regrole"),
        ),
        Case::options(json!({}), &["comment"]).comment("it's [my] \\ words").drifts(
            "comment",
            reworded("pg_database", "datname", "DATABASE"),
            of("shobj_description(oid, 'pg_database')"),
        ),
    ];
    cases.extend(inside());
    cases.extend(creations());
    cases
}

/// What is inside a database.
fn inside() -> Vec<Case> {
    let versions = within("SELECT string_agg(extname || extversion, ' ' ORDER BY extname) FROM pg_extension");
    let schemas = within("SELECT string_agg(nspname || nspowner::regrole, ' ' ORDER BY nspname) FROM pg_namespace");
    let defaults = within("SELECT string_agg(defaclacl::text, ' ' ORDER BY oid) FROM pg_default_acl");
    vec![
        Case::options(
            json!({"schemas": [{"name": "plain"}, {"name": "x'; DROP", "owner": SECOND}]}),
            &["options.schemas"],
        )
        .owner(FIRST)
        .drifts("options.schemas", within("DROP SCHEMA \"x'; DROP\""), schemas.clone()),
        Case::options(json!({"schemas": [{"name": "plain", "owner": SECOND}]}), &["options.schemas[0].owner"])
            .owner(FIRST)
            .drifts("options.schemas[0].owner", within(&format!("ALTER SCHEMA plain OWNER TO {FIRST}")), schemas),
        Case::options(
            json!({"extensions": [{"name": "hstore", "version": "1.6"}, {"name": "citext", "schema": "made for it"}]}),
            &["options.extensions[0]", "options.extensions[1]"],
        )
        .owner(FIRST)
        .drifts("options.extensions[1]", within("DROP EXTENSION citext"), versions.clone()),
        Case::options(
            json!({"extensions": [{"name": "hstore", "version": "1.7"}, {"name": "plpgsql"}]}),
            &["options.extensions[0].version"],
        )
        .owner(FIRST)
        .drifts(
            "options.extensions[0].version",
            within(&format!("DROP EXTENSION hstore; SET ROLE {FIRST}; CREATE EXTENSION hstore VERSION '1.6'")),
            versions,
        ),
        // What a trusted extension made belongs to the first superuser: nobody else can move it.
        Case::options(
            json!({"extensions": [{"name": "citext", "schema": "moved here"}]}),
            &["options.extensions[0].schema"],
        )
        .owner(FIRST)
        .by_superuser()
        .drifts(
            "options.extensions[0].schema",
            within("ALTER EXTENSION citext SET SCHEMA \"made for it\""),
            within("SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'citext'"),
        ),
        Case::options(
            json!({"defaultPrivileges": [
                {"role": FIRST, "grantee": SECOND, "schema": "plain", "objectType": "tables", "privileges": ["SELECT", "INSERT"]},
                {"role": FIRST, "grantee": SECOND, "schema": "plain", "objectType": "tables", "privileges": ["UPDATE"]},
                {"role": FIRST, "schema": "plain", "objectType": "sequences", "privileges": ["ALL"]},
            ]}),
            &["options.defaultPrivileges"],
        )
        .owner(FIRST)
        .drifts(
            "options.defaultPrivileges",
            within(&format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {FIRST} IN SCHEMA plain REVOKE INSERT ON TABLES FROM {SECOND}"
            )),
            defaults,
        ),
        Case::options(
            json!({"defaultPrivileges": [
                {"role": SECOND, "grantee": "PUBLIC", "schema": "plain", "objectType": "functions", "privileges": ["EXECUTE"]},
                {"role": SECOND, "grantee": FIRST, "schema": "public", "objectType": "types", "privileges": ["ALL PRIVILEGES"]},
            ]}),
            &["options.defaultPrivileges[0]", "options.defaultPrivileges[1]"],
        ),
    ]
}

/// What acts only when a database is made.
fn creations() -> Vec<Case> {
    vec![
        Case::options(json!({"encoding": "SQL_ASCII", "lcCollate": "C", "lcCtype": "POSIX"}), &[]).created(
            "ascii",
            server(
                "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = 'ascii'",
            ),
            "SQL_ASCII|C|C",
        ),
        Case::options(json!({"template": "pattern"}), &[]).created(
            "copied",
            Sql::new("copied", "SELECT to_regclass('public.from_the_pattern')"),
            "from_the_pattern",
        ),
        Case::options(
            json!({"ownership": {
                "autoOwnership": true, "roleName": "the 'owner'", "userName": "the \"app\"", "dropOnDelete": true,
                "setDefaultPrivileges": true,
            }}),
            &[],
        )
        .created(
            "owned",
            server("SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname = 'owned'"),
            "the 'owner'",
        )
        .drifts(
            "options.ownership.userName",
            server("ALTER ROLE \"the \"\"app\"\"\" NOLOGIN"),
            server("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'the \"app\"'"),
        )
        .leaves_nothing_of(server("SELECT rolname FROM pg_roles WHERE rolname IN ('the ''owner''', 'the \"app\"')")),
    ]
}

/// The whole row of the subject.
fn row() -> Sql {
    server("SELECT row(r.*) FROM pg_roles r WHERE rolname = 'law'")
}

fn alter(clause: &str) -> Sql {
    server(format!("ALTER ROLE law {clause}"))
}

fn memberships() -> Sql {
    server("SELECT string_agg(roleid::regrole::text, ' ') FROM pg_auth_members WHERE member = 'law'::regrole")
}

/// Whoever granted them.
fn leave_all() -> Sql {
    server(
        "DO $do$ DECLARE m record; BEGIN
           FOR m IN SELECT roleid::regrole AS role, grantor::regrole AS grantor FROM pg_auth_members
                     WHERE member = 'law'::regrole LOOP
             EXECUTE format('REVOKE %s FROM law GRANTED BY %s', m.role, m.grantor);
           END LOOP;
         END $do$",
    )
}

fn flag(name: &'static str, value: bool, other: &str) -> Case {
    let field: &'static str = format!("options.{name}").leak();
    Case::options(json!({ name: value }), &[field]).drifts(field, alter(other), row())
}

/// What only a superuser may give, and takes back in the end.
fn dangerous() -> Vec<Case> {
    vec![
        flag("superuser", true, "NOSUPERUSER").by_superuser(),
        flag("replication", true, "NOREPLICATION").by_superuser(),
        flag("bypassRLS", true, "NOBYPASSRLS").by_superuser(),
        flag("createRole", true, "NOCREATEROLE").by_superuser(),
        Case::options(json!({}), &["options.createRole"]).by_superuser(),
    ]
}

pub(super) fn users() -> Vec<Case> {
    let parameter = |name: &str, value: &str| json!({"configParameters": {name: value}});
    let mut cases = vec![
        Case::options(json!({"connectionLimit": 0}), &["options.connectionLimit"]),
        Case::options(json!({"connectionLimit": 7}), &["options.connectionLimit"]).drifts(
            "options.connectionLimit",
            alter("CONNECTION LIMIT 3"),
            row(),
        ),
        Case::options(json!({"validUntil": "2030-12-31T23:59:59+01:00"}), &["options.validUntil"]).drifts(
            "options.validUntil",
            alter("VALID UNTIL '2029-01-01'"),
            row(),
        ),
        Case::options(json!({"validUntil": "Jan 5 2031"}), &["options.validUntil"]),
        flag("login", false, "LOGIN"),
        flag("inherit", false, "INHERIT"),
        flag("createDB", true, "NOCREATEDB"),
        Case::options(json!({"inRoles": [GROUP]}), &["options.inRoles"]).drifts(
            "options.inRoles",
            leave_all(),
            memberships(),
        ),
        Case::options(json!({}), &["roles"]).roles(&[OTHER_GROUP]).drifts("roles", leave_all(), memberships()),
        Case::options(json!({"defaultRole": GROUP}), &["options.defaultRole"]).roles(&[GROUP]).drifts(
            "options.defaultRole",
            alter("RESET role"),
            row(),
        ),
        Case::options(
            json!({"configParameters": {"search_path": "\"$user\", App, \"Odd, one\"", "work_mem": "64MB"}}),
            &["options.configParameters.search_path", "options.configParameters.work_mem"],
        )
        .drifts("options.configParameters", alter("SET work_mem = '1MB'"), row()),
        Case::options(
            json!({"configParameters": {"application_name": "it's \\ 1", "timezone": "Europe/Berlin"}}),
            &["options.configParameters.application_name"],
        ),
        Case::options(parameter("search_path", ""), &["options.configParameters.search_path"]),
        Case::options(json!({"configParameters": {}}), &["options.configParameters"]),
        Case::options(json!({}), &["comment"]).comment("it's \"my\" [x] words").drifts(
            "comment",
            reworded("pg_authid", "rolname", "ROLE"),
            server("SELECT shobj_description('law'::regrole, 'pg_authid')"),
        ),
    ];
    cases.extend(dangerous());
    cases
}

pub(super) fn roles() -> Vec<Case> {
    let mut cases = vec![
        flag("login", true, "NOLOGIN"),
        flag("inherit", false, "INHERIT"),
        flag("createDB", true, "NOCREATEDB"),
        Case::options(json!({"inRoles": [GROUP, OTHER_GROUP]}), &["options.inRoles"]).drifts(
            "options.inRoles",
            leave_all(),
            memberships(),
        ),
        Case::options(json!({}), &["comment"]).comment("my words").drifts(
            "comment",
            reworded("pg_authid", "rolname", "ROLE"),
            server("SELECT shobj_description('law'::regrole, 'pg_authid')"),
        ),
    ];
    cases.extend(dangerous());
    cases
}
