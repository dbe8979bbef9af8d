//! The proxy before a database: bytes pass unchanged, PostgreSQL's messages are counted where they are readable.
//!
//! Behind TLS nothing is readable; there only connections are counted, and faults of connections still work.
//! A *statement* is a simple query or the execution of a prepared one: the messages that change something.

mod connection;
mod frontend;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Fault, Moment};

/// What the bytes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// PostgreSQL's.
    #[default]
    Postgres,
    /// Unknown: only connections are counted.
    Opaque,
}

/// What happens to all connections, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// Everything passes.
    #[default]
    Fair,
    /// New connections are accepted and nothing passes on any.
    BlackHole,
    /// New connections are closed at once; existing ones go on.
    Refuse,
    /// Each piece of data waits this many milliseconds.
    Slow(u64),
}

/// A proxy before one server.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: AbortHandle,
}

/// What all connections of a proxy know.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    protocol: Protocol,
    connections: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
    weather: watch::Sender<Weather>,
    // The number grows with every order to end all connections; what is ordered is beside it.
    ending: watch::Sender<(u64, bool)>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    messages: BTreeMap<char, u64>,
    statements: Vec<String>,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    at: Point,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    Connection(u64),
    Statement(u64, Moment),
}

impl TcpProxy {
    /// Starts one on a free port.
    pub async fn start(upstream: SocketAddr, protocol: Protocol) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen for a database's clients")?;
        let address = listener.local_addr().context("read the proxy's address")?;
        let shared = Arc::new(Shared {
            upstream,
            protocol,
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            most_open: AtomicU64::new(0),
            weather: watch::Sender::new(Weather::Fair),
            ending: watch::Sender::new((0, false)),
            record: Mutex::default(),
        });
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, acceptor })
    }

    /// Where to connect instead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were opened since the start or the last reset.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many connections were open at once, at most.
    pub fn most_open_connections(&self) -> u64 {
        self.shared.most_open.load(Ordering::SeqCst)
    }

    /// How many messages of the frontend passed, by their type byte (`Q`, `P`, `B`, `E`, ...).
    pub fn messages(&self) -> BTreeMap<char, u64> {
        self.shared.record().messages.clone()
    }

    /// The text of each statement, in order.
    pub fn statements(&self) -> Vec<String> {
        self.shared.record().statements.clone()
    }

    /// Counts from nothing again; what is armed stays.
    pub fn reset(&self) {
        self.shared.connections.store(0, Ordering::SeqCst);
        self.shared.most_open.store(self.shared.open.load(Ordering::SeqCst), Ordering::SeqCst);
        let mut record = self.shared.record();
        record.messages.clear();
        record.statements.clear();
    }

    /// Arms a fault for the k-th connection, counted from 1.
    pub fn at_connection(&self, k: u64, fault: Fault) {
        self.shared.record().armed.push(Armed { at: Point::Connection(k), fault });
    }

    /// Arms a fault for the k-th statement, counted from 1.
    pub fn at_statement(&self, k: u64, moment: Moment, fault: Fault) {
        self.shared.record().armed.push(Armed { at: Point::Statement(k, moment), fault });
    }

    /// Takes back what is armed.
    pub fn disarm(&self) {
        self.shared.record().armed.clear();
    }

    /// Changes what happens to all connections.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Closes all open connections.
    pub fn cut_all(&self) {
        self.shared.ending.send_modify(|(number, reset)| (*number, *reset) = (*number + 1, false));
    }

    /// Resets all open connections.
    pub fn reset_all(&self) {
        self.shared.ending.send_modify(|(number, reset)| (*number, *reset) = (*number + 1, true));
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.cut_all();
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the fault that is armed for this point; each acts once.
    fn take(&self, point: Point) -> Option<Fault> {
        let mut record = self.record();
        let index = record.armed.iter().position(|armed| armed.at == point)?;
        Some(record.armed.swap_remove(index).fault)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(connection::serve(client, number, Arc::clone(&shared)));
            }
            Err(error) => {
                tracing::warn!(%error, "the proxy could not accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}
