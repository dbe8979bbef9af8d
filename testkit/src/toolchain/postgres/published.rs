//! PostgreSQL of versions that no suite of Debian has: the programs that the embedded-postgres project publishes, which
//! a library of that project fetches, verifies and unpacks.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::{announce, debian, go, lock, run};
use super::Binaries;
use crate::children::{Program, unprivileged_account};
use crate::control_plane::free_ports;
use crate::scratch::Scratch;
use crate::workspace;

/// The newest release of each major version when this was written.
pub(super) const RELEASES: [(u32, &str); 2] = [(14, "14.24.0"), (16, "16.15.0")];

/// The download included.
const PATIENCE: Duration = Duration::from_mins(5);

/// The programs of a release, in a root folder of their own: they need no newer C library than Debian 12's.
pub(super) fn release(release: &str) -> Result<Binaries> {
    let root = debian::root_for("bookworm-postgres", "bookworm", &["libc6", "libstdc++6"])?;
    let home = PathBuf::from("/opt").join(format!("postgresql-{release}"));
    let binaries = Binaries { folder: home.join("bin"), root: Some(root.clone()) };
    let _lock = lock("published")?;
    let place = root.join(home.strip_prefix("/").unwrap_or(&home));
    if place.is_dir() {
        return Ok(binaries);
    }
    announce(&format!(
        "PostgreSQL {release} of the embedded-postgres project into {} (the machine itself is left alone)",
        place.display()
    ));

    let scratch = Scratch::new("published")?;
    // A server refuses to run as root, and the other account may not be able to walk to the target folder.
    let fetch = scratch.path().join("fetch");
    go::build(&workspace::root().join("testkit/postgres"), "-s -w", &fetch, ".")?;
    let folder = scratch.path().join("here");
    std::fs::create_dir(&folder).context("create a folder for the programs")?;
    if let Some(account) = unprivileged_account() {
        std::os::unix::fs::chown(&folder, Some(account.user), Some(account.group)).context("give the folder away")?;
    }
    let [port] = free_ports::<1>()?;
    Program::new("fetch", &fetch, scratch.path().join("fetch.log"))
        .argument(release)
        .argument(folder.display().to_string())
        .argument(port.to_string())
        .account(unprivileged_account())
        .environment("LC_ALL", "C.UTF-8")
        .run(PATIENCE)?;

    // Whole or not at all: a folder of this name is taken for complete.
    let unfinished = place.with_extension("part");
    std::fs::create_dir_all(unfinished.parent().context("find the folder above")?)
        .context("create the folder above")?;
    run(Command::new("rm").arg("-rf").arg(&unfinished))?;
    run(Command::new("cp").arg("-r").arg(folder.join("programs")).arg(&unfinished))?;
    std::fs::rename(&unfinished, &place).with_context(|| format!("name {}", place.display()))?;
    Ok(binaries)
}
