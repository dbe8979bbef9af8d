//! A `DatabaseInstance`: a server that the resources of a namespace use.

use std::sync::Arc;

use crds::DatabaseInstance;
use crds::names::finalizer;
use kube::runtime::controller::Action;

use super::failure::Failure;
use super::instance::{self, Connected};
use crate::context::Context;

impl Connected for DatabaseInstance {
    const KIND: &'static str = "DatabaseInstance";
    const FINALIZER: &'static str = finalizer::DATABASE_INSTANCE;
}

/// One reconcile.
pub async fn reconcile(instance: Arc<DatabaseInstance>, ctx: Arc<Context>) -> Result<Action, Failure> {
    Box::pin(instance::reconcile(instance, ctx)).await
}
