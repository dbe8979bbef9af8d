//! Random bytes from the host's cryptographic generator.

use crate::Error;

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) -> crate::Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::protocol("the host gave no random bytes", error.to_string()))
}

/// `bytes` random bytes as lower-case hexadecimal digits.
pub fn hex(bytes: usize) -> crate::Result<String> {
    use std::fmt::Write as _;
    let mut buffer = vec![0; bytes];
    fill(&mut buffer)?;
    Ok(buffer.iter().fold(String::with_capacity(bytes * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    }))
}
