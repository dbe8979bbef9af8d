//! Builds what is not an ordinary part of the workspace: guests, compiled to WebAssembly and made into components;
//! and the operator, which the tests and the demo run as a process.
//!
//! What cargo produced is taken from cargo's own messages, so a new engine is a line in a table and a new hostile
//! guest not even that.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use testkit::toolchain;
use testkit::toolchain::rust::{WASM_TARGET, wasm_target};
use testkit::workspace;
use wit_component::ComponentEncoder;

/// A package whose WebAssembly modules become components.
#[derive(Debug)]
pub(crate) struct Source {
    package: &'static str,
    /// Which of its targets.
    targets: &'static [&'static str],
    /// The folder below the target folder that the components go to.
    folder: &'static str,
    /// What is taken off a target's name to make the component's.
    prefix: &'static str,
}

/// The engines. The components' names are those that the operator lists, so they are the engines' own.
pub(crate) const ENGINES: &[Source] = &[
    Source { package: "engine-postgres", targets: &["--lib"], folder: "engines", prefix: "engine_" },
    Source { package: "engine-mysql", targets: &["--lib"], folder: "engines", prefix: "engine_" },
];

/// The guests that the sandbox has to survive.
pub(crate) const GUESTS: &[Source] =
    &[Source { package: "hostile-guests", targets: &["--lib", "--bins", "--examples"], folder: "guests", prefix: "" }];

/// What cargo says about something that it built.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

/// Builds the sources and encodes what changed; returns where the components are.
pub(crate) fn components(sources: &[Source]) -> Result<Vec<PathBuf>> {
    wasm_target()?;
    let mut all = Vec::new();
    for source in sources {
        let folder = workspace::target().join(source.folder);
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        for (name, module) in modules(source)? {
            let name = name.strip_prefix(source.prefix).unwrap_or(&name).replace('_', "-");
            let component = folder.join(format!("{name}.wasm"));
            if !is_fresh(&component, &module) {
                encode(&module, &component)?;
                eprintln!("built: {}", component.display());
            }
            all.push(component);
        }
    }
    Ok(all)
}

/// Builds the operator with the development profile.
pub(crate) fn operator() -> Result<PathBuf> {
    // A binary that somebody names is theirs to build.
    if std::env::var_os("DBOPS_OPERATOR").is_none() {
        // Of the whole workspace, so that its dependencies are those of the tests and of this program.
        let status = cargo()
            .args(["build", "--quiet", "--workspace", "--bin", "db-provision-operator"])
            .status()
            .context("run cargo")?;
        if !status.success() {
            bail!("the operator does not build");
        }
    }
    let path = workspace::operator();
    if !path.is_file() {
        bail!("there is no operator at {}", path.display());
    }
    Ok(path)
}

/// Runs the benchmark over release builds of everything.
pub(crate) fn bench(arguments: &[String]) -> Result<ExitCode> {
    components(ENGINES)?;
    let build = ["build", "--release", "--package", "db-provision-operator"].map(str::to_owned).to_vec();
    let bench = ["bench", "--package", "dbprovision-tests", "--bench", "operator", "--"].map(str::to_owned).to_vec();
    for arguments in [build, [bench, arguments.to_vec()].concat()] {
        if !cargo().args(&arguments).status().context("run cargo")?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What `cargo deny` checks with what cargo has downloaded.
const LOCAL_CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

/// Checks what the workspace depends on.
pub(crate) fn deny(checks: &[String]) -> Result<ExitCode> {
    toolchain::rust::deny()?;
    let mut command = cargo();
    command.args(["deny", "check", "--hide-inclusion-graph"]);
    if checks.is_empty() {
        command.args(LOCAL_CHECKS);
    } else {
        command.args(checks);
    }
    let status = command.status().context("run cargo deny")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Cargo, in this workspace, with the environment that a person's shell would give it.
///
/// What the outer cargo says about this package goes: build scripts that watch such variables would run again, and
/// take half of the dependencies along, whenever a person and this program build by turns.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Compiles a source and returns the name and the module of each of its targets.
fn modules(source: &Source) -> Result<Vec<(String, PathBuf)>> {
    let output = cargo()
        .args(["build", "--quiet", "--profile", "guest", "--target", WASM_TARGET])
        .args(["--package", source.package, "--message-format", "json-render-diagnostics"])
        .args(source.targets)
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo")?;
    if !output.status.success() {
        bail!("{} does not build", source.package);
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Message>(line) else { continue };
        let ours = message.reason == "compiler-artifact"
            && message.package_id.as_deref().is_some_and(|id| names_package(id, source.package));
        if let (true, Some(target)) = (ours, message.target) {
            let modules =
                message.filenames.into_iter().filter(|path| path.extension().is_some_and(|end| end == "wasm"));
            found.extend(modules.map(|module| (target.name.clone(), module)));
        }
    }
    // A library that is not a `cdylib` builds as well, and leaves nothing to load.
    if found.is_empty() {
        bail!("{} built no WebAssembly module", source.package);
    }
    found.sort();
    Ok(found)
}

/// A package id ends in `#name@version`, or in `/name#version` where the folder has the package's name.
fn names_package(id: &str, package: &str) -> bool {
    let (place, end) = id.rsplit_once('#').unwrap_or(("", id));
    match end.split_once('@') {
        Some((name, _)) => name == package,
        None => place.rsplit('/').next() == Some(package),
    }
}

fn encode(module: &Path, component: &Path) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("read {}", module.display()))?;
    let encoded = ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("make a component of {}", module.display()))?;
    // Renamed into place: an operator that is running never sees half a component.
    let partial = component.with_extension("partial");
    std::fs::write(&partial, encoded).with_context(|| format!("write {}", partial.display()))?;
    std::fs::rename(&partial, component).with_context(|| format!("write {}", component.display()))
}

fn is_fresh(product: &Path, source: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    matches!((changed(product), changed(source)), (Some(product), Some(source)) if product >= source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_package_id_are_read() {
        assert!(names_package("path+file:///w/engines/postgres#engine-postgres@0.1.0", "engine-postgres"));
        assert!(names_package("path+file:///w/hostile-guests#0.1.0", "hostile-guests"));
        assert!(!names_package("path+file:///w/engines/postgres/options#postgres-options@0.1.0", "engine-postgres"));
    }
}
