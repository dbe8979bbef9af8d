//! What a reconcile could not even report: the API server did not take a write, or did not answer.

use std::fmt::Write as _;
use std::sync::Arc;

use kube::Resource;
use kube::runtime::controller::Action;

use crate::context::Context;
use crate::errors::{Class, Classified};
use crate::object_key::ObjectKey;

/// A reconcile that ended without a report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A request to the API server failed.
    #[error("{operation}")]
    AskCluster {
        /// What was being done.
        operation: &'static str,
        /// What is done about it.
        class: Class,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Failure {
    /// For `map_err`: names the operation.
    pub fn asking<E>(operation: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Classified + std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::AskCluster { operation, class: source.class(), source: Box::new(source) }
    }

    /// What is done about it.
    pub fn class(&self) -> Class {
        match self {
            Self::AskCluster { operation: _, class, source: _ } => *class,
        }
    }
}

/// The chain of causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// When a reconcile that failed without a report is tried again.
#[expect(clippy::needless_pass_by_value, reason = "the runtime's signature")]
pub fn on_failure<K>(object: Arc<K>, failure: &Failure, ctx: Arc<Context>) -> Action
where
    K: Resource<DynamicType = ()>,
{
    let key = ObjectKey::of(object.as_ref());
    let class = failure.class();
    tracing::warn!(object = %key, class = class.as_str(), error = chain(failure), "the reconcile failed and is tried again");
    Action::requeue(ctx.backoff.failed(&key, class))
}
