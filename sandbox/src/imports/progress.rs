//! `progress`: how far a long operation is. The newest report counts; those in quick succession are dropped.

use std::time::{Duration, Instant};

use crate::contract::ProgressStatus;
use crate::contract::imported::progress::Host;
use crate::scrub::Scrub as _;
use crate::state::GuestState;

/// At most one report in this time.
const INTERVAL: Duration = Duration::from_millis(250);

impl Host for GuestState {
    async fn report(&mut self, status: ProgressStatus) -> wasmtime::Result<()> {
        self.allow_import("progress.report")?;
        let now = Instant::now();
        let is_early = self.call.reported.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL);
        // The end is always told, once.
        let is_end = status.percent.is_some_and(|percent| percent >= 100);
        if is_early && (!is_end || self.call.is_end_told) {
            return Ok(());
        }
        self.call.reported = Some(now);
        self.call.is_end_told |= is_end;
        let mut status = status.scrub(&self.scrubber).map_err(wasmtime::Error::new)?;
        status.percent = status.percent.map(|percent| percent.min(100));
        if let Some(progress) = &self.progress {
            progress.send_replace(Some(status));
        }
        Ok(())
    }
}
