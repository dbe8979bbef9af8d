//! What this process remembers of an object between two reconciles: enough to skip an engine that was just asked,
//! and to survive a watch cache that has not seen our own write yet. Losing it costs one look, never correctness.

use std::collections::HashMap;
use std::num::{NonZeroI64, NonZeroU64};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// What is remembered. Every object has one: what is in it counts some thousand times.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Until when its first look since the process began may be left to a sweep. None: that is not decided yet.
    pub waits: Option<Moment>,
    /// The version of the object that our last status write made.
    pub written: Option<NonZeroU64>,
    /// What the last full look at the server was about, and when it was.
    pub looked: Option<Look>,
    /// When its deletion failed first.
    pub undeletable: Option<Moment>,
    /// Whether the last look found drift.
    pub drifts: Option<bool>,
    /// The size of what it stands for, in bytes, when that was looked at last.
    pub size: Size,
}

/// A size in bytes, where it is known, in as little as one takes: `0`, or one more than it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size(u64);

impl From<Option<u64>> for Size {
    fn from(bytes: Option<u64>) -> Self {
        Self(bytes.map_or(0, |bytes| bytes.saturating_add(1)))
    }
}

impl Size {
    /// In bytes.
    pub fn bytes(self) -> Option<u64> {
        self.0.checked_sub(1)
    }
}

/// A time to the microsecond, in half of what a timestamp takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(NonZeroI64);

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        // The one microsecond that has no number of its own is as long ago as anything.
        NonZeroI64::new(time.as_microsecond()).map_or(Self::NEVER, Self)
    }
}

impl Moment {
    /// Before everything.
    pub const NEVER: Self = Self(NonZeroI64::MIN);

    /// How long ago; none where it is to come, because a clock was set back.
    pub fn age(self, now: Timestamp) -> Option<Duration> {
        let microseconds = now.as_microsecond().saturating_sub(self.0.get());
        u64::try_from(microseconds).ok().map(Duration::from_micros)
    }

    /// How long until then; none where it has come.
    pub fn left(self, now: Timestamp) -> Option<Duration> {
        let microseconds = self.0.get().saturating_sub(now.as_microsecond());
        u64::try_from(microseconds).ok().filter(|left| *left > 0).map(Duration::from_micros)
    }
}

/// A full look at the server that found everything in order, or reported what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// A digest of everything that the outcome depends on.
    pub inputs: [u8; 16],
    /// When; a sweep since then counts.
    pub at: Moment,
    /// When it was looked at by itself.
    pub alone: Moment,
}

/// Of all objects, by their uid: one that was deleted and made again is another.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<u128, Remembered>>);

/// Half of a SHA-256: enough to tell one thing from another.
pub(crate) fn digest(of: &str) -> [u8; 16] {
    Sha256::digest(of).first_chunk().copied().unwrap_or_default()
}

/// A uid as a number, which takes no memory of its own: nearly all are UUIDs (RFC 9562).
fn number(uid: &str) -> u128 {
    let digits: String = uid.chars().filter(|digit| *digit != '-').collect();
    match u128::from_str_radix(&digits, 16) {
        Ok(number) if digits.len() == 32 => number,
        Ok(_) | Err(_) => u128::from_le_bytes(digest(uid)),
    }
}

impl Memory {
    /// What is remembered of this very object.
    pub fn recall(&self, uid: &str) -> Option<Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number(uid)).cloned()
    }

    /// Changes what is remembered.
    pub fn note(&self, uid: &str, change: impl FnOnce(&mut Remembered)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(number(uid)).or_default());
    }

    /// A sweep found everything as it was. Where another look came between, that is the later word.
    pub fn swept(&self, uid: &str, before: &Look, at: Moment) {
        self.note(uid, |remembered| {
            if let Some(look) = remembered.looked.as_mut().filter(|look| *look == before) {
                look.at = at;
            }
        });
    }

    /// Whether a copy of the object was made before our own last write of its status: what it says is not what is.
    ///
    /// Versions of one object grow (Kubernetes API concepts, "Resource versions"; comparable since 1.35, and numbers on
    /// every API server before). A version that is no number is taken as it comes.
    pub fn is_behind(&self, uid: &str, version: Option<&str>) -> bool {
        let seen = version.and_then(|version| version.parse::<u64>().ok());
        let written = self.recall(uid).and_then(|remembered| remembered.written);
        matches!((seen, written), (Some(seen), Some(written)) if seen < written.get())
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_to_come_has_no_age() {
        let [before, now] = [0, 60].map(|at| Timestamp::from_second(at).unwrap());
        assert_eq!(Moment::from(now).age(now), Some(Duration::ZERO));
        assert_eq!(Moment::from(now).age(before), None);
        assert_eq!(Moment::from(now).left(before), Some(Duration::from_mins(1)));
        assert_eq!((Moment::from(now).left(now), Moment::NEVER.left(before)), (None, None));
        // What has no number of its own was never.
        assert_eq!(Moment::from(before), Moment::NEVER);
        assert!(Moment::NEVER.age(now).unwrap() > Duration::from_hours(24 * 365));
    }

    #[test]
    fn a_size_takes_no_more_than_a_number() {
        for bytes in [None, Some(0), Some(7_000_000)] {
            assert_eq!(Size::from(bytes).bytes(), bytes);
        }
    }

    #[test]
    fn a_copy_from_before_our_own_write_is_behind() {
        let memory = Memory::default();
        assert!(!memory.is_behind("uid", Some("7")));
        memory.note("uid", |remembered| remembered.written = NonZeroU64::new(10));
        assert!(memory.is_behind("uid", Some("9")));
        assert!(!memory.is_behind("uid", Some("10")) && !memory.is_behind("uid", Some("11")));
        assert!(!memory.is_behind("another", Some("9")) && !memory.is_behind("uid", Some("word")));
    }

    #[test]
    fn a_sweep_counts_as_a_look_unless_another_came_between() {
        let memory = Memory::default();
        let [first, second, third] = [0, 60, 120].map(|at| Moment::from(Timestamp::from_second(at).unwrap()));
        let before = Look { inputs: [1; 16], at: first, alone: first };
        memory.note("uid", |remembered| remembered.looked = Some(before.clone()));
        memory.swept("uid", &before, second);
        let swept = Look { at: second, ..before.clone() };
        assert_eq!(memory.recall("uid").unwrap().looked, Some(swept.clone()));
        let other = Look { inputs: [2; 16], ..swept.clone() };
        memory.note("uid", |remembered| remembered.looked = Some(other.clone()));
        memory.swept("uid", &swept, third);
        assert_eq!(memory.recall("uid").unwrap().looked, Some(other));
        memory.note("uid", |remembered| remembered.looked = None);
        memory.swept("uid", &swept, third);
        assert_eq!(memory.recall("uid").unwrap().looked, None);
    }

    #[test]
    fn an_object_that_was_made_again_is_not_remembered() {
        let memory = Memory::default();
        let look = Look { inputs: [1; 16], at: Moment::NEVER, alone: Moment::NEVER };
        memory.note("uid-1", |remembered| remembered.looked = Some(look));
        assert!(memory.recall("uid-1").unwrap().looked.is_some());
        assert!(memory.recall("uid-2").is_none());
        memory.note("uid-2", |_| ());
        assert!(memory.recall("uid-2").unwrap().looked.is_none());
    }
}
