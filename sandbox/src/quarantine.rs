//! Who is not called for a while because it keeps failing, and where.
//!
//! Decided here: what a fault counts against. One at a server counts against the adapter at that server, one in a
//! question without a server against that very question; so what a tenant writes into a spec, or has a server of its
//! own say, is told to that tenant alone. The adapter as a whole is in quarantine only while it is at
//! [`SERVERS`] servers and answers at no other. Absent: what a fault is (`guest`), and trying again, which is the
//! caller's.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::digest::Digest;
use crate::processor::locked;

/// How many faults within [`WINDOW`] at one place are too many.
const FAULTS: usize = 5;

/// A fault is forgotten after this time; so a place is out again once its oldest counted fault is.
const WINDOW: Duration = Duration::from_mins(10);

/// At so many servers an adapter has to be in quarantine before it is at all of them.
const SERVERS: usize = 3;

/// The most servers, and the most questions, that are remembered; then the one that was quiet longest is forgotten.
const REMEMBERED: usize = 1024;

/// Where a guest runs, and what its faults count against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the server of the binding with this name: another password is no other server.
    Server(String),
    /// In a call without a server, which is the same only with the same arguments.
    Question(Digest),
}

impl Place {
    /// The question that this function is asked with these arguments.
    pub(crate) fn question(function: &str, arguments: &[&dyn Debug]) -> Self {
        let name: &dyn Debug = &function;
        let mut shown = vec![name];
        shown.extend_from_slice(arguments);
        Self::Question(Digest::of_shown(&shown))
    }
}

/// The recent faults of one adapter.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<Records>);

#[derive(Debug, Default)]
struct Records {
    servers: BTreeMap<String, Record>,
    questions: BTreeMap<Digest, Record>,
}

#[derive(Debug, Default)]
struct Record {
    faults: VecDeque<Instant>,
    /// When it answered last.
    answered: Option<Instant>,
}

impl Quarantine {
    /// The guest trapped or broke a limit.
    pub(crate) fn record(&self, place: &Place, now: Instant) {
        let mut records = locked(&self.0);
        let record = match place {
            Place::Server(name) => of(&mut records.servers, name, now),
            Place::Question(question) => of(&mut records.questions, question, now),
        };
        record.faults.push_back(now);
        while record.faults.len() > FAULTS {
            record.faults.pop_front();
        }
    }

    /// The guest answered, if only with an error of the contract.
    pub(crate) fn answered(&self, place: &Place, now: Instant) {
        match place {
            Place::Server(name) => of(&mut locked(&self.0).servers, name, now).answered = Some(now),
            // An examination proves nothing about servers.
            Place::Question(_) => {}
        }
    }

    /// How long nothing is called there; none: it is called.
    pub(crate) fn remaining(&self, place: &Place, now: Instant) -> Option<Duration> {
        let records = locked(&self.0);
        let own = match place {
            Place::Server(name) => records.servers.get(name),
            Place::Question(question) => records.questions.get(question),
        };
        own.and_then(|record| record.remaining(now)).max(records.everywhere(now))
    }

    /// How long it is called nowhere; none: it is called where it does not fail.
    pub(crate) fn everywhere(&self, now: Instant) -> Option<Duration> {
        locked(&self.0).everywhere(now)
    }
}

impl Records {
    fn everywhere(&self, now: Instant) -> Option<Duration> {
        let mut failing = Vec::new();
        for record in self.servers.values() {
            match record.remaining(now) {
                Some(remaining) => failing.push(remaining),
                None if record.answered.is_some_and(|last| is_recent(last, now)) => return None,
                None => {}
            }
        }
        failing.sort_unstable_by_key(|remaining| std::cmp::Reverse(*remaining));
        failing.get(SERVERS - 1).copied()
    }
}

impl Record {
    fn remaining(&self, now: Instant) -> Option<Duration> {
        let oldest = self.faults.front().filter(|_| self.faults.len() >= FAULTS)?;
        WINDOW.checked_sub(now.saturating_duration_since(*oldest)).filter(|left| !left.is_zero())
    }

    /// When something happened there last.
    fn touched(&self) -> Option<Instant> {
        self.faults.back().copied().max(self.answered)
    }
}

fn is_recent(moment: Instant, now: Instant) -> bool {
    now.saturating_duration_since(moment) < WINDOW
}

/// The record of this key. Room is made for a new one by what is of no account any more, or was quiet longest.
fn of<'a, K: Ord + Clone>(records: &'a mut BTreeMap<K, Record>, key: &K, now: Instant) -> &'a mut Record {
    if records.len() >= REMEMBERED && !records.contains_key(key) {
        records.retain(|_, record| record.touched().is_some_and(|last| is_recent(last, now)));
        if records.len() >= REMEMBERED {
            let quietest = records.iter().min_by_key(|(_, record)| record.touched()).map(|(key, _)| key.clone());
            if let Some(quietest) = quietest {
                records.remove(&quietest);
            }
        }
    }
    records.entry(key.clone()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> Place {
        Place::Server(name.to_owned())
    }

    fn fail(quarantine: &Quarantine, place: &Place, now: Instant) {
        for _ in 0..FAULTS {
            quarantine.record(place, now);
        }
    }

    #[test]
    fn five_faults_within_the_window_are_too_many_and_time_heals() {
        let (quarantine, place, start) = (Quarantine::default(), server("a"), Instant::now());
        let minute = |count: u64| start + Duration::from_mins(count);
        for count in 0..4 {
            quarantine.record(&place, minute(count));
        }
        assert_eq!(quarantine.remaining(&place, minute(4)), None);
        quarantine.record(&place, minute(4));
        assert_eq!(quarantine.remaining(&place, minute(4)), Some(Duration::from_mins(6)));
        assert_eq!(quarantine.remaining(&place, minute(10)), None);
        quarantine.record(&place, minute(10));
        assert_eq!(quarantine.remaining(&place, minute(10)), Some(Duration::from_mins(1)));
    }

    #[test]
    fn faults_far_apart_are_none() {
        let (quarantine, place, start) = (Quarantine::default(), server("a"), Instant::now());
        for count in 0..20 {
            let now = start + Duration::from_mins(3 * count);
            quarantine.record(&place, now);
            assert_eq!(quarantine.remaining(&place, now), None);
        }
    }

    #[test]
    fn one_server_is_no_other_and_two_are_not_all() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        fail(&quarantine, &server("a"), now);
        fail(&quarantine, &server("b"), now);
        assert!(quarantine.remaining(&server("a"), now).is_some());
        assert_eq!(quarantine.remaining(&server("c"), now), None);
        assert_eq!(quarantine.everywhere(now), None);
    }

    #[test]
    fn an_adapter_that_fails_at_three_servers_is_called_nowhere_until_one_of_them_is_out() {
        let (quarantine, start) = (Quarantine::default(), Instant::now());
        for (minute, name) in [(0, "a"), (1, "b"), (2, "c")] {
            fail(&quarantine, &server(name), start + Duration::from_mins(minute));
        }
        let now = start + Duration::from_mins(3);
        for place in [server("d"), Place::question("examine", &[&"x"])] {
            assert_eq!(quarantine.remaining(&place, now), Some(Duration::from_mins(7)));
        }
        assert_eq!(quarantine.remaining(&server("c"), now), Some(Duration::from_mins(9)));
        let later = start + Duration::from_mins(10);
        assert_eq!(quarantine.remaining(&server("d"), later), None);
        assert_eq!(quarantine.remaining(&server("b"), later), Some(Duration::from_mins(1)));
    }

    #[test]
    fn one_server_at_which_it_works_is_proof_that_the_others_are_at_fault() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        for name in ["a", "b", "c"] {
            // That it answered where it fails proves nothing.
            quarantine.answered(&server(name), now);
            fail(&quarantine, &server(name), now);
        }
        assert!(quarantine.everywhere(now).is_some());
        quarantine.answered(&server("d"), now);
        assert_eq!(quarantine.everywhere(now), None);
        assert!(quarantine.remaining(&server("a"), now).is_some());
    }

    #[test]
    fn questions_count_each_for_itself_and_never_against_the_adapter() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        let question = |name: &str| Place::question("examine", &[&name]);
        for name in ["a", "b", "c", "d"] {
            fail(&quarantine, &question(name), now);
            assert!(quarantine.remaining(&question(name), now).is_some());
        }
        assert_eq!(quarantine.remaining(&question("e"), now), None);
        assert_eq!(quarantine.remaining(&Place::question("other", &[&"a"]), now), None);
        assert_eq!(quarantine.everywhere(now), None);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (quarantine, start) = (Quarantine::default(), Instant::now());
        fail(&quarantine, &server("first"), start);
        let now = start + Duration::from_secs(1);
        for number in 0..REMEMBERED {
            quarantine.record(&server(&number.to_string()), now);
            quarantine.record(&Place::question("examine", &[&number]), now);
        }
        assert_eq!(quarantine.remaining(&server("first"), now), None, "it was quiet longest");
        let records = locked(&quarantine.0);
        assert_eq!((records.servers.len(), records.questions.len()), (REMEMBERED, REMEMBERED));
    }
}
