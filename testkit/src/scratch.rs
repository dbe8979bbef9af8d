//! Folders for data that nobody needs afterwards: in memory where the machine has `/dev/shm`,
//! named after the owning process, so that they go with it however it ends.
//!
//! A value that is dropped removes its folder. For a process that ends without dropping its values a small shell
//! waits; should even that be killed, the next run sweeps.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};

const PREFIX: &str = "dbprovision-";

/// A folder that is removed with this value, unless it was made to be kept.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    kept: bool,
}

impl Scratch {
    /// A folder that lives as long as this value.
    pub fn new(purpose: &str) -> Result<Self> {
        // Never dropped: its end is the end of this process.
        static SWEEPER: OnceLock<Option<Child>> = OnceLock::new();
        SWEEPER.get_or_init(|| {
            sweep();
            begin_sweeper()
        });
        Self::create(&format!("{PREFIX}{}-{purpose}-", std::process::id()), false)
    }

    /// A folder that outlives this process; whoever asked for it removes it.
    pub fn kept(purpose: &str) -> Result<Self> {
        Self::create(&format!("{PREFIX}kept-{purpose}-"), true)
    }

    fn create(prefix: &str, kept: bool) -> Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(base())
            .with_context(|| format!("create a folder in {}", base().display()))?
            .keep();
        // A database server runs as another user and must be able to walk through.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("open the scratch folder")?;
        Ok(Self { path, kept })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "a scratch folder could not be removed");
        }
    }
}

fn base() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Starts the shell that removes this process's folders after its death, which ends the shell's input.
/// It removes twice, because a dying server may still write when it looks first.
fn begin_sweeper() -> Option<Child> {
    let mine = base().join(format!("{PREFIX}{}-", std::process::id()));
    let started = Command::new("sh")
        .args(["-c", "read -r _; rm -rf \"$1\"*; sleep 2; rm -rf \"$1\"*", "sh"])
        .arg(&mine)
        // An interrupt from the terminal is for the run, not for who tidies up behind it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(child) => Some(child),
        Err(error) => {
            tracing::debug!(%error, "nobody will sweep after this process");
            None
        }
    }
}

/// Removes the folders of processes that are gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(base()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let Some(owner) = rest.split('-').next().and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{owner}")).exists()
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "a stale folder could not be removed");
        }
    }
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(|| format!("protect {}", path.display()))
}
