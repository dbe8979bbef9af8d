//! Names, and what is refused.

use sandbox::contract::{ObjectKind, Privilege};
use serde_json::{Value, json};
use testkit::mysql::Version;

use crate::cases::{Asked, Block, Door, Names, Refusal, Sql};

pub(super) fn names(version: Version) -> Names {
    Names {
        hostile: vec!["semi;colon", "-- comment", "@'%'"],
        // Names of databases are names of folders too, in which a letter may need several bytes.
        longest: match version {
            Version::OldestMariaDb => |kind| "ß".repeat(if kind == ObjectKind::Database { 64 } else { 80 }),
            Version::Distribution | Version::NewerMariaDb => {
                |kind| "ß".repeat(if kind == ObjectKind::Database { 64 } else { 128 })
            }
            Version::MySql => |kind| "ß".repeat(if kind == ObjectKind::Database { 64 } else { 32 }),
        },
        refused: vec![
            (ObjectKind::Database, "MySQL"),
            (ObjectKind::Database, "sys"),
            (ObjectKind::Database, "_dbops"),
            (ObjectKind::Database, "#mysql50#a"),
            (ObjectKind::Database, "emoji \u{1F600}"),
            (ObjectKind::Database, "blank "),
            (ObjectKind::User, "root"),
            (ObjectKind::User, "mysql.mine"),
            (ObjectKind::User, "dbops_s_x"),
            (ObjectKind::User, " blank"),
            (ObjectKind::Role, "none"),
            (ObjectKind::Role, "PUBLIC"),
            (ObjectKind::Role, "emoji \u{1F600}"),
        ],
        door: |name| {
            let quoted = name.replace('`', "``");
            Door {
                prepare: vec![Sql::new("", format!("CREATE TABLE `{quoted}`.t (a int)"))],
                options: json!({"grants": [{"level": "database", "database": name, "privileges": ["SELECT"]}]}),
                opens: Sql::new("", format!("SELECT * FROM `{quoted}`.t")),
            }
        },
    }
}

pub(super) fn refusals(is_mariadb: bool) -> Vec<Refusal> {
    let of = |of: Block, options: Value, path: &'static str, says: &[&'static str]| Refusal {
        of,
        options,
        path,
        says: says.to_vec(),
    };
    let database = Block::Object(ObjectKind::Database);
    let user = Block::Object(ObjectKind::User);
    let role = Block::Object(ObjectKind::Role);
    let entry = |entry: Value| json!({"grants": [entry]});
    let mut all = vec![
        of(Block::Instance, json!({"timeout": "never"}), "options.timeout", &["10s"]),
        of(Block::Instance, json!({"readTimeout": "2h"}), "options.readTimeout", &["an hour"]),
        of(Block::Instance, json!({"charset": "latin1"}), "options.charset", &["utf8mb4"]),
        of(Block::Instance, json!({"parseTime": false}), "options.parseTime", &["leave this out"]),
        of(Block::Instance, json!({"tls": "always"}), "options.tls", &["skip-verify"]),
        of(database, json!({"sqlMode": "ANSI"}), "options.sqlMode", &["NO_ENGINE_SUBSTITUTION"]),
        of(database, json!({"defaultStorageEngine": "MyISAM"}), "options.defaultStorageEngine", &["InnoDB"]),
        of(database, json!({"charset": "klingon"}), "options.charset", &[]),
        of(database, json!({"collation": "x; DROP"}), "options.collation", &["letters"]),
        of(database, json!({"charset": "latin1", "collation": "utf8mb4_bin"}), "options.collation", &[]),
        of(user, json!({"allowedHosts": []}), "options.allowedHosts", &["%"]),
        of(user, json!({"allowedHosts": ["%", "a b"]}), "options.allowedHosts[1]", &["address"]),
        of(user, json!({"failedLoginAttempts": 3}), "options.passwordLockTime", &["failedLoginAttempts"]),
        of(user, json!({"authPlugin": "none"}), "options.authPlugin", &["caching_sha2_password"]),
        of(
            Block::Grant,
            entry(json!({"level": "table", "database": "d", "table": "t", "privileges": ["SELECT", "EXECUTE"]})),
            "options.grants[0].privileges[1]",
            &["SELECT", "TRIGGER", "ALL"],
        ),
        of(
            Block::Grant,
            entry(json!({"level": "global", "privileges": ["NO_SUCH_ADMIN"]})),
            "options.grants[0].privileges[0]",
            &["RELOAD"],
        ),
        of(
            Block::Grant,
            entry(json!({"level": "everything", "privileges": ["SELECT"]})),
            "options.grants[0].level",
            &["column"],
        ),
        of(
            Block::Grant,
            entry(json!({"level": "database", "privileges": ["SELECT"]})),
            "options.grants[0].database",
            &["needs"],
        ),
        of(
            Block::Grant,
            entry(json!({"level": "database", "database": "mysql", "privileges": ["SELECT"]})),
            "options.grants[0].database",
            &["never granted"],
        ),
        of(
            Block::Grant,
            entry(json!({"level": "column", "database": "d", "table": "t", "privileges": ["SELECT"]})),
            "options.grants[0].columns",
            &["at least one"],
        ),
    ];
    if is_mariadb {
        let both = json!({"failedLoginAttempts": 3, "passwordLockTime": 1});
        all.push(of(user, both, "options.failedLoginAttempts", &["MariaDB"]));
        all.push(of(role, json!({"useNativeRoles": false}), "options.useNativeRoles", &["leave this out"]));
    } else {
        all.push(of(user, json!({"authPlugin": "ed25519"}), "options.authPlugin", &["caching_sha2_password"]));
    }
    all
}

/// What the instance's owner must have allowed.
pub(super) fn asked() -> Vec<Asked> {
    let global = |words: &[&str], path: &'static str, privilege: Privilege| Asked {
        of: Block::Grant,
        roles: Vec::new(),
        options: json!({"grants": [{"level": "global", "privileges": words}]}),
        path,
        privilege,
    };
    let privilege = Privilege::DangerousRole;
    let dangerous = "rds_superuser_role";
    vec![
        global(&["SHOW DATABASES", "SUPER"], "options.grants[0].privileges[1]", Privilege::Superuser),
        global(&["ALL"], "options.grants[0].privileges[0]", Privilege::Superuser),
        global(&["SELECT"], "options.grants[0].privileges[0]", Privilege::Superuser),
        global(&["CREATE USER"], "options.grants[0].privileges[0]", Privilege::CreateRole),
        global(&["REPLICATION SLAVE"], "options.grants[0].privileges[0]", Privilege::Replication),
        global(&["BINLOG REPLAY"], "options.grants[0].privileges[0]", Privilege::Superuser),
        Asked {
            of: Block::Grant,
            roles: Vec::new(),
            options: json!({"grants": [
                {"level": "global", "privileges": ["SHOW DATABASES"], "withGrantOption": true},
            ]}),
            path: "options.grants[0].withGrantOption",
            privilege: Privilege::Superuser,
        },
        Asked { of: Block::Grant, roles: vec!["harmless", dangerous], options: json!({}), path: "roles[1]", privilege },
        Asked {
            of: Block::Object(ObjectKind::User),
            roles: vec![dangerous],
            options: json!({}),
            path: "roles[0]",
            privilege,
        },
    ]
}
