//! The reconcile of every kind that stands for an object on a server: databases, users and roles.
//!
//! load → validate → authority → gather → observe → claim → secure → apply → finish → report. What is particular to a
//! kind is behind [`Provisioned`]; what is particular to an engine is behind the sandbox.

mod apply;
pub(crate) mod authority;
mod delete;
mod drift;
mod lease;
mod load;
mod looks;
mod ownership;
mod provisioned;
mod standings;
mod swept;
mod validate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::names::reason;
use kube::runtime::controller::Action;
use planning::{Blocked, Class};
use tracing::Instrument as _;

pub(crate) use apply::same_server;
pub(crate) use delete::{HAND_OVER, is_hopeless, owns_what_goes};
pub(crate) use drift::{in_effect as drift_in_effect, nothing_is_applied, policy as drift_policy, waits_for};
pub(crate) use lease::Lease;
pub(crate) use load::{Bound, bound_to, live};
pub(crate) use looks::{concluded, look, seen_lately};
pub(crate) use ownership::{heirs, is_abandoned};
pub(crate) use provisioned::{Provisioned, Reported, Seen, is_conflict};
pub(crate) use standings::Standings;
pub(crate) use swept::compared;
pub(crate) use validate::{Wanted, options};

use super::failure::Failure;
use super::report;
use super::run::Run;
use super::status::StatusFields as _;
use super::translate::Paths;
use super::trouble::{self, Stop};
use crate::backoff::CAP;
use crate::context::Context;

/// The time in which a watch brings what was just written.
const CACHE_CATCHES_UP: Duration = Duration::from_millis(50);

/// What a reconcile that was not stopped came to.
pub(crate) enum Done {
    /// In order.
    InOrder {
        /// When to look again; none where the sweeps of its instance say when.
        next: Option<Duration>,
    },
    /// Done but for what nobody can change any more, which the spec still asks for.
    Stuck {
        /// What that is.
        blocked: Blocked,
        /// When to look again.
        next: Duration,
    },
    /// Nothing more to do: the finalizer is gone.
    Released,
}

/// What is particular to a kind's reconcile: all else is common to all.
pub(crate) trait Reconciled: Reported {
    /// Brings the server to what the spec says.
    fn apply(run: &Run<Self>, draft: &mut Self::Status) -> impl Future<Output = Result<Done, Stop>> + Send;

    /// Lets go of what is recorded, as far as policy and protection allow.
    fn delete(run: &Run<Self>, draft: &mut Self::Status) -> impl Future<Output = Result<Done, Stop>> + Send;
}

impl<K: Provisioned> Reconciled for K {
    async fn apply(run: &Run<Self>, draft: &mut K::Status) -> Result<Done, Stop> {
        apply::run(run, draft).await
    }

    async fn delete(run: &Run<Self>, draft: &mut K::Status) -> Result<Done, Stop> {
        delete::run(run, draft).await
    }
}

/// One reconcile.
pub(crate) async fn reconcile<K: Reconciled>(object: Arc<K>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let run = Run::new(object, ctx);
    if run.leaves_alone() {
        return Ok(Action::await_change());
    }
    // The watch has not brought our own last write yet: whatever is decided now would be about the past.
    if run.ctx.memory.is_behind(&run.uid, run.object.meta().resource_version.as_deref()) {
        return Ok(Action::requeue(CACHE_CATCHES_UP));
    }
    let span = tracing::info_span!("reconcile", object = %run.key, reconcile_id = run.reconcile.id());
    let work = async {
        let mut draft = run.object.status().cloned().unwrap_or_default();
        let outcome = if run.deleting() { K::delete(&run, &mut draft).await } else { K::apply(&run, &mut draft).await };
        conclude(&run, &mut draft, outcome).await
    };
    let started = Instant::now();
    let (outcome, action) = run.reconcile.scope(work).instrument(span).await;
    let outcome = outcome.unwrap_or(if run.reconcile.changed() { "changed" } else { "unchanged" });
    run.ctx.metrics.reconciled(K::KIND, outcome, started.elapsed());
    action
}

/// Reports, and says when to come back: the class of what stopped it, and the action.
async fn conclude<K: Reported>(
    run: &Run<K>,
    draft: &mut K::Status,
    outcome: Result<Done, Stop>,
) -> (Option<&'static str>, Result<Action, Failure>) {
    match outcome {
        Ok(done) => {
            let action = in_order(run, draft, done).await;
            (action.as_ref().err().map(|failure| failure.class().as_str()), action)
        }
        Err(Stop::Blocked(blocked)) => (Some(blocked.class.as_str()), stopped(run, draft, &blocked).await),
        Err(Stop::Failure(failure)) => (Some(failure.class().as_str()), Err(failure)),
    }
}

async fn in_order<K: Reported>(run: &Run<K>, draft: &mut K::Status, done: Done) -> Result<Action, Failure> {
    let action = match done {
        Done::Released => {
            let removed = run.ctx.patches.remove_finalizer(run.object.as_ref(), K::FINALIZER).await;
            removed.map_err(Failure::asking("removing the finalizer"))?;
            run.ctx.memory.forget(&run.uid);
            run.ctx.metrics.forget(&run.key);
            Action::await_change()
        }
        Done::InOrder { next } => {
            let found = newly_found(run, draft);
            if report::write(run, draft).await?
                && let Some(fields) = found
            {
                let text = format!("the server differs in {fields}: see status.drift");
                run.ctx.events.warning(run.object.as_ref(), "DriftDetected", &text);
            }
            next.map_or_else(Action::await_change, Action::requeue)
        }
        Done::Stuck { blocked, next } => {
            report::stopped(run, draft, &blocked);
            if report::write(run, draft).await? {
                trouble::log(&blocked, true);
                run.ctx.events.warning_with_id(
                    run.object.as_ref(),
                    event_reason::<K>(false, &blocked),
                    &blocked.message,
                );
            }
            Action::requeue(next)
        }
    };
    run.ctx.backoff.forget(&run.key);
    Ok(action)
}

/// The fields that differ, where the stored status does not tell of the same differences.
fn newly_found<K: Reported>(run: &Run<K>, draft: &mut K::Status) -> Option<String> {
    let diffs = &draft.drift().as_ref()?.diffs;
    let mut stored = run.object.status().cloned().unwrap_or_default();
    let is_told = stored.drift().as_ref().is_some_and(|told| told.diffs == *diffs);
    (!is_told && !diffs.is_empty()).then(|| super::translate::fields(diffs))
}

async fn stopped<K: Reported>(run: &Run<K>, draft: &mut K::Status, blocked: &Blocked) -> Result<Action, Failure> {
    let written = if report::is_told_by_the_instance(run, blocked) {
        Ok(false)
    } else {
        report::stopped(run, draft, blocked);
        report::write(run, draft).await
    };
    trouble::log(blocked, !matches!(written, Ok(false)));
    let is_new = written?;
    let pause = run.ctx.backoff.failed(&run.key, blocked.class);
    let waits_for_the_instance = blocked.about_the_instance && blocked.class == Class::Waiting;
    // A cascade that a person confirmed is on its way, and is told by the status alone.
    let cascades = blocked.reason == reason::CASCADE_DELETING;
    if !waits_for_the_instance && !cascades && run.ctx.backoff.warns(&run.key, is_new) {
        let reason = event_reason::<K>(run.deleting(), blocked);
        run.ctx.events.warning_with_id(run.object.as_ref(), reason, &blocked.message);
    }
    run.ctx.memory.note(&run.uid, |remembered| remembered.looked = None);
    // No watch tells that somebody corrected a Secret of their own.
    let is_unwatched = !run.deleting() && run.object.names_what_nobody_watches();
    Ok(Action::requeue(if is_unwatched { pause.min(CAP) } else { pause }))
}

/// The predecessor's word for the event, where it had one.
fn event_reason<K: Reported>(deleting: bool, blocked: &Blocked) -> &'static str {
    match (deleting, blocked.class) {
        (true, Class::Refused) if blocked.reason == reason::PENDING_DELETION_CONFIRMATION => "ForceDeletePending",
        (true, Class::Refused) => "DeletionBlocked",
        (true, _) => K::DELETE_FAILED,
        (false, _) => "ReconcileFailed",
    }
}

/// Where an adapter's words for fields are, when only the record is at hand.
pub(crate) fn paths_of_recorded<K: Provisioned>() -> Paths<'static> {
    Paths { block: "options", name: K::NAME_FIELD }
}
