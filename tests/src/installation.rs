//! The manifests of `deploy/` as kustomize puts them together, as far as ours ask it to: files in their order, and
//! patches that add or replace at a path. Deliberately absent: everything else that kustomize can.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testkit::cluster::parse_yaml_values;
use testkit::workspace;

/// The id that the manifests of a partition use for an example.
const EXAMPLE: &str = "team-a";

/// The folder.
pub fn folder() -> PathBuf {
    workspace::root().join("deploy")
}

/// The documents of a file below the folder.
pub fn documents(path: &str) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(folder().join(path)).with_context(|| format!("read deploy/{path}"))?;
    parse_yaml_values(&text).with_context(|| format!("parse deploy/{path}"))
}

/// The installation's description.
pub fn kustomization() -> Result<Value> {
    documents("kustomization.yaml")?.into_iter().next().context("deploy/kustomization.yaml is empty")
}

/// The files that it lists.
pub fn listed() -> Result<Vec<String>> {
    let kustomization = kustomization()?;
    let listed = kustomization.get("resources").and_then(Value::as_array).context("nothing is listed")?;
    listed.iter().map(|path| Ok(path.as_str().context("a path is no text")?.to_owned())).collect()
}

/// All objects of an installation.
pub fn objects() -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for path in listed()? {
        objects.extend(documents(&path)?);
    }
    Ok(objects)
}

/// What an object is, for comparisons.
pub fn identity(object: &Value) -> (&str, &str) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    (text("/kind"), text("/metadata/name"))
}

/// Changes objects as `deploy/partition` does for an operator of this id. A patch that is about none of them is an
/// error where `all` of an installation's are there.
pub fn partition(objects: &mut [Value], id: &str, all: bool) -> Result<()> {
    let component = documents("partition/kustomization.yaml")?.into_iter().next().context("the component is empty")?;
    let patches = component.get("patches").and_then(Value::as_array).context("the component has no patches")?;
    for patch in patches {
        let text = |pointer: &str| patch.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let target = (text("/target/kind"), text("/target/name"));
        let operations = parse_yaml_values(&text("/patch").replace(EXAMPLE, id))?.into_iter().next();
        let operations = operations.as_ref().and_then(Value::as_array).context("a patch is no list")?;
        let mut found = 0;
        for object in objects.iter_mut().filter(|object| identity(object) == target) {
            found += 1;
            operations.iter().try_for_each(|operation| make(object, operation))?;
        }
        ensure!(found == 1 || !all, "the patch of {target:?} is about {found} objects");
    }
    Ok(())
}

fn make(object: &mut Value, operation: &Value) -> Result<()> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
    let (path, value) = (text("path"), operation.get("value").context("an operation has no value")?.clone());
    match text("op") {
        "replace" => *object.pointer_mut(path).with_context(|| format!("there is nothing at {path}"))? = value,
        "add" => {
            let list = path.strip_suffix("/-").with_context(|| format!("{path} is no end of a list"))?;
            let list = object.pointer_mut(list).and_then(Value::as_array_mut);
            list.with_context(|| format!("there is no list at {path}"))?.push(value);
        }
        other => bail!("nobody taught the tests the operation {other:?}"),
    }
    Ok(())
}
