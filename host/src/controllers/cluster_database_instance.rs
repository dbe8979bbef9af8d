//! A `ClusterDatabaseInstance`: a server that cluster administrators offer to many namespaces.

use std::sync::Arc;

use crds::ClusterDatabaseInstance;
use crds::names::finalizer;
use kube::runtime::controller::Action;

use super::failure::Failure;
use super::instance::{self, Connected};
use crate::context::Context;

impl Connected for ClusterDatabaseInstance {
    const KIND: &'static str = "ClusterDatabaseInstance";
    const FINALIZER: &'static str = finalizer::CLUSTER_DATABASE_INSTANCE;
}

/// One reconcile.
pub async fn reconcile(instance: Arc<ClusterDatabaseInstance>, ctx: Arc<Context>) -> Result<Action, Failure> {
    Box::pin(instance::reconcile(instance, ctx)).await
}
