//! What to do about a Lease as it was read: pure.
//!
//! Time here is this machine's own: how long the record stood still *as seen from here*. The times written in
//! the Lease are for people; comparing them with our clock would make two leaders of a clock that is wrong.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// How long a Lease holds and how often it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long others wait after the last renewal that they saw.
    pub lease: Duration,
    /// How long after its last renewal the holder gives up. The difference to `lease` is what a request that
    /// is under way has left to end before anybody else begins.
    pub give_up: Duration,
    /// The pause between two tries.
    pub retry: Duration,
}

impl Default for Timing {
    /// What Kubernetes' own controllers use.
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), give_up: Duration::from_secs(10), retry: Duration::from_secs(2) }
    }
}

/// The record as it was last seen to change.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    seen: Option<(LeaseSpec, Instant)>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Write this; the Lease is ours already.
    Renew(Box<LeaseSpec>),
    /// Write this; the Lease is free, or its holder is silent.
    Take(Box<LeaseSpec>),
    /// Somebody else holds it.
    Wait {
        /// Who.
        holder: String,
    },
}

impl Observation {
    /// Looks at the record and decides.
    pub(super) fn decide(
        &mut self,
        spec: &LeaseSpec,
        identity: &str,
        timing: Timing,
        now: Instant,
        time: Timestamp,
    ) -> Decision {
        let since = match &self.seen {
            Some((former, since)) if former == spec => *since,
            Some(_) | None => {
                self.seen = Some((spec.clone(), now));
                now
            }
        };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder == identity {
            return Decision::Renew(Box::new(LeaseSpec { renew_time: Some(MicroTime(time)), ..spec.clone() }));
        }
        // A holder that announced a longer Lease than ours is given it.
        let announced = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        let patience = timing.lease.max(Duration::from_secs(announced));
        if !holder.is_empty() && now.saturating_duration_since(since) < patience {
            return Decision::Wait { holder: holder.to_owned() };
        }
        Decision::Take(Box::new(LeaseSpec {
            holder_identity: Some(identity.to_owned()),
            lease_duration_seconds: i32::try_from(timing.lease.as_secs()).ok(),
            acquire_time: Some(MicroTime(time)),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(spec.lease_transitions.unwrap_or(0).saturating_add(1)),
            ..spec.clone()
        }))
    }
}

/// The record of a Lease that its holder gives back, so that another need not wait.
pub(super) fn released(spec: &LeaseSpec, time: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(time)),
        ..spec.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str, renewal: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(Timestamp::from_second(renewal).unwrap())),
            lease_transitions: Some(4),
            ..LeaseSpec::default()
        }
    }

    fn decide(observation: &mut Observation, spec: &LeaseSpec, now: Instant) -> Decision {
        observation.decide(spec, "me", Timing::default(), now, Timestamp::from_second(1_000).unwrap())
    }

    #[test]
    fn a_free_lease_is_taken() {
        let now = Instant::now();
        for free in [LeaseSpec::default(), held_by("", 0)] {
            let Decision::Take(spec) = decide(&mut Observation::default(), &free, now) else { panic!("{free:?}") };
            assert_eq!(spec.holder_identity.as_deref(), Some("me"));
            assert_eq!(spec.lease_duration_seconds, Some(15));
            assert_eq!(spec.lease_transitions, Some(free.lease_transitions.unwrap_or(0) + 1));
        }
    }

    #[test]
    fn a_lease_is_ours_only_after_its_holder_was_silent_for_its_whole_time_as_seen_from_here() {
        let (mut observation, start) = (Observation::default(), Instant::now());
        // The record is ancient by its own words, but we see it for the first time.
        let spec = held_by("other", 0);
        let wait = Decision::Wait { holder: "other".to_owned() };
        assert_eq!(decide(&mut observation, &spec, start), wait);
        assert_eq!(decide(&mut observation, &spec, start + Duration::from_secs(14)), wait);
        // A renewal begins the time anew.
        let renewed = held_by("other", 1);
        assert_eq!(decide(&mut observation, &renewed, start + Duration::from_secs(15)), wait);
        assert_eq!(decide(&mut observation, &renewed, start + Duration::from_secs(29)), wait);
        assert!(matches!(decide(&mut observation, &renewed, start + Duration::from_secs(30)), Decision::Take(_)));
    }

    #[test]
    fn a_holder_that_announced_more_time_is_given_it() {
        let (mut observation, start) = (Observation::default(), Instant::now());
        let spec = LeaseSpec { lease_duration_seconds: Some(60), ..held_by("other", 0) };
        decide(&mut observation, &spec, start);
        assert!(matches!(decide(&mut observation, &spec, start + Duration::from_secs(59)), Decision::Wait { .. }));
        assert!(matches!(decide(&mut observation, &spec, start + Duration::from_mins(1)), Decision::Take(_)));
    }

    #[test]
    fn our_own_lease_is_renewed_without_a_transition() {
        let Decision::Renew(spec) = decide(&mut Observation::default(), &held_by("me", 0), Instant::now()) else {
            panic!("not renewed");
        };
        assert_eq!(spec.lease_transitions, Some(4));
        assert_eq!(spec.renew_time, Some(MicroTime(Timestamp::from_second(1_000).unwrap())));
    }

    #[test]
    fn a_released_lease_is_free_at_once() {
        let released = released(&held_by("other", 0), Timestamp::from_second(1).unwrap());
        assert!(matches!(decide(&mut Observation::default(), &released, Instant::now()), Decision::Take(_)));
    }
}
