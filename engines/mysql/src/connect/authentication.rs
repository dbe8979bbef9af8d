//! Proving who logs in, by the method that the server asks for.
//!
//! Methods that send the password itself are used on an encrypted stream only; without one it goes out encrypted
//! with the server's key. What would hand it over in the clear (`mysql_clear_password`, `dialog`) or in a form that
//! was broken long ago (`mysql_old_password`) is refused by name.

use dbprovision_sdk::{Deadline, Error, ErrorKind, Result};
use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::client_ed25519::ClientEd25519;
use mysql_common::auth::plugins::parsec::Parsec;
use mysql_common::auth::plugins::{ChallengeResponsePlugin, Context, Response};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest};
use sha1::{Digest as _, Sha1};

use super::handshake::Failure;
use super::packets::Packets;
use super::{rows, rsa};

/// More rounds than any method has.
const ROUNDS: usize = 8;

const FAST_SUCCESS: u8 = 3;
const FULL_WANTED: u8 = 4;
const SHA2_KEY_REQUEST: u8 = 2;
const SHA256_KEY_REQUEST: u8 = 1;

/// The password, and whether the stream hides it.
pub(super) struct Login<'known> {
    pub(super) password: &'known [u8],
    pub(super) encrypted: bool,
}

/// A method in progress.
pub(super) struct Method {
    nonce: Vec<u8>,
    kind: Kind,
}

enum Kind {
    Native,
    CachingSha2,
    Sha256,
    /// MariaDB's methods, which sign the server's challenge.
    Ed25519(ClientEd25519),
    Parsec(Parsec),
}

impl Method {
    /// The method of this name, where it is one that is spoken here.
    pub(super) fn of(plugin: &AuthPlugin<'_>, nonce: Vec<u8>) -> Result<Self> {
        let kind = match plugin {
            AuthPlugin::MysqlNativePassword => Kind::Native,
            AuthPlugin::CachingSha2Password => Kind::CachingSha2,
            AuthPlugin::Sha256Password => Kind::Sha256,
            AuthPlugin::Ed25519 => Kind::Ed25519(ClientEd25519::default()),
            AuthPlugin::Parsec => Kind::Parsec(Parsec::default()),
            AuthPlugin::MysqlClearPassword | AuthPlugin::MysqlOldPassword | AuthPlugin::Other(_) => {
                return Err(refused(plugin));
            }
        };
        Ok(Self { nonce, kind })
    }

    pub(super) fn native(nonce: Vec<u8>) -> Self {
        Self { nonce, kind: Kind::Native }
    }

    pub(super) fn plugin(&self) -> AuthPlugin<'static> {
        match &self.kind {
            Kind::Native => AuthPlugin::MysqlNativePassword,
            Kind::CachingSha2 => AuthPlugin::CachingSha2Password,
            Kind::Sha256 => AuthPlugin::Sha256Password,
            Kind::Ed25519(_) => AuthPlugin::Ed25519,
            Kind::Parsec(_) => AuthPlugin::Parsec,
        }
    }

    /// What is sent first.
    pub(super) fn first(&mut self, login: &Login<'_>) -> Result<Vec<u8>> {
        match &mut self.kind {
            Kind::Native | Kind::CachingSha2 if login.password.is_empty() => Ok(Vec::new()),
            Kind::Sha256 if login.password.is_empty() => Ok(vec![0]),
            Kind::Native => Ok(native(login.password, &self.nonce)),
            Kind::CachingSha2 => {
                let nonce = self.nonce.as_slice().try_into().map_err(|_length| rows::malformed())?;
                Ok(scramble_sha256(nonce, login.password).map(Vec::from).unwrap_or_default())
            }
            Kind::Sha256 if login.encrypted => Ok(ended(login.password)),
            Kind::Sha256 => Ok(vec![SHA256_KEY_REQUEST]),
            Kind::Ed25519(signing) => sign(signing, login, &self.nonce),
            Kind::Parsec(signing) => sign(signing, login, &self.nonce),
        }
    }

    /// What is sent after more data of the server; nothing where only its verdict is waited for.
    fn then(&mut self, login: &Login<'_>, data: &[u8]) -> Result<Option<Vec<u8>>> {
        match (&mut self.kind, data) {
            (Kind::CachingSha2, [FAST_SUCCESS]) => Ok(None),
            (Kind::CachingSha2, [FULL_WANTED]) if login.encrypted => Ok(Some(ended(login.password))),
            (Kind::CachingSha2, [FULL_WANTED]) => Ok(Some(vec![SHA2_KEY_REQUEST])),
            (Kind::CachingSha2 | Kind::Sha256, key) if key.starts_with(b"-----BEGIN") && !login.encrypted => {
                rsa::encrypt_password(login.password, &self.nonce, key).map(Some)
            }
            (Kind::Parsec(signing), challenge) => sign(signing, login, challenge).map(Some),
            (Kind::Native | Kind::CachingSha2 | Kind::Sha256 | Kind::Ed25519(_), _) => {
                Err(Error::protocol("the login was given up: the server's challenge is not understood", ""))
            }
        }
    }
}

/// Answers the server until it says yes or no.
pub(super) fn conclude(
    packets: &mut Packets,
    login: &mut Login<'_>,
    mut method: Method,
    capabilities: CapabilityFlags,
    deadline: Deadline,
) -> std::result::Result<(), Failure> {
    for _ in 0..ROUNDS {
        let payload = packets.read(deadline).map_err(Failure::Other)?;
        let answer = match payload.split_first() {
            Some((0x00, _)) => return Ok(()),
            Some((0xff, _)) => {
                return Err(Failure::Answer(rows::failed(&payload, capabilities).map_err(Failure::Other)?));
            }
            Some((0xfe, [])) => return Err(Failure::Other(refused(&AuthPlugin::MysqlOldPassword))),
            Some((0xfe, _)) => {
                let switch: AuthSwitchRequest<'_> =
                    ParseBuf(&payload).parse(()).map_err(|_broken| Failure::Other(rows::malformed()))?;
                method = Method::of(&switch.auth_plugin(), switch.plugin_data().to_vec()).map_err(Failure::Other)?;
                Some(method.first(login).map_err(Failure::Other)?)
            }
            // The server puts a one before what could be taken for a verdict.
            Some((0x01, data)) => method.then(login, data).map_err(Failure::Other)?,
            Some(_) => method.then(login, &payload).map_err(Failure::Other)?,
            None => return Err(Failure::Other(rows::malformed())),
        };
        if let Some(answer) = answer {
            packets.write(&answer, deadline).map_err(Failure::Other)?;
        }
    }
    Err(Failure::Other(Error::protocol("the login was given up: the server asks without end", "")))
}

fn refused(plugin: &AuthPlugin<'_>) -> Error {
    let name = String::from_utf8_lossy(plugin.as_bytes()).into_owned();
    // A name comes from the other side: nothing but a name may reach a message.
    let shown: String = name.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '_').take(64).collect();
    Error::new(
        ErrorKind::PermissionDenied,
        format!("the login was given up: the server asks for the method {shown}, which is not used here"),
        "no password was sent",
    )
}

/// `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`.
fn native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password);
    let mask = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
    once.iter().zip(mask).map(|(one, mask)| one ^ mask).collect()
}

fn ended(password: &[u8]) -> Vec<u8> {
    password.iter().copied().chain(std::iter::once(0)).collect()
}

fn sign(signing: &mut impl ChallengeResponsePlugin, login: &Login<'_>, challenge: &[u8]) -> Result<Vec<u8>> {
    match signing.run(Password(login.password), challenge) {
        Ok(Response::Next { packet } | Response::Last { packet }) => Ok(packet.unwrap_or_default()),
        Err(_) => Err(Error::protocol("the login was given up: the server's challenge is not understood", "")),
    }
}

/// What the signing methods ask for: the password, and nothing of the stream.
pub(crate) struct Password<'known>(pub(crate) &'known [u8]);

impl Context for Password<'_> {
    fn pass(&self) -> &[u8] {
        self.0
    }

    fn is_ipc_transport(&self) -> bool {
        false
    }

    fn is_tls_transport(&self) -> bool {
        false
    }

    fn scramble(&self) -> &[u8] {
        &[]
    }

    fn server_key_pem(&self) -> Option<&[u8]> {
        None
    }
}
