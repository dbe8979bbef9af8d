//! Users without a server: what specs mean, and what differs.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{ErrorKind, Mark};
use serde_json::{Value, json};

use super::differences::{Context, Observed, differences};
use super::hash::Plugin;
use super::wanted::{Wanted, name_for};
use crate::connect::Tracking;
use crate::observe::account::{Account, Encryption};
use crate::observe::marks::Kept;
use crate::server::{Dialect, Facts};

fn facts(dialect: Dialect) -> Facts {
    let plugins = match dialect {
        Dialect::MySql => ["caching_sha2_password", "sha256_password"],
        Dialect::MariaDb => ["mysql_native_password", "ed25519"],
    };
    Facts {
        version: String::new(),
        number: 80_400,
        dialect,
        identity: String::new(),
        administrator: "admin".to_owned(),
        administrator_host: "%".to_owned(),
        superuser: true,
        folds_names: false,
        uses_attributes: dialect == Dialect::MySql,
        patterns: true,
        activates: true,
        plugins: plugins.map(str::to_owned).into(),
        sql_mode: String::new(),
        storage_engine: String::new(),
    }
}

fn wanted(roles: &[&str], options: &Value) -> Wanted {
    let roles = roles.iter().map(|&role| role.to_owned()).collect();
    Wanted::read(&UserSpec {
        name: "u".to_owned(),
        roles,
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options.to_string()),
    })
    .unwrap()
}

fn mark(nonce: &str) -> Mark {
    Mark {
        cluster: "c".to_owned(),
        operator: "o".to_owned(),
        kind: "DatabaseUser".to_owned(),
        namespace: "n".to_owned(),
        name: "u".to_owned(),
        nonce: nonce.to_owned(),
    }
}

fn account(host: &str) -> Account {
    Account {
        host: host.to_owned(),
        plugin: "caching_sha2_password".to_owned(),
        encryption: Encryption::None,
        limits: [0; 4],
        locked: false,
        expired: false,
        failed_login_attempts: 0,
        password_lock_days: 0,
        password_lifetime: None,
        kept: Kept { mark: Some(mark("1")), finished: true, ..Kept::default() },
        roles: BTreeSet::new(),
        default_roles: BTreeSet::new(),
    }
}

fn found(wanted: &Wanted, accounts: Vec<Account>, dialect: Dialect) -> Result<Vec<(String, Vec<String>)>, ErrorKind> {
    let tracking = Tracking { database: "_dbops".to_owned(), table: "t".to_owned(), attributes: None };
    let facts = facts(dialect);
    let others = Plugin::Native.authentication(b"x").unwrap();
    let context = Context { facts: &facts, tracking: &tracking, password: None, method: None, others: Some(&others) };
    let observed =
        Observed { accounts, missing_roles: BTreeSet::new(), rights: BTreeSet::new(), defined: BTreeMap::new() };
    let found = differences(wanted, &observed, &context).map_err(|error| error.kind)?;
    Ok(found.into_iter().map(|one| (one.change.id, one.statements.into_iter().map(|one| one.sql).collect())).collect())
}

#[test]
fn new_ways_in_come_before_old_ones_go() {
    let wanted = wanted(&[], &json!({"allowedHosts": ["10.%"]}));
    let found = found(&wanted, vec![account("%")], Dialect::MySql).unwrap();
    let ids: Vec<_> = found.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["host:10.%", "host:%"]);
    assert!(found[0].1[0].starts_with("CREATE USER 'u'@'10.%' IDENTIFIED WITH mysql_native_password AS '*"));
    assert_eq!(found[1].1[0], "DROP USER IF EXISTS 'u'@'%'");
}

#[test]
fn an_account_of_somebody_else_is_left_alone_or_in_the_way() {
    let foreign = Account { kept: Kept::default(), ..account("10.%") };
    let accounts = || vec![account("%"), foreign.clone()];
    assert!(found(&wanted(&[], &json!({})), accounts(), Dialect::MySql).unwrap().is_empty());
    let both = wanted(&[], &json!({"allowedHosts": ["%", "10.%"]}));
    assert_eq!(found(&both, accounts(), Dialect::MySql).unwrap_err(), ErrorKind::Conflict);
    assert_eq!(found(&both, vec![foreign.clone()], Dialect::MySql).unwrap_err(), ErrorKind::Conflict);
}

#[test]
fn what_is_unstated_is_what_the_api_documents() {
    let drifted = Account {
        limits: [1, 2, 3, 4],
        locked: true,
        encryption: Encryption::Certain,
        failed_login_attempts: 3,
        password_lock_days: -1,
        ..account("%")
    };
    let found = found(&wanted(&[], &json!({})), vec![drifted], Dialect::MySql).unwrap();
    let sql: Vec<_> = found.iter().flat_map(|(_, statements)| statements).map(String::as_str).collect();
    assert_eq!(
        sql,
        [
            "ALTER USER 'u'@'%' REQUIRE NONE",
            "ALTER USER 'u'@'%' WITH MAX_QUERIES_PER_HOUR 0",
            "ALTER USER 'u'@'%' WITH MAX_UPDATES_PER_HOUR 0",
            "ALTER USER 'u'@'%' WITH MAX_CONNECTIONS_PER_HOUR 0",
            "ALTER USER 'u'@'%' WITH MAX_USER_CONNECTIONS 0",
            "ALTER USER 'u'@'%' ACCOUNT UNLOCK",
            "ALTER USER 'u'@'%' FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0",
            "ALTER USER 'u'@'%' FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0",
        ]
    );
}

#[test]
fn a_membership_is_recorded_before_it_is_made_and_only_recorded_ones_end() {
    let mut now = account("%");
    now.roles = BTreeSet::from(["old".to_owned(), "theirs".to_owned()]);
    now.kept.roles = vec!["old".to_owned()];
    let changes = found(&wanted(&["new"], &json!({})), vec![now], Dialect::MariaDb).unwrap();
    let ids: Vec<_> = changes.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["member:new", "member:old", "defaultRoles"]);
    assert!(changes[0].1[0].starts_with("REPLACE INTO `_dbops`.`t`"), "{:?}", changes[0].1);
    assert_eq!(changes[0].1[1], "GRANT 'new' TO 'u'@'%'");
    assert_eq!(changes[1].1[0], "REVOKE 'old' FROM 'u'@'%'");
    assert_eq!(changes[2].1, ["SET DEFAULT ROLE 'new' FOR 'u'@'%'"]);
}

#[test]
fn a_name_is_as_long_as_the_servers_version_takes_it() {
    let of = |dialect, number| Facts { number, ..facts(dialect) };
    for (facts, longest) in [
        (of(Dialect::MySql, 80_400), Some(32)),
        (of(Dialect::MariaDb, 100_523), Some(80)),
        (of(Dialect::MariaDb, 100_600), None),
    ] {
        let name = |length: usize| "ß".repeat(length);
        assert_eq!(name_for(&name(longest.unwrap_or(128)), &facts), None);
        if let Some(longest) = longest {
            let problem = name_for(&name(longest + 1), &facts).unwrap();
            assert!(problem.contains(&format!("longer than {longest} characters")), "{problem}");
        }
    }
}

#[test]
fn the_method_of_new_passwords_is_the_servers_best() {
    assert_eq!(wanted(&[], &json!({})).plugin(&facts(Dialect::MySql)), Plugin::CachingSha2);
    assert_eq!(wanted(&[], &json!({})).plugin(&facts(Dialect::MariaDb)), Plugin::Native);
    let stated = wanted(&[], &json!({"authPlugin": "ed25519"}));
    assert_eq!(stated.plugin(&facts(Dialect::MariaDb)), Plugin::Ed25519);
    assert!(stated.check_against(&facts(Dialect::MariaDb)).is_ok());
    let error = stated.check_against(&facts(Dialect::MySql)).unwrap_err();
    assert!(error.message.starts_with("options.authPlugin: this server has caching_sha2_password"), "{error:?}");
}

#[test]
fn a_dangerous_role_asks_the_instance() {
    let examined = wanted(&["app", "cloudsqlsuperuser"], &json!({})).examination();
    assert_eq!(examined.references.len(), 2);
    assert_eq!(examined.privileges.len(), 1);
    assert_eq!(examined.privileges[0].path, "roles[1]");
}
