//! What the kernel says of the operator's process (proc(5)).

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use testkit::workspace;
use testkit::world::Operator;

/// The kernel counts in hundredths of a second on every machine of today.
const TICKS_PER_SECOND: u64 = 100;

/// Its resident memory in bytes.
pub(crate) struct Resident {
    /// All of it.
    pub(crate) all: u64,
    /// What only this process needs: not the pages of its program, which the kernel drops and reads again at will.
    pub(crate) own: u64,
}

/// Its resident memory.
pub(crate) fn resident(operator: &Operator) -> Result<Resident> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", operator.process_id())).context("read status")?;
    let bytes = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("find {name}"))?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().context("read a size")?;
        Ok(kilobytes * 1024)
    };
    Ok(Resident { all: bytes("VmRSS:")?, own: bytes("RssAnon:")? })
}

/// The time it spent on processors, its own and the kernel's for it.
pub(crate) fn processor_time(operator: &Operator) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", operator.process_id())).context("read stat")?;
    let ticks = ticks_at(&fields(&text)?, 11..13)?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// The time that a process and its children spent on processors, those that ended included.
pub(crate) fn processor_time_of_family(process: u32) -> Result<Duration> {
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc").context("list processes")? {
        let Ok(one) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // One that ended meanwhile is counted with its parent.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{one}/stat")) else { continue };
        let fields = fields(&text)?;
        if one == process || fields.get(1) == Some(&process.to_string().as_str()) {
            ticks += ticks_at(&fields, if one == process { 11..15 } else { 11..13 })?;
        }
    }
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// The second field, in parentheses, may contain anything; what follows is separated by spaces.
fn fields(stat: &str) -> Result<Vec<&str>> {
    Ok(stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace().collect())
}

fn ticks_at(fields: &[&str], columns: Range<usize>) -> Result<u64> {
    let ticks = |field: &&str| field.parse::<u64>().context("a number in stat");
    fields.get(columns).context("a short stat")?.iter().map(ticks).sum()
}

/// The environment that the operator is deployed with, as far as it is the same everywhere.
pub(crate) fn environment_of_the_deployment() -> Result<Vec<(String, String)>> {
    let path = workspace::root().join("deploy/deployment.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let deployment: Value = serde_yaml_ng::from_str(&text).context("parse the Deployment")?;
    let stated = deployment.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
    let value = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["value"].as_str()?.to_owned()));
    Ok(stated.context("no environment in the Deployment")?.iter().filter_map(value).collect())
}
