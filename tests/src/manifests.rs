//! Manifests of the tests, with nothing stated that a test does not state itself.

#![expect(clippy::needless_pass_by_value, reason = "manifests are written where they are used, once")]

use crds::names::annotation;
use serde_json::{Value, json};
use testkit::mysql::MysqlEndpoint;
use testkit::postgres::PostgresEndpoint;

/// A Secret with text values.
pub fn secret(name: &str, values: Value) -> Value {
    json!({ "kind": "Secret", "metadata": { "name": name }, "stringData": values })
}

/// The credentials of a server's administrator.
pub fn credentials(name: &str, server: &PostgresEndpoint) -> Value {
    secret(name, json!({ "username": server.administrator.name, "password": server.administrator.password }))
}

/// The credentials of the administrator of a MySQL or MariaDB server.
pub fn mysql_credentials(name: &str, server: &MysqlEndpoint) -> Value {
    secret(name, json!({ "username": server.administrator.name, "password": server.administrator.password }))
}

/// A `DatabaseInstance` of a MySQL or MariaDB server, under this name of the engine; its Secret is `<name>-admin`.
pub fn mysql_instance(name: &str, server: &MysqlEndpoint, engine: &str) -> Value {
    let of_engine = json!({ "spec": { "engine": engine, "connection": { "database": "mysql" } } });
    with(instance_at(name, &server.host, server.port), of_engine)
}

/// A `DatabaseInstance` of a server; its Secret is `<name>-admin`.
pub fn instance(name: &str, server: &PostgresEndpoint) -> Value {
    instance_at(name, &server.host, server.port)
}

/// A `DatabaseInstance` at an address; its Secret is `<name>-admin`.
pub fn instance_at(name: &str, host: &str, port: u16) -> Value {
    json!({
        "kind": "DatabaseInstance",
        "metadata": { "name": name },
        "spec": {
            "engine": "postgres",
            "connection": {
                "host": host, "port": port, "database": "postgres", "secretRef": { "name": format!("{name}-admin") },
            },
            "deletionProtection": false,
        },
    })
}

/// A `Database` of the instance `main`.
pub fn database(name: &str, external: &str) -> Value {
    json!({
        "kind": "Database",
        "metadata": { "name": name },
        "spec": { "instanceRef": { "name": "main" }, "name": external, "deletionProtection": false },
    })
}

/// A `DatabaseUser` of the instance `main`.
pub fn user(name: &str, external: &str) -> Value {
    json!({
        "kind": "DatabaseUser",
        "metadata": { "name": name },
        "spec": {
            "instanceRef": { "name": "main" }, "username": external, "passwordSecret": { "secretName": name },
        },
    })
}

/// A `DatabaseRole` of the instance `main`.
pub fn role(name: &str, external: &str) -> Value {
    json!({
        "kind": "DatabaseRole",
        "metadata": { "name": name },
        "spec": { "instanceRef": { "name": "main" }, "roleName": external },
    })
}

/// A `DatabaseGrant` that names nobody yet.
pub fn access_grant(name: &str) -> Value {
    json!({ "kind": "DatabaseGrant", "metadata": { "name": name }, "spec": {} })
}

/// A `ClusterDatabaseRole` of the cluster-scoped instance of the same name.
pub fn cluster_role(name: &str, external: &str) -> Value {
    json!({
        "kind": "ClusterDatabaseRole",
        "metadata": { "name": name },
        "spec": { "clusterInstanceRef": { "name": name }, "roleName": external },
    })
}

/// The same manifest with parts of it changed; `null` removes.
#[must_use]
pub fn with(mut manifest: Value, change: Value) -> Value {
    merge(&mut manifest, change);
    manifest
}

/// The same in a namespace.
#[must_use]
pub fn inside(namespace: &str, manifest: Value) -> Value {
    with(manifest, json!({ "metadata": { "namespace": namespace } }))
}

/// A `DatabaseReferenceGrant`.
pub fn grant(name: &str, from: Value, to: Value) -> Value {
    json!({ "kind": "DatabaseReferenceGrant", "metadata": { "name": name }, "spec": { "from": [from], "to": [to] } })
}

/// The annotations that force a deletion and confirm what it takes along.
pub fn forced(hash: Option<&str>) -> Value {
    json!({ annotation::FORCE_DELETE: annotation::TRUE, annotation::CONFIRM_FORCE_DELETE: hash })
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change,
    }
}
