//! The generated schemas against the published API: every field is there with its type, requiredness,
//! limits, enum values and default. The tables in `fields/` have one field a line:
//! `path type [required] [enum=a|b] [default=x] [min=1] ...`. `own_fields.txt` has what we added.
//!
//! A schema may be wider than the table (more enum values), never narrower.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken table or schema is a failed test")]

use std::collections::BTreeMap;

use dbprovision_crds::all_crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

const KINDS: [&str; 9] = [
    "databaseinstances",
    "clusterdatabaseinstances",
    "databases",
    "databaseusers",
    "databaseroles",
    "clusterdatabaseroles",
    "databasegrants",
    "clusterdatabasegrants",
    "databasereferencegrants",
];

fn crd(plural: &str) -> CustomResourceDefinition {
    all_crds().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap()
}

fn schema(plural: &str) -> Value {
    let version = crd(plural).spec.versions.remove(0);
    serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

fn table(plural: &str) -> Vec<String> {
    let text = match plural {
        "databaseinstances" | "clusterdatabaseinstances" => {
            include_str!("fields/databaseinstances.txt")
        }
        "databases" => include_str!("fields/databases.txt"),
        "databaseusers" => include_str!("fields/databaseusers.txt"),
        "databaseroles" => include_str!("fields/databaseroles.txt"),
        "clusterdatabaseroles" => include_str!("fields/clusterdatabaseroles.txt"),
        "databasegrants" => include_str!("fields/databasegrants.txt"),
        "clusterdatabasegrants" => include_str!("fields/clusterdatabasegrants.txt"),
        _ => "",
    };
    let own =
        include_str!("fields/own_fields.txt").lines().filter_map(|line| line.strip_prefix(plural)?.strip_prefix(' '));
    text.lines().chain(own).map(str::to_owned).collect()
}

/// Every field of a schema by its path, with whether its parent requires it.
fn fields(schema: &Value) -> BTreeMap<String, (Value, bool)> {
    fn walk(prefix: &str, schema: &Value, found: &mut BTreeMap<String, (Value, bool)>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
            found.insert(path.clone(), (property.clone(), required));
            walk(&path, property, found);
            let mut items = property;
            let mut path = path;
            while let Some(item) = items.get("items") {
                path.push_str("[]");
                found.insert(path.clone(), (item.clone(), false));
                walk(&path, item, found);
                items = item;
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", schema, &mut found);
    found
}

/// What is wrong with one field, judged by its line of the table.
fn complaint(line: &str, fields: &BTreeMap<String, (Value, bool)>) -> Option<String> {
    let (path, facts) = line.split_once(' ').unwrap();
    let Some((schema, required)) = fields.get(path) else {
        return Some("is missing".to_owned());
    };
    let (type_, facts) = facts.split_once(' ').unwrap_or((facts, ""));
    if schema["type"] != type_ {
        return Some(format!("has type {}", schema["type"]));
    }
    let mut may_be_absent = true;
    let mut default = None;
    for fact in facts.split(' ').filter(|fact| !fact.is_empty()) {
        let (key, value) = fact.split_once('=').unwrap_or((fact, ""));
        let holds = match key {
            "required" => {
                may_be_absent = false;
                true
            }
            "default" => {
                default = Some(value);
                true
            }
            "enum" => {
                value.split('|').all(|word| schema["enum"].as_array().is_some_and(|all| all.contains(&json!(word))))
            }
            "min" => schema["minimum"].as_f64() == value.parse().ok(),
            "max" => schema["maximum"].as_f64() == value.parse().ok(),
            "minLength" | "maxLength" | "minItems" | "maxItems" => schema[key].as_u64() == value.parse().ok(),
            unknown => panic!("the table has an unknown fact {unknown:?}"),
        };
        if !holds {
            return Some(format!("does not keep {fact}: {schema}"));
        }
    }
    if *required == may_be_absent {
        return Some(format!("is required: {required}"));
    }
    let stated = schema.get("default").map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    (stated.as_deref() != default).then(|| format!("has the default {stated:?}"))
}

#[test]
fn every_published_field_is_there_as_published() {
    let mut complaints = Vec::new();
    for plural in KINDS {
        let fields = fields(&schema(plural));
        for line in table(plural) {
            if let Some(complaint) = complaint(&line, &fields) {
                complaints.push(format!("{plural}: {line}: {complaint}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_field_is_in_a_table() {
    let mut unknown = Vec::new();
    for plural in KINDS {
        let table = table(plural);
        let known: Vec<&str> = table.iter().map(|line| line.split(' ').next().unwrap()).collect();
        let roots = ["apiVersion", "kind", "metadata", "spec", "status"];
        for path in fields(&schema(plural)).into_keys() {
            // What an array holds has no line of its own where its fields have.
            let is_known = known.contains(&path.as_str())
                || path.ends_with("[]") && known.iter().any(|known| known.starts_with(&format!("{path}.")));
            if !is_known && !roots.contains(&path.as_str()) {
                unknown.push(format!("{plural} {path}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn every_field_is_documented_briefly() {
    let mut complaints = Vec::new();
    for plural in KINDS {
        for (path, (schema, _)) in fields(&schema(plural)) {
            if path.ends_with("[]") || path == "metadata" {
                continue;
            }
            let length = schema["description"].as_str().map_or(0, str::len);
            let ours = !path.contains("elector") && !path.contains("conditions[]");
            if length == 0 && ours || length > 600 {
                complaints.push(format!("{plural} {path}: {length} characters"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Structural: every schema has exactly one type, and nothing inside `anyOf`, `oneOf`, `allOf` or `not` declares structure.
#[test]
fn every_schema_is_structural() {
    fn check(path: &str, schema: &Value) {
        let any = schema["x-kubernetes-int-or-string"] == true;
        assert!(schema["type"].is_string() || any, "{path} has no type: {schema}");
        for keyword in ["$ref", "anyOf", "oneOf", "allOf", "not", "nullable", "definitions", "uniqueItems", "title"] {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}: {schema}");
        }
        let both = schema.get("properties").is_some() && schema.get("additionalProperties").is_some();
        assert!(!both, "{path} has both properties and additionalProperties");
        if let Some(format) = schema["format"].as_str() {
            assert!(["int32", "int64", "date-time"].contains(&format), "{path} has the format {format}");
        }
        if schema["format"] == "int32" {
            assert!(schema["minimum"].is_number() && schema["maximum"].is_number(), "{path} has no limits");
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            check(&format!("{path}.{name}"), property);
        }
        for keyword in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(keyword) {
                check(&format!("{path}.{keyword}"), inner);
            }
        }
    }
    for plural in KINDS {
        check(plural, &schema(plural));
    }
}

#[test]
fn engine_blocks_have_no_schema_defaults() {
    for plural in KINDS {
        for (path, (schema, _)) in fields(&schema(plural)) {
            let in_a_block = [".postgres.", ".mysql.", ".clickhouse."].iter().any(|block| path.contains(block));
            assert!(!in_a_block || schema.get("default").is_none(), "{plural} {path} has a default");
        }
    }
}

#[test]
fn the_rules_speak_the_published_words() {
    for (plural, pointer, message) in [
        ("databaseinstances", "/properties/spec/properties/engine", "engine is immutable"),
        ("clusterdatabaseinstances", "/properties/spec/properties/engine", "engine is immutable"),
        ("databases", "/properties/spec/properties/name", "database name is immutable"),
        ("databaseusers", "/properties/spec/properties/username", "username is immutable"),
        ("databaseroles", "/properties/spec/properties/roleName", "roleName is immutable"),
        ("clusterdatabaseroles", "/properties/spec/properties/roleName", "roleName is immutable"),
        ("databaseroles", "/properties/spec", "either instanceRef or clusterInstanceRef must be specified"),
        ("databases", "/properties/spec", "either instanceRef or clusterInstanceRef must be specified"),
        ("databases", "/properties/spec", "instanceRef and clusterInstanceRef are mutually exclusive"),
        ("databaseusers", "/properties/spec", "either instanceRef or clusterInstanceRef must be specified"),
        ("databaseusers", "/properties/spec", "instanceRef and clusterInstanceRef are mutually exclusive"),
        ("databasegrants", "/properties/spec", "either userRef or roleRef must be specified"),
        ("databasegrants", "/properties/spec", "userRef and roleRef are mutually exclusive"),
        (
            "databases",
            "/properties/spec/properties/initSQL",
            "exactly one of inline, configMapRef, or secretRef must be specified",
        ),
    ] {
        let schema = schema(plural);
        let rules = &schema.pointer(pointer).unwrap()["x-kubernetes-validations"];
        let found = rules.as_array().is_some_and(|rules| rules.iter().any(|rule| rule["message"] == message));
        assert!(found, "{plural} {pointer} lacks the rule {message:?}: {rules}");
    }
}

#[test]
fn names_columns_and_subresources_are_as_published() {
    let columns = |plural: &str| -> Vec<String> {
        let version = crd(plural).spec.versions.remove(0);
        assert!(version.served && version.storage && version.name == "v1alpha1");
        assert!(version.subresources.unwrap().status.is_some());
        let columns = version.additional_printer_columns.unwrap();
        columns.iter().map(|column| format!("{}({} {})", column.name, column.type_, column.json_path)).collect()
    };
    let ready = r#"Ready(string .status.conditions[?(@.type=="Ready")].status)"#;
    let age = "Age(date .metadata.creationTimestamp)";
    for plural in ["databaseinstances", "clusterdatabaseinstances"] {
        let published = [
            "Engine(string .spec.engine)",
            "Host(string .spec.connection.host)",
            "Port(integer .spec.connection.port)",
            "Phase(string .status.phase)",
            "Version(string .status.version)",
            ready,
            age,
        ];
        assert_eq!(columns(plural), published);
    }
    let published = [
        "Instance(string .spec.instanceRef.name)",
        "Database(string .spec.name)",
        "Phase(string .status.phase)",
        "Size(string .status.database.sizeBytes)",
        ready,
        age,
    ];
    assert_eq!(columns("databases"), published);
    let published = [
        "Instance(string .spec.instanceRef.name)",
        "Username(string .spec.username)",
        "Phase(string .status.phase)",
        "Secret(string .status.secret.name)",
        ready,
        age,
    ];
    assert_eq!(columns("databaseusers"), published);
    let of_role = |instance: &str| {
        let instance = format!("Instance(string {instance})");
        let rest = ["Role(string .spec.roleName)", "Phase(string .status.phase)", ready, age];
        std::iter::once(instance).chain(rest.map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(columns("databaseroles"), of_role(".spec.instanceRef.name"));
    assert_eq!(columns("clusterdatabaseroles"), of_role(".spec.clusterInstanceRef.name"));
    let published = [
        "User(string .spec.userRef.name)",
        "Role(string .spec.roleRef.name)",
        "Database(string .spec.databaseRef.name)",
        "Phase(string .status.phase)",
        ready,
        age,
    ];
    assert_eq!(columns("databasegrants"), published);
    let published = [
        "Target(string .status.targetInfo.name)",
        "Type(string .status.targetInfo.type)",
        "Applied(integer .status.appliedGrants.applied)",
        "Phase(string .status.phase)",
        ready,
        age,
    ];
    assert_eq!(columns("clusterdatabasegrants"), published);
    for (plural, short, scope) in [
        ("databaseinstances", "dbi", "Namespaced"),
        ("clusterdatabaseinstances", "cdbi", "Cluster"),
        ("databases", "db", "Namespaced"),
        ("databaseusers", "dbu", "Namespaced"),
        ("databaseroles", "dbr", "Namespaced"),
        ("clusterdatabaseroles", "cdbr", "Cluster"),
        ("databasegrants", "dbg", "Namespaced"),
        ("clusterdatabasegrants", "cdbg", "Cluster"),
        ("databasereferencegrants", "dbrefgrant", "Namespaced"),
    ] {
        let spec = crd(plural).spec;
        assert_eq!(spec.group, "dbops.dbprovision.io");
        assert_eq!(spec.scope, scope);
        assert_eq!(spec.names.short_names.unwrap(), [short]);
        assert_eq!(spec.names.categories.unwrap(), ["dbops"]);
    }
}
