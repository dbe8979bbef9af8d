//! Frames: four bytes of length and sequence number, then the payload. Every wait ends, and no frame is larger
//! than a guest can hold.
//!
//! Source: MySQL internals, "Protocol Basics: MySQL Packets".

use std::rc::Rc;
use std::time::Duration;

use dbprovision_sdk::{Deadline, Error, ErrorKind, NetError, Result, Wire};

/// A guest has 32 MiB. The protocol allows 16 MiB a frame, and more by chaining; neither is ever needed here.
const LARGEST: usize = 8 * 1024 * 1024;
/// The server's limit is another; this one is what a script's statement may have.
pub(super) const LARGEST_STATEMENT: usize = 4 * 1024 * 1024;
const READ_AHEAD: usize = 32 * 1024;
/// The host takes at most this many bytes a call.
const WRITE_AT_MOST: usize = 1024 * 1024;

/// One frame's payload.
pub(super) type Payload = Vec<u8>;

/// Frames over the host's stream.
pub(super) struct Packets {
    wire: Rc<dyn Wire>,
    sequence: u8,
    /// Bytes that were read ahead, and how far they were taken.
    ahead: Vec<u8>,
    taken: usize,
    /// Nothing is read ahead: what follows may belong to the TLS handshake.
    exact: bool,
}

impl Packets {
    pub(super) fn new(wire: Rc<dyn Wire>) -> Self {
        Self { wire, sequence: 0, ahead: Vec::new(), taken: 0, exact: true }
    }

    pub(super) fn wire(&self) -> &dyn Wire {
        self.wire.as_ref()
    }

    /// The encryption is settled: from here on everything that comes is the server's answer.
    pub(super) fn read_ahead(&mut self) {
        self.exact = false;
    }

    /// A command begins: both sides count from zero.
    pub(super) fn begin_command(&mut self) {
        self.sequence = 0;
    }

    /// The next frame.
    pub(super) fn read(&mut self, deadline: Deadline) -> Result<Payload> {
        let header = self.take(4, deadline)?;
        let &[low, middle, high, sequence] = header.as_slice() else {
            return Err(Error::protocol("the server's frame has no header", ""));
        };
        if sequence != self.sequence {
            return Err(Error::protocol(
                "the server's frames are out of order",
                format!("number {sequence} instead of {}", self.sequence),
            ));
        }
        self.sequence = self.sequence.wrapping_add(1);
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        if length > LARGEST {
            return Err(Error::protocol(
                "the server's answer is larger than the adapter accepts",
                format!("a frame of {length} bytes"),
            ));
        }
        self.take(length, deadline)
    }

    /// Sends one frame.
    pub(super) fn write(&mut self, payload: &[u8], deadline: Deadline) -> Result<()> {
        if payload.len() > LARGEST_STATEMENT {
            return Err(Error::new(ErrorKind::Unsupported, "a statement is longer than 4 MiB", ""));
        }
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut frame = Vec::with_capacity(payload.len() + 4);
        frame.extend(length.iter().take(3));
        frame.push(self.sequence);
        frame.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        for chunk in frame.chunks(WRITE_AT_MOST) {
            deadline.left().ok_or(NetError::TimedOut)?;
            self.wire.write(chunk)?;
        }
        Ok(())
    }

    fn take(&mut self, length: usize, deadline: Deadline) -> Result<Vec<u8>> {
        while self.ahead.len() - self.taken < length {
            let missing = length - (self.ahead.len() - self.taken);
            let most = if self.exact { missing } else { missing.max(READ_AHEAD) };
            match self.wire.try_read(u32::try_from(most).unwrap_or(u32::MAX))? {
                Some(bytes) if bytes.is_empty() => return Err(NetError::Closed.into()),
                Some(bytes) => self.ahead.extend_from_slice(&bytes),
                None => {
                    let left = deadline.left().ok_or(NetError::TimedOut)?;
                    self.wire.wait_readable(milliseconds(left))?;
                }
            }
        }
        let end = self.taken + length;
        let bytes = self.ahead.get(self.taken..end).unwrap_or_default().to_vec();
        self.taken = end;
        if self.taken == self.ahead.len() {
            self.ahead.clear();
            self.taken = 0;
        } else if self.taken > READ_AHEAD {
            self.ahead.drain(..self.taken);
            self.taken = 0;
        }
        Ok(bytes)
    }
}

fn milliseconds(left: Duration) -> u32 {
    u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
}
