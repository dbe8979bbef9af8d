//! What the host keeps for one guest: its handles, its limits, its scrubber, and what it may reach.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use wasmtime::component::{Resource, ResourceTable};

use crate::addresses::AddressPolicy;
use crate::binding::{Credentials, Endpoint, WriteGate};
use crate::contract::ProgressStatus;
use crate::counters::Tally;
use crate::error::NetFailure;
use crate::imports::net::Connection;
use crate::imports::secrets::Secret;
use crate::limits::{Budget, Limits, Violation};
use crate::processor::Clock;
use crate::scrub::Scrubber;
use crate::secret_value::SecretValue;
use crate::tls::TlsContext;

/// How often a guest may dial in one call: a guest that loops is no storm of connections.
const DIALS: usize = 16;

/// Lines that a guest may log in one call.
const LOG_LINES: usize = 500;

/// What these lines may have together, in bytes.
const LOG_BYTES: usize = 256 << 10;

/// What a guest may reach.
#[derive(Clone)]
pub(crate) enum Reach {
    /// Nothing: every import traps. For `describe`.
    Nothing,
    /// Log, clock and randomness; net and secrets answer with an error. For `examine`.
    Examination,
    /// One database server.
    Server(Arc<ServerContext>),
}

/// One database server, as the imports see it.
pub(crate) struct ServerContext {
    pub(crate) endpoint: Endpoint,
    pub(crate) addresses: Arc<AddressPolicy>,
    pub(crate) tls: TlsContext,
    pub(crate) tls_required: bool,
    pub(crate) credentials: Credentials,
    pub(crate) gate: Option<WriteGate>,
    /// The turns for a second session; all guests of the server share them.
    pub(crate) inner_sessions: Arc<Semaphore>,
    /// The turns for asking the resolver.
    pub(crate) lookups: Arc<Semaphore>,
    pub(crate) tally: Arc<Tally>,
}

/// What belongs to the call that is under way.
#[derive(Debug)]
pub(crate) struct CallScope {
    pub(crate) deadline: Instant,
    pub(crate) log_lines: usize,
    pub(crate) log_bytes: usize,
    pub(crate) dials: usize,
    /// Whether a stream was encrypted in this call.
    pub(crate) encrypted: bool,
    pub(crate) reported: Option<Instant>,
    pub(crate) is_end_told: bool,
}

/// No call is under way: nothing may be done.
impl Default for CallScope {
    fn default() -> Self {
        Self {
            deadline: Instant::now(),
            log_lines: 0,
            log_bytes: 0,
            dials: 0,
            encrypted: false,
            reported: None,
            is_end_told: false,
        }
    }
}

/// The state of one guest.
pub(crate) struct GuestState {
    /// What the log calls the guest.
    pub(crate) label: String,
    pub(crate) table: ResourceTable,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    /// When the sandbox started.
    pub(crate) started: Instant,
    pub(crate) reach: Reach,
    pub(crate) scrubber: Scrubber,
    pub(crate) call: CallScope,
    pub(crate) progress: Option<watch::Sender<Option<ProgressStatus>>>,
    /// Alive while the main session is open.
    pub(crate) main_session: Weak<()>,
    /// Alive while the second session is open.
    pub(crate) inner_session: Weak<()>,
    /// Why the last stream could not be opened or encrypted.
    pub(crate) net_failure: Option<NetFailure>,
    /// A tool's stream that the guest gave back by dropping it.
    pub(crate) returned_tool: Option<Connection>,
}

impl GuestState {
    pub(crate) fn new(label: String, limits: &Limits, reach: Reach, started: Instant) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let mut scrubber = Scrubber::new();
        if let Reach::Server(context) = &reach {
            scrubber.add_secret(&context.credentials.password);
            scrubber.add_public(&context.credentials.username);
        }
        Self {
            label,
            table,
            limits: limits.clone(),
            budget: Budget::new(limits),
            clock: Clock::new(limits.processor),
            started,
            reach,
            scrubber,
            call: CallScope::default(),
            progress: None,
            main_session: Weak::new(),
            inner_session: Weak::new(),
            net_failure: None,
            returned_tool: None,
        }
    }

    /// A new call begins.
    pub(crate) fn begin_call(&mut self, wall: Duration) {
        let deadline = Instant::now() + wall;
        let (log_lines, log_bytes, dials) = (LOG_LINES, LOG_BYTES, DIALS);
        self.call = CallScope { deadline, log_lines, log_bytes, dials, ..CallScope::default() };
        self.end_tools();
        self.scrubber.begin_call();
        self.clock.restart();
    }

    /// Ends the streams of tools that an earlier call left behind: they must not be taken for this call's.
    fn end_tools(&mut self) {
        self.returned_tool = None;
        for connection in self.table.iter_mut().filter_map(|entry| entry.downcast_mut::<Connection>()) {
            if connection.is_tool() {
                connection.close();
            }
        }
    }

    /// Whether this call got as far as the server and could not have gone on, for the server offered no TLS.
    pub(crate) fn lacked_tls(&self) -> bool {
        match &self.reach {
            Reach::Server(context) => context.tls_required && self.call.dials < DIALS && !self.call.encrypted,
            Reach::Nothing | Reach::Examination => false,
        }
    }

    /// Ends the guest that calls an import where it may call none.
    pub(crate) fn allow_import(&self, name: &'static str) -> wasmtime::Result<()> {
        match self.reach {
            Reach::Nothing => Err(wasmtime::Error::new(Violation::Import(name))),
            Reach::Examination | Reach::Server(_) => Ok(()),
        }
    }

    /// Gives the guest a handle of this secret.
    pub(crate) fn lend_secret(&mut self, value: &SecretValue) -> wasmtime::Result<Resource<Secret>> {
        self.scrubber.lend(value);
        self.insert(Secret(value.clone()))
    }

    /// Gives the guest a handle, unless it has too many.
    pub(crate) fn insert<T: Send + 'static>(&mut self, value: T) -> wasmtime::Result<Resource<T>> {
        let limit = self.limits.handles;
        self.table.push(value).or(Err(wasmtime::Error::new(Violation::Handles(limit))))
    }

    /// The time for one wait in the host, at most this.
    pub(crate) fn wait(&self, at_most: Duration) -> Duration {
        at_most.min(self.call.deadline.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_stream_of_a_tool_ends_with_its_call() {
        use tokio::io::AsyncReadExt as _;
        let mut state = GuestState::new("test".to_owned(), &Limits::default(), Reach::Examination, Instant::now());
        let ((kept, mut one), (returned, mut other)) = (tokio::io::duplex(16), tokio::io::duplex(16));
        let handle = state.insert(Connection::to_tool(Box::new(kept))).unwrap();
        state.returned_tool = Some(Connection::to_tool(Box::new(returned)));
        state.begin_call(Duration::from_secs(1));
        assert!(state.returned_tool.is_none());
        assert!(state.table.get(&handle).unwrap().is_tool(), "the handle is the guest's");
        for end in [&mut one, &mut other] {
            assert_eq!(end.read(&mut [0; 1]).await.unwrap(), 0);
        }
    }
}
