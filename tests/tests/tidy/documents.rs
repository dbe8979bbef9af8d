//! The documents say what is there: decisions are indexed, links lead somewhere, the tests that hold an invariant
//! exist, examples are ones that the API takes, and every kind has its generated definition.

use std::collections::BTreeSet;

use crds::{
    ClusterDatabaseGrant, ClusterDatabaseInstance, ClusterDatabaseRole, Database, DatabaseGrant, DatabaseInstance,
    DatabaseReferenceGrant, DatabaseRole, DatabaseUser,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::tree::Tree;

/// The parts of a decision's record.
const PARTS: [&str; 5] =
    ["## Context", "## Options", "## Decision", "## Consequences", "## What would change our mind"];

const INDEX: &str = "docs/adr/README.md";

/// Every decision is in the index, whole, and has a number of its own.
pub(crate) fn decisions(tree: &Tree) -> Vec<String> {
    let index = tree.text(INDEX).unwrap_or_default();
    let mut numbers = BTreeSet::new();
    let mut found = Vec::new();
    for (path, text) in tree.under("docs/adr/", ".md").filter(|(path, _)| *path != INDEX) {
        let name = path.trim_start_matches("docs/adr/");
        if !index.contains(&format!("({name})")) {
            found.push(format!("{path} is not in {INDEX}"));
        }
        let number = name.split('-').next().unwrap_or_default();
        if number.len() != 4 || !numbers.insert(number.to_owned()) {
            found.push(format!("{path} has no number of its own"));
        }
        for part in PARTS.iter().filter(|part| !text.lines().any(|line| line == **part)) {
            found.push(format!("{path} lacks {part:?}"));
        }
    }
    found
}

/// A link to a file leads to one.
pub(crate) fn links(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in text.split("](").skip(1).filter_map(|after| after.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let place = resolved(folder, target);
            if !tree.has_place(&place) && !OTHER_FILES.contains(&place.as_str()) {
                found.push(format!("{path} links to {link}, which is not there"));
            }
        }
    }
    found
}

/// What documents may link to and a tree does not read.
const OTHER_FILES: [&str; 3] = ["LICENSE", "Justfile", ".ci/run"];

fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The table of the invariants: twelve rows, and a test that a row names exists.
pub(crate) fn invariants(tree: &Tree) -> Vec<String> {
    const PATH: &str = "docs/ARCHITECTURE.md";
    let text = tree.text(PATH).unwrap_or_default();
    let table = text.split("## The twelve invariants").nth(1).and_then(|after| after.split("\n## ").next());
    let rows: Vec<&str> = table.unwrap_or_default().lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut found = Vec::new();
    if rows.len() != 12 {
        found.push(format!("{PATH} has {} invariants in its table instead of twelve", rows.len()));
    }
    for row in rows {
        let named = row.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() >= 3);
        for name in named.map(|word| word.rsplit("::").next().unwrap_or(word)) {
            let definition = format!("fn {name}(");
            if !tree.ending(".rs").any(|(_, text)| text.contains(&definition)) {
                found.push(format!("{PATH} names the test {name}, which is not there"));
            }
        }
        if !row.contains('`') && !row.contains("not yet held by a test") {
            found.push(format!("{PATH}: an invariant names no test: {row}"));
        }
    }
    found
}

/// Every kind has its generated definition, and no other file is among them.
pub(crate) fn definitions(tree: &Tree) -> Vec<String> {
    const FOLDER: &str = "deploy/crds/";
    let plurals: BTreeSet<String> = tree
        .under("crds/src/", ".rs")
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.trim().strip_prefix("plural = \"")?.split('"').next())
        .map(|plural| format!("{FOLDER}{plural}.yaml"))
        .collect();
    let present: BTreeSet<String> = tree
        .under(FOLDER, ".yaml")
        .map(|(path, _)| path.to_owned())
        .filter(|path| !path.ends_with("/kustomization.yaml"))
        .collect();
    let missing = plurals.difference(&present).map(|path| format!("{path} is missing: run cargo xtask crds"));
    let stray = present.difference(&plurals).map(|path| format!("{path} belongs to no kind"));
    missing.chain(stray).collect()
}

/// Every example in the documents, and every sample, is one that the API takes, with no field that it would drop.
pub(crate) fn examples(tree: &Tree) -> Vec<String> {
    let blocks = tree.ending(".md").flat_map(|(path, text)| {
        let inside = |after: &'_ str| after.split("```").next().map(str::to_owned);
        text.split("```yaml\n").skip(1).filter_map(inside).map(move |block| (path, block)).collect::<Vec<_>>()
    });
    let samples = tree.under("deploy/samples/", ".yaml").map(|(path, text)| (path, text.to_owned()));
    let mut found = Vec::new();
    for (path, text) in blocks.chain(samples) {
        let objects = match testkit::cluster::parse_yaml(&text) {
            Ok(objects) => objects,
            Err(error) => {
                found.push(format!("{path}: an example is no Kubernetes object: {error:#}"));
                continue;
            }
        };
        for object in objects {
            if let Err(problem) = taken(&object) {
                found.push(format!("{path}: {problem}"));
            }
        }
    }
    found
}

fn taken(object: &kube::api::DynamicObject) -> Result<(), String> {
    let kind = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
    let value = serde_json::to_value(object).map_err(|error| error.to_string())?;
    match kind {
        "DatabaseInstance" => read_as::<DatabaseInstance>(&value),
        "ClusterDatabaseInstance" => read_as::<ClusterDatabaseInstance>(&value),
        "Database" => read_as::<Database>(&value),
        "DatabaseUser" => read_as::<DatabaseUser>(&value),
        "DatabaseRole" => read_as::<DatabaseRole>(&value),
        "ClusterDatabaseRole" => read_as::<ClusterDatabaseRole>(&value),
        "DatabaseGrant" => read_as::<DatabaseGrant>(&value),
        "ClusterDatabaseGrant" => read_as::<ClusterDatabaseGrant>(&value),
        "DatabaseReferenceGrant" => read_as::<DatabaseReferenceGrant>(&value),
        // Secrets and namespaces are Kubernetes' own.
        _ if object.types.as_ref().is_some_and(|types| !types.api_version.contains("dbprovision")) => Ok(()),
        other => Err(format!("there is no kind {other:?}")),
    }
}

fn read_as<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let back = serde_json::to_value(typed).map_err(|error| error.to_string())?;
    match lost(value, &back, "") {
        None => Ok(()),
        Some(path) => Err(format!("the API has no field {path}")),
    }
}

/// The first field of `stated` that `kept` has not.
fn lost(stated: &Value, kept: &Value, path: &str) -> Option<String> {
    match (stated, kept) {
        (Value::Object(stated), Value::Object(kept)) => stated.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            kept.get(key).map_or_else(|| Some(path.clone()), |kept| lost(value, kept, &path))
        }),
        (Value::Array(stated), Value::Array(kept)) => {
            stated.iter().zip(kept).find_map(|(stated, kept)| lost(stated, kept, path))
        }
        _ => None,
    }
}
