//! The lanes of one server: how many guests work at one time, who waits, and which guests rest.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::error::CallError;
use crate::guest::Guest;
use crate::processor::locked;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Everything that may take long. Two guests.
    Work,
    /// Pings and deletions: one guest that no creation keeps busy.
    Reserved,
}

/// The guests of one lane.
pub(crate) struct Guests {
    turns: Arc<Semaphore>,
    resting: Mutex<Vec<(Instant, Guest)>>,
}

impl Guests {
    pub(crate) fn new(count: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(count)), resting: Mutex::default() }
    }

    /// Waits for a turn, in the order of asking.
    pub(crate) async fn turn(&self, limit: Duration) -> Result<OwnedSemaphorePermit, CallError> {
        match timeout(limit, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(turn) => turn.or(Err(CallError::Closed)),
            Err(_) => Err(CallError::Busy(limit)),
        }
    }

    /// The guest that rested last, if one rests.
    pub(crate) fn wake(&self) -> Option<Guest> {
        locked(&self.resting).pop().map(|(_, guest)| guest)
    }

    pub(crate) fn rest(&self, guest: Guest) {
        locked(&self.resting).push((Instant::now(), guest));
    }

    /// Since when the longest-resting guest rests.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        locked(&self.resting).first().map(|(since, _)| *since)
    }

    /// A guest that rests since then or longer, with a turn, so that its session counts until it is closed. A closed lane
    /// has no turns, and all its guests are due.
    pub(crate) fn retire(&self, until: Instant) -> Option<(Guest, Option<OwnedSemaphorePermit>)> {
        let mut resting = locked(&self.resting);
        let (since, _) = resting.first()?;
        if *since > until && !self.is_closed() {
            return None;
        }
        let turn = Arc::clone(&self.turns).try_acquire_owned().ok();
        if turn.is_none() && !self.is_closed() {
            return None;
        }
        Some((resting.remove(0).1, turn))
    }

    /// Ends the longest-resting guest without a good-bye: somebody waits for its place. False: none rests.
    pub(crate) fn dismiss_oldest(&self) -> bool {
        let mut resting = locked(&self.resting);
        let dismissed = if resting.is_empty() { None } else { Some(resting.remove(0)) };
        // Ending it takes longer than anybody should wait for the list.
        drop(resting);
        dismissed.is_some()
    }

    /// No more turns; the resting guests are handed out to be closed.
    pub(crate) fn close(&self) -> Vec<Guest> {
        self.turns.close();
        std::mem::take(&mut *locked(&self.resting)).into_iter().map(|(_, guest)| guest).collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.turns.is_closed()
    }
}
