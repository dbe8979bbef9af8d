//! A `DatabaseGrant` and a `ClusterDatabaseGrant`: rights that a user or role of another resource is given.
//!
//! Nothing on the server is the grant's own, so there is nothing to claim: what it gave is recorded in its status
//! before it is given, and that record is what is taken back.

mod about;
mod apply;
mod delete;
mod former;
mod same;
mod swept;
mod target;
mod told;

use std::sync::Arc;

use crds::names::finalizer;
use crds::{
    ClusterDatabaseGrant, Condition, DatabaseGrant, DatabaseGrantStatus, DriftPolicy, GrantMode, InstanceId,
    OptionBlocks,
};
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt as _};
use sandbox::Session;

use super::failure::Failure;
use super::managed::{self, Done, Reconciled, Reported};
use super::run::Run;
use super::sweep::{Around, Glance, Swept};
use super::trouble::Stop;
use crate::cluster::patches::Ours;
use crate::cluster::stores::{Cached, Stores};
use crate::context::Context;

pub(crate) use same::databases;
pub(crate) use target::{Named, Target};

/// One reconcile.
pub(crate) async fn reconcile<G: GrantResource + Reconciled>(
    grant: Arc<G>,
    ctx: Arc<Context>,
) -> Result<Action, Failure> {
    let _turn = ctx.turns.enter(grant.instance(&ctx.stores)).await;
    // It may have changed, or gone, while it waited for its turn.
    let Some(grant) = ctx.stores.latest(grant.as_ref()) else { return Ok(Action::await_change()) };
    Box::pin(managed::reconcile(grant, ctx)).await
}

/// Either kind of grant.
pub(crate) trait GrantResource: Ours + Cached + Resource<DynamicType = ()> {
    /// The kind's name.
    const KIND: &'static str;
    /// The kind's finalizer.
    const FINALIZER: &'static str;

    /// The status, if there is one.
    fn grant_status(&self) -> Option<&DatabaseGrantStatus>;

    /// Whom it is for; none where it names nobody or two.
    fn named(&self) -> Option<Named>;

    /// The instance that it states itself.
    fn stated_instance(&self) -> Option<InstanceId>;

    /// The option blocks that it states, by their key in the spec.
    fn option_blocks(&self) -> serde_json::Result<OptionBlocks>;

    /// What happens to rights that nobody states.
    fn mode(&self) -> GrantMode;

    /// Its own drift policy, if it states one.
    fn drift_policy(&self) -> Option<&DriftPolicy>;

    /// Whether deleting it is refused.
    fn is_protected(&self) -> bool;

    /// Namespace and name of the `Database` that it is about, if it states one.
    fn about(&self) -> Option<(String, String)>;

    /// The conditions of the status.
    fn conditions(&self) -> &[Condition] {
        self.grant_status().map_or(&[], |status| status.conditions.as_slice())
    }

    /// The instance that its target is on, as far as the caches know; otherwise the one that is recorded.
    fn instance(&self, stores: &Stores) -> Option<InstanceId> {
        let recorded = || Some(self.grant_status()?.ownership.as_ref()?.instance.clone());
        let of_target = || Target::instance_of(stores, &self.named()?);
        self.stated_instance().or_else(of_target).or_else(recorded)
    }
}

impl GrantResource for DatabaseGrant {
    const KIND: &'static str = "DatabaseGrant";
    const FINALIZER: &'static str = finalizer::DATABASE_GRANT;

    fn grant_status(&self) -> Option<&DatabaseGrantStatus> {
        self.status.as_ref()
    }

    fn named(&self) -> Option<Named> {
        Named::of(&self.spec, &self.namespace().unwrap_or_default())
    }

    fn stated_instance(&self) -> Option<InstanceId> {
        None
    }

    fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        self.spec.option_blocks()
    }

    fn mode(&self) -> GrantMode {
        self.spec.mode
    }

    fn drift_policy(&self) -> Option<&DriftPolicy> {
        self.spec.drift_policy.as_ref()
    }

    fn is_protected(&self) -> bool {
        self.spec.deletion_protection
    }

    fn about(&self) -> Option<(String, String)> {
        let own = self.namespace().unwrap_or_default();
        let about = self.spec.database_ref.as_ref()?;
        Some((about.namespace_or(&own).to_owned(), about.name.clone()))
    }
}

impl GrantResource for ClusterDatabaseGrant {
    const KIND: &'static str = "ClusterDatabaseGrant";
    const FINALIZER: &'static str = finalizer::CLUSTER_DATABASE_GRANT;

    fn grant_status(&self) -> Option<&DatabaseGrantStatus> {
        self.status.as_ref()
    }

    fn named(&self) -> Option<Named> {
        Named::of_cluster(&self.spec)
    }

    fn stated_instance(&self) -> Option<InstanceId> {
        Some(InstanceId::cluster(&self.spec.cluster_instance_ref.name))
    }

    fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        self.spec.option_blocks()
    }

    fn mode(&self) -> GrantMode {
        self.spec.mode
    }

    fn drift_policy(&self) -> Option<&DriftPolicy> {
        self.spec.drift_policy.as_ref()
    }

    fn is_protected(&self) -> bool {
        self.spec.deletion_protection
    }

    fn about(&self) -> Option<(String, String)> {
        None
    }
}

impl Reported for DatabaseGrant {
    type Status = DatabaseGrantStatus;

    const KIND: &'static str = <Self as GrantResource>::KIND;
    const FINALIZER: &'static str = <Self as GrantResource>::FINALIZER;
    const DELETE_FAILED: &'static str = "RevokeFailed";

    fn status(&self) -> Option<&DatabaseGrantStatus> {
        self.status.as_ref()
    }

    fn names_what_nobody_watches(&self) -> bool {
        false
    }
}

impl Reported for ClusterDatabaseGrant {
    type Status = DatabaseGrantStatus;

    const KIND: &'static str = <Self as GrantResource>::KIND;
    const FINALIZER: &'static str = <Self as GrantResource>::FINALIZER;
    const DELETE_FAILED: &'static str = "RevokeFailed";

    fn status(&self) -> Option<&DatabaseGrantStatus> {
        self.status.as_ref()
    }

    fn names_what_nobody_watches(&self) -> bool {
        false
    }
}

impl Swept for DatabaseGrant {
    async fn glance(run: &Run<Self>, session: &mut Session, around: &Around) -> Result<Glance, Stop> {
        swept::glance(run, session, around).await
    }
}

impl Swept for ClusterDatabaseGrant {
    async fn glance(run: &Run<Self>, session: &mut Session, around: &Around) -> Result<Glance, Stop> {
        swept::glance(run, session, around).await
    }
}

impl Reconciled for DatabaseGrant {
    async fn apply(run: &Run<Self>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop> {
        apply::run(run, draft).await
    }

    async fn delete(run: &Run<Self>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop> {
        delete::run(run, draft).await
    }
}

impl Reconciled for ClusterDatabaseGrant {
    async fn apply(run: &Run<Self>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop> {
        apply::run(run, draft).await
    }

    async fn delete(run: &Run<Self>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop> {
        delete::run(run, draft).await
    }
}
