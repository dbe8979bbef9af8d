//! Conditions from verdicts. The transition time moves only when the status of the condition does. The few decisions that
//! read them back are named in docs/ARCHITECTURE.md.

use crds::names::{condition, message, reason};
use crds::{Condition, Time};

use crate::{Blocked, Gate};

/// What is said of one condition type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// One of `crds::names::condition`.
    pub type_: &'static str,
    /// True or false; none: unknown.
    pub holds: Option<bool>,
    /// One of `crds::names::reason`.
    pub reason: &'static str,
    /// For a person.
    pub message: String,
}

impl Verdict {
    /// A condition that holds, does not, or cannot be told.
    pub fn new(
        type_: &'static str,
        holds: impl Into<Option<bool>>,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { type_, holds: holds.into(), reason, message: message.into() }
    }
}

/// The three conditions of a resource that is as its spec asks.
pub fn all_well(message: &str) -> Vec<Verdict> {
    vec![
        Verdict::new(condition::ACCEPTED, true, reason::ACCEPTED, message::SERVED),
        Verdict::new(condition::SYNCED, true, reason::RECONCILE_SUCCESS, message),
        Verdict::new(condition::READY, true, reason::RECONCILE_SUCCESS, message),
    ]
}

/// The three conditions of a resource that serves its users, while the server differs from its spec.
pub fn drifted(message: &str) -> Vec<Verdict> {
    vec![
        Verdict::new(condition::ACCEPTED, true, reason::ACCEPTED, message::SERVED),
        Verdict::new(condition::SYNCED, false, reason::DRIFT_DETECTED, message),
        Verdict::new(condition::READY, true, reason::RECONCILE_SUCCESS, message),
    ]
}

/// The three conditions of a resource that was stopped.
pub fn stopped(blocked: &Blocked) -> Vec<Verdict> {
    let Blocked { gate, reason, message, class: _, about_the_instance: _ } = blocked;
    let accepted = match gate {
        Gate::Accepted => Verdict::new(condition::ACCEPTED, false, reason, message.clone()),
        Gate::Synced => Verdict::new(condition::ACCEPTED, true, reason::ACCEPTED, message::SERVED),
    };
    vec![
        accepted,
        Verdict::new(condition::SYNCED, false, reason, message.clone()),
        Verdict::new(condition::READY, false, reason, message.clone()),
    ]
}

/// The conditions to write: those of `verdicts`, with the transition times of `old` where the status did not change.
pub fn merge(old: &[Condition], verdicts: &[Verdict], generation: Option<i64>, now: &Time) -> Vec<Condition> {
    verdicts
        .iter()
        .map(|Verdict { type_, holds, reason, message }| {
            let status = match holds {
                Some(true) => "True",
                Some(false) => "False",
                None => "Unknown",
            };
            let unchanged = old.iter().find(|before| before.type_ == *type_ && before.status == status);
            Condition {
                type_: (*type_).into(),
                status: status.into(),
                observed_generation: generation,
                last_transition_time: unchanged
                    .map_or_else(|| now.clone(), |before| before.last_transition_time.clone()),
                reason: (*reason).into(),
                message: message.as_str().into(),
            }
        })
        .collect()
}

/// Whether a condition of the type is there and true.
pub fn holds(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// Whether one of the conditions has this reason.
pub fn gives(conditions: &[Condition], reason: &str) -> bool {
    conditions.iter().any(|condition| condition.reason == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from(jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = merge(&[], &all_well("a"), Some(1), &at(10));
        let second = merge(&first, &all_well("b"), Some(2), &at(20));
        assert!(second.iter().all(|condition| condition.last_transition_time == at(10)));
        assert!(second.iter().all(|condition| condition.observed_generation == Some(2)));
        let blocked = Blocked::waiting(reason::SECRET_NOT_FOUND, "no Secret");
        let third = merge(&second, &stopped(&blocked), Some(2), &at(30));
        assert!(holds(&third, condition::ACCEPTED) && !holds(&third, condition::READY));
        assert_eq!(third[0].last_transition_time, at(10));
        assert_eq!(third[2].last_transition_time, at(30));
    }

    #[test]
    fn what_is_not_accepted_is_neither_synced_nor_ready() {
        let blocked = Blocked::invalid(reason::INVALID_OPTIONS, "spec.postgres.encoding: no such encoding");
        let conditions = merge(&[], &stopped(&blocked), Some(1), &at(1));
        assert!(conditions.iter().all(|condition| condition.status == "False"));
    }
}
