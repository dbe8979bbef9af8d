//! What the server answers to a statement, in the text protocol: nothing, rows, or an error.
//!
//! Source: MySQL internals, "Text Protocol: Query Response". A request for a local file is an answer too; it is
//! refused by ending the session, because it was never offered.

use dbprovision_sdk::{Error, Result};
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{CommonOkPacket, ErrPacket, OkPacketDeserializer, OldEofPacket, ResultSetTerminator};

use crate::errors::ServerAnswer;

/// A row: every column is text, or absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(super) Vec<Option<String>>);

impl Row {
    /// The value of a column that is always there.
    pub(crate) fn get(&self, column: usize) -> Result<String> {
        self.text(column)?.ok_or_else(|| unexpected("a value is absent"))
    }

    /// A value that may be absent.
    pub(crate) fn text(&self, column: usize) -> Result<Option<String>> {
        self.0.get(column).cloned().ok_or_else(|| unexpected("a column is missing"))
    }

    /// How many columns it has.
    pub(crate) fn columns(&self) -> usize {
        self.0.len()
    }

    /// A number.
    pub(crate) fn number(&self, column: usize) -> Result<u64> {
        self.get(column)?.parse().map_err(|_unparsable| unexpected("a value is no number"))
    }

    /// `Y`, `1` or their opposites.
    pub(crate) fn flag(&self, column: usize) -> Result<bool> {
        Ok(matches!(self.get(column)?.as_str(), "Y" | "YES" | "1" | "ON"))
    }
}

fn unexpected(what: &str) -> Error {
    Error::protocol("the server's catalogue is not as expected", what)
}

/// How an answer begins.
#[derive(Debug, PartialEq)]
pub(super) enum Beginning {
    /// The statement is done; whether another answer follows.
    Done {
        more: bool,
    },
    /// This many columns follow, then rows.
    Columns(u64),
    Failed(ServerAnswer),
    /// The server wants a file of this side.
    WantsFile,
}

/// What follows the columns.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Row(Row),
    /// The rows end; whether another answer follows.
    End {
        more: bool,
    },
    Failed(ServerAnswer),
}

/// Reads the first frame of an answer.
pub(super) fn beginning(payload: &[u8], capabilities: CapabilityFlags) -> Result<Beginning> {
    match payload.first() {
        None => Err(malformed()),
        Some(0x00) => ok::<CommonOkPacket>(payload, capabilities).map(|more| Beginning::Done { more }),
        Some(0xfb) => Ok(Beginning::WantsFile),
        Some(0xff) => failed(payload, capabilities).map(Beginning::Failed),
        Some(_) => {
            let mut buffer = ParseBuf(payload);
            buffer.checked_eat_lenenc_int().map(Beginning::Columns).ok_or_else(malformed)
        }
    }
}

/// Reads a frame behind the columns.
pub(super) fn next(payload: &[u8], columns: u64, capabilities: CapabilityFlags) -> Result<Next> {
    match payload.first() {
        Some(0xff) => failed(payload, capabilities).map(Next::Failed),
        Some(0xfe) if is_end(payload) => end(payload, capabilities).map(|more| Next::End { more }),
        _ => row(payload, columns).map(Next::Row),
    }
}

/// A short frame with this header ends columns or rows; a longer one is a row with a very long value.
pub(super) fn is_end(payload: &[u8]) -> bool {
    payload.first() == Some(&0xfe) && payload.len() < 0x00ff_ffff
}

fn end(payload: &[u8], capabilities: CapabilityFlags) -> Result<bool> {
    if capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
        ok::<ResultSetTerminator>(payload, capabilities)
    } else {
        ok::<OldEofPacket>(payload, capabilities)
    }
}

fn ok<T: mysql_common::packets::OkPacketKind>(payload: &[u8], capabilities: CapabilityFlags) -> Result<bool> {
    let parsed: OkPacketDeserializer<'_, T> = ParseBuf(payload).parse(capabilities).map_err(|_broken| malformed())?;
    Ok(parsed.into_inner().status_flags().contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS))
}

/// Reads an error.
pub(super) fn failed(payload: &[u8], capabilities: CapabilityFlags) -> Result<ServerAnswer> {
    // Before the capabilities are settled an error has no SQLSTATE, which the marker tells.
    let with_state = payload.get(3) == Some(&b'#');
    let capabilities =
        if with_state { capabilities | CapabilityFlags::CLIENT_PROTOCOL_41 } else { CapabilityFlags::empty() };
    match ParseBuf(payload).parse::<ErrPacket<'_>>(capabilities).map_err(|_broken| malformed())? {
        ErrPacket::Error(error) => {
            Ok(ServerAnswer { code: error.error_code(), message: error.message_str().into_owned() })
        }
        ErrPacket::Progress(_) => Err(malformed()),
    }
}

fn row(payload: &[u8], columns: u64) -> Result<Row> {
    let mut buffer = ParseBuf(payload);
    let mut values = Vec::new();
    for _ in 0..columns {
        if buffer.0.first() == Some(&0xfb) {
            buffer.skip(1);
            values.push(None);
            continue;
        }
        let bytes = buffer.checked_eat_lenenc_str().ok_or_else(malformed)?;
        values.push(Some(String::from_utf8_lossy(bytes).into_owned()));
    }
    if buffer.0.is_empty() { Ok(Row(values)) } else { Err(malformed()) }
}

pub(super) fn malformed() -> Error {
    Error::protocol("the server does not answer like MySQL or MariaDB", "a frame cannot be read")
}
