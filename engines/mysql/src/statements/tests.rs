//! Statements as text.

use super::account::{self, Authentication, Hash};
use super::metadata::{self, Kind, RowOf};
use super::{database, grant};
use crate::connect::Tracking;
use crate::observe::database::{Held, Holder};
use crate::observe::marks::Kept;
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
    let kept = Kept { mark: Some(mark), words: Some("o'ne".to_owned()), roles: Vec::new(), finished: true };
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
fn rights_on_a_database_are_taken_away_level_by_level() {
    let take = |held: Held| -> Vec<String> {
        let holder = Holder { user: "u".to_owned(), host: "%".to_owned(), held };
        grant::take_away(&holder, "app_db").into_iter().map(|one| one.sql).collect()
    };
    assert_eq!(
        take(Held::Whole { pattern: "app\\_db".to_owned() }),
        ["REVOKE ALL PRIVILEGES ON `app\\_db`.* FROM 'u'@'%'", "REVOKE GRANT OPTION ON `app\\_db`.* FROM 'u'@'%'"]
    );
    assert_eq!(take(Held::Table { name: "t".to_owned() })[0], "REVOKE ALL PRIVILEGES ON TABLE `app_db`.`t` FROM 'u'@'%'");
    assert_eq!(
        take(Held::Routine { kind: "PACKAGE BODY".to_owned(), name: "p".to_owned() })[0],
        "REVOKE ALL PRIVILEGES ON PACKAGE BODY `app_db`.`p` FROM 'u'@'%'"
    );
}

#[test]
fn memberships_are_written_in_either_dialect() {
    assert_eq!(grant::join("r", "u", "%", Dialect::MySql), "GRANT 'r'@'%' TO 'u'@'%'");
    assert_eq!(grant::join("r", "u", "%", Dialect::MariaDb), "GRANT 'r' TO 'u'@'%'");
    let roles = ["a".to_owned(), "b".to_owned()];
    assert_eq!(
        grant::default_roles(&roles, "u", "%", Dialect::MySql),
        "SET DEFAULT ROLE 'a'@'%', 'b'@'%' TO 'u'@'%'"
    );
    assert_eq!(grant::default_roles(&roles, "u", "%", Dialect::MariaDb), "SET DEFAULT ROLE 'a' FOR 'u'@'%'");
    assert_eq!(grant::default_roles(&[], "u", "%", Dialect::MariaDb), "SET DEFAULT ROLE NONE FOR 'u'@'%'");
}
