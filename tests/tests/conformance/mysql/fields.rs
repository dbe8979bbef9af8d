//! The fields of databases, users and roles.

use serde_json::{Value, json};

use crate::cases::{Case, Sql};

fn sql(text: impl Into<String>) -> Sql {
    Sql::new("", text)
}

/// How somebody else changes the words that are kept beside a mark, and leaves the mark.
fn reworded(kind: &str) -> Sql {
    sql(format!(
        "UPDATE _dbops._dbops_metadata SET mark = REPLACE(mark, 'words', 'others') WHERE kind = '{kind}' AND name = 'law'"
    ))
}

fn kept(kind: &str) -> Sql {
    sql(format!("SELECT mark FROM _dbops._dbops_metadata WHERE kind = '{kind}' AND name = 'law' ORDER BY host"))
}

/// `mode` is the server's own.
pub(super) fn databases(mode: &str) -> Vec<Case> {
    let reversed: Vec<&str> = mode.split(',').rev().collect();
    let mode = reversed.join(" , ").to_lowercase();
    let shown = || sql("SHOW CREATE DATABASE law");
    vec![
        Case::options(json!({"charset": "utf8mb4", "collation": "utf8mb4_unicode_ci"}), &[]),
        Case::options(json!({"collation": "utf8mb4_bin"}), &["options.collation"]).drifts(
            "options.collation",
            sql("ALTER DATABASE law COLLATE utf8mb4_general_ci"),
            shown(),
        ),
        Case::options(json!({"charset": "latin1"}), &["options.charset"]).drifts(
            "options.charset",
            sql("ALTER DATABASE law CHARACTER SET ascii"),
            shown(),
        ),
        Case::options(json!({"charset": "utf8", "collation": "utf8_bin"}), &["options.charset", "options.collation"]),
        Case::options(json!({"sqlMode": mode, "defaultStorageEngine": "innodb"}), &[]),
        Case::options(json!({}), &["comment"]).comment("it's \\ [my] words").drifts(
            "comment",
            reworded("database"),
            kept("database"),
        ),
        Case::options(json!({"charset": "latin1", "collation": "latin1_bin"}), &[]).created(
            "latin",
            sql("SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = 'latin'"),
            "latin1_bin",
        ),
    ]
}

pub(super) fn users(is_mariadb: bool) -> Vec<Case> {
    let shown = || sql("SHOW CREATE USER 'law'@'%'");
    let drifting = |options: Value, field: &'static str, clause: &str| {
        Case::options(options, &[field]).drifts(field, sql(format!("ALTER USER 'law'@'%' {clause}")), shown())
    };
    let hosts = || sql("SELECT Host FROM mysql.user WHERE User = 'law' ORDER BY Host");
    let mut cases = vec![
        drifting(
            json!({"maxQueriesPerHour": 1000, "maxUserConnections": 40}),
            "options.maxQueriesPerHour",
            "WITH MAX_QUERIES_PER_HOUR 2000",
        ),
        drifting(json!({"maxUpdatesPerHour": 20}), "options.maxUpdatesPerHour", "WITH MAX_UPDATES_PER_HOUR 5"),
        drifting(
            json!({"maxConnectionsPerHour": 30}),
            "options.maxConnectionsPerHour",
            "WITH MAX_CONNECTIONS_PER_HOUR 5",
        ),
        drifting(json!({"maxUserConnections": 4}), "options.maxUserConnections", "WITH MAX_USER_CONNECTIONS 9"),
        drifting(json!({"requireSSL": true}), "options.requireSSL", "REQUIRE NONE"),
        drifting(json!({"requireX509": true, "requireSSL": true}), "options.requireX509", "REQUIRE NONE"),
        drifting(json!({"accountLocked": true}), "options.accountLocked", "ACCOUNT UNLOCK"),
        drifting(json!({"passwordLifetime": 90}), "options.passwordLifetime", "PASSWORD EXPIRE INTERVAL 30 DAY"),
        Case::options(json!({"allowedHosts": ["%", "10.0.0.1", "10.1.%"]}), &["options.allowedHosts"]),
        Case::options(json!({"allowedHosts": ["%", "192.168.0.0/255.255.0.0"]}), &["options.allowedHosts"]).drifts(
            "options.allowedHosts",
            sql("DROP USER 'law'@'192.168.0.0/255.255.0.0'"),
            hosts(),
        ),
        Case::options(json!({"allowedHosts": ["%"]}), &["roles", "options.allowedHosts"])
            .roles(&["second_role", "first_role"])
            .drifts("roles", leave(is_mariadb), members(is_mariadb)),
    ];
    if !is_mariadb {
        let options = json!({"failedLoginAttempts": 3, "passwordLockTime": 2});
        cases.push(drifting(options, "options.failedLoginAttempts", "FAILED_LOGIN_ATTEMPTS 5 PASSWORD_LOCK_TIME 2"));
        let options = json!({"failedLoginAttempts": 3, "passwordLockTime": 4});
        cases.push(drifting(options, "options.passwordLockTime", "FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 7"));
    }
    let commented = Case::options(json!({}), &["comment"]).comment("it's \\ [my] words");
    cases.push(if is_mariadb { commented.drifts("comment", reworded("user"), kept("user")) } else { commented });
    let method = if is_mariadb { "mysql_native_password" } else { "sha256_password" };
    cases.push(Case::options(json!({"authPlugin": method}), &[]).created(
        "methodical",
        sql("SELECT plugin FROM mysql.user WHERE User = 'methodical'"),
        method,
    ));
    cases
}

/// Nobody but the role's administrator could do it on MariaDB by a statement.
fn leave(is_mariadb: bool) -> Sql {
    sql(if is_mariadb {
        "DELETE FROM mysql.roles_mapping WHERE User = 'law' AND Role = 'first_role'; FLUSH PRIVILEGES"
    } else {
        "REVOKE first_role FROM 'law'@'%'"
    })
}

fn members(is_mariadb: bool) -> Sql {
    sql(if is_mariadb {
        "SELECT Role FROM mysql.roles_mapping WHERE User = 'law' ORDER BY Role"
    } else {
        "SELECT FROM_USER FROM mysql.role_edges WHERE TO_USER = 'law' ORDER BY FROM_USER"
    })
}

pub(super) fn roles(is_mariadb: bool) -> Vec<Case> {
    vec![
        Case::options(json!({"useNativeRoles": is_mariadb}), &[]),
        Case::options(json!({}), &["comment"]).comment("my words").drifts("comment", reworded("role"), kept("role")),
    ]
}
