//! What Go builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{find_program, run};

/// Builds the packages of a Go module. An `output` that is a folder gets one program for each.
pub(super) fn build(module: &Path, flags: &str, output: &Path, packages: &str) -> Result<()> {
    // The usual place of an installation that nobody added to the path.
    let go = find_program("go")
        .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|path| path.is_file()))
        .context("this machine has no Go: install it from https://go.dev/dl")?;
    // A folder as the output is only taken for one with its trailing slash.
    let mut output = output.display().to_string();
    if Path::new(&output).is_dir() {
        output.push('/');
    }
    let mut command = Command::new(go);
    command
        .args(["build", "-trimpath", "-ldflags", flags, "-o", &output, packages])
        .current_dir(module)
        .env("CGO_ENABLED", "0");
    run(&mut command)
}
