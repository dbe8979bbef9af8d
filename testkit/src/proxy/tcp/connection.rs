//! One connection through the proxy.
//!
//! One loop reads both sides, so what is held back, passed on and cut is decided in one place and in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::frontend::{Backend, Frontend, Kind};
use super::{Fault, Moment, Point, Protocol, Shared, Weather};
use crate::proxy::Verdict;

const BUFFER: usize = 32 * 1024;

/// Serves a client until either side ends or a fault ends it.
pub(super) async fn serve(client: TcpStream, number: u64, shared: Arc<Shared>) {
    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_open.fetch_max(open, Ordering::SeqCst);
    let connection = Connection {
        readable: shared.protocol == Protocol::Postgres,
        shared: Arc::clone(&shared),
        frontend: Frontend::default(),
        backend: Backend::default(),
        answers_encryption: false,
        after: Vec::new(),
        held: Vec::new(),
    };
    connection.run(client, number).await;
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

struct Connection {
    shared: Arc<Shared>,
    readable: bool,
    frontend: Frontend,
    backend: Backend,
    answers_encryption: bool,
    // Faults of statements whose effect is awaited, and the server's answer to them so far.
    after: Vec<Fault>,
    held: Vec<u8>,
}

impl Connection {
    async fn run(mut self, mut client: TcpStream, number: u64) {
        let mut ending = self.shared.ending.subscribe();
        let mut verdict = match self.shared.take(Point::Connection(number)) {
            Some(fault) => fault.act().await,
            None => Verdict::Pass,
        };
        if *self.shared.weather.borrow() == Weather::Refuse {
            verdict = Verdict::Cut;
        }
        if verdict == Verdict::Pass {
            tokio::select! {
                passed = self.pass(&mut client) => verdict = passed,
                _ = ending.changed() => verdict = Verdict::Cut,
            }
        }
        if verdict == Verdict::Hold && ending.changed().await.is_err() {
            return;
        }
        let reset = verdict == Verdict::Reset || ending.borrow().1 && ending.borrow().0 > 0 && verdict != Verdict::Pass;
        if reset && let Err(error) = client.set_zero_linger() {
            tracing::debug!(%error, "a connection is closed instead of reset");
        }
    }

    /// Passes bytes until something ends the connection.
    async fn pass(&mut self, client: &mut TcpStream) -> Verdict {
        let Ok(mut server) = TcpStream::connect(self.shared.upstream).await else { return Verdict::Cut };
        for stream in [&*client, &server] {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "small packets are not sent at once");
            }
        }
        let mut weather = self.shared.weather.subscribe();
        let (mut from_client, mut from_server) = (vec![0; BUFFER], vec![0; BUFFER]);
        loop {
            // The guard of the watched value must not be held across an await.
            let current = *weather.borrow_and_update();
            if current == Weather::BlackHole {
                if weather.changed().await.is_err() {
                    return Verdict::Cut;
                }
                continue;
            }
            let (count, up) = tokio::select! {
                changed = weather.changed() => match changed {
                    Ok(()) => continue,
                    Err(_gone) => return Verdict::Cut,
                },
                count = client.read(&mut from_client) => (count, true),
                count = server.read(&mut from_server) => (count, false),
            };
            let Ok(count @ 1..) = count else { return Verdict::Cut };
            if let Weather::Slow(milliseconds) = current {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            }
            let bytes = if up { &from_client } else { &from_server };
            let bytes = bytes.get(..count).unwrap_or_default();
            let verdict = if up { self.upward(bytes, &mut server).await } else { self.downward(bytes, client).await };
            if verdict != Verdict::Pass {
                return verdict;
            }
        }
    }

    async fn upward(&mut self, bytes: &[u8], server: &mut TcpStream) -> Verdict {
        if !self.readable {
            return write(server, bytes).await;
        }
        self.frontend.feed(bytes);
        while let Some(message) = self.frontend.next() {
            let verdict = match message.kind {
                Kind::EncryptionRequest => {
                    self.answers_encryption = true;
                    Verdict::Pass
                }
                Kind::Startup => Verdict::Pass,
                Kind::Other(tag) => {
                    self.count(tag);
                    Verdict::Pass
                }
                Kind::Statement(tag, text) => {
                    self.count(tag);
                    self.statement(text).await
                }
            };
            if verdict != Verdict::Pass {
                return verdict;
            }
            let written = write(server, &message.bytes).await;
            if written != Verdict::Pass {
                return written;
            }
        }
        Verdict::Pass
    }

    async fn statement(&mut self, text: String) -> Verdict {
        let number = {
            let mut record = self.shared.record();
            record.statements.push(text);
            record.statements.len() as u64
        };
        if let Some(fault) = self.shared.take(Point::Statement(number, Moment::After)) {
            self.after.push(fault);
        }
        match self.shared.take(Point::Statement(number, Moment::Before)) {
            Some(fault) => fault.act().await,
            None => Verdict::Pass,
        }
    }

    async fn downward(&mut self, bytes: &[u8], client: &mut TcpStream) -> Verdict {
        if !self.readable {
            return write(client, bytes).await;
        }
        let mut messages = bytes;
        if self.answers_encryption {
            self.answers_encryption = false;
            if let Some((answer, rest)) = bytes.split_first() {
                messages = rest;
                if *answer != b'N' {
                    self.readable = false;
                    // Nothing of the frontend can be waiting: it must hear the answer before it goes on.
                    drop(self.frontend.rest());
                    return write(client, bytes).await;
                }
            }
        }
        let ready = self.backend.is_ready_after(messages);
        if self.after.is_empty() {
            return write(client, bytes).await;
        }
        self.held.extend_from_slice(bytes);
        if !ready {
            return Verdict::Pass;
        }
        for fault in std::mem::take(&mut self.after) {
            let verdict = fault.act().await;
            if verdict != Verdict::Pass {
                return verdict;
            }
        }
        write(client, &std::mem::take(&mut self.held)).await
    }

    fn count(&self, tag: char) {
        *self.shared.record().messages.entry(tag).or_default() += 1;
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Verdict {
    if stream.write_all(bytes).await.is_ok() { Verdict::Pass } else { Verdict::Cut }
}
