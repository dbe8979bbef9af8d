//! What rustup and cargo bring.

use std::process::Command;

use anyhow::Result;

use super::{announce, lock, run};

/// The target that the engines are compiled for.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Makes sure that guests can be compiled.
pub fn wasm_target() -> Result<()> {
    let _lock = lock("rustup")?;
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    // Without rustup the compiler comes from elsewhere and brings its targets itself; cargo will say if not.
    let Ok(installed) = installed else { return Ok(()) };
    if String::from_utf8_lossy(&installed.stdout).lines().any(|line| line.trim() == WASM_TARGET) {
        return Ok(());
    }
    announce(&format!("the Rust target {WASM_TARGET} (rustup)"));
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

/// Makes sure that the test runner is there.
pub fn nextest() -> Result<()> {
    // Unoptimised, and without what updates it: it does nothing but start tests, and is ready in a third of the time.
    subcommand("nextest", &["--debug", "--no-default-features", "--features", "default-no-update"])
}

/// Makes sure that what is depended on can be checked.
pub fn deny() -> Result<()> {
    subcommand("deny", &["--debug"])
}

/// Makes sure that cargo knows a subcommand.
fn subcommand(name: &str, arguments: &[&str]) -> Result<()> {
    let _lock = lock(name)?;
    let present = Command::new("cargo").args([name, "--version"]).output();
    if present.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    announce(&format!("{package} (built by cargo install, some minutes, once)"));
    let mut install = Command::new("cargo");
    // Whoever lints what is ours with the compiler does not mean this.
    install.env_remove("RUSTC_WORKSPACE_WRAPPER").args(["install", &package, "--locked"]).args(arguments);
    run(&mut install)
}
