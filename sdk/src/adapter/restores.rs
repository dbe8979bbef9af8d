//! Restores: the adapter plans, the host executes. See `wit/backup.wit` for what each function promises.

use super::Held;
use crate::bindings::exports::dbprovision::adapter::restore_operations as wit;
use crate::tools::{StderrClass, StderrLine, ToolPlan};
use crate::{Error, Examination, Result};

pub use wit::RestoreSpec;

/// Restores: the adapter plans, the host executes. Every function answers `unsupported` until it is written.
#[expect(unused_variables, reason = "the names are documentation")]
pub trait Restores {
    /// Pure: checks the spec and says what it needs.
    fn examine(spec: &RestoreSpec) -> Result<Examination> {
        Err(Error::unsupported("restores"))
    }

    /// The steps, run one after another by the host.
    fn plan(&mut self, spec: &RestoreSpec) -> Result<Vec<ToolPlan>> {
        Err(Error::unsupported("restores"))
    }

    /// What the plan left to do after its last step.
    fn finish(&mut self, spec: &RestoreSpec) -> Result<()> {
        Err(Error::unsupported("restores"))
    }

    /// Pure: what one line of a step's standard error means.
    fn read_stderr(step: u32, line: &str) -> StderrLine {
        StderrLine { class: StderrClass::Notice, percent: None, message: line.to_owned() }
    }

    /// Pure: why a step failed.
    fn explain(step: u32, exit_status: i32, last_lines: &[String]) -> Error {
        Error::unsupported("restores")
    }
}

impl<H: Held> wit::Guest for H
where
    H::Adapter: Restores,
{
    fn examine(spec: RestoreSpec) -> Result<Examination> {
        crate::start::once();
        <H::Adapter as Restores>::examine(&spec)
    }

    fn plan(spec: RestoreSpec) -> Result<Vec<ToolPlan>> {
        H::with(|adapter| Restores::plan(adapter, &spec))
    }

    fn finish(spec: RestoreSpec) -> Result<()> {
        H::with(|adapter| Restores::finish(adapter, &spec))
    }

    fn read_stderr(step: u32, line: String) -> StderrLine {
        crate::start::once();
        <H::Adapter as Restores>::read_stderr(step, &line)
    }

    fn explain(step: u32, exit_status: i32, last_lines: Vec<String>) -> Error {
        crate::start::once();
        <H::Adapter as Restores>::explain(step, exit_status, &last_lines)
    }
}
