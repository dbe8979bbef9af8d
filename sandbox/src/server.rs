//! An adapter bound to one database server: at most three guests, at most four sessions, none of them while idle.
//!
//! Two guests work and one is reserved for pings and deletions; each has its main session. A guest that needs a second
//! one for a time takes the fourth, which all share. Idle guests are closed after the binding's idle time by a task
//! that sleeps until exactly then and exists only while a guest rests. Before that, the sandbox may need their room.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::binding::Binding;
use crate::contract::Settings;
use crate::counters::{Counters, Tally};
use crate::error::CallError;
use crate::guest::{Guest, Origin};
use crate::lanes::{Guests, Lane};
use crate::limits::Limits;
use crate::quarantine::Place;
use crate::session::Session;
use crate::state::{Reach, ServerContext};
use crate::tls::{TlsContext, TlsSettingsError};

/// How long a session may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(2);

/// One database server.
pub struct Server {
    pub(crate) origin: Arc<Origin>,
    pub(crate) context: Arc<ServerContext>,
    pub(crate) name: String,
    place: Place,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    idle: Duration,
    work: Guests,
    reserved: Guests,
    /// A task waits for resting guests to be closed.
    closing_idle: AtomicBool,
    runtime: Handle,
}

impl Server {
    pub(crate) fn new(origin: Arc<Origin>, binding: Binding) -> Result<Arc<Self>, TlsSettingsError> {
        let Binding { name, endpoint, addresses, tls, credentials, settings, limits, idle, gate } = binding;
        let context = TlsContext::new(&tls, &endpoint.host, || origin.sandbox.system_roots())?;
        let tally = Tally::within(&origin.sandbox.tally);
        let sandbox = Arc::clone(&origin.sandbox);
        let server = Arc::new(Self {
            context: Arc::new(ServerContext {
                endpoint,
                addresses,
                tls: context,
                tls_required: tls.is_required(),
                credentials,
                gate,
                inner_sessions: Arc::new(Semaphore::new(1)),
                lookups: Arc::new(Semaphore::new(1)),
                tally,
            }),
            origin,
            place: Place::Server(name.clone()),
            name,
            settings,
            limits,
            idle,
            work: Guests::new(2),
            reserved: Guests::new(1),
            closing_idle: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        sandbox.room.add(&server);
        Ok(server)
    }

    /// How long opening a session may take: dialling, and as long again for the handshakes and the login.
    pub fn connect_limit(&self) -> Duration {
        self.limits.dial.saturating_mul(2)
    }

    /// Waits for a turn in the lane, at most this long. The session connects at its first call.
    pub async fn lane(self: &Arc<Self>, lane: Lane, wait: Duration) -> Result<Session, CallError> {
        self.check_quarantine()?;
        let turn = self.guests(lane).turn(wait).await?;
        Ok(Session::new(Arc::clone(self), lane, turn))
    }

    /// A turn for looking at many objects and changing none, in a session of its own that ends with the turn.
    pub async fn sweep(self: &Arc<Self>, wait: Duration) -> Result<Session, CallError> {
        self.check_quarantine()?;
        let turn = self.guests(Lane::Work).turn(wait).await?;
        Ok(Session::for_sweep(Arc::clone(self), turn))
    }

    /// Whether its guests may be called.
    pub(crate) fn check_quarantine(&self) -> Result<(), CallError> {
        self.origin.check_quarantine(&self.place)
    }

    /// What was counted for this server.
    pub fn counters(&self) -> Counters {
        self.context.tally.read()
    }

    /// Ends the idle sessions politely and lends no more; sessions that are lent end with their work.
    pub async fn close(&self) {
        let guests = self.work.close().into_iter().chain(self.reserved.close());
        futures::future::join_all(guests.map(|guest| guest.close(GOODBYE))).await;
    }

    pub(crate) fn guests(&self, lane: Lane) -> &Guests {
        match lane {
            Lane::Work => &self.work,
            Lane::Reserved => &self.reserved,
        }
    }

    /// A guest that is not connected yet.
    pub(crate) async fn fresh_guest(&self, limits: &Limits) -> Result<Guest, CallError> {
        self.context.credentials.password.check_length()?;
        let reach = Reach::Server(Arc::clone(&self.context));
        Guest::start(&self.origin, &self.name, limits, reach, self.place.clone()).await
    }

    /// Takes a guest back, or lets it go.
    pub(crate) fn give_back(self: &Arc<Self>, lane: Lane, mut guest: Guest, turn: tokio::sync::OwnedSemaphorePermit) {
        if !guest.is_usable() {
            // The session ends before another may take its turn.
            drop(guest);
            drop(turn);
            return;
        }
        guest.state().progress = None;
        let guests = self.guests(lane);
        if guests.is_closed() || guest.is_worn() {
            self.let_go(guest, turn);
            return;
        }
        guests.rest(guest);
        drop(turn);
        self.watch_idle();
    }

    /// Ends a guest. The turn is held until its session is closed, so that there are never more sessions than turns.
    pub(crate) fn let_go(&self, guest: Guest, turn: tokio::sync::OwnedSemaphorePermit) {
        drop(self.runtime.spawn(async move {
            guest.close(GOODBYE).await;
            drop(turn);
        }));
    }

    /// Sees to it that resting guests are closed in time.
    fn watch_idle(self: &Arc<Self>) {
        if self.closing_idle.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(self.runtime.spawn(close_idle(Arc::downgrade(self), self.idle)));
    }

    /// Since when the longest-resting guest rests.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        [self.work.oldest(), self.reserved.oldest()].into_iter().flatten().min()
    }

    /// Ends the longest-resting guest. False: none rests.
    pub(crate) fn dismiss_oldest(&self) -> bool {
        let lanes = [&self.work, &self.reserved].into_iter();
        let longest = lanes.filter_map(|guests| Some((guests.oldest()?, guests))).min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, guests)| guests.dismiss_oldest())
    }
}

/// Closes guests that rest too long, and ends with the last one.
async fn close_idle(server: Weak<Server>, idle: Duration) {
    loop {
        let due = {
            let Some(server) = server.upgrade() else { return };
            let Some(oldest) = server.oldest() else {
                server.closing_idle.store(false, Ordering::Release);
                // One may have come to rest between the look and the word that nobody watches.
                if server.oldest().is_none() || server.closing_idle.swap(true, Ordering::AcqRel) {
                    return;
                }
                continue;
            };
            oldest + idle
        };
        sleep_until(due).await;
        let Some(server) = server.upgrade() else { return };
        let until = Instant::now().checked_sub(idle).unwrap_or(due);
        let mut progressed = false;
        for guests in [&server.work, &server.reserved] {
            if let Some((guest, turn)) = guests.retire(until) {
                progressed = true;
                guest.close(GOODBYE).await;
                drop(turn);
            }
        }
        if !progressed {
            // All turns of the lane are taken, and one of them is about to take this guest.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
