//! What is done while the operator is killed. Every scenario can be played again and again on one server.

use anyhow::Result;
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{
    access_grant, credentials, database, grant, inside, instance, role, secret, user, with,
};
use dbprovision_tests::stage::{Stage, Subject};
use serde_json::{Value, json};
use testkit::postgres::{PostgresEndpoint, PostgresServer};

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// An instance, a user with a generated password, one with a given password, and a database with contents.
    Create,
    /// The given password changes in its Secret.
    Password,
    /// Attributes of the users and the database change.
    Update,
    /// Everything is deleted.
    Delete,
    /// A database with the role that owns it and the account that uses it.
    CreateOwned,
    /// The password of that account changes in its Secret.
    PasswordOwned,
    /// It is deleted, and they with it.
    DeleteOwned,
    /// A role with rights, and a grant of rights and a membership to a user.
    Give,
    /// The rights change: some go, some come.
    Narrow,
    /// Role and grant are deleted.
    Take,
    /// A user that is created and one that is adopted, with their Secrets in another namespace.
    Elsewhere,
    /// Their Secrets get other names there.
    Move,
}

/// What a scenario is about. The rest is there before it begins and stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cast {
    Accounts,
    Owned,
    Rights,
    Elsewhere,
}

/// The databases and users on the server; nobody else is on it.
pub(crate) const WORD: &str = "crash";

/// The Secret of the account that is made together with a database.
pub(crate) const COMPANION_SECRET: &str = "owned-crash-served-2c277f7d";

/// The role that is there already and is adopted.
const ADOPTED: &str = "crash_taken";

/// The password that the scenario's user is given in a round.
fn password(round: u32) -> String {
    format!("given-password-{round}")
}

impl Scenario {
    fn cast(self) -> Cast {
        match self {
            Self::Create | Self::Password | Self::Update | Self::Delete => Cast::Accounts,
            Self::CreateOwned | Self::PasswordOwned | Self::DeleteOwned => Cast::Owned,
            Self::Give | Self::Narrow | Self::Take => Cast::Rights,
            Self::Elsewhere | Self::Move => Cast::Elsewhere,
        }
    }

    /// What is there before it begins, and stays.
    pub(crate) fn base(self) -> Vec<Subject> {
        match self.cast() {
            Cast::Accounts => Vec::new(),
            Cast::Owned | Cast::Elsewhere => vec![Subject::instance("main")],
            Cast::Rights => vec![Subject::instance("main"), Subject::user("app"), Subject::database("orders")],
        }
    }

    /// What it is about, in the order in which it is applied.
    pub(crate) fn acting(self) -> Vec<Subject> {
        match self.cast() {
            Cast::Accounts => {
                vec![Subject::instance("main"), Subject::user("app"), Subject::user("own"), Subject::database("orders")]
            }
            Cast::Owned => vec![Subject::database("owned")],
            Cast::Rights => vec![Subject::role("readers"), Subject::access_grant("gives")],
            Cast::Elsewhere => vec![Subject::user("far"), Subject::user("taken")],
        }
    }

    /// Users that log in with what stands in which Secret, and under which key, once everything is there.
    pub(crate) fn logins(self, vault: &str, round: u32) -> Vec<(&'static str, Subject, &'static str)> {
        let app = ("crash_app", Subject::secret("app"), "password");
        match self.cast() {
            // The given password as it is in its Secret now, which is the newest.
            Cast::Accounts => vec![app, ("crash_own", Subject::secret("given"), "word")],
            Cast::Owned => vec![("crash_served", Subject::secret(COMPANION_SECRET), "password")],
            Cast::Rights => vec![app],
            Cast::Elsewhere => {
                let there = |user| Subject::secret(&self.place(user, round)).inside(vault);
                vec![("crash_far", there("far"), "password"), (ADOPTED, there("taken"), "password")]
            }
        }
    }

    /// The name of a user's Secret in the other namespace: by turns one or the other, where it moves.
    fn place(self, user: &str, round: u32) -> String {
        let turn = if self == Self::Move { round % 2 } else { 0 };
        format!("{user}-{turn}")
    }

    /// Whether it begins with everything there.
    pub(crate) fn begins_populated(self) -> bool {
        !matches!(self, Self::Create | Self::CreateOwned | Self::Give | Self::Elsewhere)
    }

    /// Whether it ends with everything there.
    pub(crate) fn ends_populated(self) -> bool {
        !matches!(self, Self::Delete | Self::DeleteOwned | Self::Take)
    }

    /// The catalogue as it is in every round: without what a round changes, and without the two ways of saying that
    /// the owner has its own rights.
    pub(crate) fn normal(self, mut catalogue: Catalogue, round: u32) -> Catalogue {
        for attributes in catalogue.roles.values_mut().chain(catalogue.databases.values_mut()) {
            let limit = if self == Self::Update { limit(round) } else { limit(0) };
            let steady = attributes.replace(&format!("limit {limit} "), "limit N ");
            *attributes = steady.replace(&format!("work_mem={limit}MB"), "work_mem=N");
        }
        for attributes in catalogue.databases.values_mut().chain(catalogue.contents.values_mut()) {
            for own in [" acl {provisioner=UC/provisioner}", " acl {=Tc/provisioner,provisioner=CTc/provisioner}"] {
                *attributes = attributes.replace(own, " acl");
            }
            if self == Self::Narrow {
                *attributes = attributes.replace("crash_app=T/", "(direct)").replace("crash_app=c/", "(direct)");
            }
        }
        if self == Self::Narrow && !round.is_multiple_of(2) {
            // Odd and even rounds differ in which of two schemas is opened.
            let [sales, stock] = ["crash_orders: schema sales", "crash_orders: schema stock"];
            if let (Some(one), Some(other)) = (catalogue.contents.remove(sales), catalogue.contents.remove(stock)) {
                catalogue.contents.insert(stock.to_owned(), one);
                catalogue.contents.insert(sales.to_owned(), other);
            }
        }
        catalogue
    }

    /// The names of Secrets as they are in every round.
    pub(crate) fn steady(self, secret: &str) -> String {
        if self == Self::Move { secret.replace("-1", "-0") } else { secret.to_owned() }
    }

    /// Puts on the server what people have put there before the resources are applied.
    pub(crate) async fn prepare(self, server: &PostgresServer) -> Result<()> {
        if self.cast() == Cast::Elsewhere {
            let session = server.login(&server.administrator.name, &server.administrator.password, "postgres").await?;
            session.rows(&format!("CREATE ROLE {ADOPTED} LOGIN PASSWORD 'before'")).await?;
        }
        Ok(())
    }

    /// Takes it away again: what was not adopted when it was deleted stayed.
    pub(crate) async fn tidy(self, server: &PostgresServer) -> Result<()> {
        if self.cast() == Cast::Elsewhere {
            server.query("postgres", &format!("DROP ROLE IF EXISTS {ADOPTED}")).await?;
        }
        Ok(())
    }

    /// Applies what is there before it begins.
    pub(crate) async fn found(self, stage: &Stage, through: &PostgresEndpoint, vault: &str) -> Result<()> {
        if self.cast() == Cast::Accounts {
            return Ok(());
        }
        stage.put_all(server(through)).await?;
        if self.cast() == Cast::Rights {
            let schemas = json!({ "spec": { "postgres": { "schemas": [{ "name": "sales" }, { "name": "stock" }] } } });
            let orders = with(database("orders", "crash_orders"), schemas);
            stage.put_all([user("app", "crash_app"), orders]).await?;
        }
        if self.cast() == Cast::Elsewhere {
            let from = json!({ "kind": "DatabaseUser", "namespace": stage.name() });
            stage.put(inside(vault, grant("consent", from, json!({ "kind": "Secret" })))).await?;
        }
        Ok(())
    }

    /// Does it, in its `round`.
    pub(crate) async fn act(self, stage: &Stage, through: &PostgresEndpoint, vault: &str, round: u32) -> Result<()> {
        match self {
            Self::Create | Self::CreateOwned | Self::Give | Self::Elsewhere => {
                self.populate(stage, through, vault, round).await
            }
            Self::Password => {
                stage.put(secret("given", json!({ "word": password(round) }))).await?;
                // A Secret that somebody else maintains is read at the health interval; an annotation hurries it.
                stage.annotate(&Subject::user("own"), json!({ "round": round.to_string() })).await
            }
            Self::PasswordOwned => {
                let chosen = json!({ "stringData": { "password": password(round) } });
                stage.change(&Subject::secret(COMPANION_SECRET), chosen).await
            }
            Self::Update => stage.put_all(accounts(round)).await,
            Self::Narrow => stage.put_all(rights(round)).await,
            Self::Move => stage.put_all(self.elsewhere(vault, round)).await,
            Self::Delete | Self::DeleteOwned | Self::Take => self.delete(stage).await,
        }
    }

    /// Applies everything, as it is before its `round`.
    pub(crate) async fn populate(
        self,
        stage: &Stage,
        through: &PostgresEndpoint,
        vault: &str,
        round: u32,
    ) -> Result<()> {
        match self.cast() {
            Cast::Accounts => {
                stage.put_all(server(through)).await?;
                stage.put(secret("given", json!({ "word": password(round) }))).await?;
                stage.put_all(accounts(0)).await
            }
            Cast::Owned => stage.put(owned()).await.map(drop),
            Cast::Rights => stage.put_all(rights(if self == Self::Narrow { round + 1 } else { 0 })).await,
            Cast::Elsewhere => stage.put_all(self.elsewhere(vault, round + 1)).await,
        }
    }

    fn elsewhere(self, vault: &str, round: u32) -> [Value; 2] {
        let there = |user: &str| {
            let secret = json!({ "secretName": self.place(user, round), "secretNamespace": vault });
            json!({ "spec": { "passwordSecret": secret, "adoptionPolicy": "Adopt" } })
        };
        [with(user("far", "crash_far"), there("far")), with(user("taken", ADOPTED), there("taken"))]
    }

    /// Deletes everything, the instance first, as a careless person does.
    pub(crate) async fn delete(self, stage: &Stage) -> Result<()> {
        for subject in &self.acting() {
            stage.delete(subject).await?;
        }
        Ok(())
    }
}

/// What an update changes.
fn limit(round: u32) -> u32 {
    10 + round
}

fn server(through: &PostgresEndpoint) -> [Value; 2] {
    // Checks are no part of what is counted.
    let seldom = json!({ "spec": { "healthCheck": { "intervalSeconds": 3600 } } });
    [credentials("main-admin", through), with(instance("main", through), seldom)]
}

fn accounts(round: u32) -> [Value; 3] {
    let limit = limit(round);
    let app = json!({ "spec": { "postgres": {
        "connectionLimit": limit, "configParameters": { "work_mem": format!("{limit}MB") },
    } } });
    let own = json!({ "spec": {
        "passwordSecret": null,
        "existingPasswordSecret": { "name": "given", "key": "word" },
        "postgres": { "inRoles": ["crash_app"], "connectionLimit": limit },
    } });
    // The script may run twice: a kill between its last statement and the status that records it runs it once more,
    // so a script has to be written for that.
    let orders = json!({ "spec": {
        "owner": "crash_app",
        "initSQL": { "inline": ["CREATE TABLE IF NOT EXISTS orders (a int)"] },
        "postgres": { "connectionLimit": limit, "schemas": [{ "name": "sales" }] },
    } });
    [
        with(user("app", "crash_app"), app),
        with(user("own", "crash_own"), own),
        with(database("orders", "crash_orders"), orders),
    ]
}

fn owned() -> Value {
    let ownership = json!({
        "autoOwnership": true, "roleName": "crash_serving", "userName": "crash_served", "dropOnDelete": true,
    });
    with(database("owned", "crash_owned"), json!({ "spec": { "postgres": { "ownership": ownership } } }))
}

/// By turns, a right on one schema or on the other, so that every round takes and gives.
fn rights(round: u32) -> [Value; 2] {
    let (schema, privilege) = if round.is_multiple_of(2) { ("sales", "CONNECT") } else { ("stock", "TEMPORARY") };
    let usage = json!([{ "database": "crash_orders", "schema": schema, "privileges": ["USAGE"] }]);
    let direct = json!([{ "database": "crash_orders", "privileges": [privilege] }]);
    let to_app = json!({ "spec": { "userRef": { "name": "app" }, "deletionProtection": false,
        "postgres": { "roles": ["crash_readers"], "grants": direct } } });
    [
        with(role("readers", "crash_readers"), json!({ "spec": { "postgres": { "grants": usage } } })),
        with(access_grant("gives"), to_app),
    ]
}
