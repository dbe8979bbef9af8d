//! The queues of the controllers: what is to be looked at, and by whose wish.
//!
//! One queue for each kind. Nothing is queued before this replica leads; what changed until then is seen when
//! everything is queued once at the beginning. Resources of another operator of the cluster are left out.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crds::names::label;
use crds::{
    ClusterDatabaseGrant, ClusterDatabaseInstance, ClusterDatabaseRole, Database, DatabaseGrant, DatabaseInstance,
    DatabaseRole, DatabaseUser,
};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{Stream, StreamExt as _};
use kube::ResourceExt;
use kube::runtime::reflector::{Lookup, ObjectRef};
use tokio_util::sync::CancellationToken;

/// The sending sides.
#[derive(Clone, Debug)]
pub(crate) struct Triggers {
    operator: String,
    open: Arc<AtomicBool>,
    pub(super) instances: UnboundedSender<ObjectRef<DatabaseInstance>>,
    pub(super) cluster_instances: UnboundedSender<ObjectRef<ClusterDatabaseInstance>>,
    pub(super) databases: UnboundedSender<ObjectRef<Database>>,
    pub(super) users: UnboundedSender<ObjectRef<DatabaseUser>>,
    pub(super) roles: UnboundedSender<ObjectRef<DatabaseRole>>,
    pub(super) cluster_roles: UnboundedSender<ObjectRef<ClusterDatabaseRole>>,
    pub(super) access_grants: UnboundedSender<ObjectRef<DatabaseGrant>>,
    pub(super) cluster_access_grants: UnboundedSender<ObjectRef<ClusterDatabaseGrant>>,
}

/// The receiving sides.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(super) instances: UnboundedReceiver<ObjectRef<DatabaseInstance>>,
    pub(super) cluster_instances: UnboundedReceiver<ObjectRef<ClusterDatabaseInstance>>,
    pub(super) databases: UnboundedReceiver<ObjectRef<Database>>,
    pub(super) users: UnboundedReceiver<ObjectRef<DatabaseUser>>,
    pub(super) roles: UnboundedReceiver<ObjectRef<DatabaseRole>>,
    pub(super) cluster_roles: UnboundedReceiver<ObjectRef<ClusterDatabaseRole>>,
    pub(super) access_grants: UnboundedReceiver<ObjectRef<DatabaseGrant>>,
    pub(super) cluster_access_grants: UnboundedReceiver<ObjectRef<ClusterDatabaseGrant>>,
}

impl Triggers {
    /// Closed queues of this operator.
    pub(crate) fn new(operator: String) -> (Self, Queues) {
        let (instances, instances_queue) = unbounded();
        let (cluster_instances, cluster_instances_queue) = unbounded();
        let (databases, databases_queue) = unbounded();
        let (users, users_queue) = unbounded();
        let (roles, roles_queue) = unbounded();
        let (cluster_roles, cluster_roles_queue) = unbounded();
        let (access_grants, access_grants_queue) = unbounded();
        let (cluster_access_grants, cluster_access_grants_queue) = unbounded();
        let open = Arc::default();
        (
            Self {
                operator,
                open,
                instances,
                cluster_instances,
                databases,
                users,
                roles,
                cluster_roles,
                access_grants,
                cluster_access_grants,
            },
            Queues {
                instances: instances_queue,
                cluster_instances: cluster_instances_queue,
                databases: databases_queue,
                users: users_queue,
                roles: roles_queue,
                cluster_roles: cluster_roles_queue,
                access_grants: access_grants_queue,
                cluster_access_grants: cluster_access_grants_queue,
            },
        )
    }

    /// From now on something is queued.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Queues an object, if it is this operator's.
    pub(super) fn queue<K>(&self, queue: &UnboundedSender<ObjectRef<K>>, object: &K)
    where
        K: Lookup<DynamicType = ()> + ResourceExt,
    {
        if self.open.load(Ordering::Acquire) && self.serves(object) {
            // The receiver goes first only when the process ends.
            queue.unbounded_send(named(object)).unwrap_or_default();
        }
    }

    fn serves<K: ResourceExt>(&self, object: &K) -> bool {
        let named = object.labels().get(label::OPERATOR_INSTANCE_ID);
        named.map_or(label::DEFAULT_OPERATOR_INSTANCE_ID, String::as_str) == self.operator
    }
}

/// An object by its name alone. The library's own way to refer to one keeps its uid and version too, twice, for as long
/// as the object waits for its next look.
fn named<K>(object: &K) -> ObjectRef<K>
where
    K: Lookup<DynamicType = ()> + ResourceExt,
{
    let reference = ObjectRef::new(&object.name_any());
    match object.meta().namespace.as_deref() {
        Some(namespace) => reference.within(namespace),
        None => reference,
    }
}

/// A queue as the library wants it, ending when the process is to stop.
pub(super) fn until<K>(
    queue: UnboundedReceiver<ObjectRef<K>>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<ObjectRef<K>, Infallible>> + Send
where
    K: Lookup<DynamicType = ()> + 'static,
{
    queue.map(Ok).take_until(stop.cancelled_owned())
}
