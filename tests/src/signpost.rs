//! An address that leads to one server now and to another later, as a DNS name or a virtual address does.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A running signpost.
#[derive(Debug)]
pub struct Signpost {
    address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    acceptor: AbortHandle,
}

impl Signpost {
    /// Starts one on a free port.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen for clients")?;
        let address = listener.local_addr().context("read the signpost's address")?;
        let target = watch::Sender::new(target);
        let targets = target.subscribe();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(lead(client, targets.clone()));
            }
        });
        Ok(Self { address, target, acceptor: task.abort_handle() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it leads there; who was led elsewhere is cut off.
    pub fn turn(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }
}

impl Drop for Signpost {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn lead(mut client: TcpStream, mut targets: watch::Receiver<SocketAddr>) {
    let target = *targets.borrow_and_update();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // Either way the client sees the end of its connection, and connects again.
        ended = copy_bidirectional(&mut client, &mut server) => drop(ended),
        _ = targets.changed() => {}
    }
}
