//! The controllers at work: queues, reconcilers, and how many at a time.
//!
//! Each reconcile is a task of its own, so that a panic ends that reconcile and nothing else, and so that all
//! cores are used. Dropping a controller ends its running reconciles at once.

use std::convert::Infallible;
use std::fmt::{self, Debug};
use std::num::NonZeroU16;
use std::sync::Arc;

use futures::{FutureExt as _, Stream, StreamExt as _};
use kube::Resource;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Config, applier};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::context::Context;
use crate::controllers::{
    Failure, cluster_database_instance, database, database_grant, database_instance, database_role, database_user,
    on_failure,
};
use crate::errors::{Class, Classified};
use crate::object_key::ObjectKey;
use crate::operator::triggers::{Queues, until};

/// A reconcile that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the reconcile panicked")]
struct Panicked;

impl Classified for Panicked {
    fn class(&self) -> Class {
        Class::Bug
    }
}

/// Works until told to stop, then until what runs has ended.
pub(super) async fn work(ctx: Arc<Context>, queues: Queues, stop: CancellationToken) {
    let Queues {
        instances,
        cluster_instances,
        databases,
        users,
        roles,
        cluster_roles,
        access_grants,
        cluster_access_grants,
    } = queues;
    let stores = &ctx.stores;
    let shared = || Shared { ctx: Arc::clone(&ctx), stop: stop.clone() };
    tokio::join!(
        control(stores.instances.clone(), until(instances, stop.clone()), shared(), |object, ctx| {
            database_instance::reconcile(object, ctx).boxed()
        }),
        control(stores.cluster_instances.clone(), until(cluster_instances, stop.clone()), shared(), |object, ctx| {
            cluster_database_instance::reconcile(object, ctx).boxed()
        }),
        control(stores.databases.clone(), until(databases, stop.clone()), shared(), |object, ctx| database::reconcile(
            object, ctx
        )
        .boxed()),
        control(stores.users.clone(), until(users, stop.clone()), shared(), |object, ctx| database_user::reconcile(
            object, ctx
        )
        .boxed()),
        control(stores.roles.clone(), until(roles, stop.clone()), shared(), |object, ctx| {
            database_role::reconcile(object, ctx).boxed()
        }),
        control(stores.cluster_roles.clone(), until(cluster_roles, stop.clone()), shared(), |object, ctx| {
            database_role::reconcile(object, ctx).boxed()
        }),
        control(stores.access_grants.clone(), until(access_grants, stop.clone()), shared(), |object, ctx| {
            database_grant::reconcile(object, ctx).boxed()
        }),
        control(
            stores.cluster_access_grants.clone(),
            until(cluster_access_grants, stop.clone()),
            shared(),
            |object, ctx| database_grant::reconcile(object, ctx).boxed(),
        ),
    );
}

/// What every controller needs.
struct Shared {
    ctx: Arc<Context>,
    stop: CancellationToken,
}

type Reconciling = futures::future::BoxFuture<'static, Result<Action, Failure>>;

async fn control<K>(
    store: Store<K>,
    queue: impl Stream<Item = Result<ObjectRef<K>, Infallible>> + Send + 'static,
    shared: Shared,
    reconcile: fn(Arc<K>, Arc<Context>) -> Reconciling,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let Shared { ctx, stop } = shared;
    let begin = move |object: Arc<K>, ctx: Arc<Context>| {
        let is_stopping = stop.is_cancelled();
        async move {
            // What is queued still is handed out while the queue ends; it is begun by the next process.
            if is_stopping { Ok(Action::await_change()) } else { contained(object, ctx, reconcile).await }
        }
        .boxed()
    };
    applier(begin, on_failure, ctx, store, queue.boxed(), Config::default().concurrency(AT_ONCE.get()))
        .for_each(async |ended| match ended {
            // A failure was told where it was classified.
            Ok(_) | Err(controller::Error::ReconcilerFailed(_, _)) => {}
            // Deleted between the wish to look at it and the look.
            Err(controller::Error::ObjectNotFound(object)) => tracing::debug!(%object, "is gone"),
            Err(controller::Error::QueueError(never)) => match never {},
            Err(controller::Error::RunnerError(error)) => {
                tracing::error!(kind = %K::kind(&()), %error, "a controller cannot run");
            }
        })
        .await;
}

/// Reconciles that are begun at a time, for each kind. Most of them only wait for their turn at their instance
/// ([`crate::controllers::turns`]), which bounds the work; this bounds those that wait in memory instead of in the queue.
const AT_ONCE: NonZeroU16 = NonZeroU16::new(4096).expect("it is not zero");

async fn contained<K>(
    object: Arc<K>,
    ctx: Arc<Context>,
    reconcile: fn(Arc<K>, Arc<Context>) -> Reconciling,
) -> Result<Action, Failure>
where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    let key = ObjectKey::of(object.as_ref());
    match AbortOnDropHandle::new(tokio::spawn(reconcile(object, ctx))).await {
        Ok(ended) => ended,
        Err(error) if error.is_panic() => {
            tracing::error!(object = %key, panic = %Panic(error), "a reconcile panicked");
            Err(Failure::asking("running the reconcile")(Panicked))
        }
        // Only the end of the process cancels a task that nobody dropped.
        Err(_cancelled) => Ok(Action::await_change()),
    }
}

/// The message of a panic, which is for the log only.
struct Panic(tokio::task::JoinError);

impl fmt::Display for Panic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}
