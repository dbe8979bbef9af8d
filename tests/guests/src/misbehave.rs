//! What a guest does in a call. One that only tries whether the host lets it answers `true` where it was refused as
//! it should be, and an error that says what it got away with otherwise.

use std::hint::black_box;

use dbprovision_sdk::bindings::dbprovision::adapter::net::{self, Connection};
use dbprovision_sdk::bindings::dbprovision::adapter::{progress, random, secrets};
use dbprovision_sdk::log::{self, Level};
use dbprovision_sdk::{Error, ErrorKind, NetError, OptionProblem, Result, SecretError};

use crate::toy::Session;
use crate::{Behaviour, leak};

const HOUR_MS: u32 = 3_600_000;

/// The most bytes that one read answers with.
const MOST_READ: usize = 64 << 10;

pub(crate) fn misbehave(session: &mut Session) -> Result<bool> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others misbehave elsewhere, or not at all")]
    match Behaviour::chosen() {
        Behaviour::Loops | Behaviour::LoopsUntilItsCallerLeaves => loop_for_ever(),
        Behaviour::ParksForHours | Behaviour::ParksUntilItsCallerLeaves => park(&dial()?),
        Behaviour::ReadsFromSilence => return Ok(dial()?.read(u32::MAX, u32::MAX)?.is_empty()),
        Behaviour::Recurses => return Ok(recurse(0) == 0),
        Behaviour::GrowsAtOnce => return Ok(black_box(vec![1_u8; 64 << 20]).is_empty()),
        Behaviour::GrowsInSteps => grow_in_steps(),
        Behaviour::HoardsConnections => return hoard_connections(),
        Behaviour::HoardsSecrets => hoard_secrets()?,
        Behaviour::AnswersAtLength => return Err(Error::conflict("x".repeat(10 << 20))),
        Behaviour::WritesTheMost => return write_the_most(session),
        Behaviour::WritesTooMuch => return refused("a long write", session.connection().write(&vec![b'x'; 2 << 20])),
        Behaviour::WritesFarTooMuch => session.connection().write(&vec![b'x'; 8 << 20])?,
        Behaviour::AsksForTooMuchRandomness => return Ok(random::bytes(u32::MAX).is_empty()),
        Behaviour::FloodsTheLog => flood_the_log(),
        Behaviour::FloodsProgress => flood_progress(7),
        Behaviour::FloodsTheEnd => flood_progress(100),
        Behaviour::FloodsTheLogWithLongLines => flood_the_log_with_long_lines(),
        Behaviour::AsksForTheMost => return ask_for_the_most(),
        Behaviour::TrapsInTheMiddle => {
            dial()?.write(b"a request without an e")?;
            session.connection().write(b"another request without an e")?;
            std::process::abort();
        }
        #[expect(clippy::panic, reason = "it is what this guest does")]
        Behaviour::Panics => panic!("{}", leak::sentence(&session.password)),
        Behaviour::Traps => std::process::abort(),
        Behaviour::ClosesItsSession => session.connection().close(),
        Behaviour::DialsAnotherRole => return dial_another_role(),
        Behaviour::OpensManySessions => return open_many_sessions(),
        Behaviour::RevealsBeforeTls => return reveal_before_tls(),
        Behaviour::TalksBeforeTls => return talk_before_tls(),
        Behaviour::EncryptsTwice => return refused("TLS within TLS", session.connection().start_tls()),
        Behaviour::LeaksInAnError => return Err(leak_in_an_error(&session.password)),
        Behaviour::LeaksInTheLog => {
            for level in [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error] {
                log::write(level, &leak::sentence(&session.password));
            }
        }
        Behaviour::LeaksInProgress => {
            progress::report(&progress::Status { percent: Some(250), phase: leak::sentence(&session.password) });
        }
        _ => {}
    }
    Ok(true)
}

pub(crate) fn loop_for_ever() {
    while black_box(true) {}
}

pub(crate) fn grow_in_steps() {
    let mut held = Vec::new();
    while black_box(true) {
        held.push(vec![1_u8; 1 << 20]);
        black_box(&held);
    }
}

/// Waits for a server that has nothing to say.
pub(crate) fn park(connection: &Connection) {
    while black_box(true) {
        // The host's timeout is no reason to stop.
        _ = connection.wait_readable(HOUR_MS);
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    let below = if black_box(true) { recurse(depth.wrapping_add(1)) } else { 0 };
    black_box(here).iter().fold(below, |sum, number| sum.wrapping_add(*number))
}

fn dial() -> Result<Connection> {
    Ok(net::connect("primary")?)
}

fn credentials() -> Result<secrets::Credentials> {
    secrets::instance_credentials().map_err(|error| Error::dependency_missing(format!("{error:?}")))
}

/// Handles of closed connections are handles.
fn hoard_connections() -> Result<bool> {
    let mut held = Vec::new();
    loop {
        match net::connect("primary") {
            Ok(connection) => {
                connection.close();
                held.push(connection);
            }
            other => {
                // The host forgets the call, and not what this guest keeps for ever.
                std::mem::forget(held);
                return refused("one more connection", other);
            }
        }
    }
}

fn hoard_secrets() -> Result<()> {
    let mut held = Vec::new();
    while black_box(true) {
        held.push(credentials()?);
    }
    Ok(())
}

fn refused<T>(what: &str, outcome: std::result::Result<T, NetError>) -> Result<bool> {
    match outcome {
        Err(NetError::Denied(_)) => Ok(true),
        Err(other) => Err(Error::conflict(format!("{what} failed otherwise: {other:?}"))),
        Ok(_) => Err(Error::conflict(format!("{what} was allowed"))),
    }
}

/// One call carries a mebibyte, the end of the line included.
fn write_the_most(session: &mut Session) -> Result<bool> {
    let line = vec![b'x'; (1 << 20) - 1];
    Ok(session.ask(&line)? == format!("LINE {}", line.len()))
}

fn flood_the_log() {
    log::write(Level::Info, &"long ".repeat(100_000));
    for number in 0..5000 {
        log::write(Level::Info, &format!("flood {number}"));
    }
}

fn flood_the_log_with_long_lines() {
    let line = "long ".repeat(2000);
    for _ in 0..400 {
        log::write(Level::Info, &line);
    }
}

fn flood_progress(percent: u8) {
    for number in 0..5000 {
        progress::report(&progress::Status { percent: Some(percent), phase: format!("step {number}") });
    }
}

fn ask_for_the_most() -> Result<bool> {
    let connection = dial()?;
    if connection.try_read(u32::MAX)?.is_some() {
        return Err(Error::conflict("a silent server said something"));
    }
    connection.write(b"FLOOD\n")?;
    let mut total = 0_usize;
    while total < 1 << 20 {
        connection.wait_readable(u32::MAX)?;
        let bytes = match connection.try_read(u32::MAX)? {
            Some(bytes) => bytes,
            None => connection.read(u32::MAX, u32::MAX)?,
        };
        if bytes.is_empty() || bytes.len() > MOST_READ {
            return Err(Error::conflict(format!("one read gave {} bytes", bytes.len())));
        }
        total = total.saturating_add(bytes.len());
    }
    Ok(total == 1 << 20)
}

fn dial_another_role() -> Result<bool> {
    let long = "primary".repeat(10_000);
    for role in ["replica", "", "Primary", "primary ", "primary\0", "127.0.0.1:5432", "localhost", "../primary", &long]
    {
        refused("another role", net::connect(role))?;
    }
    Ok(true)
}

fn open_many_sessions() -> Result<bool> {
    let _second = dial()?;
    for _ in 0..10 {
        match net::connect("primary") {
            Err(NetError::Exhausted) => {}
            Err(other) => return Err(Error::conflict(format!("a third session failed otherwise: {other:?}"))),
            Ok(_) => return Err(Error::conflict("a third session was opened")),
        }
    }
    Ok(true)
}

fn reveal_before_tls() -> Result<bool> {
    let found = credentials()?;
    let plain = dial()?;
    let insecure =
        |connection: &Connection| matches!(found.password.reveal(connection), Err(SecretError::InsecureConnection));
    if !insecure(&plain) {
        return Err(Error::conflict("the password was revealed on a plain stream"));
    }
    plain.write(b"TLS?\n")?;
    if plain.read(1, HOUR_MS)? != b"S" || !insecure(&plain) {
        return Err(Error::conflict("the password was revealed before the handshake"));
    }
    plain.close();
    if !insecure(&plain) {
        return Err(Error::conflict("the password was revealed on a closed stream"));
    }
    Ok(true)
}

fn talk_before_tls() -> Result<bool> {
    let plain = dial()?;
    for _ in 0..6 {
        plain.write(b"TALK-10by\n")?;
    }
    refused("a seventh line", plain.write(b"TALK-10by\n"))?;
    match plain.write(b"!") {
        Err(NetError::Closed | NetError::Denied(_)) => Ok(true),
        other => Err(Error::conflict(format!("after a refusal the stream goes on: {other:?}"))),
    }
}

fn leak_in_an_error(secret: &[u8]) -> Error {
    let sentence = leak::sentence(secret);
    let problem = OptionProblem { path: sentence.clone(), problem: sentence.clone() };
    Error::new(ErrorKind::InvalidOptions(vec![problem]), sentence.clone(), sentence)
}
