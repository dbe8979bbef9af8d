//! A turn with one guest: one typed method for each function of the contract (in `session/calls.rs` and
//! `session/listings.rs`).
//!
//! Decided here: when a guest is fresh, reused or thrown away. A resting guest is lent again only if its streams are
//! alive at that moment; so a server that was restarted costs a new login and no failed operation, and nothing is ever
//! tried twice. Dropping a session gives the guest back; dropping the future of a call throws the guest away.

mod calls;
mod listings;
#[cfg(test)]
mod tests;

pub use calls::{RelayEnd, Relayed};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::contract::{ProgressStatus, ServerFacts};
use crate::error::CallError;
use crate::guest::{Guest, Origin};
use crate::lanes::Lane;
use crate::server::Server;

/// A turn with one guest of a server.
pub struct Session {
    server: Arc<Server>,
    lane: Lane,
    turn: Option<OwnedSemaphorePermit>,
    guest: Option<Guest>,
    wall: Duration,
    /// It serves a sweep: its guest is nobody else's.
    sweeps: bool,
    progress: watch::Sender<Option<ProgressStatus>>,
}

impl Session {
    pub(crate) fn new(server: Arc<Server>, lane: Lane, turn: OwnedSemaphorePermit) -> Self {
        let wall = server.limits.wall;
        Self { server, lane, turn: Some(turn), guest: None, wall, sweeps: false, progress: watch::Sender::new(None) }
    }

    pub(crate) fn for_sweep(server: Arc<Server>, turn: OwnedSemaphorePermit) -> Self {
        let mut session = Self::new(server, Lane::Work, turn);
        session.sweeps = true;
        session
    }

    /// From now on a call of this session may take so long.
    pub fn set_call_limit(&mut self, wall: Duration) {
        self.wall = wall;
    }

    /// What the guest reports of the call that is under way.
    pub fn progress(&self) -> watch::Receiver<Option<ProgressStatus>> {
        self.progress.subscribe()
    }

    /// Logs in if need be, and says what the server is.
    pub async fn server(&mut self) -> Result<ServerFacts, CallError> {
        let guest = self.connected().await?;
        guest.server.clone().ok_or(CallError::Closed)
    }

    /// A guest with a live session.
    async fn connected(&mut self) -> Result<&mut Guest, CallError> {
        let guests = self.server.guests(self.lane);
        if self.guest.is_none() && guests.is_closed() {
            return Err(CallError::Closed);
        }
        self.server.check_quarantine()?;
        if self.sweeps {
            return Box::pin(self.sweeping()).await;
        }
        let mut candidate = self.guest.take().or_else(|| guests.wake());
        let mut guest = loop {
            let Some(mut guest) = candidate else { break self.server.fresh_guest(&self.server.limits).await? };
            if guest.is_usable() {
                break guest;
            }
            drop(guest);
            candidate = guests.wake();
        };
        guest.state().progress = Some(self.progress.clone());
        guest.connect(&self.server.settings, self.wall).await?;
        Ok(self.guest.insert(guest))
    }

    /// The sweep's guest. A sweep that lost it begins anew with the next.
    async fn sweeping(&mut self) -> Result<&mut Guest, CallError> {
        if let Some(mut guest) = self.guest.take()
            && guest.is_usable()
        {
            return Ok(self.guest.insert(guest));
        }
        let mut guest = self.server.fresh_guest(&self.server.limits.sweep()).await?;
        guest.connect(&self.server.settings, self.wall).await?;
        guest.begin_sweep(self.wall).await?;
        Ok(self.guest.insert(guest))
    }

    fn origin(&self) -> Arc<Origin> {
        Arc::clone(&self.server.origin)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let (Some(guest), Some(turn)) = (self.guest.take(), self.turn.take()) else { return };
        if self.sweeps {
            // What it remembers is of no use to anybody else, and its memory is given back with it.
            self.server.let_go(guest, turn);
        } else {
            self.server.give_back(self.lane, guest, turn);
        }
    }
}
