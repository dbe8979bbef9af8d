//! Which addresses an instance may name: the address is checked, not the name, and nothing is dialled before.

use std::sync::Arc;
use std::time::Duration;

use hostile_guests::Behaviour;
use sandbox::{AddressPolicy, Binding, CallClass, CallError, Endpoint, Lane, Limits, NetFailure};

use crate::toy::{Offer, Toy};
use crate::trial::{TURN, binding, load, sandbox};

/// What a login at this host comes to, with these exceptions from the policy.
async fn login(toy: &Toy, host: &str, allowed: &[&str]) -> Result<(), CallError> {
    let policy = AddressPolicy::new(allowed.iter().map(|network| network.parse().unwrap()).collect());
    let binding = Binding {
        endpoint: Endpoint { host: host.to_owned(), port: toy.address.port() },
        addresses: Arc::new(policy),
        limits: Limits { dial: Duration::from_millis(500), ..Limits::default() },
        ..binding("addresses", toy)
    };
    let server = load(&sandbox(), Behaviour::Honest).await.bind(binding).unwrap();
    server.lane(Lane::Work, TURN).await.unwrap().ping().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_flag_names_is_refused_and_never_dialled() {
    let toy = Toy::start(Offer::default()).await;
    for (host, reason) in [
        ("127.0.0.1", "loopback"),
        ("localhost", "loopback"),
        ("127.8.8.8", "loopback"),
        // The resolver takes these for 127.0.0.1.
        ("127.1", "loopback"),
        ("2130706433", "loopback"),
        ("0x7f000001", "loopback"),
        ("::1", "loopback"),
        ("[::1]", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("169.254.169.254", "metadata"),
        ("::ffff:169.254.169.254", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("169.254.0.1", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
    ] {
        let error = login(&toy, host, &[]).await.unwrap_err();
        assert_eq!(error.class(), CallClass::Refused, "{host}: {error:?}");
        let CallError::Unreachable { failure: NetFailure::Refused(text), answer } = &error else {
            panic!("{host}: {error:?}")
        };
        assert!(text.contains(reason), "{host}: {text}");
        // The guest learns the rule and no address.
        let words = format!("{} {}", answer.message, answer.detail);
        assert!(!words.contains(host), "{host}: {words}");
    }
    assert_eq!(toy.seen.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_flag_names_is_dialled_by_address_and_by_name() {
    let toy = Toy::start(Offer::default()).await;
    for host in ["127.0.0.1", "localhost", "127.1"] {
        login(&toy, host, &["127.0.0.0/8"]).await.unwrap();
    }
    assert_eq!(toy.seen.plain_logins(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_exception_is_no_other() {
    let toy = Toy::start(Offer::default()).await;
    for (host, allowed) in [
        ("127.0.0.1", "127.0.0.2/32"),
        ("127.0.0.1", "::1/128"),
        ("169.254.169.254", "127.0.0.0/8"),
        ("169.254.169.254", "10.0.0.0/8"),
    ] {
        let error = login(&toy, host, &[allowed]).await.unwrap_err();
        assert_eq!(error.class(), CallClass::Refused, "{host} with {allowed}: {error:?}");
    }
    assert_eq!(toy.seen.accepted(), 0);
}
