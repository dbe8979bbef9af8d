//! What is done while the operator is killed. Every scenario can be played again and again on one server.

use std::collections::BTreeMap;

use anyhow::Result;
use dbprovision_tests::manifests::{access_grant, credentials, database, instance, role, secret, user, with};
use dbprovision_tests::stage::{Stage, Subject};
use serde_json::{Value, json};
use testkit::postgres::PostgresEndpoint;

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
    /// A role with rights, and a grant to a user.
    Give,
    /// The rights change: some go, some come.
    Narrow,
    /// Role, grant and all are deleted.
    Take,
}

/// What there is: accounts and databases, or rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cast {
    Accounts,
    Rights,
}

/// The databases and users on the server; nobody else is on it.
pub(crate) const WORD: &str = "crash";

/// The password that the scenario's user is given in a round.
fn password(round: u32) -> String {
    format!("given-password-{round}")
}

impl Scenario {
    fn cast(self) -> Cast {
        match self {
            Self::Create | Self::Password | Self::Update | Self::Delete => Cast::Accounts,
            Self::Give | Self::Narrow | Self::Take => Cast::Rights,
        }
    }

    /// All resources, in the order in which they are applied.
    pub(crate) fn subjects(self) -> Vec<Subject> {
        let common = [Subject::instance("main"), Subject::user("app"), Subject::database("orders")];
        let own = match self.cast() {
            Cast::Accounts => vec![Subject::user("own"), Subject::database("owned")],
            Cast::Rights => vec![Subject::role("readers"), Subject::access_grant("gives")],
        };
        common.into_iter().chain(own).collect()
    }

    /// Users that log in with what stands in which Secret, and under which key.
    pub(crate) fn logins(self) -> Vec<(&'static str, &'static str, &'static str)> {
        let app = ("crash_app", "app", "password");
        match self.cast() {
            // The given password as it is in its Secret now, which is the newest.
            Cast::Accounts => vec![app, ("crash_own", "given", "word"), ("crash_served", COMPANION_SECRET, "password")],
            Cast::Rights => vec![app],
        }
    }

    /// Whether it begins with everything there.
    pub(crate) fn begins_populated(self) -> bool {
        !matches!(self, Self::Create | Self::Give)
    }

    /// Whether it ends with everything there.
    pub(crate) fn ends_populated(self) -> bool {
        !matches!(self, Self::Delete | Self::Take)
    }

    /// Attributes as they are in every round.
    pub(crate) fn without_round(self, attributes: &str, round: u32) -> String {
        if self == Self::Narrow {
            // Odd and even rounds differ in which of two rights they give.
            return attributes.replace("crash_app=T/", "(direct)").replace("crash_app=c/", "(direct)");
        }
        let limit = if self == Self::Update { limit(round) } else { limit(0) };
        attributes.replace(&format!("limit {limit} "), "limit N ").replace(&format!("work_mem={limit}MB"), "work_mem=N")
    }

    /// The contents of the databases as they are in every round: which of two schemas is opened differs.
    pub(crate) fn contents_without_round(
        self,
        contents: BTreeMap<String, String>,
        round: u32,
    ) -> BTreeMap<String, String> {
        // The owner's rights alone, whether they are spelled out or not.
        let mut contents = contents;
        contents.values_mut().for_each(|what| *what = what.replace(" acl {provisioner=UC/provisioner}", " acl"));
        if self != Self::Narrow || round.is_multiple_of(2) {
            return contents;
        }
        let swapped = |name: String| match name.as_str() {
            "crash_orders: schema sales" => "crash_orders: schema stock".to_owned(),
            "crash_orders: schema stock" => "crash_orders: schema sales".to_owned(),
            _ => name,
        };
        contents.into_iter().map(|(name, what)| (swapped(name), what)).collect()
    }

    /// Does it, in its `round`.
    pub(crate) async fn act(self, stage: &Stage, through: &PostgresEndpoint, round: u32) -> Result<()> {
        match self {
            Self::Create | Self::Give => self.populate(stage, through, round).await,
            Self::Password => {
                stage.put(secret("given", json!({ "word": password(round) }))).await?;
                // A Secret that somebody else maintains is read at the health interval; an annotation hurries it.
                stage.annotate(&Subject::user("own"), json!({ "round": round.to_string() })).await
            }
            Self::Update => stage.put_all(accounts(round)).await,
            Self::Narrow => stage.put_all(rights(round)).await,
            Self::Delete | Self::Take => self.delete(stage).await,
        }
    }

    /// Applies everything.
    pub(crate) async fn populate(self, stage: &Stage, through: &PostgresEndpoint, round: u32) -> Result<()> {
        // Checks are no part of what is counted.
        let seldom = json!({ "spec": { "healthCheck": { "intervalSeconds": 3600 } } });
        stage.put_all([credentials("main-admin", through), with(instance("main", through), seldom)]).await?;
        stage.put(secret("given", json!({ "word": password(round) }))).await?;
        match self.cast() {
            Cast::Accounts => stage.put_all(accounts(0)).await,
            Cast::Rights => stage.put_all(rights(0)).await,
        }
    }

    /// Deletes everything, the instance first, as a careless person does.
    pub(crate) async fn delete(self, stage: &Stage) -> Result<()> {
        for subject in &self.subjects() {
            stage.delete(subject).await?;
        }
        Ok(())
    }
}

/// The Secret of the account that is made together with a database.
pub(crate) const COMPANION_SECRET: &str = "owned-crash-served-2c277f7d";

/// What an update changes.
fn limit(round: u32) -> u32 {
    10 + round
}

fn accounts(round: u32) -> [Value; 4] {
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
    let owned = json!({ "spec": { "postgres": { "ownership": {
        "autoOwnership": true, "roleName": "crash_serving", "userName": "crash_served", "dropOnDelete": true,
    } } } });
    [
        with(user("app", "crash_app"), app),
        with(user("own", "crash_own"), own),
        with(database("orders", "crash_orders"), orders),
        with(database("owned", "crash_owned"), owned),
    ]
}

/// By turns, a right on one schema or on the other, so that every round takes and gives.
fn rights(round: u32) -> [Value; 4] {
    let (schema, privilege) = if round.is_multiple_of(2) { ("sales", "CONNECT") } else { ("stock", "TEMPORARY") };
    let usage = json!([{ "database": "crash_orders", "schema": schema, "privileges": ["USAGE"] }]);
    let direct = json!([{ "database": "crash_orders", "privileges": [privilege] }]);
    let to_app = json!({ "spec": { "userRef": { "name": "app" }, "deletionProtection": false,
        "postgres": { "roles": ["crash_readers"], "grants": direct } } });
    let schemas = json!({ "spec": { "postgres": { "schemas": [{ "name": "sales" }, { "name": "stock" }] } } });
    [
        user("app", "crash_app"),
        with(database("orders", "crash_orders"), schemas),
        with(role("readers", "crash_readers"), json!({ "spec": { "postgres": { "grants": usage } } })),
        with(access_grant("gives"), to_app),
    ]
}
