//! Proxies that stand between the operator and what it talks to, count what passes, and fail it on demand.
//!
//! A fault is armed for the k-th request or statement, before or after it takes effect: those are the points at
//! which a program may die, so a test can visit each one. Both proxies listen on loopback only.

pub mod http;
pub mod tcp;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use http::ApiProxy;
pub use tcp::TcpProxy;

/// On which side of an effect something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The other side has not seen it.
    Before,
    /// It has taken effect, and who asked for it does not know yet.
    After,
}

/// What happens to a request, a statement or a connection.
#[derive(Clone)]
pub enum Fault {
    /// It goes on after this time.
    Delay(Duration),
    /// The connection is closed.
    Cut,
    /// The connection is reset.
    Reset,
    /// Nothing passes any more, and the connection stays open.
    BlackHole,
    /// An HTTP request is answered with this status; a byte stream is cut, for it has no words of its own.
    Fail(u16),
    /// Something is told first, then it goes on.
    Tell(Callback),
    /// Something is told first (it kills the operator, say), then the connection is closed.
    TellAndCut(Callback),
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Delay(time) => return write!(formatter, "Delay({time:?})"),
            Self::Fail(status) => return write!(formatter, "Fail({status})"),
            Self::Cut => "Cut",
            Self::Reset => "Reset",
            Self::BlackHole => "BlackHole",
            Self::Tell(_) => "Tell",
            Self::TellAndCut(_) => "TellAndCut",
        };
        formatter.write_str(name)
    }
}

/// Who is told.
pub type Callback = Arc<dyn Fn() + Send + Sync>;

/// What remains to be done with something that a fault was armed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Cut,
    Reset,
    Hold,
    Answer(u16),
}

impl Fault {
    /// Does what takes time, and says what remains.
    async fn act(self) -> Verdict {
        match self {
            Self::Delay(time) => {
                tokio::time::sleep(time).await;
                Verdict::Pass
            }
            Self::Cut => Verdict::Cut,
            Self::Reset => Verdict::Reset,
            Self::BlackHole => Verdict::Hold,
            Self::Fail(status) => Verdict::Answer(status),
            Self::Tell(callback) => {
                told(callback).await;
                Verdict::Pass
            }
            Self::TellAndCut(callback) => {
                told(callback).await;
                Verdict::Cut
            }
        }
    }
}

/// A callback may wait for a process's end, which must not stop the proxy's other connections.
async fn told(callback: Callback) {
    if let Err(error) = tokio::task::spawn_blocking(move || callback()).await {
        tracing::warn!(%error, "a fault's callback failed");
    }
}
