//! What to do about differences: the adapter says what differs, this selects what is changed.

use std::collections::BTreeSet;
use std::time::Duration;

use crds::names::reason;
use crds::{DriftDiff, DriftMode, DriftPolicy};

use crate::{Blocked, duration};

/// The shortest interval between two looks: less would be a busy loop on somebody's server.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The interval that a policy states.
pub fn interval(policy: &DriftPolicy) -> Result<Duration, Blocked> {
    let invalid =
        |problem: String| Blocked::invalid(reason::INVALID_SPEC, format!("spec.driftPolicy.interval: {problem}"));
    let interval = duration::parse(&policy.interval).map_err(|error| invalid(error.to_string()))?;
    if interval < SHORTEST_INTERVAL {
        return Err(invalid(format!("{:?} is too short; the shortest is 1s", policy.interval)));
    }
    Ok(interval)
}

/// Whether a policy, if one is stated, can be followed.
pub fn check(policy: Option<&DriftPolicy>) -> Result<(), Blocked> {
    policy.map_or(Ok(()), |policy| interval(policy).map(drop))
}

/// A difference, as the adapter reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the selection names.
    pub id: String,
    /// The field's path in the resource.
    pub field: String,
    /// What the spec says.
    pub expected: String,
    /// What the server has.
    pub actual: String,
    /// Making it can lose data, rights or availability.
    pub destructive: bool,
    /// It cannot be made in place.
    pub impossible: bool,
    /// What it needs and is not there, in a sentence.
    pub lacking: Option<String>,
}

/// What to do at a generation that was applied before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Ids of the changes to make.
    pub apply: Vec<String>,
    /// What others lack that would be made too, in sentences: it is waited for.
    pub lacking: Vec<String>,
    /// What stays different, for the status.
    pub remain: Vec<DriftDiff>,
}

/// Whether a change that an update reports is a password that was passed to it: `password`, or `password:` and the
/// name of a companion. It was passed because the cluster has a new one, which is a wish and no drift.
pub fn is_new_password(id: &str) -> bool {
    id == "password" || id.starts_with("password:")
}

/// Whether this is something else than what was told before.
pub fn is_news(correction: &Correction, told: &[DriftDiff]) -> bool {
    !correction.apply.is_empty() || !correction.lacking.is_empty() || correction.remain != told
}

/// Selects the corrections. A change of the spec does not come here: it is always applied.
pub fn correct(mode: DriftMode, allow_destructive: bool, changes: &[Change]) -> Correction {
    let (chosen, remain): (Vec<_>, Vec<_>) = changes.iter().partition(|change| {
        mode == DriftMode::Correct && !change.impossible && (allow_destructive || !change.destructive)
    });
    let (lacking, apply): (Vec<&Change>, Vec<&Change>) =
        chosen.into_iter().partition(|change| change.lacking.is_some());
    Correction {
        apply: apply.into_iter().map(|change| change.id.clone()).collect(),
        lacking: each_once(lacking.into_iter()),
        remain: told(&remain),
    }
}

/// What stays different after everything that is possible was applied.
pub fn impossible(changes: &[Change]) -> Vec<DriftDiff> {
    told(&changes.iter().filter(|change| change.impossible).collect::<Vec<_>>())
}

/// What the differences lack, each thing once: while that is so, they are waited for.
pub fn lacking(changes: &[Change]) -> Vec<String> {
    each_once(changes.iter())
}

fn each_once<'told>(changes: impl Iterator<Item = &'told Change>) -> Vec<String> {
    changes.filter_map(|change| change.lacking.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// More differences than this are only counted: rights on every table of a schema are thousands.
pub const MOST_TOLD: usize = 200;

fn told(changes: &[&Change]) -> Vec<DriftDiff> {
    let mut diffs: Vec<DriftDiff> = changes.iter().take(MOST_TOLD).map(|change| diff(change)).collect();
    let more = changes.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        let (expected, actual) = (String::new(), String::new());
        diffs.push(DriftDiff {
            field: format!("and {more} more"),
            expected,
            actual,
            destructive: None,
            immutable: None,
        });
    }
    diffs
}

fn diff(change: &Change) -> DriftDiff {
    let Change { id: _, field, expected, actual, destructive, impossible, lacking: _ } = change;
    DriftDiff {
        field: field.clone(),
        expected: expected.clone(),
        actual: actual.clone(),
        destructive: Some(*destructive),
        immutable: Some(*impossible),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, destructive: bool, impossible: bool) -> Change {
        let text = || id.to_owned();
        let (expected, actual) = ("a".to_owned(), "b".to_owned());
        Change { id: text(), field: text(), expected, actual, destructive, impossible, lacking: None }
    }

    fn three() -> [Change; 3] {
        [change("plain", false, false), change("destructive", true, false), change("impossible", false, true)]
    }

    #[test]
    fn only_the_mode_correct_changes_anything() {
        for mode in [DriftMode::Ignore, DriftMode::Detect] {
            let correction = correct(mode, true, &three());
            assert!(correction.apply.is_empty());
            assert_eq!(correction.remain.len(), 3);
        }
    }

    #[test]
    fn what_lacks_something_is_waited_for_while_the_rest_is_corrected() {
        let lacking = |id| Change { lacking: Some("no role r".to_owned()), ..change(id, false, false) };
        let found = [change("plain", false, false), lacking("member"), lacking("default role")];
        let correction = correct(DriftMode::Correct, false, &found);
        assert_eq!(
            (correction.apply.as_slice(), correction.lacking.as_slice()),
            (["plain".to_owned()].as_slice(), ["no role r".to_owned()].as_slice())
        );
        assert!(is_news(&correct(DriftMode::Correct, false, &found[1..]), &[]));
        let detected = correct(DriftMode::Detect, false, &found);
        assert!(detected.apply.is_empty() && detected.lacking.is_empty());
        assert_eq!(detected.remain.len(), 3);
    }

    #[test]
    fn of_very_many_differences_the_first_are_told_and_the_others_counted() {
        let many: Vec<_> = (0..MOST_TOLD + 7).map(|at| change(&at.to_string(), false, false)).collect();
        let correction = correct(DriftMode::Detect, false, &many);
        assert_eq!(correction.remain.len(), MOST_TOLD + 1);
        assert_eq!(correction.remain.last().map(|last| last.field.as_str()), Some("and 7 more"));
        assert!(!is_news(&correction, &correction.remain));
        assert_eq!(correct(DriftMode::Correct, false, &many).apply.len(), many.len());
    }

    #[test]
    fn a_destructive_correction_needs_the_annotation() {
        assert_eq!(correct(DriftMode::Correct, false, &three()).apply, ["plain"]);
        let allowed = correct(DriftMode::Correct, true, &three());
        assert_eq!(allowed.apply, ["plain", "destructive"]);
        assert_eq!(allowed.remain.len(), 1);
        assert_eq!(allowed.remain[0].immutable, Some(true));
    }
}
