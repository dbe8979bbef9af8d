//! Backups: the adapter plans, the host executes. See `wit/backup.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::backup_operations as wit;
use crate::tools::{StderrClass, StderrLine, ToolPlan};
use crate::{Error, Examination, Result};

pub use wit::BackupSpec;

/// Backups: the adapter plans, the host executes. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Backups {
    /// Pure: checks the spec and says what it needs.
    fn examine(spec: &BackupSpec) -> Result<Examination> {
        Err(Error::unsupported("backups"))
    }

    /// The steps, run one after another by the host.
    fn plan(&mut self, spec: &BackupSpec) -> Result<Vec<ToolPlan>> {
        Err(Error::unsupported("backups"))
    }

    /// Pure: what one line of a step's standard error means.
    fn read_stderr(step: u32, line: &str) -> StderrLine {
        StderrLine { class: StderrClass::Notice, percent: None, message: line.to_owned() }
    }

    /// Pure: why a step failed.
    fn explain(step: u32, exit_status: i32, last_lines: &[String]) -> Error {
        Error::unsupported("backups")
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Backups,
{
    fn examine(spec: BackupSpec) -> Result<Examination> {
        crate::start::once();
        <H::Adapter as Backups>::examine(&spec)
    }

    fn plan(spec: BackupSpec) -> Result<Vec<ToolPlan>> {
        H::with(|adapter| Backups::plan(adapter, &spec))
    }

    fn read_stderr(step: u32, line: String) -> StderrLine {
        crate::start::once();
        <H::Adapter as Backups>::read_stderr(step, &line)
    }

    fn explain(step: u32, exit_status: i32, last_lines: Vec<String>) -> Error {
        crate::start::once();
        <H::Adapter as Backups>::explain(step, exit_status, &last_lines)
    }
}
