//! Every TLS mode against every kind of server, by real handshakes of an honest guest.
//!
//! What is expected is libpq's behaviour, as the PostgreSQL manual has it in chapter "SSL Support" (the section
//! "Protection Provided in Different Modes" with its table of `sslmode`, and the note there that `require` behaves like
//! `verify-ca` where a root certificate is given), and in chapter "Database Connection Control Functions" under
//! `sslmode` for the order of tries in `allow` and `prefer`. One thing differs on purpose, and is stated where the
//! modes are: in `allow` and `prefer` a certificate is never checked, because failing the check would only lead to a
//! plain stream.

use std::fmt::Write as _;
use std::sync::Arc;

use hostile_guests::Behaviour;
use sandbox::contract::TlsMode;
use sandbox::{
    Adapter, Binding, CallClass, CallError, Endpoint, Lane, NetFailure, SecretValue, TlsFailure, TlsSettings,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::certificates::{Algorithm, Authority, Identity};
use crate::toy::{Offer, PASSWORD, Toy};
use crate::trial::{TURN, binding, load, sandbox};

/// In the order of the letters of [`Scenario::expected`].
const MODES: [TlsMode; 6] =
    [TlsMode::Disable, TlsMode::Allow, TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull];

/// One server, and what a client of it is given.
struct Scenario {
    what: &'static str,
    offer: Offer,
    /// The client's authorities.
    authorities: Option<String>,
    client: Option<Identity>,
    /// A letter for each mode: `p` it logs in on a plain stream, `e` on an encrypted one, `n` the server has no TLS,
    /// `s` the server insists on TLS, `x` the handshake fails.
    expected: &'static str,
    /// Why handshakes fail, where they do.
    because: fn(&TlsFailure) -> bool,
}

fn scenarios(algorithm: Algorithm) -> Vec<Scenario> {
    let ours = Authority::new(algorithm, "our authority");
    let theirs = Authority::new(algorithm, "another authority");
    let renewed = Authority::new(algorithm, "our authority");
    let good = ours.identity("localhost");
    let elsewhere = ours.identity("elsewhere.example");
    let foreign = theirs.identity("localhost");
    let newer = renewed.identity("localhost");
    let expired = ours.expired("localhost");
    let alone = Identity::self_signed(algorithm, "localhost");
    let by_hand = Identity::by_hand(algorithm, "localhost");
    let client = ours.client("operator");
    let foreign_client = theirs.client("operator");
    let open = |identity: &Identity| Offer { tls: Some(identity.acceptor(None)), tls_only: false };
    let only = |identity: &Identity| Offer { tls_only: true, ..open(identity) };
    let trusted = Some(ours.pem());
    let scenario = |what, offer, authorities: &Option<String>, expected| Scenario {
        what,
        offer,
        authorities: authorities.clone(),
        client: None,
        expected,
        because: |_| false,
    };
    let wants = |identity: &Identity, version| Offer {
        tls: Some(identity.acceptor_of(Some(&ours), &[version])),
        tls_only: true,
    };
    let mut all = vec![
        scenario("no TLS", Offer::default(), &trusted, "pppnnn"),
        scenario("no TLS, no authority given", Offer::default(), &None, "pppnnn"),
        scenario("a good certificate", open(&good), &trusted, "ppeeee"),
        scenario("a good certificate, TLS demanded", only(&good), &trusted, "seeeee"),
        Scenario {
            because: |failure| {
                matches!(failure, TlsFailure::WrongName { expected, presented }
                    if expected == "localhost" && presented == &["elsewhere.example"])
            },
            ..scenario("another name", open(&elsewhere), &trusted, "ppeeex")
        },
        Scenario {
            because: |failure| matches!(failure, TlsFailure::UnknownAuthority { .. }),
            ..scenario("another authority", open(&foreign), &trusted, "ppexxx")
        },
        Scenario {
            because: |failure| matches!(failure, TlsFailure::UnknownAuthority { .. }),
            ..scenario("another authority, TLS demanded", only(&foreign), &trusted, "seexxx")
        },
        Scenario {
            because: |failure| matches!(failure, TlsFailure::UnknownAuthority { .. }),
            ..scenario("a good certificate, no authority given", open(&good), &None, "ppeexx")
        },
        Scenario {
            because: |failure| matches!(failure, TlsFailure::UnknownAuthority { .. } | TlsFailure::Certificate(_)),
            ..scenario("an authority of the same name with another key", open(&newer), &trusted, "ppexxx")
        },
        Scenario {
            because: |failure| matches!(failure, TlsFailure::Expired(_)),
            ..scenario("expired", open(&expired), &trusted, "ppexxx")
        },
        scenario("self-signed and given", open(&alone), &Some(alone.certificate.clone()), "ppeeee"),
        Scenario {
            because: |failure| matches!(failure, TlsFailure::SelfSigned { .. }),
            ..scenario("self-signed, another authority given", open(&alone), &trusted, "ppexxx")
        },
        Scenario {
            because: |failure| matches!(failure, TlsFailure::SelfSigned { .. }),
            ..scenario("self-signed, no authority given", open(&alone), &None, "ppeexx")
        },
        scenario("a self-signed authority and given", open(&by_hand), &Some(by_hand.certificate.clone()), "ppeeee"),
        Scenario {
            because: |failure| matches!(failure, TlsFailure::SelfSigned { .. }),
            ..scenario("a self-signed authority, another one given", open(&by_hand), &trusted, "ppexxx")
        },
    ];
    for (version, name) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let offer = wants(&good, version);
        let what = |rest: &str| -> &'static str { format!("TLS {name}, {rest}").leak() };
        all.push(Scenario {
            client: Some(client.clone()),
            ..scenario(what("a client certificate is demanded and given"), offer.clone(), &trusted, "seeeee")
        });
        for (rest, client) in [
            ("a client certificate is demanded and not given", None),
            ("a client certificate of another authority", Some(foreign_client.clone())),
        ] {
            all.push(Scenario {
                client,
                because: |failure| matches!(failure, TlsFailure::ClientCertificate(_)),
                // In `prefer` the second try is plain, which this server does not want.
                ..scenario(what(rest), offer.clone(), &trusted, "sxsxxx")
            });
        }
    }
    all
}

/// One mode of one scenario: a letter as in [`Scenario::expected`], or what else happened.
async fn outcome(adapter: &Adapter, scenario: &Scenario, mode: TlsMode) -> Result<char, String> {
    let toy = Toy::start(scenario.offer.clone()).await;
    let tls = TlsSettings {
        authorities: scenario.authorities.clone().map(String::into_bytes),
        client: scenario.client.clone().map(|client| (client.certificate.into_bytes(), SecretValue::new(client.key))),
        ..TlsSettings::of(mode)
    };
    let is_required = tls.is_required();
    // Where the system has no authorities either, the instance is refused before anything is dialled.
    let Ok(server) = adapter.bind(Binding { tls, ..binding("modes", &toy) }) else { return Ok('x') };
    let answer = server.lane(Lane::Work, TURN).await.unwrap().server().await;
    let plain = toy.seen.plain();
    if is_required && plain.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()) {
        return Err("the password was sent in plain text".to_owned());
    }
    match answer {
        Ok(_) => match (toy.seen.plain_logins(), toy.seen.encrypted_logins()) {
            (1, 0) => Ok('p'),
            (0, 1) => Ok('e'),
            other => Err(format!("{other:?} logins")),
        },
        Err(error) => {
            if toy.seen.plain_logins() + toy.seen.encrypted_logins() > 0 {
                return Err(format!("it logged in, and then: {error}"));
            }
            let class = error.class();
            #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it is, it is wrong")]
            match error {
                CallError::Unreachable { failure: NetFailure::Tls(failure), answer: _ }
                    if (scenario.because)(&failure) && class == CallClass::Refused =>
                {
                    Ok('x')
                }
                CallError::Adapter(error) if error.message == "the server has no TLS" => Ok('n'),
                CallError::Adapter(error) if error.message == "the server wants TLS" => Ok('s'),
                other => Err(format!("{other:?}")),
            }
        }
    }
}

async fn assert_modes(algorithm: Algorithm) {
    let adapter = Arc::new(load(&sandbox(), Behaviour::Honest).await);
    let mut wrong = String::new();
    for scenario in scenarios(algorithm) {
        for (mode, expected) in MODES.into_iter().zip(scenario.expected.chars()) {
            let found = outcome(&adapter, &scenario, mode).await;
            if found != Ok(expected) {
                writeln!(wrong, "{}, {mode:?}: {found:?} instead of {expected}", scenario.what).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{algorithm:?}:\n{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_means_what_libpq_means_by_it_with_ecdsa() {
    assert_modes(Algorithm::Ecdsa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_means_what_libpq_means_by_it_with_rsa() {
    assert_modes(Algorithm::Rsa).await;
}

/// The port of a server that agrees to encrypt, and says something more before it does.
async fn injecting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_exact(&mut [0; 5]).await.unwrap();
            stream.write_all(b"SOK the-toy\n").await.unwrap();
            drop(stream.read_to_end(&mut Vec::new()).await);
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_before_the_handshake_are_told_as_what_they_are() {
    let (toy, port) = (Toy::start(Offer::default()).await, injecting().await);
    let adapter = load(&sandbox(), Behaviour::Honest).await;
    for mode in [TlsMode::Prefer, TlsMode::Require] {
        let endpoint = Endpoint { host: "localhost".to_owned(), port };
        let binding = Binding { endpoint, tls: TlsSettings::of(mode), ..binding("injected", &toy) };
        let server = adapter.bind(binding).unwrap();
        let error = server.lane(Lane::Work, TURN).await.unwrap().ping().await.unwrap_err();
        let CallError::Unreachable { failure, answer } = &error else { panic!("{mode:?}: {error:?}") };
        assert_eq!(*failure, NetFailure::Tls(TlsFailure::Injected), "{mode:?}");
        assert_eq!(error.class(), CallClass::Refused);
        assert_eq!(answer.message, failure.to_string(), "{mode:?}");
        assert_eq!(server.counters().reveals, 0, "{mode:?}");
    }
}
