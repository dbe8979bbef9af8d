//! How long an object that failed waits for its next try.
//!
//! Decided here: a pause per class of error that doubles with each failure of the same object up to 30 seconds,
//! with jitter so that a thousand objects of one dead server do not come back at the same moment. What waits for a
//! change of its spec is looked at all the same from time to time: it may be the server that was wrong. A success
//! forgets all. Deliberately absent: the periodic look, which is no failure.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::RngExt as _;

use crate::errors::Class;
use crate::object_key::ObjectKey;

/// No pause is longer: a cure is noticed within half a minute, whatever it is.
pub const CAP: Duration = Duration::from_secs(30);

/// What is wrong in a spec is wrong until it changes, but for what depends on the server: its version, say.
const RARELY: Duration = Duration::from_mins(5);

/// What an object waits for may come in a moment, where everything was applied at once. Then nobody needs a warning.
const GRACE: Duration = Duration::from_secs(5);

/// The part of a pause that is left to chance.
const JITTER: f64 = 0.2;

/// The failures of each object since its last success.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<ObjectKey, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    class: Class,
    count: u32,
    /// The first of all classes.
    since: Instant,
    /// What it waits for is news that nobody was told yet.
    untold: bool,
}

impl Backoff {
    /// The object failed again: when it is tried next.
    pub fn failed(&self, key: &ObjectKey, class: Class) -> Duration {
        let count = {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = failures.entry(key.clone()).or_insert(Failures {
                class,
                count: 0,
                since: Instant::now(),
                untold: false,
            });
            // Another class is another problem, which deserves its own first quick try.
            if entry.class != class {
                *entry = Failures { class, count: 0, ..*entry };
            }
            entry.count = entry.count.saturating_add(1);
            entry.count
        };
        pause(class, count, rand::rng().random())
    }

    /// Whether to warn of the object's last failure: of what is new, and of what it waits for only after a while.
    pub fn warns(&self, key: &ObjectKey, is_new: bool) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = failures.get_mut(key).filter(|entry| entry.class == Class::Waiting) else { return is_new };
        entry.untold |= is_new;
        entry.since.elapsed() >= GRACE && std::mem::take(&mut entry.untold)
    }

    /// For how long the object has done nothing but fail.
    pub fn failing_for(&self, key: &ObjectKey) -> Duration {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(key).map_or(Duration::ZERO, |entry| entry.since.elapsed())
    }

    /// The object is as it should be, or it is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// How often the object failed since its last success.
    #[cfg(test)]
    fn failures(&self, key: &ObjectKey) -> u32 {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).get(key).map_or(0, |entry| entry.count)
    }
}

/// The pause after the `count`th failure in a row; `chance` is between 0 and 1.
fn pause(class: Class, count: u32, chance: f64) -> Duration {
    let first = match class {
        Class::Invalid => RARELY,
        Class::Transient => Duration::from_millis(250),
        Class::Waiting => Duration::from_secs(1),
        Class::Guest | Class::Bug => Duration::from_secs(5),
        // What was refused is watched where it can be; the rest (rights on a server) is looked at slowly.
        Class::Refused => Duration::from_secs(15),
    };
    let doublings = count.saturating_sub(1).min(16);
    let full = first.saturating_mul(2_u32.saturating_pow(doublings)).min(CAP.max(first));
    full.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::new("Database", "team-a", "orders")
    }

    #[test]
    fn pauses_double_up_to_the_cap() {
        let pauses: Vec<_> = (1..=9).map(|count| pause(Class::Transient, count, 0.0)).collect();
        let expected = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map(Duration::from_millis);
        assert_eq!(pauses, expected);
        assert_eq!(pause(Class::Bug, u32::MAX, 0.0), CAP);
    }

    #[test]
    fn chance_shortens_a_pause_by_a_fifth_at_most() {
        assert_eq!(pause(Class::Transient, 100, 1.0), Duration::from_secs(24));
        assert_eq!(pause(Class::Transient, 100, 7.0), Duration::from_secs(24));
    }

    #[test]
    fn an_invalid_spec_is_looked_at_rarely() {
        let pauses: Vec<_> = [1, 2, 50].map(|count| pause(Class::Invalid, count, 0.0)).into();
        assert_eq!(pauses, [RARELY; 3]);
    }

    #[test]
    fn a_success_forgets_all_failures() {
        let backoff = Backoff::default();
        backoff.failed(&key(), Class::Transient);
        backoff.failed(&key(), Class::Transient);
        assert_eq!(backoff.failures(&key()), 2);
        backoff.forget(&key());
        assert_eq!(backoff.failures(&key()), 0);
    }

    #[test]
    fn another_problem_begins_at_its_own_first_pause() {
        let backoff = Backoff::default();
        for _ in 0..10 {
            backoff.failed(&key(), Class::Transient);
        }
        backoff.failed(&key(), Class::Waiting);
        assert_eq!(backoff.failures(&key()), 1);
    }

    #[test]
    fn what_is_waited_for_is_warned_of_once_and_only_after_a_while() {
        let backoff = Backoff::default();
        assert!(backoff.warns(&key(), true), "of what never failed everything is news");
        backoff.failed(&key(), Class::Waiting);
        assert!(!backoff.warns(&key(), true) && !backoff.warns(&key(), false));
        let long_ago = Instant::now().checked_sub(GRACE).unwrap();
        backoff.failures.lock().unwrap().get_mut(&key()).unwrap().since = long_ago;
        assert!(backoff.warns(&key(), false));
        assert!(!backoff.warns(&key(), false));
        assert!(backoff.warns(&key(), true), "another thing");
        backoff.failed(&key(), Class::Transient);
        assert!(backoff.warns(&key(), true) && !backoff.warns(&key(), false));
    }

    #[test]
    fn objects_do_not_share_their_failures() {
        let backoff = Backoff::default();
        backoff.failed(&key(), Class::Transient);
        assert_eq!(backoff.failures(&ObjectKey::new("Database", "team-b", "orders")), 0);
    }
}
