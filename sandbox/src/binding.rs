//! What an adapter is bound to: one database server with everything that the guest never sees.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::addresses::AddressPolicy;
use crate::contract::Settings;
use crate::limits::Limits;
use crate::secret_value::SecretValue;
use crate::tls::TlsSettings;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an address; IPv6 with or without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The administrator's account.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its name, which is no secret.
    pub username: String,
    /// Its password.
    pub password: SecretValue,
}

/// Whether anything may still be sent to a server, asked before every piece that is sent. Once it says no, the stream
/// is closed and the call ends with [`CallError::Stopped`](crate::CallError::Stopped), wherever its guest was: a
/// process that was frozen in the middle of a call wakes up to find that another one has taken over.
#[derive(Clone)]
pub struct WriteGate(Arc<dyn Fn() -> bool + Send + Sync>);

impl WriteGate {
    /// Asks this function, which must not wait.
    pub fn new(may_write: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_write))
    }

    pub(crate) fn is_open(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for WriteGate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("WriteGate").field(&self.is_open()).finish()
    }
}

/// Everything about one database server. Other credentials, another address: another binding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What the logs call it.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Which addresses it may be on.
    pub addresses: Arc<AddressPolicy>,
    /// How it is encrypted and checked.
    pub tls: TlsSettings,
    /// Who logs in.
    pub credentials: Credentials,
    /// What the adapter is told.
    pub settings: Settings,
    /// What a guest of this server may use.
    pub limits: Limits,
    /// After this time without a call a session is closed.
    pub idle: Duration,
    /// Whether anything may still be sent to it; none: always.
    pub gate: Option<WriteGate>,
}
