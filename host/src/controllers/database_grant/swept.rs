//! A look at a grant in a sweep.

use crds::DatabaseGrantStatus;
use sandbox::Session;
use sandbox::contract::Selection;

use super::super::managed::authority;
use super::super::managed::{self, Reported};
use super::super::rights;
use super::super::run::Run;
use super::super::sweep::{Around, Glance};
use super::super::trouble::{Stop, stop};
use super::GrantResource;
use super::apply::{self, Prepared};
use super::same::was_applied;

/// Whether the server is as the last look left it.
pub(super) async fn glance<G>(run: &Run<G>, session: &mut Session, around: &Around) -> Result<Glance, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let Some(status) = run.object.grant_status() else { return Ok(Glance::NotNow) };
    let prepared = apply::prepare(run, status).await?;
    let account = prepared.account();
    let Prepared { bound, live, examination, mut spec, owned, databases, .. } = prepared;
    authority::names(run, &bound, &live, &examination, Some(&around.standings), session).await?;
    spec.shared = around.shares.of(&account, &run.uid);
    if !was_applied(run, status, &owned, &databases) {
        return Ok(Glance::NotNow);
    }
    let found = session.grant(&spec, &Selection::Detect).await.map_err(stop(bound.paths()))?;
    // What it holds is recorded, whatever its policy says of differences.
    if rights::for_status(found.held) != rights::for_status(rights::of_status(&status.held)) {
        return Ok(Glance::Differs);
    }
    Ok(managed::compared(run, &bound, &found.update.changes, run.object.drift_policy(), status.drift.as_ref()))
}
