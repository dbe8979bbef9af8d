//! Dials a server: resolves its name, checks every address against the policy, connects to a checked one.
//!
//! The address that was checked is the one that is dialled; there is no second lookup between. A lookup holds a thread
//! of the process until the resolver is done with it, which nothing can hasten; so each server has one at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::addresses::AddressPolicy;
use crate::binding::Endpoint;
use crate::error::NetFailure;

/// A name may have many addresses; the first so many are tried.
const MOST_ADDRESSES: usize = 16;

/// One address that does not answer leaves time for the next.
const ONE_ADDRESS: Duration = Duration::from_secs(4);

/// Opens a stream to the endpoint within this time. `lookups` has the turns of the endpoint's lookups.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    policy: &AddressPolicy,
    lookups: &Arc<Semaphore>,
    limit: Duration,
) -> Result<TcpStream, NetFailure> {
    let deadline = Instant::now() + limit;
    let Endpoint { host, port } = endpoint;
    let plain = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let found = match timeout_at(deadline, look_up(plain, *port, lookups)).await {
        Err(_) => return Err(NetFailure::Resolve(format!("`{plain}` was not resolved within {limit:?}"))),
        Ok(Err(error)) => return Err(NetFailure::Resolve(format!("`{plain}` cannot be resolved: {error}"))),
        Ok(Ok(found)) => found,
    };
    let mut refusal = None;
    let mut allowed = Vec::new();
    for address in found {
        match policy.check(address.ip()) {
            Ok(()) if !allowed.contains(&address) => allowed.push(address),
            Ok(()) => {}
            Err(refused) => refusal = Some(refused),
        }
    }
    if allowed.is_empty() {
        return Err(refusal.map_or_else(
            || NetFailure::Resolve(format!("`{plain}` has no address")),
            |refused| NetFailure::Refused(format!("`{plain}`: {refused}")),
        ));
    }
    let mut failure = NetFailure::Dial(format!("`{plain}` was not dialled within {limit:?}"));
    for address in allowed {
        let until = deadline.min(Instant::now() + ONE_ADDRESS);
        match timeout_at(until, connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = NetFailure::Dial(format!("`{plain}` does not accept connections: {error}")),
            Err(_) => failure = NetFailure::Dial(format!("`{plain}` does not answer")),
        }
    }
    Err(failure)
}

async fn look_up(name: &str, port: u16, lookups: &Arc<Semaphore>) -> std::io::Result<Vec<SocketAddr>> {
    let turn = Arc::clone(lookups).acquire_owned().await.map_err(std::io::Error::other)?;
    let name = name.to_owned();
    // A task of its own: the turn ends with the lookup, not with the wait for it.
    let looking = tokio::spawn(async move {
        let found = lookup_host((name, port)).await.map(|found| found.take(MOST_ADDRESSES).collect::<Vec<_>>());
        drop(turn);
        found
    });
    looking.await.map_err(std::io::Error::other)?
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that vanished without a word is noticed in the end, also on a session that only waits.
    socket.set_keepalive(true)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(port: u16) -> Endpoint {
        Endpoint { host: "localhost".to_owned(), port }
    }

    fn turn() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1))
    }

    fn allowing(networks: &[&str]) -> AddressPolicy {
        AddressPolicy::new(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    #[tokio::test]
    async fn the_resolved_address_is_checked_and_not_the_name() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = local(listener.local_addr().unwrap().port());
        let refused = dial(&endpoint, &AddressPolicy::default(), &turn(), Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(&refused, NetFailure::Refused(text) if text.contains("loopback")), "{refused}");
        let stream = dial(&endpoint, &allowing(&["127.0.0.0/8"]), &turn(), Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_closed_port_and_an_unknown_name_are_told_apart() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let policy = allowing(&["127.0.0.0/8", "::1/128"]);
        let closed = dial(&local(port), &policy, &turn(), Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(closed, NetFailure::Dial(_)), "{closed}");
        let unknown = Endpoint { host: "no such host".to_owned(), port };
        let unknown = dial(&unknown, &policy, &turn(), Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(unknown, NetFailure::Resolve(_)), "{unknown}");
    }

    #[tokio::test]
    async fn a_lookup_waits_for_the_one_before_it_and_no_longer_than_it_may() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (endpoint, policy) = (local(listener.local_addr().unwrap().port()), allowing(&["127.0.0.0/8"]));
        let lookups = turn();
        let before = Arc::clone(&lookups).acquire_owned().await.unwrap();
        let late = dial(&endpoint, &policy, &lookups, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(&late, NetFailure::Resolve(text) if text.contains("was not resolved within")), "{late}");
        drop(before);
        dial(&endpoint, &policy, &lookups, Duration::from_secs(5)).await.unwrap();
        assert_eq!(lookups.available_permits(), 1);
    }

    #[tokio::test]
    async fn an_address_in_brackets_is_an_address() {
        let endpoint = Endpoint { host: "[::1]".to_owned(), port: 1 };
        let refused = dial(&endpoint, &AddressPolicy::default(), &turn(), Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(refused, NetFailure::Refused(_)), "{refused}");
    }
}
