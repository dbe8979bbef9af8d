//! The controllers: one reconcile for each kind, from the object to the one status write.
//!
//! `load` asks the cluster, `validate` nothing, `observe` the engine, `planning` nothing, `apply` both. What
//! stopped a reconcile is a [`planning::Blocked`]: it is reported in the status and retried by its class.
//! Deliberately absent: decisions (they are in `planning`) and anything an engine could tell us (it is asked).

mod cascade;
pub mod cluster_database_instance;
pub mod database;
pub mod database_grant;
pub mod database_instance;
pub mod database_role;
pub mod database_user;
mod failure;
pub(crate) mod first_look;
mod instance;
pub mod ledger;
pub(crate) mod managed;
pub mod memory;
mod output;
mod report;
mod rights;
pub(crate) mod run;
mod status;
pub(crate) mod sweep;
mod translate;
mod trouble;
pub mod turns;

pub use failure::{Failure, on_failure};
