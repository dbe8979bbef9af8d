//! From an open stream to a logged-in session: greeting, encryption, authentication.
//!
//! Source: MySQL internals, "Connection Phase".

use std::collections::HashMap;
use std::rc::Rc;

use dbprovision_sdk::{Deadline, Error, ErrorKind, NetError, Result, Wire};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;

use super::authentication::{self, Method};
use super::packets::Packets;
use super::session::Session;
use super::{Account, Attempt, Limits, Purpose, rows};
use crate::errors::{self, ServerAnswer};

/// Without these nothing here can be said.
const NEEDED: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH);

/// Asked for where the server has it. Several statements in one command are not among them: what is one statement
/// here is one statement there; only a user's script may have several in one text. Nor are files of this side, nor
/// compression.
const WANTED: CapabilityFlags = NEEDED
    .union(CapabilityFlags::CLIENT_LONG_PASSWORD)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// `utf8mb4_general_ci`, which every server has; the session then chooses for itself.
const COLLATION: u8 = 45;
const LARGEST_PACKET: u32 = 16 * 1024 * 1024;

/// How a session did not come about.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server's own words.
    Answer(ServerAnswer),
    /// The TLS handshake failed.
    Handshake(NetError),
    /// The server has no TLS.
    NoTls,
    Other(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Answer(answer) => errors::of_login(&answer),
            Self::Handshake(error) => error.into(),
            Self::NoTls => super::no_tls(),
            Self::Other(error) => error,
        }
    }
}

/// What the server says first.
struct Greeting {
    version: String,
    capabilities: CapabilityFlags,
    nonce: Vec<u8>,
    plugin: Option<AuthPlugin<'static>>,
}

/// Logs in.
pub(super) fn begin(
    wire: Rc<dyn Wire>,
    attempt: Attempt,
    limits: &Limits,
    who: Account<'_>,
    database: Option<&str>,
    purpose: Purpose,
    deadline: Deadline,
) -> std::result::Result<Session, Failure> {
    let mut packets = Packets::new(wire);
    let greeting = greet(&mut packets, deadline)?;
    let mut capabilities = greeting.capabilities & wanted(purpose);
    if database.is_some() {
        capabilities |= CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    }
    let offers = greeting.capabilities.contains(CapabilityFlags::CLIENT_SSL);
    let encrypted = match attempt {
        Attempt::Plain => false,
        Attempt::Encrypted { or_plain: false } if !offers => return Err(Failure::NoTls),
        Attempt::Encrypted { .. } => offers,
    };
    if encrypted {
        capabilities |= CapabilityFlags::CLIENT_SSL;
        let request = SslRequest::new(capabilities, LARGEST_PACKET, COLLATION);
        send(&mut packets, &request, deadline).map_err(Failure::Other)?;
        packets.wire().start_tls().map_err(Failure::Handshake)?;
    }
    packets.read_ahead();
    let password = who.password.reveal(packets.wire()).map_err(Failure::Other)?;
    let mut login = authentication::Login { password: &password, encrypted };
    let supported = greeting.plugin.as_ref().and_then(|plugin| Method::of(plugin, greeting.nonce.clone()).ok());
    // A server that greets with a method of its own (the socket's, say) switches to the account's afterwards.
    let mut method = supported.unwrap_or_else(|| Method::native(greeting.nonce.clone()));
    let first = method.first(&login).map_err(Failure::Other)?;
    let attributes = HashMap::from([("program_name".to_owned(), "db-provision-operator".to_owned())]);
    let response = HandshakeResponse::new(
        Some(first),
        (8, 0, 0),
        Some(who.name.as_bytes().to_vec()),
        database.map(|name| name.as_bytes().to_vec()),
        Some(method.plugin()),
        capabilities,
        capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS).then_some(attributes),
        LARGEST_PACKET,
    );
    send(&mut packets, &response, deadline).map_err(Failure::Other)?;
    authentication::conclude(&mut packets, &mut login, method, capabilities, deadline)?;
    Ok(Session::new(packets, capabilities, limits, encrypted, &greeting.version))
}

/// What is asked for in a session of this purpose.
pub(super) fn wanted(purpose: Purpose) -> CapabilityFlags {
    match purpose {
        Purpose::Script => WANTED.union(CapabilityFlags::CLIENT_MULTI_STATEMENTS),
        Purpose::Administration | Purpose::Probe => WANTED,
    }
}

fn send(packets: &mut Packets, packet: &impl MySerialize, deadline: Deadline) -> Result<()> {
    let mut payload = Vec::new();
    packet.serialize(&mut payload);
    packets.write(&payload, deadline)
}

fn greet(packets: &mut Packets, deadline: Deadline) -> std::result::Result<Greeting, Failure> {
    let payload = packets.read(deadline).map_err(Failure::Other)?;
    if payload.first() == Some(&0xff) {
        // No connection is free, or this host is blocked.
        let answer = rows::failed(&payload, CapabilityFlags::empty()).map_err(Failure::Other)?;
        return Err(Failure::Answer(answer));
    }
    let strange =
        |what: &str| Failure::Other(Error::protocol("the server does not answer like MySQL or MariaDB", what));
    if payload.first() != Some(&10) {
        return Err(strange("the greeting is of another protocol version"));
    }
    let packet: HandshakePacket<'_> =
        ParseBuf(&payload).parse(()).map_err(|_broken| strange("the greeting cannot be read"))?;
    if !packet.capabilities().contains(NEEDED) {
        return Err(Failure::Other(Error::new(
            ErrorKind::Unsupported,
            "the server speaks a protocol that is older than the oldest version that is served",
            "it lacks capabilities",
        )));
    }
    Ok(Greeting {
        version: packet.server_version_str().into_owned(),
        capabilities: packet.capabilities(),
        nonce: packet.nonce(),
        plugin: packet.auth_plugin().map(AuthPlugin::into_owned),
    })
}
