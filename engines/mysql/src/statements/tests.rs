//! Statements as text.

use std::collections::BTreeSet;

use super::account::{self, Authentication, Hash};
use super::database;
use super::grant::{self, Grantee};
use super::metadata::{self, Kind, RowOf};
use crate::connect::Tracking;
use crate::observe::marks::Kept;
use crate::observe::rights::{Object, Right};
use crate::server::Dialect;

fn tracking() -> Tracking {
    Tracking { database: "o`ps".to_owned(), table: "t".to_owned(), attributes: None }
}

fn authentication() -> Authentication {
    Authentication { plugin: "caching_sha2_password".to_owned(), hash: Hash::Text("$A$005$x'".to_owned()) }
}

#[test]
fn a_database_is_created_with_what_new_tables_get() {
    assert_eq!(
        database::create("a`b", Some("utf8mb4"), Some("utf8mb4_bin")).sql,
        "CREATE DATABASE `a``b` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    );
    assert_eq!(database::create("a", None, None).sql, "CREATE DATABASE `a`");
    assert_eq!(database::alter("a", None, Some("x; DROP")), "ALTER DATABASE `a` COLLATE xDROP");
    assert_eq!(database::drop("a").sql, "DROP DATABASE IF EXISTS `a`");
}

#[test]
fn an_account_is_created_with_a_hash_in_either_dialect() {
    let clauses = ["REQUIRE SSL".to_owned(), "ACCOUNT LOCK".to_owned()];
    let create = |dialect| -> Vec<String> {
        let statements = account::create("u'", &["%", "10.%"], &authentication(), &clauses, dialect);
        statements.into_iter().map(|one| one.sql).collect()
    };
    assert_eq!(
        create(Dialect::MySql),
        ["CREATE USER 'u'''@'%' IDENTIFIED WITH caching_sha2_password AS '$A$005$x''', \
          'u'''@'10.%' IDENTIFIED WITH caching_sha2_password AS '$A$005$x''' REQUIRE SSL ACCOUNT LOCK"]
    );
    assert_eq!(
        create(Dialect::MariaDb),
        [
            "CREATE USER 'u'''@'%' IDENTIFIED VIA caching_sha2_password USING '$A$005$x''' REQUIRE SSL ACCOUNT LOCK",
            "CREATE USER 'u'''@'10.%' IDENTIFIED VIA caching_sha2_password USING '$A$005$x''' REQUIRE SSL ACCOUNT LOCK"
        ]
    );
    let digits = Authentication { hash: Hash::Digits("24A1' x".to_owned()), ..authentication() };
    assert_eq!(digits.clause(Dialect::MySql), "IDENTIFIED WITH caching_sha2_password AS 0x24A1x");
}

#[test]
fn an_attribute_holds_the_mark_and_removes_what_is_gone() {
    let mark = dbprovision_sdk::Mark {
        cluster: "c".to_owned(),
        operator: "o".to_owned(),
        kind: "DatabaseUser".to_owned(),
        namespace: "n".to_owned(),
        name: "it's".to_owned(),
        nonce: "1".to_owned(),
    };
    let kept =
        Kept { mark: Some(mark), words: Some("o'ne".to_owned()), roles: Vec::new(), adopted: false, finished: true };
    let text = account::attribute(&kept);
    assert!(text.starts_with("ATTRIBUTE '{"), "{text}");
    assert!(text.contains("\"comment\":\"o''ne\"") && text.contains("\"dbops_roles\":null"), "{text}");
    assert!(text.contains("\"dbops\":\"[dbops:1 cluster=c;"), "{text}");
    let (words, parsed) = kept.text();
    assert_eq!(Kept::parse(&words, Some(&parsed), true), kept);
}

#[test]
fn a_row_of_the_table_is_written_whole() {
    let row = RowOf { kind: Kind::User, name: "u", host: "%", mark: "m'", details: "[]", finished: false };
    assert_eq!(
        metadata::put(&tracking(), &row).sql,
        "REPLACE INTO `o``ps`.`t` (kind, name, host, mark, details, finished) VALUES ('user', 'u', '%', 'm''', '[]', 0)"
    );
    assert!(metadata::put_first(&tracking(), &row).sql.starts_with("INSERT IGNORE INTO "));
    assert_eq!(
        metadata::remove(&tracking(), Kind::Database, "d", None).sql,
        "DELETE FROM `o``ps`.`t` WHERE kind = 'database' AND name = 'd'"
    );
}

#[test]
fn rights_are_given_and_taken_object_by_object() {
    let right =
        |object: Object, privilege: &str, grantable| Right { object, privilege: privilege.to_owned(), grantable };
    let database = || Object::Database("app\\_db".to_owned());
    let table = || Object::Table("d`b".to_owned(), "t".to_owned());
    let rights = BTreeSet::from([
        right(database(), "SELECT", false),
        right(database(), "CREATE TEMPORARY TABLES", false),
        right(database(), "GRANT OPTION", false),
        right(table(), "DELETE", false),
        right(Object::Column("d`b".to_owned(), "t".to_owned(), "c".to_owned()), "UPDATE", false),
        right(Object::Routine("PACKAGE BODY".to_owned(), "d".to_owned(), "p".to_owned()), "EXECUTE", false),
        right(Object::Global, "BACKUP_ADMIN", true),
        right(Object::Global, "AUDIT_ADMIN; DROP", false),
    ]);
    let user = Grantee { user: "u'".to_owned(), host: "%".to_owned() };
    assert_eq!(
        grant::give(&rights, &user),
        [
            "GRANT AUDIT_ADMIN DROP ON *.* TO 'u'''@'%'",
            "GRANT BACKUP_ADMIN ON *.* TO 'u'''@'%' WITH GRANT OPTION",
            "GRANT EXECUTE ON PACKAGE BODY `d`.`p` TO 'u'''@'%'",
            "GRANT DELETE, UPDATE (`c`) ON TABLE `d``b`.`t` TO 'u'''@'%'",
            "GRANT CREATE TEMPORARY TABLES, SELECT ON `app\\_db`.* TO 'u'''@'%'",
            "GRANT GRANT OPTION ON `app\\_db`.* TO 'u'''@'%'",
        ]
    );
    let role = Grantee { user: "r".to_owned(), host: String::new() };
    let one = BTreeSet::from([right(database(), "GRANT OPTION", false)]);
    assert_eq!(grant::take(&one, &role), ["REVOKE GRANT OPTION ON `app\\_db`.* FROM 'r'"]);
}

#[test]
fn memberships_are_written_in_either_dialect() {
    let member = Grantee { user: "u".to_owned(), host: "%".to_owned() };
    assert_eq!(grant::join("r", &member, Dialect::MySql), "GRANT 'r'@'%' TO 'u'@'%'");
    assert_eq!(grant::leave("r", &member, Dialect::MariaDb), "REVOKE 'r' FROM 'u'@'%'");
    let roles = ["a".to_owned(), "b".to_owned()];
    assert_eq!(grant::default_roles(&roles, "u", "%", Dialect::MySql), "SET DEFAULT ROLE 'a'@'%', 'b'@'%' TO 'u'@'%'");
    assert_eq!(grant::default_roles(&roles, "u", "%", Dialect::MariaDb), "SET DEFAULT ROLE 'a' FOR 'u'@'%'");
    assert_eq!(grant::default_roles(&[], "u", "%", Dialect::MariaDb), "SET DEFAULT ROLE NONE FOR 'u'@'%'");
}
