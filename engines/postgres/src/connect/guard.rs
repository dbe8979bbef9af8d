//! The stream as the client library sees it. It looks at the server's first message, before the library answers
//! it: on a plain stream a server that asks for the password itself, or for its MD5 hash, gets neither.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use dbprovision_sdk::{Error, ErrorKind, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The type of a message, its length and the kind of authentication asked for.
const HEAD: usize = 9;
const CLEARTEXT: u32 = 3;
const MD5: u32 = 5;

/// Why the login was given up.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server asked for the password itself.
    Cleartext,
    /// The server asked for a hash that is as good as the password.
    Md5,
}

impl Refusal {
    pub(crate) fn to_error(&self) -> Error {
        let what = match self {
            Self::Cleartext => "the password in clear text",
            Self::Md5 => "an MD5 hash of the password",
        };
        Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "the server asked for {what} on an unencrypted connection: use TLS, or scram-sha-256 on the server"
            ),
            "the login was given up before anything was sent",
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the login was given up")
    }
}

impl std::error::Error for Refusal {}

/// A stream whose first message is looked at.
pub(crate) struct Guarded {
    stream: Stream,
    /// The first bytes of a plain stream; none once they were looked at, or where the stream is encrypted.
    head: Option<Vec<u8>>,
    /// Bytes that were looked at and not yet passed on.
    seen: Vec<u8>,
    binding: Option<Vec<u8>>,
}

impl Guarded {
    /// A plain stream.
    pub(crate) fn plain(stream: Stream) -> Self {
        Self { stream, head: Some(Vec::new()), seen: Vec::new(), binding: None }
    }

    /// An encrypted stream with its channel binding.
    pub(crate) fn encrypted(stream: Stream, binding: Option<Vec<u8>>) -> Self {
        Self { stream, head: None, seen: Vec::new(), binding }
    }
}

/// Judges the first bytes: none while there are too few of them.
fn judge(head: &[u8]) -> Option<Result<(), Refusal>> {
    match head {
        [b'R', _, _, _, _, a, b, c, d, ..] => Some(match u32::from_be_bytes([*a, *b, *c, *d]) {
            CLEARTEXT => Err(Refusal::Cleartext),
            MD5 => Err(Refusal::Md5),
            _ => Ok(()),
        }),
        [b'R', ..] | [] => None,
        // Anything but a demand for authentication comes before one only as an error, which ends the login.
        _ => Some(Ok(())),
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(head) = &mut this.head {
            loop {
                match judge(head) {
                    Some(Err(refusal)) => {
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal)));
                    }
                    Some(Ok(())) => break,
                    None => {}
                }
                let mut space = [0; HEAD];
                let mut part = ReadBuf::new(space.get_mut(head.len()..).unwrap_or_default());
                match Pin::new(&mut this.stream).poll_read(context, &mut part)? {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) if part.filled().is_empty() => break,
                    Poll::Ready(()) => head.extend_from_slice(part.filled()),
                }
            }
            this.seen = this.head.take().unwrap_or_default();
        }
        if this.seen.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let rest = this.seen.split_off(this.seen.len().min(buffer.remaining()));
        buffer.put_slice(&this.seen);
        this.seen = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl TlsStream for Guarded {
    fn channel_binding(&self) -> ChannelBinding {
        self.binding.clone().map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// Hands the library the stream that was encrypted before it saw it.
pub(crate) struct Upgraded;

impl TlsConnect<Guarded> for Upgraded {
    type Stream = Guarded;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Guarded>>;

    fn connect(self, stream: Guarded) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}
