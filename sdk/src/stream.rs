//! `AsyncRead` and `AsyncWrite` over a [`Wire`]. Reads never block: where they would, the executor waits.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{NetError, Wire};

/// The host gives at most this many bytes a call.
const READ_AT_MOST: usize = 64 * 1024;
/// The host takes at most this many bytes a call.
const WRITE_AT_MOST: usize = 1024 * 1024;

/// A connection that async clients can use.
#[derive(Clone)]
pub struct Stream(Rc<dyn Wire>);

impl Stream {
    /// Over an open connection.
    pub fn new(wire: Rc<dyn Wire>) -> Self {
        Self(wire)
    }

    /// The connection below.
    pub fn wire(&self) -> &Rc<dyn Wire> {
        &self.0
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wanted = buffer.remaining().min(READ_AT_MOST);
        match self.0.try_read(u32::try_from(wanted).unwrap_or(u32::MAX)).map_err(to_io)? {
            // A host that gives more than it was asked for would overrun the buffer.
            Some(bytes) if bytes.len() > wanted => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            Some(bytes) => {
                buffer.put_slice(&bytes);
                Poll::Ready(Ok(()))
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (chunk, _) = bytes.split_at(bytes.len().min(WRITE_AT_MOST));
        self.0.write(chunk).map_err(to_io)?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Keeps the host's error as the source, so that a client's error can be traced back to it.
fn to_io(error: NetError) -> io::Error {
    let kind = match &error {
        NetError::Denied(_) => io::ErrorKind::PermissionDenied,
        NetError::TimedOut => io::ErrorKind::TimedOut,
        NetError::Closed => io::ErrorKind::ConnectionReset,
        NetError::Exhausted => io::ErrorKind::ResourceBusy,
        NetError::Tls(_) | NetError::Io(_) => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
