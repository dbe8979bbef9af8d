//! Access to the cluster: one module for each thing that is read or written, and nothing that decides.

mod absence;
pub mod cache;
pub mod client;
pub mod config_maps;
pub mod events;
pub mod fingerprint_key;
pub mod namespaces;
pub mod patches;
pub mod pump;
pub mod secrets;
pub mod stores;
