//! Names, and what is refused.

use sandbox::contract::{ObjectKind, Privilege};
use serde_json::{Value, json};

use crate::cases::{Asked, Block, Door, Names, Refusal, Sql};

pub(super) fn names() -> Names {
    Names {
        hostile: vec!["emoji \u{1F600}", "new\nline\ttab", "semi;colon", " blank around "],
        longest: |_| format!("{}n", "ä".repeat(31)),
        refused: vec![
            (ObjectKind::Database, "postgres"),
            (ObjectKind::Database, "template1"),
            (ObjectKind::Database, "dbops_x"),
            (ObjectKind::User, "pg_mine"),
            (ObjectKind::User, "public"),
            (ObjectKind::Role, "none"),
            (ObjectKind::Role, "pg_monitor"),
        ],
        door: |name| Door {
            prepare: vec![Sql::new(
                "postgres",
                format!("REVOKE ALL ON DATABASE \"{}\" FROM PUBLIC", name.replace('"', "\"\"")),
            )],
            options: json!({"grants": [{"database": name, "privileges": ["CONNECT"]}]}),
            opens: Sql::new(name, "SELECT 1"),
        },
    }
}

pub(super) fn refusals() -> Vec<Refusal> {
    let of = |of: Block, options: Value, path: &'static str, says: &[&'static str]| Refusal {
        of,
        options,
        path,
        says: says.to_vec(),
    };
    let database = Block::Object(ObjectKind::Database);
    let user = Block::Object(ObjectKind::User);
    let entry = |entry: Value| json!({"grants": [entry]});
    vec![
        of(Block::Instance, json!({"connectTimeout": 0}), "options.connectTimeout", &[]),
        of(Block::Instance, json!({"statementTimeout": "0"}), "options.statementTimeout", &[]),
        of(Block::Instance, json!({"sslMode": "always"}), "options.sslMode", &["verify-full"]),
        of(database, json!({"connectionLimit": -2}), "options.connectionLimit", &["-1"]),
        of(database, json!({"encoding": "KLINGON"}), "options.encoding", &[]),
        of(database, json!({"extensions": [{"name": "x", "versoin": "1"}]}), "options.extensions[0].versoin", &[]),
        of(database, json!({"schemas": [{"name": "pg_mine"}]}), "options.schemas[0].name", &["server's own"]),
        of(database, json!({"schemas": [{"name": "pg_catalog"}]}), "options.schemas[0].name", &["server's own"]),
        of(
            database,
            json!({"schemas": [{"name": "information_schema"}]}),
            "options.schemas[0].name",
            &["server's own"],
        ),
        of(user, json!({"connectionLimit": -2}), "options.connectionLimit", &["-1"]),
        of(user, json!({"validUntil": "tomorrow"}), "options.validUntil", &["infinity"]),
        of(user, json!({"configParameters": {"bad name": "1"}}), "options.configParameters.bad name", &["letters"]),
        of(user, json!({"configParameters": {"role": "x"}}), "options.configParameters.role", &["defaultRole"]),
        of(
            Block::Grant,
            entry(json!({"database": "d", "schema": "s", "tables": ["t"], "privileges": ["SELECT", "SELEKT"]})),
            "options.grants[0].privileges[1]",
            &["SELECT", "TRUNCATE", "ALL"],
        ),
        of(
            Block::Grant,
            entry(json!({"database": "d", "privileges": ["USAGE"]})),
            "options.grants[0].privileges[0]",
            &["CONNECT", "TEMPORARY", "ALL"],
        ),
        of(
            Block::Grant,
            entry(json!({"database": "d", "schema": "pg_catalog", "privileges": ["SELECT"]})),
            "options.grants[0].schema",
            &["server's own"],
        ),
        of(
            Block::Grant,
            entry(json!({"database": "d", "tables": ["t"], "privileges": ["SELECT"]})),
            "options.grants[0].schema",
            &[],
        ),
        of(
            Block::Grant,
            entry(json!({"database": "d", "schema": "s", "tables": ["t"], "privileges": ["SELECT"], "future": true})),
            "options.grants[0].future",
            &["*"],
        ),
        of(
            Block::Grant,
            json!({"defaultPrivileges": [
                {"database": "d", "grantedBy": "r", "objectType": "sequences", "privileges": ["EXECUTE"]},
            ]}),
            "options.defaultPrivileges[0].privileges[0]",
            &["USAGE", "SELECT", "UPDATE", "ALL"],
        ),
    ]
}

/// What the instance's owner must have allowed.
pub(super) fn asked() -> Vec<Asked> {
    let mut all = Vec::new();
    for kind in [ObjectKind::User, ObjectKind::Role] {
        for (field, path, privilege) in [
            ("superuser", "options.superuser", Privilege::Superuser),
            ("replication", "options.replication", Privilege::Replication),
            ("bypassRLS", "options.bypassRLS", Privilege::BypassRowSecurity),
            ("createRole", "options.createRole", Privilege::CreateRole),
        ] {
            let options = json!({ field: true });
            all.push(Asked { of: Block::Object(kind), roles: Vec::new(), options, path, privilege });
        }
    }
    let (privilege, dangerous) = (Privilege::DangerousRole, "pg_execute_server_program");
    let in_roles = json!({"inRoles": [dangerous]});
    let memberships = json!({"memberships": [{"role": "postgres"}]});
    all.extend([
        Asked {
            of: Block::Object(ObjectKind::User),
            roles: vec!["harmless", dangerous],
            options: json!({}),
            path: "roles[1]",
            privilege,
        },
        Asked {
            of: Block::Object(ObjectKind::Role),
            roles: Vec::new(),
            options: in_roles,
            path: "options.inRoles[0]",
            privilege,
        },
        Asked { of: Block::Grant, roles: vec![dangerous], options: json!({}), path: "roles[0]", privilege },
        Asked { of: Block::Grant, roles: Vec::new(), options: memberships, path: "options.memberships[0]", privilege },
    ]);
    all
}
