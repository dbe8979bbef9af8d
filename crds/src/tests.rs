//! What the accessors answer, which defaults hold, and what survives a round trip.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    AdoptionPolicy, Database, DatabaseInstance, DatabaseReferenceGrant, DatabaseUser, DeletionPolicy, DriftMode,
    HealthCheckConfig, Instance as _, InstanceId, InstancePhase, Managed as _, PasswordConfig, ResourcePhase, all_crds,
};

fn object<T: DeserializeOwned>(kind: &str, spec: &Value) -> T {
    annotated(kind, spec, &json!({}))
}

fn annotated<T: DeserializeOwned>(kind: &str, spec: &Value, annotations: &Value) -> T {
    serde_json::from_value(json!({
        "apiVersion": "dbops.dbprovision.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "shop", "namespace": "team", "annotations": annotations},
        "spec": spec,
    }))
    .unwrap()
}

fn instance(more: &Value) -> DatabaseInstance {
    let mut spec = json!({"engine": "acme", "connection": {"host": "db", "port": 5432, "database": "postgres"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object("DatabaseInstance", &spec)
}

#[test]
fn generic_defaults_hold_where_nothing_is_stated() {
    let instance = instance(&json!({"healthCheck": {}, "driftPolicy": {}, "discovery": {}, "tls": {}}));
    let spec = instance.instance_spec();
    assert!(spec.deletion_protection);
    assert_eq!(spec.health_check, Some(HealthCheckConfig { enabled: true, interval_seconds: 30, timeout_seconds: 5 }));
    let policy = spec.drift_policy.clone().unwrap();
    assert_eq!((policy.mode, policy.interval.as_str()), (DriftMode::Detect, "8h"));
    assert_eq!(spec.discovery.clone().unwrap().interval, "30m");

    let db: Database = object("Database", &json!({"name": "shop", "instanceRef": {"name": "main"}}));
    assert!(db.spec.deletion_protection);
    assert_eq!(db.spec.deletion_policy, DeletionPolicy::Delete);
    assert_eq!(db.spec.adoption_policy, AdoptionPolicy::Never);

    let password: PasswordConfig = serde_json::from_value(json!({"secretName": "s"})).unwrap();
    assert_eq!(password, PasswordConfig::named("s"));
}

#[test]
fn an_instance_without_a_health_check_is_checked_every_minute() {
    let spec = instance(&json!({}));
    assert_eq!(spec.instance_spec().health_check_in_effect().interval_seconds, 60);
}

#[test]
fn false_and_zero_survive_a_round_trip() {
    let spec = json!({
        "engine": "postgres",
        "connection": {"host": "db", "port": 5432, "database": "postgres"},
        "tls": {"enabled": false, "mode": "disable"},
        "healthCheck": {"enabled": false, "intervalSeconds": 30, "timeoutSeconds": 5},
        "discovery": {"enabled": false, "interval": "30m"},
        "resourceTracking": {"enabled": false, "commentFormat": "", "mysql": {"useUserAttributes": false}},
        "deletionProtection": false,
        "parameters": {"on": false, "count": 0, "nothing": null}
    });
    let parsed: DatabaseInstance = object("DatabaseInstance", &spec);
    assert_eq!(serde_json::to_value(&parsed).unwrap()["spec"], spec);

    let spec = json!({
        "instanceRef": {"name": "main"}, "name": "shop", "deletionPolicy": "Retain", "deletionProtection": false,
        "adoptionPolicy": "Never", "postgres": {"connectionLimit": 0, "allowConnections": false}
    });
    let parsed: Database = object("Database", &spec);
    assert_eq!(serde_json::to_value(&parsed).unwrap()["spec"], spec);

    let spec = json!({
        "instanceRef": {"name": "main"}, "username": "app", "adoptionPolicy": "Never", "roles": [],
        "passwordSecret": {
            "generate": false, "length": 8, "includeSpecialChars": false, "secretName": "s", "format": "kubernetes"
        },
        "passwordRotation": {
            "enabled": false, "strategy": "dual-password", "userNaming": "x", "serviceRole": {"autoCreate": false},
            "oldUserPolicy": {"action": "retain", "gracePeriodDays": 0, "ownershipCheck": false}
        },
        "postgres": {"inherit": false, "login": false, "connectionLimit": 0, "inRoles": []}
    });
    let parsed: DatabaseUser = object("DatabaseUser", &spec);
    assert_eq!(serde_json::to_value(&parsed).unwrap()["spec"], spec);
}

#[test]
fn a_phase_outside_the_list_is_not_read() {
    assert!(serde_json::from_value::<InstancePhase>(json!("Creating")).is_err());
    assert!(serde_json::from_value::<ResourcePhase>(json!("Running")).is_err());
}

#[test]
fn every_phase_can_be_stored() {
    let crds = all_crds();
    let allowed = |plural: &str| -> Vec<Value> {
        let find = |crd: &&CustomResourceDefinition| crd.spec.names.plural == plural;
        let crd = serde_json::to_value(crds.iter().find(find).unwrap()).unwrap();
        let pointer = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/phase/enum";
        crd.pointer(pointer).unwrap().as_array().unwrap().clone()
    };
    assert_eq!(allowed("databaseinstances"), InstancePhase::ALL.map(|phase| json!(phase.as_str())));
    for plural in ["databases", "databaseusers"] {
        assert_eq!(allowed(plural), ResourcePhase::ALL.map(|phase| json!(phase.as_str())));
    }
    for phase in InstancePhase::ALL {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
    }
    for phase in ResourcePhase::ALL {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
    }
}

#[test]
fn a_resource_names_one_instance_or_none() {
    for (reference, named) in [
        (json!({"instanceRef": {"name": "main"}}), Some(InstanceId::namespaced("team", "main"))),
        (json!({"instanceRef": {"name": "main", "namespace": ""}}), Some(InstanceId::namespaced("team", "main"))),
        (json!({"instanceRef": {"name": "main", "namespace": "dba"}}), Some(InstanceId::namespaced("dba", "main"))),
        (json!({"clusterInstanceRef": {"name": "main"}}), Some(InstanceId::cluster("main"))),
        (json!({}), None),
        (json!({"instanceRef": {"name": "a"}, "clusterInstanceRef": {"name": "b"}}), None),
    ] {
        let mut spec = reference.clone();
        spec["name"] = json!("shop");
        spec["username"] = json!("app");
        let db: Database = object("Database", &spec);
        assert_eq!(db.instance_id(), named, "{reference}");
        let user: DatabaseUser = object("DatabaseUser", &spec);
        assert_eq!(user.instance_id(), named, "{reference}");
    }
}

#[test]
fn a_user_keeps_its_deletion_rules_in_annotations() {
    let spec = json!({"instanceRef": {"name": "main"}, "username": "app"});
    let user = |annotations: Value| -> DatabaseUser { annotated("DatabaseUser", &spec, &annotations) };
    let policy = "dbops.dbprovision.io/deletion-policy";
    assert_eq!(user(json!({})).deletion_policy(), Ok(DeletionPolicy::Delete));
    assert_eq!(user(json!({policy: "Retain"})).deletion_policy(), Ok(DeletionPolicy::Retain));
    for text in ["Snapshot", "retain", ""] {
        let error = user(json!({policy: text})).deletion_policy().unwrap_err();
        assert_eq!(error.text, text);
    }
    let protection = "dbops.dbprovision.io/deletion-protection";
    assert!(!user(json!({})).deletion_protection());
    assert!(user(json!({protection: "true"})).deletion_protection());
    assert!(!user(json!({protection: "yes"})).deletion_protection());
}

#[test]
fn only_stated_blocks_are_offered_and_only_with_what_they_state() {
    let instance = instance(&json!({"postgres": {}, "parameters": {"depth": {"is": "free"}}}));
    let blocks = instance.instance_spec().option_blocks().unwrap();
    assert_eq!(json!(blocks), json!({"postgres": {}, "parameters": {"depth": {"is": "free"}}}));
    let spec = json!({"instanceRef": {"name": "main"}, "name": "shop", "mysql": {"charset": "latin1"}});
    let db: Database = object("Database", &spec);
    assert_eq!(json!(db.option_blocks().unwrap()), json!({"mysql": {"charset": "latin1"}}));
}

#[test]
fn a_reference_grant_fills_in_the_groups() {
    let spec = json!({"from": [{"kind": "ClusterDatabaseInstance"}], "to": [{"kind": "Secret"}]});
    let grant: DatabaseReferenceGrant = object("DatabaseReferenceGrant", &spec);
    assert_eq!(grant.spec.from.first().unwrap().group, "dbops.dbprovision.io");
    assert_eq!(grant.spec.to.first().unwrap().group, "");
}

#[test]
fn credentials_come_from_one_secret_or_none() {
    let connection = |more: Value| {
        let mut connection = json!({"host": "db", "port": 1, "database": ""});
        connection.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<crate::ConnectionConfig>(connection).unwrap()
    };
    let name = |more| connection(more).credentials().map(|secret| secret.name.clone());
    assert_eq!(name(json!({})), None);
    assert_eq!(name(json!({"existingSecret": {"name": "b"}})), Some("b".to_owned()));
    assert_eq!(name(json!({"secretRef": {"name": "a"}})), Some("a".to_owned()));
    assert_eq!(name(json!({"existingSecret": {"name": "b"}, "secretRef": {"name": "a"}})), None);
}
