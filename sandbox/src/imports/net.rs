//! `net`: byte streams to the guest's own server.
//!
//! The guest says `primary` and the host decides what that is, checks the resolved address, counts sessions,
//! ends TLS and holds what the instance demands of it. `net/connection.rs` has the stream itself, `net/gated.rs` what the
//! host goes on with after a relay.

mod connection;
mod gated;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use wasmtime::component::Resource;

pub use connection::ByteStream;
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub use connection::Connection;
pub(crate) use connection::{Slot, StreamError};

use crate::contract::imported::net::{Host, HostConnection, NetError, TlsUse};
use crate::dial::dial;
use crate::error::NetFailure;
use crate::limits::Violation;
use crate::processor::Clock;
use crate::state::{GuestState, Reach, ServerContext};
use crate::tls::TlsFailure;

/// The most bytes of one read.
const MOST_READ: u32 = 64 << 10;

/// The most bytes of one write.
const MOST_WRITTEN: usize = 1 << 20;

/// Waits with a deadline. What the host does meanwhile is the guest's time, as if it did it itself; the wait is not.
async fn parked<T>(
    clock: &Clock,
    limit: Duration,
    wait: impl Future<Output = Result<T, StreamError>>,
) -> Result<T, StreamError> {
    let mut wait = pin!(wait);
    let counted = poll_fn(|context| {
        clock.resume();
        let step = wait.as_mut().poll(context);
        clock.pause();
        step
    });
    clock.pause();
    let outcome = timeout(limit, counted).await;
    clock.resume();
    outcome.unwrap_or(Err(StreamError::TimedOut))
}

impl From<StreamError> for NetError {
    fn from(error: StreamError) -> Self {
        match error {
            // The guest is not told: its call ends.
            StreamError::Closed | StreamError::Stopped => Self::Closed,
            StreamError::TimedOut => Self::TimedOut,
            StreamError::Denied(rule) => Self::Denied(rule.to_owned()),
            // Not `Tls`, after which an adapter may try without.
            StreamError::Injected => Self::Denied(TlsFailure::Injected.to_string()),
            StreamError::Tls(failure) => Self::Tls(failure.to_string()),
            StreamError::Io(error) => Self::Io(error.kind().to_string()),
        }
    }
}

impl From<&NetFailure> for NetError {
    // The guest learns the rule, never an address: the full text is for the operator.
    fn from(failure: &NetFailure) -> Self {
        match failure {
            NetFailure::Refused(_) => Self::Denied("the server's address is not allowed".to_owned()),
            NetFailure::Resolve(_) => Self::Io("the server's name cannot be resolved".to_owned()),
            NetFailure::Dial(_) => Self::Io("the server cannot be reached".to_owned()),
            NetFailure::Tls(failure) => Self::Tls(failure.to_string()),
        }
    }
}

impl GuestState {
    /// A turn for one more stream.
    async fn slot(&mut self, context: &ServerContext) -> Result<Slot, NetError> {
        if self.main_session.strong_count() == 0 {
            let mark = Arc::new(());
            self.main_session = Arc::downgrade(&mark);
            return Ok(Slot::main(mark));
        }
        if self.inner_session.strong_count() > 0 {
            return Err(NetError::Exhausted);
        }
        let turn = Arc::clone(&context.inner_sessions).acquire_owned();
        let turn = parked(&self.clock, self.wait(Duration::MAX), async { turn.await.or(Err(StreamError::Closed)) });
        let turn = turn.await.or(Err(NetError::Exhausted))?;
        let mark = Arc::new(());
        self.inner_session = Arc::downgrade(&mark);
        Ok(Slot::inner(mark, turn))
    }

    /// What the guest is told; after [`StreamError::Stopped`] it is told nothing any more. The host remembers what is
    /// the instance's affair: with TLS 1.3 a server refuses the client's certificate after the handshake, in the place
    /// of its first answer.
    fn told<T>(&mut self, outcome: Result<T, StreamError>) -> wasmtime::Result<Result<T, NetError>> {
        if let Err(StreamError::Stopped) = &outcome {
            return Err(wasmtime::Error::new(Violation::Stopped));
        }
        if let Err(StreamError::Tls(failure)) = &outcome {
            self.net_failure = Some(NetFailure::Tls(failure.clone()));
        }
        if let Err(StreamError::Injected) = &outcome {
            self.net_failure = Some(NetFailure::Tls(TlsFailure::Injected));
        }
        Ok(outcome.map_err(NetError::from))
    }

    async fn open(&mut self, context: &ServerContext) -> Result<Connection, NetError> {
        let slot = self.slot(context).await?;
        let limit = self.wait(self.limits.dial);
        self.clock.pause();
        let dialled = dial(&context.endpoint, &context.addresses, &context.lookups, limit).await;
        self.clock.resume();
        match dialled {
            Ok(stream) => {
                self.net_failure = None;
                let session = context.tally.session_opened();
                let connection = Connection::to_server(Box::new(stream), context.tls_required, slot.counted(session));
                Ok(connection.gated(context.gate.clone()))
            }
            Err(failure) => {
                let answer = NetError::from(&failure);
                self.net_failure = Some(failure);
                Err(answer)
            }
        }
    }
}

impl Host for GuestState {
    async fn connect(&mut self, role: String) -> wasmtime::Result<Result<Resource<Connection>, NetError>> {
        self.allow_import("net.connect")?;
        let Reach::Server(context) = self.reach.clone() else {
            return Ok(Err(NetError::Denied("an examination has no connection".to_owned())));
        };
        if role != "primary" {
            return Ok(Err(NetError::Denied("the only role is `primary`".to_owned())));
        }
        let Some(left) = self.call.dials.checked_sub(1) else {
            return Ok(Err(NetError::Denied("one call dials at most 16 times".to_owned())));
        };
        self.call.dials = left;
        match self.open(&context).await {
            Ok(connection) => self.insert(connection).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostConnection for GuestState {
    async fn tls(&mut self, handle: Resource<Connection>) -> wasmtime::Result<TlsUse> {
        self.allow_import("net.connection.tls")?;
        let is_tool = self.table.get(&handle)?.is_tool();
        Ok(match &self.reach {
            Reach::Server(context) if !is_tool => context.tls.usage,
            Reach::Nothing | Reach::Examination | Reach::Server(_) => TlsUse::Never,
        })
    }

    async fn try_read(
        &mut self,
        handle: Resource<Connection>,
        max: u32,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, NetError>> {
        self.allow_import("net.connection.try-read")?;
        let read = self.table.get_mut(&handle)?.try_read(bounded(max));
        self.told(read)
    }

    async fn read(
        &mut self,
        handle: Resource<Connection>,
        max: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, NetError>> {
        self.allow_import("net.connection.read")?;
        let (clock, limit) = (self.clock.clone(), self.wait(Duration::from_millis(timeout_ms.into())));
        let connection = self.table.get_mut(&handle)?;
        let read = parked(&clock, limit, connection.readable()).await.map(|()| connection.take(bounded(max)));
        self.told(read)
    }

    async fn wait_readable(
        &mut self,
        handle: Resource<Connection>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<(), NetError>> {
        self.allow_import("net.connection.wait-readable")?;
        let (clock, limit) = (self.clock.clone(), self.wait(Duration::from_millis(timeout_ms.into())));
        let connection = self.table.get_mut(&handle)?;
        let readable = parked(&clock, limit, connection.readable()).await;
        self.told(readable)
    }

    async fn write(&mut self, handle: Resource<Connection>, bytes: Vec<u8>) -> wasmtime::Result<Result<(), NetError>> {
        self.allow_import("net.connection.write")?;
        if bytes.len() > MOST_WRITTEN {
            return Ok(Err(NetError::Denied("one write has at most 1 MiB".to_owned())));
        }
        let (clock, limit) = (self.clock.clone(), self.wait(Duration::MAX));
        let connection = self.table.get_mut(&handle)?;
        let written = parked(&clock, limit, connection.write(&bytes)).await;
        if written.is_err() {
            // Nobody knows how much of it arrived: what follows would be read as something else.
            connection.close();
        }
        self.told(written)
    }

    async fn start_tls(&mut self, handle: Resource<Connection>) -> wasmtime::Result<Result<Option<Vec<u8>>, NetError>> {
        self.allow_import("net.connection.start-tls")?;
        let Reach::Server(context) = self.reach.clone() else {
            return Ok(Err(NetError::Denied("an examination has no connection".to_owned())));
        };
        let Some((config, name)) = context.tls.handshake.clone() else {
            return Ok(Err(NetError::Denied("TLS is disabled for this instance".to_owned())));
        };
        let (clock, limit) = (self.clock.clone(), self.wait(self.limits.handshake));
        let connection = self.table.get_mut(&handle)?;
        clock.pause();
        let outcome = connection.start_tls(config, name, limit).await;
        clock.resume();
        self.call.encrypted |= outcome.is_ok();
        self.told(outcome)
    }

    async fn close(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.allow_import("net.connection.close")?;
        let connection = self.table.get_mut(&handle)?;
        // A tool's stream belongs to the host, which goes on with it.
        if !connection.is_tool() {
            connection.close();
        }
        Ok(())
    }

    async fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        let connection = self.table.delete(handle)?;
        if connection.is_tool() {
            self.returned_tool = Some(connection);
        }
        Ok(())
    }
}

fn bounded(max: u32) -> usize {
    usize::try_from(max.min(MOST_READ)).unwrap_or(0)
}
