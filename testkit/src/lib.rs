//! The world that the tests and the demo run in: a real control plane, real database servers,
//! certificates of every sort, and proxies that make all of them fail on demand.
//!
//! Whatever is started here listens on loopback only and dies with the process that started it,
//! unless it was asked to be detached (the demo).
//! Deliberately absent: any knowledge of the project's own kinds; the test suites bring those.

pub mod certificates;
pub mod children;
pub mod cluster;
pub mod control_plane;
pub mod mysql;
pub mod postgres;
pub mod proxy;
pub mod scratch;
pub mod toolchain;
pub mod workspace;
pub mod world;
