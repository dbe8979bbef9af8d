//! What the kernel says of the operator's process (proc(5)).

use std::time::Duration;

use anyhow::{Context as _, Result};
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
    // The second field, in parentheses, may contain anything; what follows is separated by spaces.
    let fields: Vec<&str> = text.rsplit_once(')').context("no name in stat")?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).context("a short stat");
    let total = ticks(11)? + ticks(12)?;
    Ok(Duration::from_millis(total * 1000 / TICKS_PER_SECOND))
}
