//! Programs of another Debian suite, in a folder of their own below the target folder.
//!
//! apt itself resolves, verifies and downloads the packages, with a state of its own beside the machine's;
//! they are unpacked and never configured: no script of theirs runs, no root is needed, nothing is mounted.
//! What a server expects of a configured system (accounts, a temporary folder) is written by hand.

mod mirror;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{announce, apt, find_program, lock, run};
use crate::children::unprivileged_account;
use crate::workspace;

/// What every suite's folder holds: a shell and `setpriv`, which start the server.
const BASE: [&str; 5] = ["base-files", "coreutils", "dash", "libc-bin", "util-linux"];

/// The root folder of a suite that holds these packages and what they depend on.
pub fn suite(suite: &str, packages: &[&str]) -> Result<PathBuf> {
    root_for(suite, suite, packages)
}

/// The root folder called `name`, with these packages of a suite. One of its own for each server, so that bringing
/// one never replaces a file below another that runs.
pub fn root_for(name: &str, suite: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = workspace::target().join("debian");
    let root = folder.join(name);
    let record = folder.join(format!("{name}.packages"));
    let _lock = lock("debian")?;
    let wanted: BTreeSet<String> = BASE.iter().chain(packages).map(|package| (*package).to_owned()).collect();
    let present: BTreeSet<String> =
        fs::read_to_string(&record).unwrap_or_default().lines().map(str::to_owned).collect();
    if wanted.is_subset(&present) && root.join("usr").is_dir() {
        return Ok(root);
    }
    if find_program("apt-get").is_none() {
        bail!("packages of Debian {suite} need apt-get, which this machine lacks");
    }
    let keyring = mirror::keyring(suite)?;
    announce(&format!(
        "{} of Debian {suite} into {} (the machine itself is left alone)",
        packages.join(", "),
        root.display()
    ));

    let all: BTreeSet<String> = wanted.union(&present).cloned().collect();
    let state = folder.join(format!("{name}.apt"));
    let archives = download(suite, &state, &keyring, &all)?;
    unpack(&archives, &root)?;
    complete(&root)?;
    // Half a gigabyte of archives and lists that nothing reads again.
    fs::remove_dir_all(&state).with_context(|| format!("remove {}", state.display()))?;
    let lines: Vec<String> = all.into_iter().collect();
    fs::write(&record, lines.join("\n")).with_context(|| format!("write {}", record.display()))?;
    Ok(root)
}

/// Lets apt fetch the packages as if nothing were installed, and returns the archives.
fn download(suite: &str, state: &Path, keyring: &Path, packages: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let archives = state.join("cache/archives");
    for folder in [state.join("lists/partial"), archives.join("partial")] {
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let sources = format!(
        "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\nSigned-By: {}\n",
        mirror::address(),
        keyring.display()
    );
    fs::write(state.join("suite.sources"), sources).context("write the sources")?;
    fs::write(state.join("status"), "").context("write an empty package status")?;
    let here = state.display();
    let configuration = format!(
        "Dir::State \"{here}\";\nDir::State::status \"{here}/status\";\nDir::State::lists \"{here}/lists\";\n\
         Dir::Cache \"{here}/cache\";\nDir::Etc::sourcelist \"{here}/suite.sources\";\nDir::Etc::sourceparts \"-\";\n\
         Dir::Etc::preferences \"-\";\nDir::Etc::preferencesparts \"-\";\nDir::Etc::trusted \"-\";\n\
         Dir::Etc::trustedparts \"-\";\nAPT::Sandbox::User \"root\";\nAPT::Install-Recommends \"false\";\n\
         Acquire::Languages \"none\";\n"
    );
    let path = state.join("apt.conf");
    fs::write(&path, configuration).context("write apt's configuration")?;

    run(Command::new("apt-get").args(["-q", "update"]).env("APT_CONFIG", &path))?;
    run(Command::new("apt-get")
        .args(["-q", "-y", "--download-only", "install"])
        .args(packages)
        .env("APT_CONFIG", &path))?;

    let mut found: Vec<PathBuf> = fs::read_dir(&archives)
        .context("list the downloaded packages")?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    // base-files makes `/lib` a link into `/usr`; it must exist before anything is unpacked through it.
    found.sort_by_key(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (!name.starts_with("base-files_"), name)
    });
    if found.is_empty() {
        bail!("apt downloaded nothing for Debian {suite}");
    }
    Ok(found)
}

fn unpack(archives: &[PathBuf], root: &Path) -> Result<()> {
    apt::program("dpkg-deb", "dpkg")?;
    fs::create_dir_all(root).with_context(|| format!("create {}", root.display()))?;
    for archive in archives {
        run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(root))?;
    }
    Ok(())
}

/// Adds what the packages' scripts would have made.
fn complete(root: &Path) -> Result<()> {
    for folder in ["dev", "proc", "tmp", "etc"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).context("open the temporary folder")?;
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).context("open the root folder")?;
    // initdb asks for the name of the account that it runs as.
    let (user, group) = unprivileged_account().map_or_else(
        || (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()),
        |account| (account.user, account.group),
    );
    let accounts = format!("root:x:0:0::/:/bin/sh\nserver:x:{user}:{group}::/nonexistent:/bin/sh\n");
    fs::write(root.join("etc/passwd"), accounts).context("write the accounts")?;
    fs::write(root.join("etc/group"), format!("root:x:0:\nserver:x:{group}:\n")).context("write the groups")
}
