//! PostgreSQL: the servers, the client that is not the adapter, and the table of cases.

#[path = "postgres/fields.rs"]
mod fields;
#[path = "postgres/grants.rs"]
mod grants;
#[path = "postgres/refused.rs"]
mod refused;

use std::time::Duration;

use futures::future::BoxFuture;
use sandbox::Endpoint;
use sandbox::contract::{InstanceExamination, ObjectKind, TlsMode};
use serde_json::json;
use testkit::postgres::{Account, Options, PostgresServer, Session, Version};
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

use crate::candidate::{Answer, Candidate, Ground, Guest};
use crate::cases::{Inside, Owned, Scripted, Setting, Sql, Table};
use crate::inside;

/// How long a database that somebody is still in is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

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
    // A tablespace without a folder of its own.
    let settings = vec!["allow_in_place_tablespaces = on".to_owned()];
    let server = PostgresServer::start(Options { version, settings, ..Options::default() }).await.unwrap();
    let major = server.query_cell("postgres", "SHOW server_version_num").await.unwrap().unwrap();
    let major = major.parse::<u32>().unwrap() / 10_000;
    (Box::new(Postgres(server)), table(major, version))
}

struct Postgres(PostgresServer);

impl Postgres {
    /// Runs it in a session of its own.
    async fn attempt(&self, who: Option<(&str, &str)>, sql: &Sql) -> anyhow::Result<String> {
        let session = match who {
            Some((name, password)) => self.0.login(name, password, &sql.place).await?,
            None => self.0.superuser_session(&sql.place).await?,
        };
        let rows = session.rows(&sql.text).await?;
        let line =
            |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|");
        Ok(rows.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

fn state(error: &anyhow::Error) -> Option<&SqlState> {
    error.chain().find_map(|cause| cause.downcast_ref::<tokio_postgres::Error>())?.code()
}

impl Ground for Postgres {
    fn endpoint(&self) -> Endpoint {
        Endpoint { host: self.0.host.clone(), port: self.0.port }
    }

    fn database(&self) -> &'static str {
        "postgres"
    }

    fn administrator(&self) -> Account {
        self.0.administrator.clone()
    }

    fn superuser(&self) -> Account {
        self.0.superuser.clone()
    }

    fn administer<'a>(&'a self, sql: &'a Sql) -> BoxFuture<'a, String> {
        Box::pin(async move {
            let until = Instant::now() + PATIENCE;
            loop {
                match self.attempt(None, sql).await {
                    Ok(rows) => return rows,
                    // A session that was closed a moment ago is still seen.
                    Err(error) if state(&error) == Some(&SqlState::OBJECT_IN_USE) && Instant::now() < until => {}
                    Err(error) => panic!("{sql:?}: {error:#}"),
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
    }

    fn act<'a>(&'a self, name: &'a str, password: &'a str, sql: &'a Sql) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let error = match self.attempt(Some((name, password)), sql).await {
                Ok(rows) => return Answer::Done(rows),
                Err(error) => error,
            };
            let said = format!("{error:#}");
            match state(&error) {
                Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => Answer::Denied(said),
                Some(code)
                    if *code == SqlState::INVALID_PASSWORD
                        || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
                {
                    Answer::TurnedAway(said)
                }
                _ => panic!("{name}: {sql:?}: {said}"),
            }
        })
    }

    fn stay<'a>(&'a self, name: &'a str, password: &'a str, place: &'a str) -> BoxFuture<'a, Box<dyn Guest>> {
        Box::pin(async move {
            let session = self.0.login(name, password, place).await.unwrap();
            Box::new(Staying(session)) as Box<dyn Guest>
        })
    }

    fn log(&self) -> String {
        self.0.log_text()
    }
}

/// A session that does nothing.
struct Staying(Session);

impl Guest for Staying {
    fn has_ended(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let until = Instant::now() + PATIENCE;
            while !self.0.is_closed() && Instant::now() < until {
                sleep(Duration::from_millis(20)).await;
            }
            self.0.is_closed()
        })
    }
}

fn table(major: u32, version: Version) -> Table {
    let mut without_case =
        vec![("role", "options.grants", "the grant operations serve them, and their levels are tried there")];
    if major < 16 {
        let reason = "PostgreSQL 16 is the first to have this option of a membership";
        without_case.push(("grant", "options.memberships.inherit", reason));
        without_case.push(("grant", "options.memberships.set", reason));
    }
    let fixed = "it is fixed at creation: nobody can change it";
    Table {
        component: "postgres",
        engine: "postgres",
        version: match version {
            Version::Distribution => "15",
            Version::Oldest => "13",
            Version::Fourteen => "14",
            Version::Sixteen => "16",
            Version::Newer => "17",
            Version::Newest => "18",
        },
        scenery: fields::scenery(),
        has_owners: true,
        settings: settings(),
        databases: fields::databases(),
        users: fields::users(),
        roles: fields::roles(),
        grants: grants::grants(major),
        names: refused::names(),
        refusals: refused::refusals(),
        asked: refused::asked(),
        forgotten: Sql::new(
            "postgres",
            "SELECT m.roleid::regrole::text FROM pg_auth_members m
              WHERE m.member = 'provisioner'::regrole AND m.grantor = m.member
             UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'dbops\\_%'
             UNION ALL SELECT datname FROM pg_database WHERE datname LIKE 'dbops\\_%'",
        ),
        protected: vec![
            (ObjectKind::Database, "postgres"),
            (ObjectKind::Database, "template1"),
            (ObjectKind::User, "postgres"),
            (ObjectKind::Role, "pg_monitor"),
            (ObjectKind::Role, "pg_execute_server_program"),
        ],
        theirs: |kind| {
            // From PostgreSQL 16 on an administrator has a say only in roles that it was given.
            let made = match kind {
                ObjectKind::Database => "CREATE DATABASE theirs OWNER provisioner",
                ObjectKind::User => "CREATE ROLE theirs LOGIN; GRANT theirs TO provisioner WITH ADMIN OPTION",
                ObjectKind::Role => "CREATE ROLE theirs; GRANT theirs TO provisioner WITH ADMIN OPTION",
            };
            Sql::new("postgres", made)
        },
        owned: Owned {
            made: Sql::new("postgres", "CREATE SCHEMA kept AUTHORIZATION keeper"),
            gone: Sql::new("postgres", "DROP SCHEMA kept"),
            kind: "schema",
        },
        inside: Some(Inside { extension: "hstore" }),
        script: Scripted {
            statements: ["CREATE SCHEMA made", "CREATE TABLE made.t (a int)"],
            fails: "SELECT * FROM made.nothing",
            probe: inside::probe("SELECT tableowner FROM pg_tables WHERE schemaname = 'made'"),
        },
        without_case,
        without_drift: vec![
            ("database", "options.encoding", fixed),
            ("database", "options.lcCollate", fixed),
            ("database", "options.lcCtype", fixed),
        ],
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
                "sslMode": "verify-ca", "connectTimeout": 3, "statementTimeout": "7s", "applicationName": "it's \\ me",
                "channelBinding": "prefer",
            }),
            examined: examined(Some(TlsMode::VerifyCa), 3000, 7000),
            connects: true,
        },
        Setting {
            // There is no channel to bind to without TLS.
            options: json!({"sslMode": "disable", "channelBinding": "require", "statementTimeout": "1h"}),
            examined: examined(Some(TlsMode::Disable), 10_000, 3_600_000),
            connects: false,
        },
    ]
}
