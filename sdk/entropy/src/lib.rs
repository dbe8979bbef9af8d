//! The hook by which `getrandom` gets its bytes on wasm32-unknown-unknown: a function with a fixed
//! symbol (see getrandom's chapter on custom backends). It knows no host: the SDK installs the source.

use std::cell::Cell;

/// Fills the buffer, or says that it cannot.
pub type Source = fn(&mut [u8]) -> bool;

thread_local! {
    static SOURCE: Cell<Option<Source>> = const { Cell::new(None) };
}

/// Sets where random bytes come from. Until then every request fails.
pub fn install(source: Source) {
    SOURCE.set(Some(source));
}

/// Fills `bytes` from the installed source.
pub fn fill(bytes: &mut [u8]) -> bool {
    SOURCE.get().is_some_and(|source| source(bytes))
}

#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(destination: *mut u8, length: usize) -> Result<(), getrandom::Error> {
    // SAFETY: getrandom passes a buffer of `length` bytes that is valid for writes and may be
    // uninitialised: it is zeroed before it becomes a slice.
    let bytes = unsafe {
        std::ptr::write_bytes(destination, 0, length);
        std::slice::from_raw_parts_mut(destination, length)
    };
    if fill(bytes) { Ok(()) } else { Err(getrandom::Error::UNSUPPORTED) }
}
