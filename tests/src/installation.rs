//! The manifests of `deploy/`, put together as a person does it: by the kustomize that is part of kubectl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testkit::cluster::parse_yaml_values;
use testkit::scratch::Scratch;
use testkit::toolchain::control_plane;
use testkit::workspace;

/// The id that the manifests of a partition use for an example.
const EXAMPLE: &str = "team-a";

/// What an installation may leave out.
const OPTIONAL: &str = "  - rbac/watch_output_secrets.yaml\n";

/// The folder.
pub fn folder() -> PathBuf {
    workspace::root().join("deploy")
}

/// The documents of a file below the folder.
pub fn documents(path: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(folder().join(path)).with_context(|| format!("read deploy/{path}"))?;
    parse_yaml_values(&text).with_context(|| format!("parse deploy/{path}"))
}

/// The installation's description.
fn kustomization() -> Result<Value> {
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
    built(&folder())
}

/// All objects of an installation that serves the resources of this id, beside others. Its namespace and the end of its
/// names are the id too. `watches`: with the right to watch output Secrets.
pub fn partition(id: &str, watches: bool) -> Result<Vec<Value>> {
    let scratch = Scratch::new("installation")?;
    let copy = scratch.path().join("deploy");
    copy_folder(&folder(), &copy)?;
    edit(&copy.join("partition/kustomization.yaml"), EXAMPLE, id)?;
    if !watches {
        edit(&copy.join("kustomization.yaml"), OPTIONAL, "")?;
    }
    let own = scratch.path().join("own");
    fs::create_dir(&own).context("make a folder")?;
    let text =
        format!("resources: [../deploy]\ncomponents: [../deploy/partition]\nnamespace: {id}\nnameSuffix: -{id}\n");
    fs::write(own.join("kustomization.yaml"), text).context("write a kustomization")?;
    built(&own)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry.context("list a folder")?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| format!("copy {}", source.display()))?;
        }
    }
    Ok(())
}

fn edit(path: &Path, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    ensure!(text.contains(from), "{} says nothing of {from:?}", path.display());
    fs::write(path, text.replace(from, to)).with_context(|| format!("write {}", path.display()))
}

fn built(folder: &Path) -> Result<Vec<Value>> {
    let kubectl = control_plane::binaries()?.kubectl;
    let output = Command::new(&kubectl).arg("kustomize").arg(folder).output();
    let output = output.with_context(|| format!("run {}", kubectl.display()))?;
    if !output.status.success() {
        bail!("kubectl kustomize {}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    }
    parse_yaml_values(&String::from_utf8_lossy(&output.stdout)).context("parse what kustomize made")
}

/// What an object is, for comparisons.
pub fn identity(object: &Value) -> (&str, &str) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    (text("/kind"), text("/metadata/name"))
}
