//! Time from the host: a deadline is an instant of its monotonic clock.

use std::time::Duration;

#[cfg(target_arch = "wasm32")]
use crate::bindings::dbprovision::adapter::clock as host;

/// Milliseconds since the Unix epoch.
pub fn now() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return host::now();
    #[cfg(not(target_arch = "wasm32"))]
    return milliseconds(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default());
}

/// Milliseconds of a clock that never goes back.
pub fn monotonic() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return host::monotonic();
    #[cfg(not(target_arch = "wasm32"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        milliseconds(START.get_or_init(std::time::Instant::now).elapsed())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long one statement may take at most, and opening a connection: the host refuses an instance that asks for more.
pub const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The instant by which something must be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// So long from now.
    pub fn after(duration: Duration) -> Self {
        Self(monotonic().saturating_add(milliseconds(duration)))
    }

    /// What is left; none when it has passed.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_sub(monotonic()).filter(|left| *left > 0).map(Duration::from_millis)
    }

    /// What is left, in the unit of the host's interfaces.
    pub(crate) fn left_ms(self) -> Option<u32> {
        self.left().map(|left| u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }
}
