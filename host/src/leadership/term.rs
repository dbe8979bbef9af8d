//! Whether this process may write, asked at every write.
//!
//! Stopping the controllers at the loss of the Lease is not enough: a process that was frozen for a minute
//! wakes up in the middle of a reconcile. So each write asks for the time that is left, and a lost term never
//! comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Why a write was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica does not lead; nothing is written")]
pub struct NotLeading;

/// The time in which this process may write.
#[derive(Clone, Debug)]
pub struct Term {
    epoch: Instant,
    /// Milliseconds after the epoch; [`FOREVER`] and [`LOST`] are words of their own.
    until: Arc<AtomicU64>,
}

const LOST: u64 = 0;
const FOREVER: u64 = u64::MAX;

impl Term {
    /// Without an election: always.
    pub fn endless() -> Self {
        Self { epoch: Instant::now(), until: Arc::new(AtomicU64::new(FOREVER)) }
    }

    /// Before an election: not yet.
    pub fn not_begun() -> Self {
        Self { epoch: Instant::now(), until: Arc::new(AtomicU64::new(1)) }
    }

    /// The Lease was renewed by a request that was sent at `sent`.
    pub(super) fn extend(&self, sent: Instant, by: Duration) {
        let until = sent.saturating_duration_since(self.epoch).saturating_add(by);
        let until = u64::try_from(until.as_millis()).unwrap_or(FOREVER - 1);
        // A lost term stays lost, whatever answer arrives late.
        let extended = |former| if former == LOST { None } else { Some(until.max(1)) };
        self.until.fetch_update(Ordering::AcqRel, Ordering::Acquire, extended).unwrap_or_default();
    }

    /// Nothing is written from now on.
    pub fn end(&self) {
        self.until.store(LOST, Ordering::Release);
    }

    /// Whether a write may be made now.
    pub fn check(&self) -> Result<(), NotLeading> {
        self.check_at(Instant::now())
    }

    pub(super) fn check_at(&self, now: Instant) -> Result<(), NotLeading> {
        let until = self.until.load(Ordering::Acquire);
        let elapsed = u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(FOREVER);
        if until == FOREVER || elapsed < until { Ok(()) } else { Err(NotLeading) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_lasts_as_long_as_its_last_renewal() {
        let term = Term::not_begun();
        let start = term.epoch + Duration::from_secs(5);
        assert_eq!(term.check_at(start), Err(NotLeading));
        term.extend(start, Duration::from_secs(10));
        assert_eq!(term.check_at(start + Duration::from_secs(9)), Ok(()));
        assert_eq!(term.check_at(start + Duration::from_secs(10)), Err(NotLeading));
        term.extend(start + Duration::from_secs(8), Duration::from_secs(10));
        assert_eq!(term.check_at(start + Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn a_lost_term_never_comes_back() {
        let term = Term::not_begun();
        term.extend(term.epoch, Duration::from_secs(10));
        term.end();
        term.extend(term.epoch, Duration::from_secs(100));
        assert_eq!(term.check_at(term.epoch), Err(NotLeading));
    }

    #[test]
    fn without_an_election_everything_may_be_written() {
        assert_eq!(Term::endless().check(), Ok(()));
    }
}
