//! Stories: a change, and who is looked at because of it.

use std::sync::Mutex;

use futures::channel::mpsc::UnboundedReceiver;
use kube::runtime::reflector::{Lookup, ObjectRef};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::cluster::stores::Writers;
use crate::operator::triggers::Queues;

struct Story {
    relations: Relations,
    writers: Writers,
    queues: Queues,
    forgotten: Arc<Mutex<Vec<String>>>,
}

impl Story {
    fn new() -> Self {
        let (stores, writers) = Stores::new();
        let (triggers, queues) = Triggers::new("default".to_owned());
        triggers.open();
        let forgotten = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&forgotten);
        let forget: Forget = Arc::new(move |key: &ObjectKey, _: &str| list.lock().unwrap().push(key.to_string()));
        Self { relations: Relations { stores, triggers, forget }, writers, queues, forgotten }
    }

    /// Main in team-a, with a database of team-a and a user of team-b.
    fn usual() -> Self {
        let mut story = Self::new();
        story.writers.instances.apply_watcher_event(&Event::Apply(instance(&json!({}))));
        story.writers.databases.apply_watcher_event(&Event::Apply(database("team-a", &json!({}), &json!(null))));
        story.writers.users.apply_watcher_event(&Event::Apply(user("team-b", &json!({}), &json!(null))));
        story
    }

    fn queued(&mut self) -> Vec<String> {
        let Queues {
            instances,
            cluster_instances,
            databases,
            users,
            roles,
            cluster_roles,
            access_grants,
            cluster_access_grants,
        } = &mut self.queues;
        let mut all = drained(instances, "instance");
        all.extend(drained(cluster_instances, "cluster instance"));
        all.extend(drained(databases, "database"));
        all.extend(drained(users, "user"));
        all.extend(drained(roles, "role"));
        all.extend(drained(cluster_roles, "cluster role"));
        all.extend(drained(access_grants, "access grant"));
        all.extend(drained(cluster_access_grants, "cluster access grant"));
        all.sort();
        all.dedup();
        all
    }
}

fn drained<K: Lookup<DynamicType = ()>>(queue: &mut UnboundedReceiver<ObjectRef<K>>, word: &str) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(key) = queue.try_recv() {
        all.push(format!("{word} {}/{}", key.namespace.unwrap_or_default(), key.name));
    }
    all
}

fn merged(mut metadata: Value, more: &Value) -> Value {
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    metadata
}

fn instance(metadata: &Value) -> DatabaseInstance {
    let metadata = merged(json!({ "namespace": "team-a", "name": "main", "uid": "i", "generation": 1 }), metadata);
    serde_json::from_value(json!({
        "apiVersion": crds::names::API_VERSION, "kind": "DatabaseInstance", "metadata": metadata,
        "spec": {
            "engine": "x",
            "connection": { "host": "db", "port": 5432, "database": "x", "secretRef": { "name": "admin" } },
        },
    }))
    .unwrap()
}

fn database(namespace: &str, metadata: &Value, status: &Value) -> Database {
    let metadata = merged(json!({ "namespace": namespace, "name": "orders", "uid": "d", "generation": 1 }), metadata);
    serde_json::from_value(json!({
        "apiVersion": crds::names::API_VERSION, "kind": "Database", "metadata": metadata,
        "spec": { "name": "orders", "instanceRef": { "name": "main", "namespace": "team-a" } }, "status": status,
    }))
    .unwrap()
}

fn user(namespace: &str, metadata: &Value, status: &Value) -> DatabaseUser {
    let metadata = merged(json!({ "namespace": namespace, "name": "app", "uid": "u", "generation": 1 }), metadata);
    serde_json::from_value(json!({
        "apiVersion": crds::names::API_VERSION, "kind": "DatabaseUser", "metadata": metadata,
        "spec": { "username": "app", "instanceRef": { "name": "main", "namespace": "team-a" } }, "status": status,
    }))
    .unwrap()
}

fn present<K>(before: Option<K>, now: K) -> Change<K> {
    Change::Present { before: before.map(Arc::new), now: Arc::new(now) }
}

fn blocked(reason: &str) -> Value {
    json!({ "phase": "Pending", "conditions": [{
        "type": "Synced", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] })
}

#[test]
fn an_instance_that_changed_takes_its_resources_of_all_namespaces_along() {
    let mut story = Story::usual();
    story.relations.instance(&present(Some(instance(&json!({}))), instance(&json!({ "generation": 2 }))));
    assert_eq!(story.queued(), ["database team-a/orders", "instance team-a/main", "user team-b/app"]);
}

#[test]
fn a_status_write_of_ours_starts_nothing() {
    let mut story = Story::usual();
    let before = database("team-a", &json!({ "resourceVersion": "1" }), &json!({ "phase": "Ready" }));
    let now = database("team-a", &json!({ "resourceVersion": "2" }), &json!({ "phase": "Ready", "message": "x" }));
    story.relations.database(&present(Some(before), now));
    assert!(story.queued().is_empty());
}

#[test]
fn who_waits_for_another_resource_is_looked_at_when_one_moves() {
    let mut story = Story::usual();
    let waiting = user("team-b", &json!({}), &blocked(reason::DEPENDENCY_MISSING));
    story.writers.users.apply_watcher_event(&Event::Apply(waiting));
    let before = database("team-a", &json!({}), &json!({ "phase": "Creating" }));
    let now = database("team-a", &json!({}), &json!({ "phase": "Ready" }));
    story.relations.database(&present(Some(before), now));
    assert_eq!(story.queued(), ["user team-b/app"]);
}

#[test]
fn a_user_who_owned_a_database_is_looked_at_when_it_is_gone() {
    let mut story = Story::usual();
    let waiting = user("team-b", &json!({}), &blocked(reason::OWNERSHIP_BLOCKS));
    story.writers.users.apply_watcher_event(&Event::Apply(waiting));
    story.relations.database(&Change::Gone(Arc::new(database("team-a", &json!({}), &json!(null)))));
    assert_eq!(story.queued(), ["user team-b/app"]);
}

#[test]
fn who_waits_for_a_server_is_not_disturbed_by_its_siblings() {
    let mut story = Story::usual();
    let waiting = user("team-b", &json!({}), &blocked(reason::INSTANCE_NOT_READY));
    story.writers.users.apply_watcher_event(&Event::Apply(waiting));
    story.relations.database(&Change::Gone(Arc::new(database("team-a", &json!({}), &json!(null)))));
    assert!(story.queued().is_empty());
}

#[test]
fn an_instance_that_is_being_deleted_is_looked_at_when_a_resource_of_it_goes() {
    let mut story = Story::usual();
    let gone = || Change::Gone(Arc::new(database("team-a", &json!({}), &json!(null))));
    story.relations.database(&gone());
    assert!(story.queued().is_empty());
    let going = instance(&json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" }));
    story.writers.instances.apply_watcher_event(&Event::Apply(going));
    story.relations.database(&gone());
    assert_eq!(story.queued(), ["instance team-a/main"]);
    assert_eq!(*story.forgotten.lock().unwrap(), ["Database team-a/orders", "Database team-a/orders"]);
}

#[test]
fn a_consent_that_appears_or_goes_concerns_whom_it_names() {
    let mut story = Story::usual();
    let grant: DatabaseReferenceGrant = serde_json::from_value(json!({
        "apiVersion": crds::names::API_VERSION, "kind": "DatabaseReferenceGrant",
        "metadata": { "namespace": "secrets", "name": "g" },
        "spec": {
            "from": [
                { "kind": "DatabaseInstance", "namespace": "team-a" },
                { "kind": "DatabaseUser", "namespace": "team-b" },
                { "kind": "Database", "namespace": "team-c" },
            ],
            "to": [{ "kind": "Secret" }],
        },
    }))
    .unwrap();
    story.relations.grant(&present(None, grant.clone()));
    let concerned = ["instance team-a/main", "user team-b/app"];
    assert_eq!(story.queued(), concerned);
    story.relations.grant(&present(Some(grant.clone()), grant.clone()));
    assert!(story.queued().is_empty());
    story.relations.grant(&Change::Gone(Arc::new(grant)));
    assert_eq!(story.queued(), concerned);
}

#[test]
fn a_touched_output_secret_concerns_its_user_by_label_or_by_record() {
    let mut story = Story::usual();
    let secret = |namespace: &str, name: &str, user: Option<&str>| OutputSecret {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        user: user.map(ToOwned::to_owned),
        database: None,
    };
    story.relations.output_secret(&secret("team-b", "app-credentials", Some("app")));
    assert_eq!(story.queued(), ["user team-b/app"]);
    story.relations.output_secret(&secret("elsewhere", "published", Some("app")));
    assert!(story.queued().is_empty());
    let recorded = json!({ "secret": { "name": "published", "namespace": "elsewhere" } });
    story.writers.users.apply_watcher_event(&Event::Apply(user("team-b", &json!({}), &recorded)));
    story.relations.output_secret(&secret("elsewhere", "published", Some("app")));
    assert_eq!(story.queued(), ["user team-b/app"]);
}

#[test]
fn resources_of_another_operator_are_left_alone() {
    let mut story = Story::new();
    let labels = json!({ "labels": { "dbops.dbprovision.io/operator-instance-id": "other" } });
    story.relations.database(&present(None, database("team-a", &labels, &json!(null))));
    assert!(story.queued().is_empty());
    story.relations.database(&present(None, database("team-a", &json!({}), &json!(null))));
    assert_eq!(story.queued(), ["database team-a/orders"]);
}

#[test]
fn a_replica_that_stands_by_queues_nothing() {
    let (stores, _writers) = Stores::new();
    let (triggers, mut queues) = Triggers::new("default".to_owned());
    let relations = Relations { stores, triggers, forget: Arc::new(|_, _| {}) };
    relations.database(&present(None, database("team-a", &json!({}), &json!(null))));
    assert!(drained(&mut queues.databases, "database").is_empty());
}

#[test]
fn a_database_that_is_made_again_concerns_the_grants_on_it_and_about_it() {
    let mut story = Story::usual();
    let grant = |name: &str, spec: &Value, status: &Value| -> DatabaseGrant {
        let user = merged(json!({ "userRef": { "name": "app" } }), spec);
        serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION, "kind": "DatabaseGrant",
            "metadata": { "namespace": "team-b", "name": name, "uid": name }, "spec": user, "status": status,
        }))
        .unwrap()
    };
    let on = |database: &str| {
        json!({
            "databases": { database: "1" },
            "ownership": {
                "name": "app", "serverIdentity": "s", "nonce": "n", "engine": "x",
                "instance": { "kind": "DatabaseInstance", "namespace": "team-a", "name": "main" },
            },
        })
    };
    let about = |namespace: &str| json!({ "databaseRef": { "name": "orders", "namespace": namespace } });
    for one in [
        grant("on-it", &json!({}), &on("orders")),
        grant("on-another", &json!({}), &on("bills")),
        grant("about-it", &about("team-a"), &json!(null)),
        // An empty word is the grant's own namespace.
        grant("about-another", &about(""), &json!(null)),
    ] {
        story.writers.access_grants.apply_watcher_event(&Event::Apply(one));
    }
    let role = |name: &str, held: &Value| -> DatabaseRole {
        serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION, "kind": "DatabaseRole",
            "metadata": { "namespace": "team-b", "name": name, "uid": name },
            "spec": { "roleName": name, "instanceRef": { "name": "main", "namespace": "team-a" } },
            "status": { "held": held },
        }))
        .unwrap()
    };
    let held = |database: &str| json!([{ "level": "database", "object": [database], "privileges": ["CONNECT"] }]);
    for one in [role("with-rights", &held("or\\ders")), role("elsewhere", &held("bills")), role("new", &json!([]))] {
        story.writers.roles.apply_watcher_event(&Event::Apply(one));
    }
    let made = |id: &str, size: i64| {
        let ownership = json!({
            "name": "orders", "serverIdentity": "s", "nonce": "n", "engine": "x", "objectID": id,
            "instance": { "kind": "DatabaseInstance", "namespace": "team-a", "name": "main" },
            "createdAt": "2026-01-01T00:00:00Z",
        });
        database("team-a", &json!({}), &json!({ "ownership": ownership, "database": { "sizeBytes": size } }))
    };
    story.relations.database(&present(Some(made("1", 1)), made("1", 2)));
    assert!(story.queued().is_empty(), "it is the same");
    let concerned = ["access grant team-b/about-it", "access grant team-b/on-it", "role team-b/with-rights"];
    story.relations.database(&present(Some(made("1", 1)), made("2", 1)));
    assert_eq!(story.queued(), concerned);
    story.relations.database(&Change::Gone(Arc::new(made("2", 1))));
    assert_eq!(story.queued(), concerned);
}
