//! Where things are in the source tree. Nothing here looks at the current directory,
//! because tests run in their crate's folder and a person runs in any.

use std::path::PathBuf;

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// Cargo's target folder, where everything built or downloaded is kept.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where compiled components are kept, for everything that runs one.
pub fn compilation_cache() -> PathBuf {
    target().join("tests-compilation-cache")
}

/// The folder of compiled engine components.
pub fn engines() -> PathBuf {
    target().join("engines")
}

/// The folder of compiled hostile guests.
pub fn guests() -> PathBuf {
    target().join("guests")
}

/// The operator's binary: `DBOPS_OPERATOR`, or the one of the development profile.
pub fn operator() -> PathBuf {
    std::env::var_os("DBOPS_OPERATOR").map_or_else(|| target().join("debug/db-provision-operator"), PathBuf::from)
}
