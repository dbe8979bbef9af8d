//! What the operator tells about itself: logs, metrics, probes.

pub mod http;
pub mod labels;
pub mod logs;
pub mod metrics;
pub mod readings;
pub mod reconcile;
pub mod tracked;
