//! What happens once, before the first call: panics reach the log, random numbers come from the host.

#[cfg(target_arch = "wasm32")]
use crate::bindings::dbprovision::adapter::random as host;

/// Prepares the guest; every call but the first does nothing.
pub fn once() {
    #[cfg(target_arch = "wasm32")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            dbprovision_entropy::install(from_host);
            std::panic::set_hook(Box::new(|panic| {
                crate::log::write(crate::log::Level::Error, &format!("the adapter panicked: {panic}"));
            }));
        });
    }
}

/// The host gives at most 4,096 bytes a call.
#[cfg(target_arch = "wasm32")]
fn from_host(bytes: &mut [u8]) -> bool {
    bytes.chunks_mut(4096).all(|chunk| {
        let given = host::bytes(u32::try_from(chunk.len()).unwrap_or(0));
        let fits = given.len() == chunk.len();
        if fits {
            chunk.copy_from_slice(&given);
        }
        fits
    })
}
