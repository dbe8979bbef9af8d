//! One adapter on one server: the component in the sandbox, bound twice, and a client that is not the adapter.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sandbox::contract::{Error, ErrorKind, Mark, ObjectKind, Proof, Settings, TlsMode};
use sandbox::{
    Adapter, AddressPolicy, Binding, CallError, Credentials, Endpoint, Grant, Lane, Limits, Sandbox, SandboxConfig,
    SecretValue, Server, Session, TlsSettings,
};
use serde_json::{Value, json};
use testkit::postgres::Account;
use testkit::workspace;

use crate::cases::{By, Cast, PASSWORD, Sql, Stated, Table};
use crate::objects;

/// How long a turn with a guest is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the server answered somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It did what it was told; the rows as text.
    Done(String),
    /// The account lacks the right.
    Denied(String),
    /// The account was not let in.
    TurnedAway(String),
}

/// A running server, and a client of it that is not the adapter.
///
/// What the server refuses for another reason than rights is an error of the test: a slip in a statement never passes
/// for a denial.
pub(crate) trait Ground: Send + Sync {
    fn endpoint(&self) -> Endpoint;
    /// The database that the operator's sessions are in.
    fn database(&self) -> &'static str;
    fn administrator(&self) -> Account;
    /// Somebody who may do everything and comes in over TCP.
    fn superuser(&self) -> Account;
    /// Runs statements as the server's own superuser.
    fn administer<'a>(&'a self, sql: &'a Sql) -> BoxFuture<'a, String>;
    /// Logs in over TCP and runs statements.
    fn act<'a>(&'a self, name: &'a str, password: &'a str, sql: &'a Sql) -> BoxFuture<'a, Answer>;
    /// Logs in over TCP and stays in the database.
    fn stay<'a>(&'a self, name: &'a str, password: &'a str, place: &'a str) -> BoxFuture<'a, Box<dyn Guest>>;
    /// Everything that the server logged.
    fn log(&self) -> String;
}

/// Somebody's session.
pub(crate) trait Guest: Send {
    /// Whether the server ended it, within some seconds.
    fn has_ended(&mut self) -> BoxFuture<'_, bool>;
}

/// One adapter on one server.
pub(crate) struct Candidate {
    pub(crate) adapter: Adapter,
    pub(crate) ground: Box<dyn Ground>,
    pub(crate) table: Table,
    administrator: Arc<Server>,
    superuser: Arc<Server>,
}

impl Candidate {
    /// Loads the component and binds it to the server.
    pub(crate) async fn new(ground: Box<dyn Ground>, table: Table) -> Self {
        let bytes = std::fs::read(workspace::engines().join(format!("{}.wasm", table.component))).unwrap();
        // Compiled once for all tests, and by the same compiler as the operators of the tests.
        let cache = workspace::compilation_cache();
        let config = SandboxConfig { cache_directory: Some(cache), ..SandboxConfig::default() };
        let adapter = Sandbox::new(&config).unwrap().load(bytes, &Grant::full([]), None).await.unwrap();
        let bind = |account: Account| adapter.bind(binding(&*ground, &table, account, &json!({}))).unwrap();
        let (administrator, superuser) = (bind(ground.administrator()), bind(ground.superuser()));
        Self { adapter, ground, table, administrator, superuser }
    }

    /// The same, with the cast and the scenery on the stage.
    pub(crate) async fn on_stage(ground: Box<dyn Ground>, table: Table) -> Self {
        let this = Self::new(ground, table).await;
        for name in Cast::USERS {
            let stated = Stated::new(name, json!({}));
            objects::create(&this, By::Administrator, ObjectKind::User, &stated, &mark(name)).await.unwrap();
        }
        for name in Cast::ROLES {
            let stated = Stated::new(name, json!({}));
            objects::create(&this, By::Administrator, ObjectKind::Role, &stated, &mark(name)).await.unwrap();
        }
        for sql in &this.table.scenery {
            this.ground.administer(sql).await;
        }
        this
    }

    /// A binding of its own, with the instance's options.
    pub(crate) fn bound_with(&self, options: &Value) -> Arc<Server> {
        let account = self.ground.administrator();
        self.adapter.bind(binding(&*self.ground, &self.table, account, options)).unwrap()
    }

    /// A turn with a guest.
    pub(crate) async fn session(&self, by: By) -> Session {
        self.server(by).lane(Lane::Work, PATIENCE).await.unwrap()
    }

    /// A turn for looking at many objects.
    pub(crate) async fn sweep(&self, by: By) -> Session {
        self.server(by).sweep(PATIENCE).await.unwrap()
    }

    fn server(&self, by: By) -> &Arc<Server> {
        match by {
            By::Administrator => &self.administrator,
            By::Superuser => &self.superuser,
        }
    }

    /// What an account with the ordinary password is answered.
    pub(crate) async fn try_deed(&self, name: &str, deed: &Sql) -> Answer {
        self.ground.act(name, PASSWORD, deed).await
    }

    /// The account may do all of it.
    pub(crate) async fn assert_may(&self, name: &str, deeds: &[Sql], when: &str) {
        for deed in deeds {
            let answer = self.try_deed(name, deed).await;
            assert!(matches!(answer, Answer::Done(_)), "{when}: {name} may not {deed:?}: {answer:?}");
        }
    }

    /// The account may do none of it.
    pub(crate) async fn assert_may_not(&self, name: &str, deeds: &[Sql], when: &str) {
        for deed in deeds {
            let answer = self.try_deed(name, deed).await;
            assert!(matches!(answer, Answer::Denied(_)), "{when}: {name} may {deed:?}: {answer:?}");
        }
    }

    /// Ends the sessions, and looks for what must be in no log, and for what must not be left on the server.
    pub(crate) async fn end(self) {
        self.administrator.close().await;
        self.superuser.close().await;
        assert_eq!(self.ground.administer(&self.table.forgotten).await, "", "an operation left something behind");
        assert!(!self.ground.log().contains("correct horse"), "a password reached the server's log");
    }
}

fn binding(ground: &dyn Ground, table: &Table, account: Account, options: &Value) -> Binding {
    Binding {
        name: table.engine.to_owned(),
        endpoint: ground.endpoint(),
        addresses: Arc::new(AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
        tls: TlsSettings::of(TlsMode::Disable),
        credentials: Credentials { username: account.name, password: SecretValue::new(account.password) },
        settings: settings(ground, table, options),
        limits: Limits::default(),
        idle: Duration::from_mins(1),
        gate: None,
    }
}

/// What the adapter is told of the instance.
pub(crate) fn settings(ground: &dyn Ground, table: &Table, options: &Value) -> Settings {
    Settings {
        engine: table.engine.to_owned(),
        database: ground.database().to_owned(),
        options: Some(options.to_string()),
        tracking: None,
        statement_timeout_ms: 30_000,
    }
}

/// A mark with this nonce.
pub(crate) fn mark(nonce: &str) -> Mark {
    Mark {
        cluster: "5b1c".to_owned(),
        operator: "default".to_owned(),
        kind: "Database".to_owned(),
        namespace: "team-a".to_owned(),
        name: "it's [a] \"name\" \\".to_owned(),
        nonce: nonce.to_owned(),
    }
}

/// The proof that a mark is.
pub(crate) fn proof(mark: &Mark) -> Proof {
    Proof { mark: Some(mark.clone()), object_id: None }
}

/// A secret as the host lends it.
pub(crate) fn secret(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes())
}

/// The adapter's own error; anything else is a failure of the suite.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, CallError>, what: &str) -> Error {
    match outcome {
        Err(CallError::Adapter(error)) => error,
        other => panic!("{what}: an error of the contract was expected: {other:?}"),
    }
}

/// The kind of the adapter's own error.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, CallError>, what: &str) -> ErrorKind {
    refusal(outcome, what).kind
}
