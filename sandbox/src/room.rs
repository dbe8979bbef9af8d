//! Room for guests: how many there are at one time, and which one goes where one more is needed.
//!
//! Decided here: a share is kept for calls without a server, so that specs are examined however many servers there are;
//! and where the rest is full, the guest that rested longest, of whatever server, makes room. It is logged in again at
//! its server's next call. Absent: guests that work, which nobody interrupts.

use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::processor::locked;
use crate::server::Server;

/// One guest in so many is for calls without a server.
const SHARE: u32 = 20;

/// How often room is made for one guest: what was made may go to somebody else.
pub(crate) const TRIES: usize = 8;

/// The room of one sandbox.
pub(crate) struct Room {
    /// One permit for each guest that may be bound to a server.
    bound: Arc<Semaphore>,
    servers: Mutex<Vec<Weak<Server>>>,
}

impl Room {
    /// Room for so many guests.
    pub(crate) fn new(guests: u32) -> Self {
        let kept = (guests / SHARE).max(1);
        let bound = usize::try_from(guests.saturating_sub(kept).max(1)).unwrap_or(Semaphore::MAX_PERMITS);
        Self { bound: Arc::new(Semaphore::new(bound.min(Semaphore::MAX_PERMITS))), servers: Mutex::default() }
    }

    /// From now on resting guests of this server may have to go.
    pub(crate) fn add(&self, server: &Arc<Server>) {
        let mut servers = locked(&self.servers);
        servers.retain(|known| known.strong_count() > 0);
        servers.push(Arc::downgrade(server));
    }

    /// A place for a guest that is bound to a server; none: all of them work.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        for _ in 0..TRIES {
            if let Ok(place) = Arc::clone(&self.bound).try_acquire_owned() {
                return Some(place);
            }
            if !self.make() {
                break;
            }
        }
        Arc::clone(&self.bound).try_acquire_owned().ok()
    }

    /// Ends the guest that rested longest. False: none rests.
    pub(crate) fn make(&self) -> bool {
        // None of them is dropped while the list is locked: the last one to know a server has much to do.
        let servers: Vec<Arc<Server>> = locked(&self.servers).iter().filter_map(Weak::upgrade).collect();
        let resting = servers.iter().filter_map(|server| Some((server.oldest()?, server)));
        let longest = resting.min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, server)| server.dismiss_oldest())
    }
}
