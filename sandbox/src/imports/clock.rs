//! `clock`: the time, and a clock that never goes back. The latter starts near zero with the sandbox, and tells
//! nothing of the machine.

use std::time::SystemTime;

use crate::contract::imported::clock::Host;
use crate::state::GuestState;

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Host for GuestState {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.allow_import("clock.now")?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Ok(since.map_or(0, milliseconds))
    }

    async fn monotonic(&mut self) -> wasmtime::Result<u64> {
        self.allow_import("clock.monotonic")?;
        Ok(milliseconds(self.started.elapsed()))
    }
}
