//! Compiling a component in a process of its own.
//!
//! A compiler takes five times the memory that serving the engine does, and an allocator keeps most of it. So the
//! operator calls itself for each component that the folder of compiled ones lacks, and finds it there afterwards.
//! Nothing depends on it: what was not compiled beforehand is compiled when it is loaded.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::{Grant, Sandbox, SandboxConfig};
use tokio::process::Command;

/// Much longer than a large component takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Compiles a component into the cache, as far as it is fit to be loaded at all.
pub async fn component(path: &Path, cache: Option<&Path>) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let config = SandboxConfig { cache_directory: cache.map(Path::to_owned), ..SandboxConfig::default() };
    let sandbox = Sandbox::new(&config).context("cannot set up the sandbox")?;
    sandbox.load(bytes, &Grant::full([]), None).await.context("cannot load the component")?;
    Ok(())
}

/// Has the component compiled, unless it was before.
pub(crate) async fn beforehand(path: &Path, bytes: &[u8], cache: &Path, sandbox: &Sandbox) {
    if sandbox.has_compiled(bytes) {
        return;
    }
    if let Err(error) = by_a_process(path, cache).await {
        // Loading it tells what is wrong with it.
        tracing::info!(component = %path.display(), "not compiled beforehand: {error:#}");
    }
}

async fn by_a_process(path: &Path, cache: &Path) -> Result<()> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let mut command = Command::new(program);
    command
        .arg("--compile")
        .arg(path)
        .arg("--compilation-cache")
        .arg(cache)
        // Nothing else reads it, but it has no default.
        .arg("--engines")
        .arg(path.parent().unwrap_or(path))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let status = tokio::time::timeout(PATIENCE, command.status()).await.context("it takes too long")?;
    let status = status.context("cannot call this program again")?;
    anyhow::ensure!(status.success(), "it ended with {status}");
    Ok(())
}
