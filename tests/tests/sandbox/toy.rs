//! A database server that is a toy: lines in, lines out, plain and encrypted, and a count of everything.
//!
//! The protocol is described where its client is, in the honest guest. Deliberately absent: whatever would make it a
//! database. What it heard in plain text is kept, so that a test can say what was never sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The administrator's password: long, and with characters that every encoding writes in its own way.
pub(crate) const PASSWORD: &str = "hunter2/+ %st'able\"battery";

/// What the server answers to [`FLOOD`](serve), in bytes.
const FLOOD: usize = 1 << 20;

/// A new stream is served after this time: the end of an earlier one is noticed before it counts.
const SETTLE: Duration = Duration::from_millis(10);

/// What the server offers its clients.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    /// It can encrypt.
    pub(crate) tls: Option<TlsAcceptor>,
    /// It lets nobody in without.
    pub(crate) tls_only: bool,
}

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    accepted: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    plain_logins: AtomicUsize,
    encrypted_logins: AtomicUsize,
    quits: AtomicUsize,
    waiting: AtomicUsize,
    plain: Mutex<Vec<u8>>,
    released: watch::Sender<bool>,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        impl Seen {$(
            $(#[$doc])*
            pub(crate) fn $name(&self) -> usize {
                self.$name.load(Ordering::SeqCst)
            }
        )*}
    };
}

counts! {
    /// Streams that were opened.
    accepted,
    /// Streams that are open now.
    open,
    /// Streams that were open at one time.
    most_open,
    /// Logins on plain streams.
    plain_logins,
    /// Logins on encrypted streams.
    encrypted_logins,
    /// Clients that said good-bye.
    quits,
    /// Clients that wait for [`Toy::release`].
    waiting,
}

impl Seen {
    /// All that was ever said in plain text.
    pub(crate) fn plain(&self) -> Vec<u8> {
        self.plain.lock().unwrap().clone()
    }

    fn add(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// A running server; it ends when this is dropped.
pub(crate) struct Toy {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    serving: JoinHandle<()>,
}

impl Toy {
    /// Starts one on a free port of the loopback interface.
    pub(crate) async fn start(offer: Offer) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), offer).await
    }

    /// Starts one at this address.
    pub(crate) async fn start_at(address: SocketAddr, offer: Offer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let serving = tokio::spawn(accept(listener, offer, Arc::clone(&seen)));
        Self { address, seen, serving }
    }

    /// Answers everybody who waits, now and later.
    pub(crate) fn release(&self) {
        self.seen.released.send_replace(true);
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An open stream; it counts until this is dropped.
struct Open(Arc<Seen>);

impl Open {
    fn new(seen: &Arc<Seen>) -> Self {
        let now = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_open.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(seen))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, offer: Offer, seen: Arc<Seen>) {
    let mut streams = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        Seen::add(&seen.accepted);
        let (offer, seen) = (offer.clone(), Arc::clone(&seen));
        streams.spawn(async move {
            tokio::time::sleep(SETTLE).await;
            let open = Open::new(&seen);
            // A client that goes away in the middle is what these tests are about.
            drop(serve(stream, &offer, &open.0).await);
        });
    }
}

async fn serve(stream: TcpStream, offer: &Offer, seen: &Seen) -> std::io::Result<()> {
    let mut plain = BufReader::new(stream);
    if !converse(&mut plain, offer, seen, false).await? {
        return Ok(());
    }
    let Some(acceptor) = &offer.tls else { return Ok(()) };
    let mut encrypted = BufReader::new(acceptor.accept(plain.into_inner()).await?);
    converse(&mut encrypted, offer, seen, true).await.map(drop)
}

/// Answers until the client goes; or until it wants to be encrypted, which is answered with `true`.
async fn converse<S>(stream: &mut BufReader<S>, offer: &Offer, seen: &Seen, encrypted: bool) -> std::io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        if !encrypted {
            seen.plain.lock().unwrap().extend_from_slice(&line);
        }
        let Some(request) = line.strip_suffix(b"\n") else { return Ok(false) };
        let answer = match request {
            b"TLS?" if offer.tls.is_some() && !encrypted => {
                stream.write_all(b"S").await?;
                return Ok(true);
            }
            b"TLS?" => {
                stream.write_all(b"N").await?;
                continue;
            }
            b"PING" => b"PONG\n".to_vec(),
            b"QUIT" => {
                Seen::add(&seen.quits);
                return Ok(false);
            }
            b"WAIT" => {
                Seen::add(&seen.waiting);
                let mut released = seen.released.subscribe();
                drop(released.wait_for(|released| *released).await);
                b"DONE\n".to_vec()
            }
            b"FLOOD" => vec![b'~'; FLOOD],
            _ if request.starts_with(b"LOGIN ") => log_in(request, offer, seen, encrypted),
            _ => format!("LINE {}\n", request.len()).into_bytes(),
        };
        stream.write_all(&answer).await?;
        stream.flush().await?;
    }
}

fn log_in(request: &[u8], offer: &Offer, seen: &Seen, encrypted: bool) -> Vec<u8> {
    if offer.tls_only && !encrypted {
        return b"ERR encryption\n".to_vec();
    }
    if request != format!("LOGIN admin {PASSWORD}").as_bytes() {
        return b"ERR credentials\n".to_vec();
    }
    Seen::add(if encrypted { &seen.encrypted_logins } else { &seen.plain_logins });
    b"OK the-toy\n".to_vec()
}
