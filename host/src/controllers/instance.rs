//! The reconcile of both kinds of instances: read what the sessions need, open them, ask the server how it is.
//!
//! What it finds is shared with the instance's resources in memory; the status is for people.

mod binding;
mod check;
mod delete;
mod discovery;
mod limits;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::names::{annotation, reason};
use crds::{Instance, InstanceStatus};
use kube::runtime::controller::Action;
use planning::{Blocked, Class, Gate, drift, tracking};
use tracing::Instrument as _;

use self::discovery::Discovery;
use super::failure::Failure;
use super::run::Run;
use super::trouble::{self, Stop};
use crate::cluster::patches::Ours;
use crate::context::Context;
use crate::servers::BoundServer;

/// Either kind of instance.
pub(crate) trait Connected: Instance + Ours {
    /// The kind's name.
    const KIND: &'static str;
    /// The kind's finalizer.
    const FINALIZER: &'static str;
}

/// What a reconcile that was not stopped came to.
enum Done {
    /// The server answers; ask again after this time.
    Answers(Duration),
    /// Nobody could ask the server: everything stays as it was last known; ask after this time.
    Unheard(Duration),
    /// Nothing more to do: the finalizer may go.
    Released,
}

/// One reconcile.
pub(crate) async fn reconcile<I: Connected>(instance: Arc<I>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let run = Run::new(instance, ctx);
    if run.leaves_alone() {
        return Ok(Action::await_change());
    }
    let span = tracing::info_span!("reconcile", object = %run.key, reconcile_id = run.reconcile.id());
    let work = async {
        let mut draft = run.object.instance_status().cloned().unwrap_or_default();
        let outcome = if run.deleting() { leave(&run, &mut draft).await } else { connect(&run, &mut draft).await };
        conclude(&run, &mut draft, outcome).await
    };
    let started = Instant::now();
    let (outcome, action) = run.reconcile.scope(work).instrument(span).await;
    let outcome = outcome.unwrap_or(if run.reconcile.changed() { "changed" } else { "unchanged" });
    run.ctx.metrics.reconciled(I::KIND, outcome, started.elapsed());
    action
}

async fn connect<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) -> Result<Done, Stop> {
    run.ensure_finalizer(I::FINALIZER).await?;
    drift::check(run.object.instance_spec().drift_policy.as_ref())?;
    // Its resources fill it in; whether that can be done is the instance's own matter.
    tracking::comment(run.object.instance_spec().resource_tracking.as_ref(), &run.identity())?;
    ask(run, draft).await
}

/// An instance that is to go and has to wait stays connected, or is connected again after a restart: the resources
/// that it waits for need it to clean up after themselves.
async fn leave<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) -> Result<Done, Stop> {
    let outcome = delete::run(run, draft).await;
    if let Err(Stop::Blocked(_)) = &outcome {
        // The status is about the deletion; what the server says meanwhile is for the log.
        match ask(run, &mut draft.clone()).await {
            Ok(_) => {}
            Err(Stop::Blocked(blocked)) => {
                tracing::info!(
                    reason = blocked.reason,
                    "not connected while waiting to be deleted: {}",
                    blocked.message
                );
            }
            Err(failure @ Stop::Failure(_)) => return Err(failure),
        }
    }
    outcome
}

/// Opens a session where none is open, and asks the server how it is.
async fn ask<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) -> Result<Done, Stop> {
    let (bound, discovery) = match open(run, draft).await {
        Ok(opened) => opened,
        Err(stop) => (without_binding(run, stop)?, None),
    };
    let outcome = check::server(run, &bound, draft).await;
    match (&outcome, discovery) {
        (Err(_), _) => run.ctx.servers.disconnected(&run.object.id()),
        (Ok(_), None) => discovery::forget(run, draft),
        (Ok(Done::Answers(next)), Some(discovery)) if !run.deleting() => {
            let search = discovery.search(run, &bound.server, draft).await;
            return Ok(Done::Answers(search.min(*next)));
        }
        (Ok(_), Some(_)) => {}
    }
    outcome
}

/// The server as the spec, the consents and the Secrets of now describe it.
async fn open<I: Connected>(
    run: &Run<I>,
    draft: &mut InstanceStatus,
) -> Result<(BoundServer, Option<Discovery>), Stop> {
    let prepared = binding::prepare(run).await?;
    report::engine(draft, &prepared.engine);
    let discovery = Discovery::of(run, &prepared.engine)?;
    Ok((bind(run, prepared)?, discovery))
}

/// What the sessions were opened with may not be used any more, or is gone: the resources wait. An instance that is
/// going keeps what it had unless a consent was taken back: where a whole namespace goes, the Secret is often gone
/// before the resources that need it to clean up after themselves.
fn without_binding<I: Connected>(run: &Run<I>, stop: Stop) -> Result<BoundServer, Stop> {
    let Stop::Blocked(blocked) = &stop else { return Err(stop) };
    let (servers, id) = (&run.ctx.servers, run.object.id());
    match blocked.class {
        Class::Refused => servers.remove(&id),
        Class::Waiting | Class::Invalid => match servers.bound(&id).filter(|_| run.deleting()) {
            Some(former) => return Ok(former),
            None => servers.disconnected(&id),
        },
        // The question was not answered: what was true stays true.
        Class::Transient | Class::Guest | Class::Bug => return Err(stop),
    }
    run.ctx.metrics.instance_unusable(&id, &run.object.instance_spec().engine);
    Err(stop)
}

/// The sessions of this binding: the ones that are there, or new ones.
fn bind<I: Connected>(run: &Run<I>, prepared: binding::Prepared) -> Result<BoundServer, Blocked> {
    let binding::Prepared { engine, binding, hash } = prepared;
    let id = run.object.id();
    if let Some(bound) = run.ctx.servers.bound(&id).filter(|bound| bound.binding == hash) {
        return Ok(bound);
    }
    let server = engine
        .adapter()
        .bind(binding)
        .map_err(|error| Blocked::failed(reason::TLS_FAILED, error.to_string(), Class::Waiting))?;
    run.ctx.servers.bind(&id, hash.clone(), Arc::clone(&server));
    Ok(BoundServer { server, binding: hash, facts: None })
}

async fn conclude<I: Connected>(
    run: &Run<I>,
    draft: &mut InstanceStatus,
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

async fn in_order<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus, done: Done) -> Result<Action, Failure> {
    let action = match done {
        Done::Released => {
            run.ctx.servers.remove(&run.object.id());
            let removed = run.ctx.patches.remove_finalizer(run.object.as_ref(), I::FINALIZER).await;
            removed.map_err(Failure::asking("removing the finalizer"))?;
            run.ctx.metrics.forget(&run.key);
            Action::await_change()
        }
        Done::Answers(next) => {
            let was_connected = report::was_connected(run);
            report::answers(run, draft);
            if report::write(run, draft).await? && !was_connected {
                let version = draft.version.clone().unwrap_or_default();
                run.ctx.events.normal(
                    run.object.as_ref(),
                    "Connected",
                    &format!("connected; the server says {version}"),
                );
            }
            Action::requeue(next)
        }
        Done::Unheard(next) => {
            if run.ctx.servers.get(&run.object.id()).is_some() {
                report::answers(run, draft);
                report::write(run, draft).await?;
            }
            return Ok(Action::requeue(next));
        }
    };
    run.ctx.backoff.forget(&run.key);
    Ok(action)
}

async fn stopped<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus, blocked: &Blocked) -> Result<Action, Failure> {
    report::stopped(run, draft, blocked);
    let written = report::write(run, draft).await;
    trouble::log(blocked, !matches!(written, Ok(false)));
    let is_new = written?;
    let pause = run.ctx.backoff.failed(&run.key, blocked.class);
    if run.ctx.backoff.warns(&run.key, is_new) {
        let reason = match (run.deleting(), blocked.gate) {
            (true, _) if blocked.reason == reason::CASCADE_DELETING => None,
            (true, _) if blocked.reason == reason::PENDING_DELETION_CONFIRMATION => Some("ForceDeletePending"),
            (true, _) => Some("DeletionBlocked"),
            (false, Gate::Accepted) => Some("ReconcileFailed"),
            (false, Gate::Synced) => Some("ConnectionFailed"),
        };
        if let Some(reason) = reason {
            run.ctx.events.warning_with_id(run.object.as_ref(), reason, &blocked.message);
        }
    }
    Ok(Action::requeue(pause))
}

/// Whether a person asked for a forced deletion.
fn forced<I: Connected>(run: &Run<I>) -> bool {
    run.switch(annotation::FORCE_DELETE)
}
