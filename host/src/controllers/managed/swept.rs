//! A look at an object in a sweep: whether the server is as the last look left it. Changes nothing, reports nothing.

use crds::names::annotation;
use planning::{claim, drift};
use sandbox::Session;
use sandbox::contract::{Change, Selection};

use super::super::run::Run;
use super::super::status::StatusFields as _;
use super::super::sweep::{Around, Glance, Swept};
use super::super::translate;
use super::super::trouble::{Stop, stop};
use super::{Bound, Provisioned, Reported, authority, load, same_server, validate};

impl<K: Provisioned> Swept for K {
    async fn glance(run: &Run<Self>, session: &mut Session, around: &Around) -> Result<Glance, Stop> {
        let mut status = run.object.status().cloned().unwrap_or_default();
        let Some(recorded) = status.ownership().clone() else { return Ok(Glance::NotNow) };
        if recorded.created_at.is_none() || recorded.applied_generation != run.generation() {
            return Ok(Glance::NotNow);
        }
        let bound = load::bound(run).await?;
        let wanted = validate::wanted(run, &bound).await?;
        authority::ceiling(&bound, &wanted.examination)?;
        let live = load::live(run, &bound)?;
        same_server(Some(&recorded), &bound, &live)?;
        let standings = Some(&around.standings);
        authority::names(run, &bound, &live, &wanted.examination, standings, session).await?;
        let call = stop(bound.paths());
        let seen = K::observe(session, run.object.external_name()).await.map_err(&call)?;
        let is_ours = |seen: &super::Seen<K::Info>| claim::is_as_recorded(&run.identity(), &recorded, &seen.observed);
        if !seen.as_ref().is_some_and(is_ours) {
            return Ok(Glance::Differs);
        }
        let inputs = K::as_before(run, &bound, &wanted, &around.shares);
        let mark = translate::mark(&run.identity(), &recorded.nonce);
        let found = K::update(session, wanted.spec, &inputs, mark, Selection::Detect).await.map_err(&call)?;
        Ok(compared(run, &bound, &found.changes, run.object.drift_policy(), status.drift().as_ref()))
    }
}

/// Whether these differences are what the status tells already.
pub(crate) fn compared<K: Reported>(
    run: &Run<K>,
    bound: &Bound,
    found: &[Change],
    policy: Option<&crds::DriftPolicy>,
    told: Option<&crds::DriftStatus>,
) -> Glance {
    let (mode, _) = super::drift_policy(run, bound, policy);
    if mode == crds::DriftMode::Ignore {
        return Glance::AsBefore;
    }
    let changes = translate::changes(found, bound.paths());
    let correction = drift::correct(mode, run.switch(annotation::ALLOW_DESTRUCTIVE_DRIFT), &changes);
    if drift::is_news(&correction, told.map_or(&[], |told| told.diffs.as_slice())) {
        return Glance::Differs;
    }
    run.drift_looked(!changes.is_empty());
    Glance::AsBefore
}
