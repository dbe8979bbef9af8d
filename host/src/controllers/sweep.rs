//! Looking at many objects of an instance together, in a session that answers from one reading of the catalogues.
//!
//! A sweep changes nothing: what it finds changed is queued, and looked at by itself. What it cannot tell about, for
//! whatever reason, is left to its own look, which says why. Deliberately absent: when a sweep begins, and who is in
//! it, which `planning::sweep` decides.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crds::{
    ClusterDatabaseGrant, ClusterDatabaseRole, Database, DatabaseGrant, DatabaseRole, DatabaseUser, HeldRight,
    InstanceId,
};
use planning::{Blocked, Class};
use sandbox::Session;
use tracing::Instrument as _;

use super::managed::{Reported, Standings};
use super::memory::Look;
use super::rights::Shares;
use super::run::Run;
use super::trouble::Stop;
use crate::context::Context;

/// How long a sweep waits for one of its instance's sessions.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so many objects in a row that nothing could be told about, the rest is left alone too.
const HOPELESS: usize = 20;

/// What a look in a sweep came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glance {
    /// The server is as the last look left it.
    AsBefore,
    /// It is not.
    Differs,
    /// There was no last look that could be compared with.
    NotNow,
}

/// What the cluster knows of the server, read once for all of its objects.
pub(crate) struct Around {
    /// What resources gave on it.
    pub(crate) shares: Shares,
    /// Who stands behind which name.
    pub(crate) standings: Standings,
}

/// A kind whose objects are looked at in sweeps.
pub(crate) trait Swept: Reported {
    /// Looks at the object and changes nothing.
    fn glance(
        run: &Run<Self>,
        session: &mut Session,
        around: &Around,
    ) -> impl Future<Output = Result<Glance, Stop>> + Send;
}

/// An object with the look that a sweep compares with.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) object: Object,
    pub(crate) look: Look,
}

/// An object of a kind that is swept.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Database(Arc<Database>),
    User(Arc<DatabaseUser>),
    Role(Arc<DatabaseRole>),
    ClusterRole(Arc<ClusterDatabaseRole>),
    Grant(Arc<DatabaseGrant>),
    ClusterGrant(Arc<ClusterDatabaseGrant>),
}

impl Object {
    /// Its kind.
    fn kind(&self) -> &'static str {
        match self {
            Self::Database(_) => <Database as Reported>::KIND,
            Self::User(_) => <DatabaseUser as Reported>::KIND,
            Self::Role(_) => <DatabaseRole as Reported>::KIND,
            Self::ClusterRole(_) => <ClusterDatabaseRole as Reported>::KIND,
            Self::Grant(_) => <DatabaseGrant as Reported>::KIND,
            Self::ClusterGrant(_) => <ClusterDatabaseGrant as Reported>::KIND,
        }
    }

    /// Its uid.
    pub(crate) fn uid(&self) -> String {
        let uid = match self {
            Self::Database(object) => &object.metadata.uid,
            Self::User(object) => &object.metadata.uid,
            Self::Role(object) => &object.metadata.uid,
            Self::ClusterRole(object) => &object.metadata.uid,
            Self::Grant(object) => &object.metadata.uid,
            Self::ClusterGrant(object) => &object.metadata.uid,
        };
        uid.clone().unwrap_or_default()
    }

    /// The database whose inside it is about, as far as its status tells: objects of one stand together, so that the
    /// adapter has to remember one inside at a time.
    fn place(&self) -> Option<&str> {
        let held: &[HeldRight] = match self {
            Self::Database(database) => return Some(&database.spec.name),
            Self::User(_) => return None,
            Self::Role(role) => role.status.as_ref().map_or(&[], |status| &status.held),
            Self::ClusterRole(role) => role.status.as_ref().map_or(&[], |status| &status.held),
            Self::Grant(grant) => grant.status.as_ref().map_or(&[], |status| &status.held),
            Self::ClusterGrant(grant) => grant.status.as_ref().map_or(&[], |status| &status.held),
        };
        held.iter().find(|right| right.level != "membership")?.object.first().map(String::as_str)
    }
}

/// Between two times at which it is decided what to sweep. What is due sooner keeps a timer of its own.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The instances with as many objects as make a sweep: whoever sweeps them is the clock of all their objects, so that no
/// timer is kept for each.
#[derive(Debug, Default)]
pub struct Clockless(Mutex<HashSet<InstanceId>>);

impl Clockless {
    /// Whether the instance's objects need no timer of their own.
    pub(crate) fn has(&self, id: &InstanceId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// It is these now; answers which are not any more.
    pub(crate) fn now(&self, many: HashSet<InstanceId>) -> Vec<InstanceId> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *known, many);
        before.into_iter().filter(|id| !known.contains(id)).collect()
    }
}

/// Looks at the objects of one instance. `changed` is called with each that is not as it was.
pub(crate) async fn sweep(ctx: Arc<Context>, id: InstanceId, mut items: Vec<Item>, changed: impl Fn(&Object) + Send) {
    let Some(live) = ctx.servers.get(&id) else { return };
    let started = Instant::now();
    let mut session = match live.server.sweep(PATIENCE).await {
        Ok(session) => session,
        Err(error) => {
            tracing::debug!(instance = %id, %error, "no session for a sweep");
            return;
        }
    };
    let identity = &live.facts.identity;
    let around = Around { shares: Shares::on(&ctx, identity), standings: Standings::on(&ctx, identity) };
    items.sort_by(|one, other| one.object.place().cmp(&other.object.place()));
    let (mut looked, mut different, mut in_vain) = (BTreeMap::<&'static str, u64>::new(), 0_usize, 0_usize);
    for item in &items {
        if ctx.term.check().is_err() || in_vain >= HOPELESS {
            break;
        }
        let glance = one(&ctx, &mut session, &around, item).await;
        if matches!(glance, Ok(Glance::AsBefore | Glance::Differs)) {
            *looked.entry(item.object.kind()).or_default() += 1;
        }
        match glance {
            Ok(Glance::AsBefore | Glance::NotNow) => in_vain = 0,
            Ok(Glance::Differs) => {
                (different, in_vain) = (different + 1, 0);
                changed(&item.object);
            }
            Err(_) => in_vain += 1,
        }
    }
    let engine = ctx.stores.instance(&id).map(|instance| crds::Instance::instance_spec(&instance).engine.clone());
    ctx.metrics.swept(&id, &engine.unwrap_or_default(), &looked, started.elapsed());
    let looked: u64 = looked.values().sum();
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(instance = %id, objects = looked, different, milliseconds, "looked for drift");
}

async fn one(ctx: &Arc<Context>, session: &mut Session, around: &Around, item: &Item) -> Result<Glance, Stop> {
    match &item.object {
        Object::Database(object) => of(ctx, session, around, object, &item.look).await,
        Object::User(object) => of(ctx, session, around, object, &item.look).await,
        Object::Role(object) => of(ctx, session, around, object, &item.look).await,
        Object::ClusterRole(object) => of(ctx, session, around, object, &item.look).await,
        Object::Grant(object) => of(ctx, session, around, object, &item.look).await,
        Object::ClusterGrant(object) => of(ctx, session, around, object, &item.look).await,
    }
}

/// Whether it is about the object, and nothing that passes: a consent that was withdrawn, say.
fn is_verdict(blocked: &Blocked) -> bool {
    !blocked.about_the_instance && matches!(blocked.class, Class::Invalid | Class::Refused | Class::Waiting)
}

async fn of<K: Swept>(
    ctx: &Arc<Context>,
    session: &mut Session,
    around: &Around,
    object: &Arc<K>,
    look: &Look,
) -> Result<Glance, Stop> {
    let run = Run::new(Arc::clone(object), Arc::clone(ctx));
    let span = tracing::debug_span!("glance", object = %run.key);
    let outcome = K::glance(&run, session, around).instrument(span).await;
    let outcome = match outcome {
        // Its own look says so.
        Err(Stop::Blocked(blocked)) if is_verdict(&blocked) => Ok(Glance::Differs),
        outcome => outcome,
    };
    match &outcome {
        Ok(Glance::AsBefore) => ctx.memory.swept(&run.uid, look, run.now.into()),
        // It is looked at by itself, whatever its interval.
        Ok(Glance::Differs) => ctx.memory.note(&run.uid, |remembered| remembered.looked = None),
        Ok(Glance::NotNow) => {}
        Err(stop) => tracing::debug!(object = %run.key, ?stop, "left to its own look"),
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_with_few_objects_again_is_told_once() {
        let [one, other] = ["one", "other"].map(|name| InstanceId::cluster(name.to_owned()));
        let clockless = Clockless::default();
        assert_eq!(clockless.now([one.clone(), other.clone()].into()), []);
        assert!(clockless.has(&one) && clockless.has(&other));
        assert_eq!(clockless.now([other.clone()].into()), std::slice::from_ref(&one));
        assert!(!clockless.has(&one) && clockless.has(&other));
        assert_eq!(clockless.now([other].into()), []);
    }
}
