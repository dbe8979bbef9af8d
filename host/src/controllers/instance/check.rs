//! Asking the server: opening a session, the ping, and whether it is still the server it was.
//!
//! Decided here: a question that never reached the server, because all its sessions are at work, says nothing about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::names::reason;
use crds::{HealthCheckConfig, InstanceStatus, Managed as _, Time};
use planning::Blocked;
use sandbox::contract::ServerFacts;
use sandbox::{CallClass, CallError, Lane, Server};

use super::{Connected, Done};
use crate::controllers::run::Run;
use crate::controllers::translate::Paths;
use crate::controllers::trouble::{Stop, stop};
use crate::servers::BoundServer;
use crate::telemetry::labels::Ending;

/// When to ask again after a question that did not reach the server.
const SOON: Duration = Duration::from_secs(5);

/// Connects where no session is open, asks how the server is, and shares what it found with the resources.
pub(super) async fn server<I: Connected>(
    run: &Run<I>,
    bound: &BoundServer,
    draft: &mut InstanceStatus,
) -> Result<Done, Stop> {
    let spec = run.object.instance_spec();
    let id = run.object.id();
    let health = spec.health_check_in_effect();
    let HealthCheckConfig { enabled, interval_seconds, timeout_seconds } = health;
    let interval = Duration::from_secs(u64::from(interval_seconds));
    if !enabled && bound.facts.is_some() {
        return Ok(Done::Answers(interval));
    }
    let started = Instant::now();
    let outcome = ask(&bound.server, Duration::from_secs(u64::from(timeout_seconds))).await;
    if let Err(error) = &outcome
        && error.class() == CallClass::Host
    {
        tracing::info!("this says nothing about the server, which is asked again: {error}");
        return Ok(Done::Unheard(SOON));
    }
    run.ctx.metrics.connection_attempt(&id, &spec.engine, Ending::of(&outcome), started.elapsed());
    run.ctx.metrics.instance_checked(&id, &spec.engine, outcome.is_ok(), run.now);
    let facts = outcome.map_err(stop(Paths { block: "options", name: "connection.database" }))?;
    same_server(run, &facts)?;
    draft.version = Some(facts.version.clone());
    draft.server_identity = Some(facts.identity.clone());
    draft.last_checked_at = Some(Time::from(run.now));
    run.ctx.servers.connected(&id, &bound.binding, facts);
    Ok(Done::Answers(interval))
}

async fn ask(server: &Arc<Server>, timeout: Duration) -> Result<ServerFacts, CallError> {
    // A drop may take long in the lane that is kept for both; then the first that is free anywhere will do.
    let mut session = tokio::select! {
        biased;
        session = server.lane(Lane::Reserved, timeout) => session,
        session = server.lane(Lane::Work, timeout) => session,
    }?;
    // Where a session has to be opened first, that takes what the instance's options allow for it.
    session.set_call_limit(timeout.max(server.connect_limit()));
    let facts = session.server().await?;
    session.set_call_limit(timeout);
    session.ping().await?;
    Ok(facts)
}

/// An instance whose host leads to another server is refused while resources are recorded on the old one.
fn same_server<I: Connected>(run: &Run<I>, facts: &ServerFacts) -> Result<(), Blocked> {
    let id = run.object.id();
    let elsewhere = |recorded: Option<&crds::Ownership>| {
        recorded.is_some_and(|ownership| ownership.instance == id && ownership.server_identity != facts.identity)
    };
    let databases = run.ctx.stores.databases_of(&id).iter().filter(|database| elsewhere(database.ownership())).count();
    let users = run.ctx.stores.users_of(&id).iter().filter(|user| elsewhere(user.ownership())).count();
    let roles = run.ctx.stores.roles_of(&id).iter().filter(|role| elsewhere(role.ownership())).count()
        + run.ctx.stores.cluster_roles_of(&id).iter().filter(|role| elsewhere(role.ownership())).count();
    if databases + users + roles == 0 {
        return Ok(());
    }
    Err(Blocked::conflict(
        reason::SERVER_CHANGED,
        format!(
            "another server answers at this address, and {databases} databases, {users} users and {roles} roles are \
             recorded on the old one; nothing is applied to the new one: point spec.connection back, or delete those \
             resources with the annotation {}=\"true\", which leaves what they made on the old one",
            crds::names::annotation::FORCE_DELETE
        ),
    ))
}
