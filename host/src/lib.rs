//! The operator: the only room in which there is a Kubernetes client.
//!
//! `operator` starts everything; `controllers` reconcile; `cluster` reads and writes the API server; `engines`
//! and `servers` hold what runs in the sandbox; `planning` decides. Deliberately absent: any engine.

pub mod backoff;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod context;
pub mod controllers;
pub mod engines;
pub mod errors;
pub mod leadership;
pub mod object_key;
pub mod operator;
pub mod servers;
pub mod telemetry;
