//! The machine's own package installer.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{announce, find_program, lock, run};

/// The path of a program, whose package is installed when it is missing.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = find_program(name) {
        return Ok(path);
    }
    install(&[package])?;
    find_program(name).with_context(|| format!("the package {package} brought no program {name}"))
}

/// Installs packages of the distribution.
pub fn install(packages: &[&str]) -> Result<()> {
    let _lock = lock("apt")?;
    if find_program("apt-get").is_none() {
        bail!("this machine has no apt-get: install {} by its own means", packages.join(", "));
    }
    announce(&format!("{} (packages of this machine's distribution)", packages.join(", ")));
    run(&mut as_root(&["apt-get", "update", "-q"])?)?;
    let mut words = vec!["apt-get", "install", "-y", "-q", "--no-install-recommends"];
    words.extend(packages);
    run(&mut as_root(&words)?)
}

/// A command that runs as root: directly, or through sudo.
pub(super) fn as_root(words: &[&str]) -> Result<Command> {
    let mut all: Vec<&str> = Vec::new();
    if !rustix::process::geteuid().is_root() {
        if find_program("sudo").is_none() {
            bail!("`{}` needs root, and this machine has no sudo", words.join(" "));
        }
        all.push("sudo");
    }
    // sudo drops the environment, so the variable is given behind it.
    all.extend(["env", "DEBIAN_FRONTEND=noninteractive"]);
    all.extend(words);
    let (first, rest) = all.split_first().context("compose a command line")?;
    let mut command = Command::new(first);
    command.args(rest);
    Ok(command)
}
