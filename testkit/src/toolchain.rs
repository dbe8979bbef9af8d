//! What a run needs and a fresh machine lacks: found where it is, otherwise built or installed, once.
//!
//! Every installation says what it installs before it starts. A lock keeps two runs from installing the same thing.
//! Deliberately absent: anything fetched from elsewhere than the distribution's mirror, Go's module proxy, rustup,
//! crates.io, and, for the two versions of PostgreSQL that Debian never had, Maven Central.

pub mod apt;
pub mod control_plane;
pub mod debian;
mod go;
pub mod mysql;
pub mod postgres;
pub mod rust;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Installs everything that any command of this project needs.
pub fn everything() -> Result<()> {
    control_plane::binaries()?;
    postgres::binaries(postgres::Version::Distribution)?;
    postgres::binaries(postgres::Version::Newer)?;
    for version in mysql::Version::USUAL {
        mysql::binaries(version)?;
    }
    openssl()?;
    rust::wasm_target()?;
    rust::nextest()
}

/// Installs every version of every server that can be had, and what runs tests.
pub fn matrix() -> Result<()> {
    for version in postgres::Version::ALL {
        postgres::binaries(version)?;
    }
    for version in mysql::Version::ALL {
        mysql::binaries(version)?;
    }
    mysql::client()?;
    rust::wasm_target()?;
    rust::nextest()
}

/// The `openssl` program, which makes the RSA keys that this project's own cryptography library cannot make.
pub fn openssl() -> Result<PathBuf> {
    apt::program("openssl", "openssl")
}

/// The path of a program, if the machine has it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // The system's own programs are not in everybody's path.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Tells the person what is about to be installed.
fn announce(what: &str) {
    eprintln!("installing: {what}");
}

/// Holds the lock called `name` while the returned file lives.
pub(crate) fn lock(name: &str) -> Result<File> {
    let folder = workspace::target();
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join(format!(".{name}.lock"));
    let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// Runs a command whose output only matters when it fails.
fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("run {shown}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        bail!("{shown} ended with {}:\n{}", output.status, crate::children::tail(&text, 25));
    }
    Ok(())
}

/// Whether `product` exists and is not older than any of its `sources`.
fn is_fresh(product: &Path, sources: &[PathBuf]) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    changed(product)
        .is_some_and(|built| sources.iter().all(|source| changed(source).is_none_or(|edited| edited <= built)))
}
