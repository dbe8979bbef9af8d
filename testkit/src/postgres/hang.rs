//! A server that hangs: stopped by signal, and sure to be woken even when the test dies first.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::children::children_of;

/// A pause in effect. A small shell waits for the end of its input, which comes with `end` or with this
/// process's death, and wakes everything that was stopped.
#[derive(Debug)]
pub(super) struct Hang {
    waker: Child,
}

impl Hang {
    /// Stops a process and its children.
    pub(super) fn begin(pid: u32) -> Result<Self> {
        let mut stopped = vec![pid];
        stop(pid)?;
        // The parent is stopped first, so this list is complete.
        for child in children_of(pid) {
            stop(child)?;
            stopped.push(child);
        }
        let waker = Command::new("sh")
            .args(["-c", "read -r _; for pid in \"$@\"; do kill -CONT \"$pid\"; done 2>/dev/null; true", "sh"])
            .args(stopped.iter().map(u32::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start the waker")?;
        Ok(Self { waker })
    }

    /// Wakes everything.
    pub(super) fn end(mut self) -> Result<()> {
        drop(self.waker.stdin.take());
        let status = self.waker.wait().context("wait for the waker")?;
        if !status.success() {
            bail!("the waker ended with {status}");
        }
        Ok(())
    }
}

fn stop(pid: u32) -> Result<()> {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw).context("read a process id")?;
    match kill_process(id, Signal::STOP) {
        // A session that ended meanwhile needs no stopping.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("stop process {pid}")),
    }
}
