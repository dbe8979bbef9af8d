//! Which TLS an instance asks for: its own `tls` block, otherwise the engine's options, otherwise TLS where the
//! server offers it.

use crds::{TlsConfig, TlsMode};

/// The modes, with libpq's names and meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Never.
    Disable,
    /// Only when the server insists.
    Allow,
    /// Where the server offers it.
    Prefer,
    /// Always; the certificate's chain is checked where a CA is given.
    Require,
    /// Always, with a trusted chain.
    VerifyCa,
    /// Always, with a trusted chain and the right name.
    VerifyFull,
}

/// Decides.
///
/// The mode `disable` is that field's default, so it weakens nothing that is stated elsewhere: beside `enabled: true` it
/// means `require`, and where `enabled` is not stated, what the engine's options demand holds.
pub fn mode(block: Option<&TlsConfig>, by_engine: Option<Mode>) -> Mode {
    match block {
        None => by_engine.unwrap_or(Mode::Prefer),
        Some(TlsConfig { enabled: Some(false), mode: _, secret_ref: _ }) => Mode::Disable,
        Some(TlsConfig { enabled, mode, secret_ref: _ }) => match mode {
            TlsMode::Disable if *enabled == Some(true) => Mode::Require,
            TlsMode::Disable => by_engine.filter(|stated| *stated >= Mode::Require).unwrap_or(Mode::Disable),
            TlsMode::Require => Mode::Require,
            TlsMode::VerifyCa => Mode::VerifyCa,
            TlsMode::VerifyFull => Mode::VerifyFull,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(enabled: Option<bool>, mode: TlsMode) -> TlsConfig {
        TlsConfig { enabled, mode, secret_ref: None }
    }

    #[test]
    fn a_set_block_decides_then_the_engine_then_prefer() {
        assert_eq!(mode(None, None), Mode::Prefer);
        assert_eq!(mode(None, Some(Mode::VerifyFull)), Mode::VerifyFull);
        assert_eq!(mode(Some(&block(None, TlsMode::Disable)), Some(Mode::Prefer)), Mode::Disable);
        assert_eq!(mode(Some(&block(None, TlsMode::Disable)), Some(Mode::VerifyFull)), Mode::VerifyFull);
        assert_eq!(mode(Some(&block(Some(false), TlsMode::Disable)), Some(Mode::VerifyFull)), Mode::Disable);
        assert_eq!(mode(Some(&block(Some(true), TlsMode::VerifyCa)), None), Mode::VerifyCa);
        assert_eq!(mode(Some(&block(Some(false), TlsMode::VerifyCa)), None), Mode::Disable);
        assert_eq!(mode(Some(&block(Some(true), TlsMode::Disable)), None), Mode::Require);
    }
}
