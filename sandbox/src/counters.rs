//! What is counted for metrics: for each server, and summed up for the whole sandbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Streams to database servers that were opened so far.
    pub sessions_opened: u64,
    /// Streams that are open now.
    pub sessions_open: u64,
    /// Secret values that guests asked for and got.
    pub reveals: u64,
    /// Guests that were started.
    pub guests_started: u64,
    /// Calls that ended in a trap or against a limit.
    pub traps: u64,
    /// Calls that ran into their deadline.
    pub deadlines: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    opened: AtomicU64,
    closed: AtomicU64,
    reveals: AtomicU64,
    guests: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    sum: Option<Arc<Tally>>,
}

impl Tally {
    /// A tally whose counts also count there.
    pub(crate) fn within(sum: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { sum: Some(Arc::clone(sum)), ..Self::default() })
    }

    fn add(&self, which: impl Fn(&Self) -> &AtomicU64) {
        which(self).fetch_add(1, Ordering::Relaxed);
        if let Some(sum) = &self.sum {
            which(sum).fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn session_opened(self: &Arc<Self>) -> OpenSession {
        self.add(|tally| &tally.opened);
        OpenSession(Arc::clone(self))
    }

    pub(crate) fn revealed(&self) {
        self.add(|tally| &tally.reveals);
    }

    pub(crate) fn guest_started(&self) {
        self.add(|tally| &tally.guests);
    }

    pub(crate) fn trapped(&self) {
        self.add(|tally| &tally.traps);
    }

    pub(crate) fn deadline_passed(&self) {
        self.add(|tally| &tally.deadlines);
    }

    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (closed, opened) = (read(&self.closed), read(&self.opened));
        Counters {
            sessions_opened: opened,
            sessions_open: opened.saturating_sub(closed),
            reveals: read(&self.reveals),
            guests_started: read(&self.guests),
            traps: read(&self.traps),
            deadlines: read(&self.deadlines),
        }
    }
}

/// One open stream; it is counted as open while this lives.
#[derive(Debug)]
pub(crate) struct OpenSession(Arc<Tally>);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.add(|tally| &tally.closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_as_open_until_it_is_dropped_here_and_in_the_sum() {
        let sum = Arc::new(Tally::default());
        let tally = Tally::within(&sum);
        let session = tally.session_opened();
        assert_eq!((tally.read().sessions_open, sum.read().sessions_open), (1, 1));
        drop(session);
        assert_eq!((tally.read().sessions_open, sum.read().sessions_open), (0, 0));
        assert_eq!(sum.read().sessions_opened, 1);
    }
}
