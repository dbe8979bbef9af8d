//! A man in the middle of a PostgreSQL connection: it ends the client's TLS with a certificate of its own, which the
//! client trusts, and relays what it reads to the server, whose TLS it opens anew or avoids.
//!
//! Every check of a certificate is content with it; only a login that is bound to the channel is not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use testkit::certificates::{Identity, client_configuration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// `SSLRequest`: its length, and a version number that no real version has.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    relayed: Arc<AtomicU64>,
    acceptor: AbortHandle,
}

/// How it talks to the server.
#[derive(Debug, Clone)]
pub enum Upstream {
    /// With TLS, trusting this authority.
    Tls(String),
    /// Without, which the server must allow.
    Plain,
}

impl Relay {
    /// Starts one that shows `identity` to its clients.
    pub async fn start(server: SocketAddr, identity: &Identity, upstream: Upstream) -> Result<Self> {
        let certificate =
            CertificateDer::from_pem_slice(identity.certificate.as_bytes()).context("read a certificate")?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).context("read a key")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let configuration = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("choose TLS versions")?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .context("use the relay's certificate")?;
        let acceptor = TlsAcceptor::from(Arc::new(configuration));
        let connector = match &upstream {
            Upstream::Tls(authority) => Some(TlsConnector::from(Arc::new(client_configuration(authority, None)?))),
            Upstream::Plain => None,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen for clients")?;
        let address = listener.local_addr().context("read the relay's address")?;
        let relayed = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&relayed);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, connector, counter) = (acceptor.clone(), connector.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    // A client that refuses what it sees ends the connection: that is what the tests are about.
                    if let Err(error) = relay(client, server, acceptor, connector, &counter).await {
                        eprintln!("relay: {error:#}");
                    }
                });
            }
        });
        Ok(Self { address, relayed, acceptor: task.abort_handle() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients accepted its certificate and were connected with the server.
    pub fn relayed(&self) -> u64 {
        self.relayed.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn relay(
    mut client: TcpStream,
    server: SocketAddr,
    acceptor: TlsAcceptor,
    connector: Option<TlsConnector>,
    relayed: &AtomicU64,
) -> Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await.context("read the request for TLS")?;
    ensure!(request == SSL_REQUEST, "the client did not ask for TLS");
    client.write_all(b"S").await.context("offer TLS")?;
    let client = acceptor.accept(client).await.context("end the client's TLS")?;
    let mut upstream = TcpStream::connect(server).await.context("connect to the server")?;
    relayed.fetch_add(1, Ordering::SeqCst);
    let Some(connector) = connector else { return join(client, upstream).await };
    upstream.write_all(&SSL_REQUEST).await.context("ask the server for TLS")?;
    let mut answer = [0; 1];
    upstream.read_exact(&mut answer).await.context("read the server's answer")?;
    ensure!(answer == *b"S", "the server offers no TLS");
    let name = ServerName::try_from("127.0.0.1").context("name the server")?;
    let upstream = connector.connect(name, upstream).await.context("open the server's TLS")?;
    join(client, upstream).await
}

async fn join<A, B>(mut client: A, mut server: B) -> Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    copy_bidirectional(&mut client, &mut server).await.context("relay")?;
    Ok(())
}
