//! What is done while the operator is killed. Every scenario can be played again and again on one server.

use anyhow::Result;
use dbprovision_tests::manifests::{credentials, database, instance, secret, user, with};
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
}

/// The databases and users on the server; nobody else is on it.
pub(crate) const WORD: &str = "crash";

/// All resources, in the order in which they are applied.
pub(crate) fn subjects() -> [Subject; 4] {
    [Subject::instance("main"), Subject::user("app"), Subject::user("own"), Subject::database("orders")]
}

/// The password that the scenario's user is given in a round.
fn password(round: u32) -> String {
    format!("given-password-{round}")
}

impl Scenario {
    /// Whether it begins with everything there.
    pub(crate) fn begins_populated(self) -> bool {
        self != Self::Create
    }

    /// Whether it ends with everything there.
    pub(crate) fn ends_populated(self) -> bool {
        self != Self::Delete
    }

    /// Attributes as they are in every round.
    pub(crate) fn without_round(self, attributes: &str, round: u32) -> String {
        let limit = if self == Self::Update { limit(round) } else { limit(0) };
        attributes.replace(&format!("limit {limit} "), "limit N ").replace(&format!("work_mem={limit}MB"), "work_mem=N")
    }

    /// Does it, in its `round`.
    pub(crate) async fn act(self, stage: &Stage, through: &PostgresEndpoint, round: u32) -> Result<()> {
        match self {
            Self::Create => populate(stage, through, round).await,
            Self::Password => {
                stage.put(secret("given", json!({ "word": password(round) }))).await?;
                // A Secret that somebody else maintains is read at the health interval; an annotation hurries it.
                stage.annotate(&Subject::user("own"), json!({ "round": round.to_string() })).await
            }
            Self::Update => stage.put_all(manifests(round)).await,
            Self::Delete => delete(stage).await,
        }
    }
}

/// Applies everything.
pub(crate) async fn populate(stage: &Stage, through: &PostgresEndpoint, round: u32) -> Result<()> {
    // Checks are no part of what is counted.
    let seldom = json!({ "spec": { "healthCheck": { "intervalSeconds": 3600 } } });
    stage.put_all([credentials("main-admin", through), with(instance("main", through), seldom)]).await?;
    stage.put(secret("given", json!({ "word": password(round) }))).await?;
    stage.put_all(manifests(0)).await
}

/// Deletes everything, the instance first, as a careless person does.
pub(crate) async fn delete(stage: &Stage) -> Result<()> {
    for subject in &subjects() {
        stage.delete(subject).await?;
    }
    Ok(())
}

/// What an update changes.
fn limit(round: u32) -> u32 {
    10 + round
}

fn manifests(round: u32) -> [Value; 3] {
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
