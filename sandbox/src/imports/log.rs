//! `log`: lines in the operator's log, within the span of the call that the guest is in.
//!
//! Scrubbed, capped in length, in number and in bytes for each call, so that no guest fills a disk.

use crate::contract::imported::log::{Host, Level};
use crate::state::GuestState;

impl Host for GuestState {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.allow_import("log.write")?;
        let Some(left) = self.call.log_lines.checked_sub(1) else { return Ok(()) };
        let message = self.scrubber.text(&message);
        self.call.log_bytes = self.call.log_bytes.saturating_sub(message.len());
        let left = if self.call.log_bytes == 0 { 0 } else { left };
        self.call.log_lines = left;
        let adapter = self.label.as_str();
        match level {
            Level::Trace => tracing::trace!(adapter, "{message}"),
            Level::Debug => tracing::debug!(adapter, "{message}"),
            Level::Info => tracing::info!(adapter, "{message}"),
            Level::Warn => tracing::warn!(adapter, "{message}"),
            Level::Error => tracing::error!(adapter, "{message}"),
        }
        if left == 0 {
            tracing::warn!(adapter, "the adapter logs too much; the rest of this call's lines is dropped");
        }
        Ok(())
    }
}
