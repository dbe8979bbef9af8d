//! Statements as text.

use std::collections::BTreeSet;

use dbprovision_sdk::Mark;
use postgres_options::{PostgresDatabaseConfig, PostgresObjectType};

use super::grant::{self, Options, Target};
use super::membership::OwnGrant;
use crate::grants::right::Level;
use crate::note::Given;

use super::{database, inside, membership, ownership, script, user};

fn mark() -> Mark {
    Mark {
        cluster: "c".to_owned(),
        operator: "o".to_owned(),
        kind: "Database".to_owned(),
        namespace: "n".to_owned(),
        name: "it's".to_owned(),
        nonce: "1".to_owned(),
    }
}

const MARK: &str = "[dbops:1 cluster=c;operator=o;kind=Database;namespace=n;name=it%27s;nonce=1;]";

#[test]
fn a_database_is_created_with_what_cannot_be_changed_later() {
    let plain = PostgresDatabaseConfig::default();
    assert_eq!(
        database::create("a\"b", &plain).sql,
        "CREATE DATABASE \"a\"\"b\" TEMPLATE \"template0\" ENCODING 'UTF8'"
    );
    let copied = PostgresDatabaseConfig { template: Some("seed".to_owned()), ..PostgresDatabaseConfig::default() };
    assert_eq!(database::create("a", &copied).sql, "CREATE DATABASE \"a\" TEMPLATE \"seed\"");
    let full = PostgresDatabaseConfig {
        encoding: Some("LATIN1".to_owned()),
        lc_collate: Some("C".to_owned()),
        lc_ctype: Some("it's".to_owned()),
        tablespace: Some("fast disk".to_owned()),
        ..PostgresDatabaseConfig::default()
    };
    assert_eq!(
        database::create("a", &full).sql,
        "CREATE DATABASE \"a\" TEMPLATE \"template0\" ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'it''s' TABLESPACE \"fast disk\""
    );
}

#[test]
fn a_comment_holds_the_words_and_the_mark() {
    assert_eq!(
        database::comment("a", Some("it's mine"), &mark()).sql,
        format!("COMMENT ON DATABASE \"a\" IS 'it''s mine {MARK}'")
    );
    assert_eq!(
        user::comment("a", None, &Given::default(), Some(&mark())).sql,
        format!("COMMENT ON ROLE \"a\" IS '{MARK}'")
    );
    let given = Given { roles: BTreeSet::from(["a b".to_owned()]), ..Given::default() };
    assert_eq!(
        user::comment("a", Some("mine"), &given, Some(&mark())).sql,
        format!("COMMENT ON ROLE \"a\" IS 'mine [dbops-roles:a%20b,] {MARK}'")
    );
    assert_eq!(user::comment("a", None, &Given::default(), None).sql, "COMMENT ON ROLE \"a\" IS NULL");
}

#[test]
fn databases_are_renamed_and_dropped_by_quoted_names() {
    assert_eq!(database::rename("dbops_1", "x'; --").sql, "ALTER DATABASE \"dbops_1\" RENAME TO \"x'; --\"");
    assert_eq!(database::drop("a", true).sql, "DROP DATABASE IF EXISTS \"a\" WITH (FORCE)");
    assert_eq!(database::drop("a", false).sql, "DROP DATABASE IF EXISTS \"a\"");
}

#[test]
fn a_setting_that_is_a_list_is_quoted_by_element() {
    assert_eq!(
        user::set("u", "search_path", "\"$user\", App, \"Odd, \"\"one\""),
        "ALTER ROLE \"u\" SET \"search_path\" = '$user', 'app', 'Odd, \"one'"
    );
    assert_eq!(user::set("u", "search_path", ""), "ALTER ROLE \"u\" SET \"search_path\" = ''");
    assert_eq!(user::set("u", "app.x", "a, b"), "ALTER ROLE \"u\" SET \"app\".\"x\" = 'a, b'");
    assert!(user::same_value("Search_Path", "\"$user\", public", "\"$user\",PUBLIC"));
    assert!(!user::same_value("search_path", "\"PUBLIC\"", "public"));
    assert!(!user::same_value("work_mem", "64MB", "65536kB"));
}

#[test]
fn a_user_is_created_with_a_verifier() {
    let attributes = ["LOGIN".to_owned(), "CONNECTION LIMIT 3".to_owned()];
    assert_eq!(
        user::create("u", &attributes, Some("SCRAM-SHA-256$4096:x")).sql,
        "CREATE ROLE \"u\" LOGIN CONNECTION LIMIT 3 PASSWORD 'SCRAM-SHA-256$4096:x'"
    );
    assert_eq!(user::alter("u", &user::valid_until(None)), "ALTER ROLE \"u\" VALID UNTIL 'infinity'");
    assert_eq!(user::reset("u", "role"), "ALTER ROLE \"u\" RESET \"role\"");
}

#[test]
fn a_borrowed_membership_is_taken_back_as_it_was() {
    assert_eq!(membership::lend("r", "me", true).sql, "GRANT \"r\" TO \"me\" WITH INHERIT TRUE, SET TRUE");
    assert_eq!(membership::lend("r", "me", false).sql, "GRANT \"r\" TO \"me\"");
    let sql = |with_options, before| membership::restore("r", "me", with_options, before).map(|one| one.sql);
    assert_eq!(sql(true, None).as_deref(), Some("REVOKE \"r\" FROM \"me\""));
    assert_eq!(sql(false, None).as_deref(), Some("REVOKE \"r\" FROM \"me\""));
    let own = OwnGrant { inherit: false, set: true };
    assert_eq!(sql(true, Some(own)).as_deref(), Some("GRANT \"r\" TO \"me\" WITH INHERIT FALSE, SET TRUE"));
    assert_eq!(sql(false, Some(own)), None);
    assert_eq!(membership::revoke("r", "u", Some("g")), "REVOKE \"r\" FROM \"u\" GRANTED BY \"g\"");
}

#[test]
fn what_is_inside_is_created_where_it_is_missing() {
    assert_eq!(
        inside::create_extension("uuid-ossp", Some("public"), Some("1.1")),
        "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" SCHEMA \"public\" VERSION '1.1'"
    );
    assert_eq!(inside::create_schema("s", Some("o")), "CREATE SCHEMA IF NOT EXISTS \"s\" AUTHORIZATION \"o\"");
    assert_eq!(
        inside::default_privileges("r", Some("s"), "SELECT, INSERT", PostgresObjectType::Tables, "public"),
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"r\" IN SCHEMA \"s\" GRANT SELECT, INSERT ON TABLES TO PUBLIC"
    );
    assert_eq!(ownership::session_role("u", "d", "r'o"), "ALTER ROLE \"u\" IN DATABASE \"d\" SET role = 'r''o'");
    assert_eq!(
        script::create_role("dbops_script_1", "SCRAM", "2030-01-01").sql,
        "CREATE ROLE \"dbops_script_1\" LOGIN CONNECTION LIMIT 1 PASSWORD 'SCRAM' VALID UNTIL '2030-01-01'"
    );
}

#[test]
fn rights_name_their_objects_in_full() {
    let object = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let all = [
        (Level::Database, object(&["d\"x"]), "DATABASE \"d\"\"x\""),
        (Level::Schema, object(&["d", "s"]), "SCHEMA \"s\""),
        (Level::Table, object(&["d", "s", "t; --"]), "TABLE \"s\".\"t; --\""),
        (Level::Sequence, object(&["d", "s", "q"]), "SEQUENCE \"s\".\"q\""),
        (
            Level::Function,
            object(&["d", "s", "f(x)(s.\"a b\", integer)"]),
            "FUNCTION \"s\".\"f(x)\"(s.\"a b\", integer)",
        ),
        (Level::Procedure, object(&["d", "s", "p()"]), "PROCEDURE \"s\".\"p\"()"),
        (Level::Type, object(&["d", "s", "y"]), "TYPE \"s\".\"y\""),
    ];
    for (level, object, place) in &all {
        let function = (*level == Level::Function).then_some("s.\"a b\", integer");
        let arguments = function.or((*level == Level::Procedure).then_some(""));
        let target = Target { level: *level, object, arguments, receiver: Some("PUBLIC") };
        assert_eq!(target.grant(&["A", "B"], true), format!("GRANT A, B ON {place} TO \"PUBLIC\" WITH GRANT OPTION"));
        let everyone = Target { receiver: None, ..target };
        assert_eq!(everyone.revoke(&["A"], false), format!("REVOKE A ON {place} FROM PUBLIC"));
    }
    let column = object(&["d", "s", "t", "c\"c"]);
    let column = Target { level: Level::Column, object: &column, arguments: None, receiver: Some("r") };
    assert_eq!(
        column.revoke(&["SELECT", "UPDATE"], true),
        "REVOKE GRANT OPTION FOR SELECT (\"c\"\"c\"), UPDATE (\"c\"\"c\") ON TABLE \"s\".\"t\" FROM \"r\""
    );
    let default = object(&["d", "o'o", "functions", "s"]);
    let default = Target { level: Level::Default, object: &default, arguments: None, receiver: Some("r") };
    assert_eq!(
        default.grant(&["EXECUTE"], false),
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"o'o\" IN SCHEMA \"s\" GRANT EXECUTE ON FUNCTIONS TO \"r\""
    );
    let everywhere = object(&["d", "o", "types"]);
    let everywhere = Target { object: &everywhere, ..default };
    assert_eq!(
        everywhere.revoke(&["USAGE"], false),
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"o\" REVOKE USAGE ON TYPES FROM \"r\""
    );
    let options = Options { admin: true, inherit: false, set: true };
    assert_eq!(grant::admit("r", "m", options, false), "GRANT \"r\" TO \"m\" WITH ADMIN OPTION");
    assert_eq!(grant::admit("r", "m", Options::default(), false), "GRANT \"r\" TO \"m\"");
    assert_eq!(grant::dismiss("r", "m", "MEMBER", true, None), "REVOKE ADMIN OPTION FOR \"r\" FROM \"m\"");
    assert_eq!(
        grant::dismiss("r", "m", "SET", false, Some("g")),
        "REVOKE SET OPTION FOR \"r\" FROM \"m\" GRANTED BY \"g\""
    );
}
