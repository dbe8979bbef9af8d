//! One reconcile of one object: what is known before anything is asked.

use std::sync::Arc;

use crds::names::{annotation, label, reason};
use jiff::Timestamp;
use kube::{Resource, ResourceExt as _};
use planning::{Blocked, Class, Identity};
use rand::RngExt as _;

use super::trouble::{Stop, asking};
use crate::cluster::patches::Ours;
use crate::context::Context;
use crate::object_key::ObjectKey;
use crate::telemetry::reconcile::Reconcile;

/// The object, its operator, and when it is.
pub(crate) struct Run<K> {
    pub(crate) object: Arc<K>,
    pub(crate) ctx: Arc<Context>,
    pub(crate) key: ObjectKey,
    pub(crate) uid: String,
    /// Its id stands in the logs, the events and the status.
    pub(crate) reconcile: Reconcile,
    pub(crate) now: Timestamp,
}

impl<K: Resource<DynamicType = ()>> Run<K> {
    pub(crate) fn new(object: Arc<K>, ctx: Arc<Context>) -> Self {
        let key = ObjectKey::of(object.as_ref());
        let uid = object.uid().unwrap_or_default();
        let now = ctx.clock.now();
        Self { object, ctx, key, uid, reconcile: Reconcile::begin(), now }
    }

    /// Whether another operator of the cluster serves it, or an annotation asks to leave it alone.
    pub(crate) fn leaves_alone(&self) -> bool {
        let serves = self
            .object
            .labels()
            .get(label::OPERATOR_INSTANCE_ID)
            .map_or(label::DEFAULT_OPERATOR_INSTANCE_ID, String::as_str);
        serves != self.ctx.config.instance_id
            || self.switch(annotation::SKIP_RECONCILE)
            || self.switch(annotation::PAUSE_RECONCILE)
    }

    /// Whether an annotation is switched on.
    pub(crate) fn switch(&self, name: &str) -> bool {
        self.annotation(name) == Some(annotation::TRUE)
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.object.annotations().get(name).map(String::as_str)
    }

    pub(crate) fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    pub(crate) fn has_finalizer(&self, finalizer: &str) -> bool {
        self.object.finalizers().iter().any(|known| known == finalizer)
    }

    pub(crate) fn generation(&self) -> Option<i64> {
        self.object.meta().generation
    }

    /// What this resource writes beside its objects on a server.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            cluster: self.ctx.cluster_id.clone(),
            operator: self.ctx.config.instance_id.clone(),
            kind: self.key.kind.clone(),
            namespace: self.key.namespace.clone(),
            name: self.key.name.clone(),
        }
    }

    /// A look for drift ended.
    pub(crate) fn drift_looked(&self, found: bool) {
        self.ctx.memory.note(&self.uid, |remembered| remembered.drifts = Some(found));
        if found {
            self.ctx.metrics.drift_found(&self.key);
        }
    }

    /// Asked before every effect on a server: a process that lost its lease, or slept through it, makes none.
    pub(crate) fn may_write(&self) -> Result<(), Blocked> {
        self.ctx
            .term
            .check()
            .map_err(|not_leading| Blocked::failed(reason::RECONCILING, not_leading.to_string(), Class::Transient))
    }

    /// A word that nobody can guess, for marks.
    pub(crate) fn nonce() -> String {
        format!("{:016x}", rand::rng().random::<u64>())
    }
}

impl<K: Ours> Run<K> {
    /// Before the first side effect: the object stays until what was made for it is gone.
    pub(crate) async fn ensure_finalizer(&self, finalizer: &str) -> Result<(), Stop> {
        if !self.has_finalizer(finalizer) {
            let added = self.ctx.patches.add_finalizer(self.object.as_ref(), finalizer).await;
            added.map_err(asking("adding the finalizer"))?;
        }
        Ok(())
    }
}
