//! TLS for this crate's own logins, by the same library that the operator uses.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waiting, Poll};
use std::{fmt, io};

use anyhow::{Context, Result};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Upgrades one stream.
pub(super) struct Connector {
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(configuration: ClientConfig, host: &str) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).context("read the server's name")?;
        Ok(Self { connector: tokio_rustls::TlsConnector::from(Arc::new(configuration)), name })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connector {
    type Stream = Upgraded<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Upgraded<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { Ok(Upgraded(self.connector.connect(self.name, stream).await?)) })
    }
}

/// An upgraded stream.
#[derive(Debug)]
pub(super) struct Upgraded<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Upgraded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        // The tests' own logins prove passwords, not bindings; those are the adapter's matter.
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Upgraded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        waiting: &mut Waiting<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(waiting, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Upgraded<S> {
    fn poll_write(mut self: Pin<&mut Self>, waiting: &mut Waiting<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(waiting, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, waiting: &mut Waiting<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(waiting)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, waiting: &mut Waiting<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(waiting)
    }
}
