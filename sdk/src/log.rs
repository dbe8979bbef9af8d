//! Lines in the operator's log. Natively they go nowhere: a test looks at results, not at words.

pub use crate::bindings::dbprovision::adapter::log::Level;

/// Writes one line. The host adds the resource and the reconcile it belongs to, and scrubs secrets.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::dbprovision::adapter::log::write(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _: (Level, &str) = (level, message);
}
