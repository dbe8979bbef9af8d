//! A connection that follows a script, for native tests of an adapter: what it must be sent, what it answers.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::{NetError, Secret, SecretError, TlsUse, Wire};

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The adapter must send exactly these bytes.
    Expect(Vec<u8>),
    /// The adapter sends something, up to and including these bytes.
    ExpectEnding(Vec<u8>),
    /// The server sends these.
    Answer(Vec<u8>),
    /// The adapter must ask for TLS; the server's certificate has this channel binding.
    Encrypt(Option<Vec<u8>>),
    /// The server closes the stream.
    Close,
}

/// A scripted connection. Reads beyond the script time out; a write that differs is an error.
#[derive(Debug)]
pub struct Script {
    tls: TlsUse,
    turns: RefCell<VecDeque<Turn>>,
    sent: RefCell<Vec<u8>>,
    encrypted: RefCell<bool>,
}

impl Script {
    /// A connection of an instance that asks for `tls`.
    pub fn new(tls: TlsUse, turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            tls,
            turns: RefCell::new(turns.into_iter().collect()),
            sent: RefCell::default(),
            encrypted: RefCell::new(false),
        }
    }

    /// The turns that were not taken.
    pub fn rest(&self) -> Vec<Turn> {
        self.turns.borrow().iter().cloned().collect()
    }

    fn differs(&self, sent: &[u8]) -> NetError {
        NetError::Io(format!(
            "sent {:?}, the script goes on with {:?}",
            sent.escape_ascii().to_string(),
            self.turns.borrow().front()
        ))
    }
}

impl Wire for Script {
    fn tls(&self) -> TlsUse {
        self.tls
    }

    fn try_read(&self, max: u32) -> Result<Option<Vec<u8>>, NetError> {
        let mut turns = self.turns.borrow_mut();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        match turns.pop_front() {
            Some(Turn::Answer(mut bytes)) => {
                if bytes.len() > max {
                    turns.push_front(Turn::Answer(bytes.split_off(max)));
                }
                Ok(Some(bytes))
            }
            Some(Turn::Close) => {
                turns.push_front(Turn::Close);
                Ok(Some(Vec::new()))
            }
            Some(other) => {
                turns.push_front(other);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn wait_readable(&self, _: u32) -> Result<(), NetError> {
        match self.turns.borrow().front() {
            Some(Turn::Answer(_) | Turn::Close) => Ok(()),
            Some(Turn::Expect(_) | Turn::ExpectEnding(_) | Turn::Encrypt(_)) | None => Err(NetError::TimedOut),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), NetError> {
        let mut sent = self.sent.borrow_mut();
        sent.extend_from_slice(bytes);
        let front = self.turns.borrow().front().cloned();
        let done = match front {
            Some(Turn::Expect(expected)) if expected == *sent => true,
            Some(Turn::Expect(expected)) if expected.starts_with(&sent) => false,
            Some(Turn::ExpectEnding(end)) => sent.ends_with(&end),
            _ => return Err(self.differs(&sent)),
        };
        if done {
            sent.clear();
            self.turns.borrow_mut().pop_front();
        }
        Ok(())
    }

    fn start_tls(&self) -> Result<Option<Vec<u8>>, NetError> {
        match self.turns.borrow_mut().pop_front() {
            Some(Turn::Encrypt(binding)) => {
                self.encrypted.replace(true);
                Ok(binding)
            }
            _ => Err(NetError::Tls("the script has no TLS here".to_owned())),
        }
    }

    fn reveal(&self, secret: &Secret) -> Result<Vec<u8>, SecretError> {
        if self.tls == TlsUse::Require && !*self.encrypted.borrow() {
            return Err(SecretError::InsecureConnection);
        }
        crate::native::known(secret)
    }
}
