//! `random`: the operator's own cryptographic generator.

use crate::contract::imported::random::Host;
use crate::limits::Violation;
use crate::state::GuestState;

/// The most bytes of one call.
const MOST: u32 = 4096;

impl Host for GuestState {
    async fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.allow_import("random.bytes")?;
        if count > MOST {
            // Fewer bytes than asked for would be used as if they were all.
            return Err(wasmtime::Error::new(Violation::Contract("it asked for more than 4096 random bytes at once")));
        }
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
        let generator = rustls::crypto::ring::default_provider().secure_random;
        generator.fill(&mut bytes).or(Err(wasmtime::Error::msg("the system has no random numbers")))?;
        Ok(bytes)
    }
}
