//! Why a call into an adapter did not answer, and what that says of guest, server and host.
//!
//! Decided here: the closed set of reasons and their classes. Absent: waiting and trying again, which is
//! the caller's.

use std::time::Duration;

use crate::contract;
use crate::digest::Digest;
use crate::tls::TlsFailure;

/// Why a call has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The adapter answered with an error of the contract, scrubbed.
    #[error("{}", .0.message)]
    Adapter(contract::Error),
    /// The host could not open the stream that the adapter asked for. The adapter's own words are beside it.
    #[error("{failure}")]
    Unreachable {
        /// Why not.
        failure: NetFailure,
        /// What the adapter made of it.
        answer: Box<contract::Error>,
    },
    /// The guest broke off.
    #[error("the adapter broke off: {message}")]
    Trapped {
        /// Where and why, scrubbed; for the operator's log.
        message: String,
    },
    /// The guest used up its time on the processor.
    #[error("the adapter ran for more than {0:?} without an end")]
    OutOfTime(Duration),
    /// The guest asked for more memory than it may have.
    #[error("the adapter needs more than {0} bytes of memory")]
    MemoryLimit(usize),
    /// The guest asked for larger tables than it may have.
    #[error("the adapter needs tables of more than {0} elements")]
    TableLimit(usize),
    /// The guest holds too many handles.
    #[error("the adapter holds more than {0} handles")]
    HandleLimit(usize),
    /// The guest passed too much in one call, or answered with too much.
    #[error("the adapter passed too much at once: {0}")]
    TooMuchData(String),
    /// A name or an id in the answer holds a password: nothing of the answer may be recorded.
    #[error(
        "the adapter's answer holds a password in the place of a name, and is not used; a password that is a part of \
         names on the server has to be another one"
    )]
    SecretInAnswer,
    /// A password of so many bytes is lent to no guest; see [`SecretValue::LONGEST`](crate::SecretValue::LONGEST).
    #[error("the password: it has {0} bytes, and at most 4096 are allowed")]
    SecretTooLong(usize),
    /// The call did not end in its time on the wall.
    #[error("no answer within {0:?}")]
    DeadlineExceeded(Duration),
    /// The adapter failed too often at this server, with this question, or at all servers; it is called again later.
    /// The text is the same at each try, so that a status that has it is written once.
    #[error("the adapter {digest} failed too often and is not called for a while")]
    Quarantined {
        /// Which adapter.
        digest: Digest,
        /// For how long it still is, for the log.
        remaining: Duration,
    },
    /// All guests of the lane were busy until the deadline.
    #[error("the instance's sessions were all in use for {0:?}")]
    Busy(Duration),
    /// The server was closed, because its binding changed or went away.
    #[error("the instance's sessions were closed")]
    Closed,
    /// Nothing more may be sent to the server: its binding's gate said no. What was sent before was sent.
    #[error("this process may send nothing more to the server")]
    Stopped,
    /// The host has no room for one more guest.
    #[error("no room for another guest: {0}")]
    NoRoom(String),
}

/// What the host should think of a [`CallError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallClass {
    /// The adapter works and said no: its error kind decides.
    Answered,
    /// The database server cannot be reached or did not answer in time: try again, slower each time.
    Server,
    /// What the instance names is not allowed, or its certificate was refused: wait for a change, look again slowly.
    Refused,
    /// The adapter is at fault: try again slowly, and tell who registered it.
    Guest,
    /// The host is busy or changed its mind: try again soon.
    Host,
}

impl CallError {
    /// What to do about it.
    pub fn class(&self) -> CallClass {
        match self {
            Self::Adapter(_) => CallClass::Answered,
            Self::Unreachable { failure, answer: _ } => match failure {
                NetFailure::Refused(_) | NetFailure::Tls(_) => CallClass::Refused,
                NetFailure::Resolve(_) | NetFailure::Dial(_) => CallClass::Server,
            },
            Self::SecretTooLong(_) => CallClass::Refused,
            Self::DeadlineExceeded(_) => CallClass::Server,
            Self::Trapped { message: _ }
            | Self::OutOfTime(_)
            | Self::MemoryLimit(_)
            | Self::TableLimit(_)
            | Self::HandleLimit(_)
            | Self::TooMuchData(_)
            | Self::SecretInAnswer
            | Self::Quarantined { digest: _, remaining: _ } => CallClass::Guest,
            Self::Busy(_) | Self::Closed | Self::Stopped | Self::NoRoom(_) => CallClass::Host,
        }
    }

    /// The name of the variant, for labels of metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Adapter(_) => "adapter",
            Self::Unreachable { failure: _, answer: _ } => "unreachable",
            Self::Trapped { message: _ } => "trapped",
            Self::OutOfTime(_) => "out-of-time",
            Self::MemoryLimit(_) => "memory-limit",
            Self::TableLimit(_) => "table-limit",
            Self::HandleLimit(_) => "handle-limit",
            Self::TooMuchData(_) => "too-much-data",
            Self::SecretInAnswer => "secret-in-answer",
            Self::SecretTooLong(_) => "secret-too-long",
            Self::DeadlineExceeded(_) => "deadline-exceeded",
            Self::Quarantined { digest: _, remaining: _ } => "quarantined",
            Self::Busy(_) => "busy",
            Self::Closed => "closed",
            Self::Stopped => "stopped",
            Self::NoRoom(_) => "no-room",
        }
    }
}

/// Why the host opened no stream to the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetFailure {
    /// The address policy says no; the text says which address and why.
    #[error("{0}")]
    Refused(String),
    /// The name has no address, or nobody answers for it.
    #[error("{0}")]
    Resolve(String),
    /// No allowed address could be dialled.
    #[error("{0}")]
    Dial(String),
    /// The handshake failed, or the certificate was refused.
    #[error("{0}")]
    Tls(TlsFailure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_says_the_same_at_every_try() {
        let text = |seconds| {
            let remaining = Duration::from_secs(seconds);
            CallError::Quarantined { digest: Digest::of(b""), remaining }.to_string()
        };
        assert_eq!(text(600), text(1));
        assert!(text(600).contains(&Digest::of(b"").to_string()));
    }
}
