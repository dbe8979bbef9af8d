//! The law: after all was applied, nothing differs; a second application changes nothing; what somebody else changed
//! is found, by its field, and put right; and a sweep finds what a look finds.

use std::collections::BTreeSet;

use sandbox::contract::{Change, Mark, ObjectKind, Selection};
use serde_json::json;

use crate::candidate::{Candidate, mark, proof};
use crate::cases::{By, Case, Drift, SUBJECT, Sql, Stated, Way};
use crate::objects;

/// Tries every case of a kind.
pub(crate) async fn holds(candidate: &Candidate, kind: ObjectKind) {
    let plain = Stated::new(SUBJECT, json!({}));
    let nonce = mark("law");
    objects::create(candidate, By::Administrator, kind, &plain, &nonce).await.unwrap();
    let trial = Trial { candidate, kind, by: By::Administrator, mark: nonce.clone(), what: "right after creation" };
    assert_eq!(trial.look(&plain).await, [], "right after creation");
    for case in candidate.table.cases(kind) {
        let what = format!("{kind:?} {:?}", case.stated);
        match &case.way {
            Way::Update => trial.of(case, &what).updated(case).await,
            Way::Never => trial.of(case, &what).refused(case).await,
            Way::Creation { probe, answers, leaves } => {
                let own = Trial { mark: mark(&case.stated.name), ..trial.of(case, &what) };
                own.created(case, probe, answers).await;
                if let Some(left) = leaves {
                    assert_eq!(candidate.ground.administer(left).await, "", "{what}: left behind");
                }
            }
        }
    }
    // What is stated no longer goes back to what is the default, or stays where there is none.
    let last = Trial { by: By::Superuser, what: "with nothing stated any more", ..trial };
    last.apply(&plain, &Selection::All).await;
    last.settled(&plain).await;
    let left = objects::info(candidate, kind, SUBJECT).await.unwrap().unwrap();
    assert_eq!(left.mark, Some(nonce), "{kind:?}: the mark survives every change");
}

/// One case under way.
struct Trial<'case> {
    candidate: &'case Candidate,
    kind: ObjectKind,
    by: By,
    mark: Mark,
    what: &'case str,
}

impl Trial<'_> {
    fn of<'case>(&'case self, case: &Case, what: &'case str) -> Trial<'case> {
        Trial { by: case.by, mark: self.mark.clone(), what, candidate: self.candidate, kind: self.kind }
    }

    /// What a look finds; a sweep finds the same.
    async fn look(&self, stated: &Stated) -> Vec<Change> {
        let Self { candidate, kind, by, mark, what } = self;
        let detect = Selection::Detect;
        let found = objects::update(candidate, *by, *kind, stated, mark, &detect).await;
        let found = found.unwrap_or_else(|error| panic!("{what}: look: {error:?}"));
        assert!(found.applied.is_empty(), "{what}: a look applied {:?}", found.applied);
        let ids: BTreeSet<&str> = found.changes.iter().map(|change| change.id.as_str()).collect();
        assert_eq!(ids.len(), found.changes.len(), "{what}: two changes share an id: {:?}", found.changes);
        let mut sweep = candidate.sweep(*by).await;
        let seen = objects::info_in(&mut sweep, *kind, &stated.name).await.unwrap();
        let mut session = candidate.session(*by).await;
        assert_eq!(seen, objects::info_in(&mut session, *kind, &stated.name).await.unwrap(), "{what}: in a sweep");
        drop(session);
        let swept = objects::update_in(&mut sweep, *kind, stated, mark, &detect).await;
        let swept = swept.unwrap_or_else(|error| panic!("{what}: sweep: {error:?}"));
        assert_eq!(swept, found, "{what}: a sweep finds what a look finds");
        found.changes
    }

    async fn apply(&self, stated: &Stated, selection: &Selection) -> Vec<String> {
        let Self { candidate, kind, by, mark, what } = self;
        let report = objects::update(candidate, *by, *kind, stated, mark, selection).await;
        report.unwrap_or_else(|error| panic!("{what}: apply {selection:?}: {error:?}")).applied
    }

    async fn settled(&self, stated: &Stated) {
        let what = self.what;
        assert_eq!(self.look(stated).await, [], "{what}: after applying all");
        assert_eq!(self.apply(stated, &Selection::All).await, [""; 0], "{what}: applied twice");
    }

    async fn updated(&self, case: &Case) {
        let what = self.what;
        let found = self.look(&case.stated).await;
        assert_eq!(found.is_empty(), case.differs.is_empty(), "{what}: {found:?}");
        for field in &case.differs {
            let named = found.iter().any(|change| is_about(change, field));
            assert!(named, "{what}: no change names {field}: {found:?}");
        }
        assert!(found.iter().all(|change| !change.impossible), "{what}: {found:?}");
        let ids: Vec<&str> = found.iter().map(|change| change.id.as_str()).collect();
        assert_eq!(self.apply(&case.stated, &Selection::All).await, ids, "{what}");
        self.settled(&case.stated).await;
        if let Some(drift) = &case.drift {
            self.corrected(&case.stated, drift).await;
        }
    }

    async fn refused(&self, case: &Case) {
        let what = self.what;
        let impossible = |found: Vec<Change>| found.into_iter().filter(|change| change.impossible).collect::<Vec<_>>();
        let found = impossible(self.look(&case.stated).await);
        assert!(!found.is_empty(), "{what}: nothing is impossible");
        for field in &case.differs {
            assert!(found.iter().any(|change| is_about(change, field)), "{what}: {field} is not told: {found:?}");
        }
        let applied = self.apply(&case.stated, &Selection::All).await;
        assert!(found.iter().all(|change| !applied.contains(&change.id)), "{what}: {applied:?}");
        assert_eq!(self.look(&case.stated).await, found, "{what}: what cannot be made is still told");
    }

    async fn created(&self, case: &Case, probe: &Sql, answers: &str) {
        let Self { candidate, kind, by, mark, what } = self;
        let made = objects::create(candidate, *by, *kind, &case.stated, mark).await;
        made.unwrap_or_else(|error| panic!("{what}: create: {error:?}"));
        self.apply(&case.stated, &Selection::All).await;
        self.settled(&case.stated).await;
        assert_eq!(candidate.ground.administer(probe).await, answers, "{what}: {probe:?}");
        if let Some(drift) = &case.drift {
            self.corrected(&case.stated, drift).await;
        }
        objects::drop(candidate, *by, *kind, &case.stated, &proof(mark)).await.unwrap();
    }

    /// Somebody else changes it; it is found, and made good by exactly what was found.
    async fn corrected(&self, stated: &Stated, drift: &Drift) {
        let (what, ground) = (self.what, &self.candidate.ground);
        let before = ground.administer(&drift.probe).await;
        ground.administer(&drift.change).await;
        let changed = ground.administer(&drift.probe).await;
        assert_ne!(changed, before, "{what}: the drift changes nothing");
        let found = self.look(stated).await;
        assert!(found.iter().any(|change| is_about(change, drift.field)), "{what}: {} drifted: {found:?}", drift.field);
        let ids: Vec<String> = found.iter().map(|change| change.id.clone()).collect();
        let gone = Selection::Only(vec!["no such change".to_owned()]);
        let outcome = objects::update(self.candidate, self.by, self.kind, stated, &self.mark, &gone).await;
        let error = crate::candidate::refused(outcome, what);
        assert_eq!(error, sandbox::contract::ErrorKind::Conflict, "{what}: an id that is not there");
        assert_eq!(ground.administer(&drift.probe).await, changed, "{what}: nothing is changed by a look");
        assert_eq!(self.apply(stated, &Selection::Only(ids.clone())).await, ids, "{what}: what was selected");
        assert_eq!(ground.administer(&drift.probe).await, before, "{what}: it is as it was");
        self.settled(stated).await;
    }
}

/// The change is of this field, or of something inside it.
fn is_about(change: &Change, field: &str) -> bool {
    change.field.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The subject goes.
pub(crate) async fn ends(candidate: &Candidate, kind: ObjectKind) {
    let stated = Stated::new(SUBJECT, json!({}));
    objects::drop(candidate, By::Administrator, kind, &stated, &proof(&mark("law"))).await.unwrap();
    assert!(!objects::exists(candidate, kind, SUBJECT).await.unwrap());
}
