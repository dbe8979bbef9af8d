//! A stream that the host goes on with after a relay. Behind a shut gate nothing is sent on it either.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::ByteStream;
use crate::binding::WriteGate;

/// A stream and its gate.
pub(super) struct Gated {
    stream: Box<dyn ByteStream>,
    gate: WriteGate,
}

impl Gated {
    pub(super) fn new(stream: Box<dyn ByteStream>, gate: WriteGate) -> Self {
        Self { stream, gate }
    }

    fn check(&self) -> io::Result<()> {
        if self.gate.is_open() { Ok(()) } else { Err(io::Error::other("nothing more may be sent to the server")) }
    }
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
