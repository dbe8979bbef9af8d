//! Discovery: which databases, users and roles of the server belong to no resource.
//!
//! It reads and reports; what it finds is adopted by a resource that names it and says so, never by itself.

use std::sync::Arc;
use std::time::Duration;

use crds::names::{annotation, condition, reason};
use crds::{DiscoveredResourcesStatus, InstanceStatus, Time};
use planning::conditions::Verdict;
use planning::discovery::{self, Found};
use planning::{Blocked, Class};
use sandbox::contract::{Listed, Listing, OperationGroup, Page, Standing};
use sandbox::{CallError, Lane, Server, Session};

use super::Connected;
use crate::context::Context;
use crate::controllers::run::Run;
use crate::controllers::translate::{self, Paths};
use crate::controllers::{managed, trouble};
use crate::engines::Engine;
use crate::telemetry::labels::Ending;

/// A search reads whole catalogues: no more often than this.
const SHORTEST: Duration = Duration::from_secs(10);

/// How long a search waits for a session.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many names an adapter is asked for at a time.
const PAGE: u32 = 500;

/// A server with a million names is searched within this; one that never ends listing keeps a session no longer.
const LONGEST: Duration = Duration::from_mins(2);

/// What the spec asks for.
pub(super) struct Discovery {
    interval: Duration,
    served: bool,
}

impl Discovery {
    /// None: nothing is searched.
    pub(super) fn of<I: Connected>(run: &Run<I>, engine: &Engine) -> Result<Option<Self>, Blocked> {
        let Some(config) = run.object.instance_spec().discovery.as_ref().filter(|config| config.enabled) else {
            return Ok(None);
        };
        let invalid =
            |problem: String| Blocked::invalid(reason::INVALID_SPEC, format!("spec.discovery.interval: {problem}"));
        let interval = planning::duration::parse(&config.interval).map_err(|error| invalid(error.to_string()))?;
        if interval < SHORTEST {
            return Err(invalid(format!("{:?} is too short; the shortest is 10s", config.interval)));
        }
        Ok(Some(Self { interval, served: engine.serves(OperationGroup::Discovery) }))
    }

    /// Searches if it is time; returns the pause until the next search. A search that fails is told in the status
    /// and keeps nobody from working.
    pub(super) async fn search<I: Connected>(
        &self,
        run: &Run<I>,
        server: &Arc<Server>,
        draft: &mut InstanceStatus,
    ) -> Duration {
        let Some(left) = self.left(run, draft) else {
            let known = draft.discovered_resources.clone().unwrap_or_default();
            let searching = tokio::time::timeout(LONGEST, self.list(run, server, &known));
            let outcome = searching.await.unwrap_or_else(|_| {
                let message = format!("the server's names could not be listed within {LONGEST:?}");
                Err(Blocked::failed(reason::TIMEOUT, message, Class::Transient))
            });
            run.ctx.metrics.searched(&run.object.id(), &run.object.instance_spec().engine, Ending::of(&outcome));
            report(run, draft, outcome);
            return self.interval;
        };
        left
    }

    /// The time until the next search is due; none: it is.
    fn left<I: Connected>(&self, run: &Run<I>, draft: &InstanceStatus) -> Option<Duration> {
        let last = draft.discovered_resources.as_ref()?.last_scan.as_ref()?;
        let age = Duration::try_from(run.now.duration_since(last.0)).ok()?;
        self.interval.checked_sub(age).filter(|left| !left.is_zero())
    }

    async fn list<I: Connected>(
        &self,
        run: &Run<I>,
        server: &Arc<Server>,
        known: &DiscoveredResourcesStatus,
    ) -> Result<[Found; 3], Blocked> {
        if !self.served {
            let message = format!("engine {:?} cannot list what is on a server", run.object.instance_spec().engine);
            return Err(Blocked::invalid(reason::UNSUPPORTED, message));
        }
        let asked = |error: CallError| trouble::blocked(&error, Paths { block: "options", name: "discovery" });
        let mut session = server.lane(Lane::Work, PATIENCE).await.map_err(asked)?;
        let databases = found(&run.ctx, &mut session, Kind::Database, &known.databases).await.map_err(asked)?;
        let users = found(&run.ctx, &mut session, Kind::User, &known.users).await.map_err(asked)?;
        let roles = found(&run.ctx, &mut session, Kind::Role, &known.roles).await.map_err(asked)?;
        Ok([databases, users, roles])
    }
}

/// Discovery is off: nothing is told of what it found.
pub(super) fn forget<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) {
    if draft.discovered_resources.take().is_some() {
        for kind in ["database", "user", "role"] {
            run.ctx.metrics.orphans(&run.object.id(), &run.object.instance_spec().engine, kind, 0);
        }
    }
}

fn report<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus, outcome: Result<[Found; 3], Blocked>) {
    let mut told = draft.discovered_resources.take().unwrap_or_default();
    let now = Time::from(run.now);
    match outcome {
        Ok([databases, users, roles]) => {
            let id = run.object.id();
            let engine = &run.object.instance_spec().engine;
            let mut omitted = 0;
            for (kind, shown, found) in [
                ("database", &mut told.databases, databases),
                ("user", &mut told.users, users),
                ("role", &mut told.roles, roles),
            ] {
                run.ctx.metrics.orphans(&id, engine, kind, found.count());
                let (list, more) = discovery::list(shown, &found, &now);
                *shown = list;
                omitted += more;
            }
            draft.discovered_resources =
                Some(DiscoveredResourcesStatus { last_scan: Some(now), omitted, problem: None, ..told });
        }
        Err(blocked) => {
            tracing::warn!(reason = blocked.reason, "the server cannot be searched: {}", blocked.message);
            draft.discovered_resources =
                Some(DiscoveredResourcesStatus { last_scan: Some(now), problem: Some(blocked.message), ..told });
        }
    }
}

/// What the status says of the last search; none where none was made.
pub(super) fn verdict(draft: &InstanceStatus) -> Option<Verdict> {
    let told = draft.discovered_resources.as_ref()?;
    if let Some(problem) = &told.problem {
        return Some(Verdict::new(condition::DISCOVERED, false, reason::SEARCH_FAILED, problem.clone()));
    }
    let unmanaged = |list: &[crds::DiscoveredResource]| list.iter().filter(|one| one.adopted != Some(true)).count();
    let message = format!(
        "{} databases, {} users and {} roles that belong to no resource are listed in status.discoveredResources; {} \
         more are not listed. A resource adopts one that it names with adoptionPolicy: Adopt, from another namespace \
         with this instance's annotation {}, {} or {}",
        unmanaged(&told.databases),
        unmanaged(&told.users),
        unmanaged(&told.roles),
        told.omitted,
        annotation::ADOPT_DATABASES,
        annotation::ADOPT_USERS,
        annotation::ADOPT_ROLES,
    );
    Some(Verdict::new(condition::DISCOVERED, true, reason::SEARCHED, message))
}

#[derive(Clone, Copy)]
enum Kind {
    Database,
    User,
    Role,
}

async fn found(
    ctx: &Context,
    session: &mut Session,
    kind: Kind,
    known: &[crds::DiscoveredResource],
) -> Result<Found, CallError> {
    let mut found = Found::default();
    let mut page = Page { after: None, limit: PAGE };
    loop {
        let Listing { items, next } = match kind {
            Kind::Database => session.list_databases(&page).await?,
            Kind::User => session.list_users(&page).await?,
            Kind::Role => session.list_roles(&page).await?,
        };
        for item in items.into_iter().filter(|item| item.standing == Standing::Ordinary) {
            if belongs_to_somebody(ctx, &item) {
                found.managed(item.name, known);
            } else {
                found.unmanaged(item.name);
            }
        }
        // A listing that does not get on would be listed for ever.
        if next.is_none() || next <= page.after {
            return Ok(found);
        }
        page.after = next;
    }
}

/// A mark of another cluster is somebody's we cannot ask; one of this cluster counts while its resource exists.
fn belongs_to_somebody(ctx: &Context, item: &Listed) -> bool {
    item.mark.clone().is_some_and(|mark| !managed::is_abandoned(ctx, &translate::mark_read(mark)))
}
