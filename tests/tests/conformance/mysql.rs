//! MySQL and MariaDB: the servers, the client that is not the adapter, and the table of cases.

#[path = "mysql/fields.rs"]
mod fields;
#[path = "mysql/grants.rs"]
mod grants;
#[path = "mysql/refused.rs"]
mod refused;

use std::time::Duration;

use futures::future::BoxFuture;
use sandbox::Endpoint;
use sandbox::contract::{InstanceExamination, ObjectKind, TlsMode};
use serde_json::json;
use testkit::mysql::{Account, Idle, MysqlServer, Options, Version};

use tokio::time::{Instant, sleep};

use crate::candidate::{Answer, Candidate, Ground, Guest};
use crate::cases::{Owned, Scripted, Setting, Sql, Table};
use crate::inside;

/// How long a client takes at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Comes in over TCP; the server's own superuser comes in through the socket only.
const SUPERUSER: &str = "super_of_all";
const SUPERUSERS_PASSWORD: &str = "its own";

/// What the server's words are when it lets nobody in: a wrong password or a method without one, a locked account.
const TURNED_AWAY: [&str; 4] = ["ERROR 1045", "ERROR 1698", "ERROR 3118", "ERROR 4151"];

/// A server of this version with an empty stage.
pub(crate) async fn candidate(version: Version) -> Candidate {
    let (ground, table) = start(version).await;
    Candidate::new(ground, table).await
}

/// A server of this version with the cast on the stage.
pub(crate) async fn on_stage(version: Version) -> Candidate {
    let (ground, table) = start(version).await;
    Candidate::on_stage(ground, table).await
}

async fn start(version: Version) -> (Box<dyn Ground>, Table) {
    let server = MysqlServer::start(Options { version, ..Options::default() }).await.unwrap();
    let made = server.query(&format!(
        "CREATE USER '{SUPERUSER}'@'%' IDENTIFIED BY '{SUPERUSERS_PASSWORD}';
         GRANT ALL PRIVILEGES ON *.* TO '{SUPERUSER}'@'%' WITH GRANT OPTION"
    ));
    made.unwrap();
    let sql_mode = server.query("SELECT @@GLOBAL.sql_mode").unwrap();
    (Box::new(MySql(server)), table(version, &sql_mode))
}

struct MySql(MysqlServer);

impl Ground for MySql {
    fn endpoint(&self) -> Endpoint {
        Endpoint { host: self.0.host.clone(), port: self.0.port }
    }

    fn database(&self) -> &'static str {
        "mysql"
    }

    fn administrator(&self) -> Account {
        self.0.administrator.clone()
    }

    fn superuser(&self) -> Account {
        Account { name: SUPERUSER.to_owned(), password: SUPERUSERS_PASSWORD.to_owned() }
    }

    fn administer<'a>(&'a self, sql: &'a Sql) -> BoxFuture<'a, String> {
        // The client is a program of its own.
        let outcome = tokio::task::block_in_place(|| self.0.query(&sql.text));
        let rows = outcome.unwrap_or_else(|error| panic!("{sql:?}: {error:#}"));
        Box::pin(std::future::ready(rows))
    }

    fn act<'a>(&'a self, name: &'a str, password: &'a str, sql: &'a Sql) -> BoxFuture<'a, Answer> {
        // Every statement names its database itself: to have one as the session's is a right of its own.
        let answer = match tokio::task::block_in_place(|| self.0.query_as(name, password, None, &sql.text)) {
            Ok(rows) => Answer::Done(rows),
            Err(error) => {
                let said = format!("{error:#}");
                if TURNED_AWAY.iter().any(|code| said.contains(code)) {
                    Answer::TurnedAway(said)
                } else if said.contains("denied") {
                    Answer::Denied(said)
                } else {
                    panic!("{name}: {sql:?}: {said}")
                }
            }
        };
        Box::pin(std::future::ready(answer))
    }

    fn stay<'a>(&'a self, name: &'a str, password: &'a str, place: &'a str) -> BoxFuture<'a, Box<dyn Guest>> {
        Box::pin(async move {
            let guest = self.0.idle_session(name, password, Some(place)).unwrap();
            let count =
                format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{name}' AND db = '{place}'");
            let until = Instant::now() + PATIENCE;
            // The client program takes its time.
            while self.administer(&Sql::new(place, count.as_str())).await == "0" {
                assert!(Instant::now() < until, "{name} does not come");
                sleep(Duration::from_millis(20)).await;
            }
            Box::new(Staying(guest)) as Box<dyn Guest>
        })
    }

    fn log(&self) -> String {
        self.0.log_text()
    }
}

/// A session that sleeps.
struct Staying(Idle);

impl Guest for Staying {
    fn has_ended(&mut self) -> BoxFuture<'_, bool> {
        let ended = tokio::task::block_in_place(|| self.0.has_ended());
        Box::pin(std::future::ready(ended))
    }
}

fn table(version: Version, sql_mode: &str) -> Table {
    let is_mariadb = version.is_mariadb();
    let mut without_case =
        vec![("role", "options.grants", "the grant operations serve them, and their levels are tried there")];
    let servers_own = "the server keeps none for a database: what is stated must be what it has anyway";
    let methods = "it is corrected with the password, which the tests of the adapter and the operator do";
    let native = "there is nothing to change: a role is the same, however it was made";
    let mut without_drift = vec![
        ("database", "options.sqlMode", servers_own),
        ("database", "options.defaultStorageEngine", servers_own),
        ("user", "options.authPlugin", methods),
        ("role", "options.useNativeRoles", native),
        ("role", "options.grants", "the grant operations serve them"),
    ];
    if is_mariadb {
        let reason = "MariaDB cannot lock an account after failed logins; the refusal is tried";
        for field in ["options.failedLoginAttempts", "options.passwordLockTime"] {
            without_case.push(("user", field, reason));
            without_drift.push(("user", field, reason));
        }
    } else {
        let reason = "it is kept among the account's attributes, together with its mark";
        without_drift.push(("user", "comment", reason));
    }
    Table {
        component: "mysql",
        engine: if is_mariadb { "mariadb" } else { "mysql" },
        version: match version {
            Version::Distribution => "10.11",
            Version::OldestMariaDb => "10.5",
            Version::NewerMariaDb => "11.8",
            Version::MySql => "9.",
        },
        scenery: Vec::new(),
        has_owners: false,
        settings: settings(),
        databases: fields::databases(sql_mode),
        users: fields::users(is_mariadb),
        roles: fields::roles(is_mariadb),
        grants: grants::grants(is_mariadb),
        names: refused::names(version),
        refusals: refused::refusals(is_mariadb),
        asked: refused::asked(),
        forgotten: Sql::new(
            "",
            "SELECT User FROM mysql.user WHERE User LIKE 'dbops\\_s\\_%'
             UNION ALL SELECT name FROM _dbops._dbops_metadata WHERE finished = 0",
        ),
        protected: vec![
            (ObjectKind::Database, "mysql"),
            (ObjectKind::Database, "information_schema"),
            (ObjectKind::Database, "_dbops"),
            (ObjectKind::User, "root"),
            (ObjectKind::User, if is_mariadb { "mariadb.sys" } else { "mysql.sys" }),
        ],
        theirs: |kind| {
            let made = match kind {
                ObjectKind::Database => "CREATE DATABASE theirs",
                ObjectKind::User => "CREATE USER 'theirs'@'10.%' IDENTIFIED BY 'their own'",
                ObjectKind::Role => "CREATE ROLE theirs",
            };
            Sql::new("", made)
        },
        owned: Owned {
            made: Sql::new("", "CREATE DATABASE kept; CREATE DEFINER = 'keeper'@'%' VIEW kept.v AS SELECT 1"),
            gone: Sql::new("", "DROP DATABASE kept"),
            kind: "view",
        },
        inside: None,
        script: Scripted {
            statements: ["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"],
            fails: "SELECT * FROM nothing",
            probe: inside::probe("SELECT table_name FROM information_schema.tables WHERE table_schema = 'inside'"),
        },
        without_case,
        without_drift,
    }
}

fn settings() -> Vec<Setting> {
    let examined = |tls, connect, statement| InstanceExamination {
        tls,
        connect_timeout_ms: Some(connect),
        statement_timeout_ms: Some(statement),
    };
    vec![
        Setting { options: json!({}), examined: examined(None, 10_000, 30_000), connects: true },
        Setting {
            options: json!({
                "charset": "utf8mb4", "collation": "utf8mb4_bin", "parseTime": true, "timeout": "3s",
                "readTimeout": "4s", "writeTimeout": "2s", "tls": "preferred",
            }),
            examined: examined(Some(TlsMode::Prefer), 3000, 4000),
            connects: true,
        },
        Setting {
            options: json!({"tls": "required", "readTimeout": "1h"}),
            examined: examined(Some(TlsMode::VerifyFull), 10_000, 3_600_000),
            connects: true,
        },
        Setting {
            options: json!({"collation": "utf8mb4_no_such_thing"}),
            examined: examined(None, 10_000, 30_000),
            connects: false,
        },
    ]
}
