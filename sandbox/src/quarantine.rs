//! An adapter that keeps failing is not called for a while. Counted by digest, so that nothing else notices.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::processor::locked;

/// How many faults within [`WINDOW`] put an adapter in quarantine.
const FAULTS: usize = 5;

/// A fault is forgotten after this time; so an adapter is out again once its oldest counted fault is.
const WINDOW: Duration = Duration::from_mins(10);

/// The recent faults of one adapter.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<VecDeque<Instant>>);

impl Quarantine {
    /// The guest trapped or broke a limit.
    pub(crate) fn record(&self, now: Instant) {
        let mut faults = locked(&self.0);
        faults.push_back(now);
        while faults.len() > FAULTS {
            faults.pop_front();
        }
    }

    /// How long it is still in quarantine; none: it is not.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        let faults = locked(&self.0);
        let oldest = faults.front().filter(|_| faults.len() >= FAULTS)?;
        WINDOW.checked_sub(now.saturating_duration_since(*oldest)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_faults_within_the_window_are_too_many_and_time_heals() {
        let (quarantine, start) = (Quarantine::default(), Instant::now());
        let minute = |count: u64| start + Duration::from_mins(count);
        for count in 0..4 {
            quarantine.record(minute(count));
        }
        assert_eq!(quarantine.remaining(minute(4)), None);
        quarantine.record(minute(4));
        assert_eq!(quarantine.remaining(minute(4)), Some(Duration::from_mins(6)));
        assert_eq!(quarantine.remaining(minute(10)), None);
        quarantine.record(minute(10));
        assert_eq!(quarantine.remaining(minute(10)), Some(Duration::from_mins(1)));
    }

    #[test]
    fn faults_far_apart_are_none() {
        let (quarantine, start) = (Quarantine::default(), Instant::now());
        for count in 0..20 {
            let now = start + Duration::from_mins(3 * count);
            quarantine.record(now);
            assert_eq!(quarantine.remaining(now), None);
        }
    }
}
