//! Databases without a server: what specs mean, and what differs.

use dbprovision_sdk::adapter::databases::DatabaseSpec;
use dbprovision_sdk::{ErrorKind, Mark};
use serde_json::{Value, json};

use super::differences::differences;
use super::wanted::Wanted;
use crate::connect::Tracking;
use crate::observe::database::Database;
use crate::observe::marks::Kept;

fn wanted(options: &Value) -> Wanted {
    let spec = DatabaseSpec { name: "d".to_owned(), owner: None, comment: None, options: Some(options.to_string()) };
    Wanted::read(&spec).unwrap()
}

fn mark() -> Mark {
    Mark {
        cluster: "c".to_owned(),
        operator: "o".to_owned(),
        kind: "Database".to_owned(),
        namespace: "n".to_owned(),
        name: "d".to_owned(),
        nonce: "1".to_owned(),
    }
}

fn statements(options: &Value, charset: &str, collation: &str, implied: Option<&str>) -> Vec<String> {
    let tracking = Tracking { database: "_dbops".to_owned(), table: "t".to_owned(), attributes: None };
    let now = Database {
        name: "d".to_owned(),
        charset: charset.to_owned(),
        collation: collation.to_owned(),
        kept: Kept { mark: Some(mark()), finished: true, ..Kept::default() },
    };
    let found = differences(&wanted(options), &now, implied, &tracking, &mark());
    found.into_iter().flat_map(|one| one.statements).map(|one| one.sql).collect()
}

#[test]
fn what_is_unstated_is_chosen_once_and_compared_never() {
    assert_eq!(wanted(&json!({})).defaults(), (Some("utf8mb4"), Some("utf8mb4_unicode_ci")));
    assert_eq!(wanted(&json!({"charset": "utf8mb4"})).defaults(), (Some("utf8mb4"), Some("utf8mb4_unicode_ci")));
    assert_eq!(wanted(&json!({"charset": "latin1"})).defaults(), (Some("latin1"), None));
    assert_eq!(wanted(&json!({"collation": "latin1_bin"})).defaults(), (None, Some("latin1_bin")));
    assert_eq!(statements(&json!({}), "latin1", "latin1_bin", None), [""; 0]);
}

#[test]
fn one_collation_has_several_names() {
    for (options, charset, collation) in [
        (json!({"charset": "UTF8", "collation": "utf8_bin"}), "utf8mb3", "utf8mb3_bin"),
        (json!({"charset": "utf8mb3"}), "utf8", "utf8_general_ci"),
        (json!({"charset": "utf8mb4", "collation": "uca1400_ai_ci"}), "utf8mb4", "utf8mb4_uca1400_ai_ci"),
    ] {
        assert_eq!(statements(&options, charset, collation, None), [""; 0], "{options}");
    }
    assert_eq!(
        statements(&json!({"collation": "latin1_bin"}), "utf8mb4", "utf8mb4_bin", Some("latin1")),
        ["ALTER DATABASE `d` COLLATE latin1_bin"]
    );
    assert_eq!(
        statements(&json!({"charset": "latin1", "collation": "latin1_bin"}), "utf8mb4", "utf8mb4_bin", None),
        [
            "ALTER DATABASE `d` CHARACTER SET latin1 COLLATE latin1_bin",
            "ALTER DATABASE `d` CHARACTER SET latin1 COLLATE latin1_bin"
        ]
    );
}

#[test]
fn every_problem_is_named_at_once() {
    let options = json!({"charset": "a b", "collation": "'"}).to_string();
    let spec = DatabaseSpec {
        name: "mysql".to_owned(),
        owner: Some("o".to_owned()),
        comment: Some("a\0".to_owned()),
        options: Some(options),
    };
    let ErrorKind::InvalidOptions(problems) = Wanted::read(&spec).unwrap_err().kind else { panic!("it was let pass") };
    let paths: Vec<_> = problems.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["name", "owner", "comment", "options.charset", "options.collation"]);
}
