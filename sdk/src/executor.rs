//! A small executor: one future at a time, waiting in the host for the one connection it reads from.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::{Deadline, NetError, Wire};

/// Set when something in the future wants to be polled again. A waker that does nothing would deadlock:
/// the halves of a client (its handle and its connection task) wake each other.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls `future` to its end. Suspends in the host, on `wire`, only when nothing woke since the last poll.
/// When `deadline` passes the future is dropped, and the connection must be too.
pub fn drive<T>(wire: &dyn Wire, deadline: Deadline, future: impl Future<Output = T>) -> Result<T, NetError> {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        flag.0.store(false, Ordering::Relaxed);
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Ok(value);
        }
        if !flag.0.load(Ordering::Relaxed) {
            wire.wait_readable(deadline.left_ms().ok_or(NetError::TimedOut)?)?;
        }
    }
}

/// Runs `work` with `background` beside it, which carries the bytes. When the background ends first the
/// work is polled once more: it knows why.
pub async fn alongside<B: Future + Unpin, T>(background: &mut B, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        match Pin::new(&mut *background).poll(context) {
            Poll::Pending => work.as_mut().poll(context).map(Some),
            Poll::Ready(_) => match work.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Some(value)),
                Poll::Pending => Poll::Ready(None),
            },
        }
    })
    .await
}
