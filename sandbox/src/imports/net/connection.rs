//! One byte stream: buffered reads, whole writes, the upgrade to TLS, and the rules that hold before it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;

use super::gated::Gated;
use crate::binding::WriteGate;
use crate::counters::OpenSession;
use crate::tls::{TlsFailure, binding_data, client_problem};

/// What one read from the socket asks for.
const CHUNK: usize = 16 << 10;

/// How much is read ahead while a write waits, so that two sides that both write do not wait for each other.
const READ_AHEAD: usize = 1 << 20;

/// Bytes that may be sent before TLS where TLS is required: the request for it, in any protocol, and no password.
const PLAIN_SENT: usize = 64;

/// Bytes that may arrive before TLS where TLS is required: a greeting.
const PLAIN_RECEIVED: usize = 16 << 10;

/// A stream of bytes.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Why a stream did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum StreamError {
    Closed,
    TimedOut,
    /// Nothing more may be sent.
    Stopped,
    /// Bytes came in plain text before the handshake.
    Injected,
    Denied(&'static str),
    Tls(TlsFailure),
    Io(io::Error),
}

/// A stream's place among the sessions of its server. It is free again when this is dropped.
pub(crate) struct Slot {
    _mark: Arc<()>,
    _turn: Option<OwnedSemaphorePermit>,
    _session: Option<OpenSession>,
}

impl Slot {
    pub(super) fn main(mark: Arc<()>) -> Self {
        Self { _mark: mark, _turn: None, _session: None }
    }

    pub(super) fn inner(mark: Arc<()>, turn: OwnedSemaphorePermit) -> Self {
        Self { _mark: mark, _turn: Some(turn), _session: None }
    }

    pub(super) fn counted(self, session: OpenSession) -> Self {
        Self { _session: Some(session), ..self }
    }
}

/// A stream, what arrived on it and was not read, and its place.
pub(crate) type Parts = (Box<dyn ByteStream>, Vec<u8>, Option<Slot>);

/// One stream of a guest.
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not a state")]
pub struct Connection {
    stream: Option<Box<dyn ByteStream>>,
    unread: Vec<u8>,
    ended: bool,
    is_tool: bool,
    is_encrypted: bool,
    tls_required: bool,
    plain_sent: usize,
    plain_received: usize,
    gate: Option<WriteGate>,
    slot: Option<Slot>,
}

impl Connection {
    pub(super) fn to_server(stream: Box<dyn ByteStream>, tls_required: bool, slot: Slot) -> Self {
        Self { slot: Some(slot), ..Self::plain(stream, tls_required, false) }
    }

    /// Nothing is sent on it unless the gate says so at that moment.
    pub(super) fn gated(self, gate: Option<WriteGate>) -> Self {
        Self { gate, ..self }
    }

    /// The stream of a tool that the guest mediates for. It carries no secret, and closing it is the host's.
    pub(crate) fn to_tool(stream: Box<dyn ByteStream>) -> Self {
        Self::plain(stream, false, true)
    }

    fn plain(stream: Box<dyn ByteStream>, tls_required: bool, is_tool: bool) -> Self {
        Self {
            stream: Some(stream),
            unread: Vec::new(),
            ended: false,
            is_tool,
            is_encrypted: false,
            tls_required,
            plain_sent: 0,
            plain_received: 0,
            gate: None,
            slot: None,
        }
    }

    pub(crate) fn is_tool(&self) -> bool {
        self.is_tool
    }

    /// Whether a secret may be used here.
    pub(crate) fn may_carry_secrets(&self) -> bool {
        !self.is_tool && self.stream.is_some() && (self.is_encrypted || !self.tls_required)
    }

    /// The stream with what arrived and was not read, for the host to go on with.
    pub(crate) fn into_parts(mut self) -> Option<Parts> {
        let stream = self.stream.take()?;
        let stream: Box<dyn ByteStream> = match self.gate.take() {
            Some(gate) => Box::new(Gated::new(stream, gate)),
            None => stream,
        };
        Some((stream, std::mem::take(&mut self.unread), self.slot.take()))
    }

    pub(crate) fn close(&mut self) {
        self.stream = None;
        self.slot = None;
        self.unread = Vec::new();
    }

    /// Whether the server still holds the other end, as far as one look tells.
    pub(crate) fn is_alive(&mut self) -> bool {
        // What a closing server said last may be waiting before the end of the stream.
        while self.unread.len() < READ_AHEAD {
            match self.poll_more(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) if self.ended => return false,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return false,
            }
        }
        true
    }

    pub(super) fn try_read(&mut self, max: usize) -> Result<Option<Vec<u8>>, StreamError> {
        match self.poll_readable(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(())) => Ok(Some(self.take(max))),
            Poll::Ready(Err(error)) => Err(error),
        }
    }

    pub(super) async fn readable(&mut self) -> Result<(), StreamError> {
        poll_fn(|context| self.poll_readable(context)).await
    }

    /// What is there; nothing at the end.
    pub(super) fn take(&mut self, max: usize) -> Vec<u8> {
        if self.unread.len() <= max {
            return std::mem::take(&mut self.unread);
        }
        let rest = self.unread.split_off(max);
        std::mem::replace(&mut self.unread, rest)
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        if !self.unread.is_empty() || (self.ended && self.stream.is_some()) {
            return Poll::Ready(Ok(()));
        }
        self.poll_more(context)
    }

    /// Reads once more into the buffer.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(StreamError::Closed)) };
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        self.unread.reserve(CHUNK);
        let read = pin!(stream.read_buf(&mut self.unread)).poll(context);
        let count = match ready!(read) {
            Ok(count) => count,
            // Many servers end an encrypted stream without saying so in TLS.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => {
                let failure = alert_about_client(&error).map_or(StreamError::Io(error), StreamError::Tls);
                return Poll::Ready(Err(failure));
            }
        };
        self.ended = count == 0;
        if self.tls_required && !self.is_encrypted {
            self.plain_received = self.plain_received.saturating_add(count);
            if self.plain_received > PLAIN_RECEIVED {
                self.close();
                return Poll::Ready(Err(StreamError::Denied(
                    "the server talks on without TLS, which this instance requires",
                )));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends all bytes, and reads ahead while the server does not take them.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        if self.tls_required && !self.is_encrypted {
            self.plain_sent = self.plain_sent.saturating_add(bytes.len());
            if self.plain_sent > PLAIN_SENT {
                return Err(StreamError::Denied("this instance requires TLS before anything else is sent"));
            }
        }
        let mut rest = bytes;
        poll_fn(|context| self.poll_write(context, &mut rest)).await
    }

    /// Whether something may be sent; if not, nothing ever is.
    fn check_gate(&mut self) -> Result<(), StreamError> {
        if self.gate.as_ref().is_none_or(WriteGate::is_open) {
            return Ok(());
        }
        self.close();
        Err(StreamError::Stopped)
    }

    fn poll_write(&mut self, context: &mut Context<'_>, rest: &mut &[u8]) -> Poll<Result<(), StreamError>> {
        loop {
            // At every piece: the process may have slept since the last one.
            self.check_gate()?;
            let Some(stream) = &mut self.stream else { return Poll::Ready(Err(StreamError::Closed)) };
            let step = if rest.is_empty() {
                Pin::new(stream).poll_flush(context).map_ok(|()| None)
            } else {
                Pin::new(stream).poll_write(context, rest).map_ok(Some)
            };
            match step {
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(Some(0))) => return Poll::Ready(Err(StreamError::Closed)),
                Poll::Ready(Ok(Some(count))) => *rest = rest.get(count..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(StreamError::Io(error))),
                Poll::Pending => {
                    if self.ended || self.unread.len() >= READ_AHEAD {
                        return Poll::Pending;
                    }
                    ready!(self.poll_more(context))?;
                }
            }
        }
    }

    /// Encrypts the stream and answers the channel binding of the server's certificate.
    pub(super) async fn start_tls(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        limit: Duration,
    ) -> Result<Option<Vec<u8>>, StreamError> {
        if self.is_tool || self.is_encrypted {
            return Err(StreamError::Denied("this stream cannot be encrypted"));
        }
        self.check_gate()?;
        // Bytes that came before the handshake are from whoever could write in plain text (CVE-2021-23222).
        if self.unread.is_empty() && !self.ended {
            match self.poll_more(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => {}
                Poll::Ready(outcome) => outcome?,
            }
        }
        if !self.unread.is_empty() {
            self.close();
            return Err(StreamError::Injected);
        }
        let Some(stream) = self.stream.take() else { return Err(StreamError::Closed) };
        let handshake = TlsConnector::from(config).connect(name, stream);
        match tokio::time::timeout(limit, handshake).await {
            Ok(Ok(stream)) => {
                let certificates = stream.get_ref().1.peer_certificates();
                let binding = certificates.and_then(<[_]>::first).and_then(|leaf| binding_data::of(leaf));
                self.stream = Some(Box::new(stream));
                self.is_encrypted = true;
                Ok(binding)
            }
            Ok(Err(error)) => {
                self.close();
                Err(StreamError::Tls(TlsFailure::of(&error)))
            }
            Err(_) => {
                self.close();
                Err(StreamError::Tls(TlsFailure::TimedOut))
            }
        }
    }
}

/// With TLS 1.3 a server refuses the client's certificate after the client's handshake is done.
fn alert_about_client(error: &io::Error) -> Option<TlsFailure> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())?;
    let rustls::Error::AlertReceived(alert) = inner else { return None };
    client_problem(*alert).map(|problem| TlsFailure::ClientCertificate(problem.to_owned()))
}
