//! PostgreSQL's messages, as far as a proxy must understand them: where each ends, and what a statement says.

use std::collections::BTreeMap;

/// Bytes of the frontend, cut into messages.
#[derive(Debug, Default)]
pub(super) struct Frontend {
    pending: Vec<u8>,
    started: bool,
    prepared: BTreeMap<Vec<u8>, String>,
    portals: BTreeMap<Vec<u8>, String>,
}

/// A whole message.
#[derive(Debug)]
pub(super) struct Message {
    /// Its bytes, to be passed on.
    pub(super) bytes: Vec<u8>,
    /// What it is.
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request for TLS or GSSAPI encryption, which is answered with one byte.
    EncryptionRequest,
    /// The first message of a session, or a request to cancel.
    Startup,
    /// A typed message that changes nothing by itself.
    Other(char),
    /// A statement that is executed: its type byte and its text.
    Statement(char, String),
}

const ENCRYPTION_CODES: [u32; 2] = [80_877_103, 80_877_104];

impl Frontend {
    /// Adds bytes that arrived.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Takes the next whole message, if there is one.
    pub(super) fn next(&mut self) -> Option<Message> {
        if !self.started {
            let bytes = self.take(0)?;
            let code = number(bytes.get(4..8)?);
            if ENCRYPTION_CODES.contains(&code) {
                return Some(Message { bytes, kind: Kind::EncryptionRequest });
            }
            self.started = true;
            return Some(Message { bytes, kind: Kind::Startup });
        }
        let bytes = self.take(1)?;
        let tag = char::from(*bytes.first()?);
        let body = bytes.get(5..).unwrap_or_default();
        let kind = self.classify(tag, body);
        Some(Message { bytes, kind })
    }

    /// What is left when the rest is no longer readable.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// A length that counts itself stands behind `offset` bytes.
    fn take(&mut self, offset: usize) -> Option<Vec<u8>> {
        let length = number(self.pending.get(offset..offset + 4)?) as usize;
        let end = offset + length.max(4);
        if self.pending.len() < end {
            return None;
        }
        let rest = self.pending.split_off(end);
        Some(std::mem::replace(&mut self.pending, rest))
    }

    fn classify(&mut self, tag: char, body: &[u8]) -> Kind {
        let mut strings = body.split(|byte| *byte == 0);
        let first = strings.next().unwrap_or_default();
        let second = strings.next().unwrap_or_default();
        match tag {
            'Q' => Kind::Statement(tag, text(first)),
            'P' => {
                self.prepared.insert(first.to_vec(), text(second));
                Kind::Other(tag)
            }
            'B' => {
                let statement = self.prepared.get(second).cloned().unwrap_or_default();
                self.portals.insert(first.to_vec(), statement);
                Kind::Other(tag)
            }
            'E' => Kind::Statement(tag, self.portals.get(first).cloned().unwrap_or_default()),
            other => Kind::Other(other),
        }
    }
}

/// Finds the ends of the backend's messages in passing bytes.
#[derive(Debug, Default)]
pub(super) struct Backend {
    header: Vec<u8>,
    remaining: usize,
}

impl Backend {
    /// Reads bytes and says whether a `ReadyForQuery` ended among them.
    pub(super) fn is_ready_after(&mut self, mut bytes: &[u8]) -> bool {
        let mut ready = false;
        while !bytes.is_empty() {
            if self.header.len() < 5 {
                let (taken, rest) = bytes.split_at(bytes.len().min(5 - self.header.len()));
                self.header.extend_from_slice(taken);
                bytes = rest;
                if self.header.len() < 5 {
                    break;
                }
                self.remaining = (number(self.header.get(1..).unwrap_or_default()) as usize).saturating_sub(4);
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(self.remaining));
            self.remaining -= taken.len();
            bytes = rest;
            if self.remaining == 0 {
                ready |= self.header.first() == Some(&b'Z');
                self.header.clear();
            }
        }
        ready
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn startup(code: u32) -> Vec<u8> {
        [8_u32.to_be_bytes(), code.to_be_bytes()].concat()
    }

    #[test]
    fn an_executed_portal_is_known_by_the_text_that_was_prepared() {
        let mut frontend = Frontend::default();
        frontend.feed(&startup(80_877_103));
        frontend.feed(&startup(196_608));
        frontend.feed(&message(b'P', b"s1\0SELECT 1\0\0\0"));
        frontend.feed(&message(b'B', b"\0s1\0\0\0\0\0\0\0"));
        frontend.feed(&message(b'E', b"\0\0\0\0\0"));
        let kinds: Vec<Kind> = std::iter::from_fn(|| frontend.next()).map(|message| message.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::EncryptionRequest,
                Kind::Startup,
                Kind::Other('P'),
                Kind::Other('B'),
                Kind::Statement('E', "SELECT 1".to_owned()),
            ]
        );
    }

    #[test]
    fn a_message_is_whole_only_when_its_last_byte_is_there() {
        let mut frontend = Frontend::default();
        frontend.feed(&startup(196_608));
        frontend.next().unwrap();
        let query = message(b'Q', b"SELECT 2\0");
        let (last, most) = query.split_last().unwrap();
        frontend.feed(most);
        assert!(frontend.next().is_none());
        frontend.feed(&[*last]);
        assert_eq!(frontend.next().unwrap().bytes, query);
    }

    #[test]
    fn readiness_is_found_however_the_bytes_are_cut() {
        let bytes = [message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat();
        for cut in 0..bytes.len() {
            let mut backend = Backend::default();
            let (head, tail) = bytes.split_at(cut);
            assert!(!backend.is_ready_after(head));
            assert!(backend.is_ready_after(tail));
        }
    }
}
