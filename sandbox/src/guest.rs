//! One guest: a store with an instance in it, and the only way to call it.
//!
//! Decided here: how a call begins (clock, deadline, ticker) and what its end means. An answer leaves through
//! [`Guest::finish`], which scrubs it; after a trap, a deadline or a cancelled call the guest is spoiled, and whoever
//! holds it throws it away.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{PoolConcurrencyLimitError, Store};

use crate::contract::bindings::{DatabaseAdapter, DatabaseAdapterIndices};
use crate::contract::{self, ServerFacts};
use crate::counters::Tally;
use crate::digest::Digest;
use crate::engine::Inner;
use crate::error::{CallError, NetFailure};
use crate::imports::net::Connection;
use crate::limits::{Limits, Violation};
use crate::processor::at_tick;
use crate::quarantine::{Place, Quarantine};
use crate::room::TRIES;
use crate::scrub::{Scrub, Scrubber, Unfit};
use crate::state::{GuestState, Reach};
use crate::tls::TlsFailure;

/// A guest that was given more secrets than this is replaced once it is idle: each is kept in twenty shapes, one or two
/// kilobytes, for as long as the guest lives.
const MOST_SECRETS: usize = 64;

/// What wasmtime says when a guest passes more than it may; it has no type of its own.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";

/// Where guests come from: a component that was proved and linked.
pub(crate) struct Origin {
    pub(crate) sandbox: Arc<Inner>,
    pub(crate) digest: Digest,
    pub(crate) prepared: InstancePre<GuestState>,
    /// Where its exports are.
    pub(crate) exports: DatabaseAdapterIndices,
    pub(crate) quarantine: Arc<Quarantine>,
}

impl Origin {
    /// Whether a guest may be called there.
    pub(crate) fn check_quarantine(&self, place: &Place) -> Result<(), CallError> {
        self.unless(self.quarantine.remaining(place, Instant::now()))
    }

    /// Whether a guest may be called anywhere.
    pub(crate) fn check_everywhere(&self) -> Result<(), CallError> {
        self.unless(self.quarantine.everywhere(Instant::now()))
    }

    fn unless(&self, remaining: Option<Duration>) -> Result<(), CallError> {
        remaining.map_or(Ok(()), |remaining| Err(CallError::Quarantined { digest: self.digest, remaining }))
    }

    fn fault(&self, place: &Place, tally: &Tally) {
        tally.trapped();
        self.quarantine.record(place, Instant::now());
    }
}

/// What a bounded call came to: the deadline, a trap, or the answer.
pub(crate) type Outcome<T> = Result<wasmtime::Result<T>, tokio::time::error::Elapsed>;

/// One guest.
pub(crate) struct Guest {
    origin: Arc<Origin>,
    /// What its faults count against.
    place: Place,
    tally: Arc<Tally>,
    store: Store<GuestState>,
    adapter: DatabaseAdapter,
    /// A call is under way or ended badly: nothing can be known of its state.
    spoiled: bool,
    /// What `connect` answered.
    pub(crate) server: Option<ServerFacts>,
    /// Its place among the guests that are bound to servers. It is the last to go.
    _room: Option<OwnedSemaphorePermit>,
}

impl Guest {
    /// Starts a guest.
    pub(crate) async fn start(
        origin: &Arc<Origin>,
        label: &str,
        limits: &Limits,
        reach: Reach,
        place: Place,
    ) -> Result<Self, CallError> {
        let (tally, room) = match &reach {
            Reach::Server(context) => {
                let full = || CallError::NoRoom("all guests of the operator are at work".to_owned());
                (Arc::clone(&context.tally), Some(origin.sandbox.room.place().ok_or_else(full)?))
            }
            Reach::Nothing | Reach::Examination => (Arc::clone(&origin.sandbox.tally), None),
        };
        let state = || GuestState::new(label.to_owned(), limits, reach.clone(), origin.sandbox.started);
        let (mut store, instance) = Box::pin(Self::instantiate(origin, &place, &tally, limits, state)).await?;
        let adapter = origin
            .exports
            .load(&mut store, &instance)
            .map_err(|error| trouble::<()>(origin, &place, &tally, &Scrubber::new(), limits.wall, Ok(Err(error))))?;
        tally.guest_started();
        let origin = Arc::clone(origin);
        Ok(Self { origin, place, tally, store, adapter, spoiled: false, server: None, _room: room })
    }

    /// Whether the exports have the types of the contract, which only an instance tells. The outer failure is one of
    /// the component's own start.
    pub(crate) async fn fits(origin: &Arc<Origin>, limits: &Limits) -> Result<wasmtime::Result<()>, CallError> {
        let state = || GuestState::new("types".to_owned(), limits, Reach::Nothing, origin.sandbox.started);
        let place = Place::question("types", &[]);
        let starting = Box::pin(Self::instantiate(origin, &place, &origin.sandbox.tally, limits, state));
        let (mut store, instance) = starting.await?;
        Ok(origin.exports.load(&mut store, &instance).map(drop))
    }

    /// Instantiates the component; where the pools are full, others make way.
    async fn instantiate(
        origin: &Arc<Origin>,
        place: &Place,
        tally: &Tally,
        limits: &Limits,
        state: impl Fn() -> GuestState,
    ) -> Result<(Store<GuestState>, Instance), CallError> {
        origin.check_quarantine(place)?;
        for _ in 0..TRIES {
            match Self::instantiate_once(origin, place, tally, limits, state()).await {
                Err(CallError::NoRoom(_)) if origin.sandbox.room.make() => {}
                ended => return ended,
            }
        }
        Self::instantiate_once(origin, place, tally, limits, state()).await
    }

    async fn instantiate_once(
        origin: &Arc<Origin>,
        place: &Place,
        tally: &Tally,
        limits: &Limits,
        mut state: GuestState,
    ) -> Result<(Store<GuestState>, Instance), CallError> {
        state.begin_call(limits.wall);
        let mut store = Store::new(&origin.sandbox.engine, state);
        store.limiter(|state| &mut state.budget);
        // What a guest passes in one call, with room for the parts of a record beside its largest list.
        store.set_hostcall_fuel(limits.call_bytes.saturating_add(64 << 10));
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| at_tick(&context));
        let starting = origin.prepared.instantiate_async(&mut store);
        match Self::bounded(origin, limits.wall, starting).await {
            Ok(Ok(instance)) => Ok((store, instance)),
            ended => Err(trouble(origin, place, tally, &Scrubber::new(), limits.wall, ended)),
        }
    }

    /// A call begins. Until it is finished, the guest counts as spoiled.
    pub(crate) fn begin(&mut self, wall: Duration) -> Result<(), CallError> {
        self.origin.check_quarantine(&self.place)?;
        self.spoiled = true;
        self.store.data_mut().begin_call(wall);
        self.store.set_epoch_deadline(1);
        Ok(())
    }

    /// What a call needs.
    pub(crate) fn parts(&mut self) -> (&DatabaseAdapter, &mut Store<GuestState>) {
        (&self.adapter, &mut self.store)
    }

    pub(crate) fn state(&mut self) -> &mut GuestState {
        self.store.data_mut()
    }

    /// Runs a call with the ticker on, no longer than this.
    pub(crate) async fn bounded<T>(
        origin: &Origin,
        wall: Duration,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Outcome<T> {
        let _running = origin.sandbox.ticker.run();
        timeout(wall, call).await
    }

    /// What a call means that answers with a result of the contract.
    pub(crate) fn finish<T: Scrub>(
        &mut self,
        wall: Duration,
        outcome: Outcome<Result<T, contract::Error>>,
    ) -> Result<T, CallError> {
        match outcome {
            Ok(Ok(Ok(answer))) => self.finish_plain(wall, Ok(Ok(answer))),
            Ok(Ok(Err(error))) => {
                let error = self.finish_plain(wall, Ok(Ok(error)))?;
                // After these nobody knows what is still on its way on the stream.
                self.spoiled = matches!(error.kind, contract::ErrorKind::Protocol | contract::ErrorKind::TimedOut);
                Err(CallError::Adapter(error))
            }
            Ok(Err(trap)) => self.finish_plain(wall, Ok(Err(trap))),
            Err(elapsed) => self.finish_plain(wall, Err(elapsed)),
        }
    }

    /// The same for a call that cannot fail.
    pub(crate) fn finish_plain<T: Scrub>(&mut self, wall: Duration, outcome: Outcome<T>) -> Result<T, CallError> {
        self.store.data().clock.pause();
        let scrubber = &self.store.data().scrubber;
        match outcome {
            Ok(Ok(answer)) => match answer.scrub(scrubber) {
                Ok(answer) => {
                    self.spoiled = false;
                    self.origin.quarantine.answered(&self.place, Instant::now());
                    Ok(answer)
                }
                // It may be chance: a person's password that is a part of an id. So it is no fault of the adapter.
                Err(Unfit::Secret) => Err(CallError::SecretInAnswer),
                Err(too_large @ Unfit::TooLarge { what: _, length: _, limit: _ }) => {
                    self.origin.fault(&self.place, &self.tally);
                    Err(CallError::TooMuchData(too_large.to_string()))
                }
            },
            ended => Err(trouble(&self.origin, &self.place, &self.tally, scrubber, wall, ended)),
        }
    }

    /// Ends a call whose answer the host takes as it is: a stream.
    pub(crate) fn finish_stream<T>(
        &mut self,
        wall: Duration,
        outcome: Outcome<Result<T, contract::Error>>,
    ) -> Result<T, CallError> {
        match outcome {
            Ok(Ok(Ok(answer))) => {
                self.finish_plain(wall, Ok(Ok(())))?;
                Ok(answer)
            }
            Ok(Ok(Err(error))) => self.finish::<()>(wall, Ok(Ok(Err(error)))).and(Err(CallError::Closed)),
            Ok(Err(trap)) => self.finish_plain::<()>(wall, Ok(Err(trap))).and(Err(CallError::Closed)),
            Err(elapsed) => self.finish_plain::<()>(wall, Err(elapsed)).and(Err(CallError::Closed)),
        }
    }

    /// It answered more than the contract allows: the answer is not used, and neither is the guest again.
    pub(crate) fn refuse(&mut self, what: String) -> CallError {
        self.spoiled = true;
        self.origin.fault(&self.place, &self.tally);
        CallError::TooMuchData(what)
    }

    /// Whether it can be called again: nothing broke, and its streams are open, as far as one look tells.
    pub(crate) fn is_usable(&mut self) -> bool {
        !self.spoiled && self.server.is_some() && self.streams_are_alive()
    }

    fn streams_are_alive(&mut self) -> bool {
        let state = self.store.data_mut();
        if state.main_session.strong_count() == 0 {
            // It connected and then lost or closed its session.
            return false;
        }
        state.table.iter_mut().all(|entry| entry.downcast_mut::<Connection>().is_none_or(Connection::is_alive))
    }

    /// Whether it should not be lent again although it could.
    pub(crate) fn is_worn(&self) -> bool {
        self.store.data().scrubber.secrets() > MOST_SECRETS
    }

    /// Logs in, unless it is logged in.
    pub(crate) async fn connect(
        &mut self,
        settings: &contract::Settings,
        wall: Duration,
    ) -> Result<ServerFacts, CallError> {
        if let Some(facts) = &self.server {
            return Ok(facts.clone());
        }
        self.begin(wall)?;
        self.state().net_failure = None;
        let origin = Arc::clone(&self.origin);
        let calling = self.adapter.dbprovision_adapter_connection().call_connect(&mut self.store, settings);
        let outcome = Self::bounded(&origin, wall, calling).await;
        match self.finish(wall, outcome) {
            Ok(facts) => {
                self.server = Some(facts.clone());
                Ok(facts)
            }
            Err(error) => {
                // A half-open session may be left: the next try has a fresh guest.
                self.spoiled = true;
                let state = self.state();
                let failure = state.net_failure.take();
                let lacked_tls = state.lacked_tls();
                Err(match (error, failure) {
                    (CallError::Adapter(answer), Some(failure)) => {
                        CallError::Unreachable { failure, answer: Box::new(answer) }
                    }
                    (CallError::Adapter(answer), None)
                        if lacked_tls && matches!(answer.kind, contract::ErrorKind::PermissionDenied) =>
                    {
                        CallError::Unreachable {
                            failure: NetFailure::Tls(TlsFailure::NotOffered),
                            answer: Box::new(answer),
                        }
                    }
                    (error, _) => error,
                })
            }
        }
    }

    /// From now on it may answer what only reads from what it read before, to its end.
    pub(crate) async fn begin_sweep(&mut self, wall: Duration) -> Result<(), CallError> {
        self.begin(wall)?;
        let origin = Arc::clone(&self.origin);
        let calling = self.adapter.dbprovision_adapter_connection().call_begin_sweep(&mut self.store);
        let outcome = Self::bounded(&origin, wall, calling).await;
        self.finish(wall, outcome)
    }

    /// Says good-bye to the server, shortly.
    pub(crate) async fn close(mut self, wall: Duration) {
        if self.server.is_none() || self.begin(wall).is_err() {
            return;
        }
        let origin = Arc::clone(&self.origin);
        let calling = self.adapter.dbprovision_adapter_connection().call_close(&mut self.store);
        let outcome = Self::bounded(&origin, wall, calling).await;
        if let Err(error) = self.finish_plain(wall, outcome) {
            tracing::debug!(adapter = %origin.digest, %error, "a session was not closed politely");
        }
    }
}

/// Why a call ended without an answer.
fn trouble<T>(
    origin: &Origin,
    place: &Place,
    tally: &Tally,
    scrubber: &Scrubber,
    wall: Duration,
    outcome: Outcome<T>,
) -> CallError {
    let error = match outcome {
        Err(_) | Ok(Ok(_)) => {
            tally.deadline_passed();
            return CallError::DeadlineExceeded(wall);
        }
        Ok(Err(error)) => error,
    };
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return CallError::NoRoom(full.to_string());
    }
    if let Some(Violation::Stopped) = error.downcast_ref::<Violation>() {
        return CallError::Stopped;
    }
    origin.fault(place, tally);
    match error.downcast_ref::<Violation>() {
        Some(Violation::Memory(limit)) => CallError::MemoryLimit(*limit),
        Some(Violation::Table(limit)) => CallError::TableLimit(*limit),
        Some(Violation::Processor(limit)) => CallError::OutOfTime(*limit),
        Some(Violation::Handles(limit)) => CallError::HandleLimit(*limit),
        Some(violation @ (Violation::Import(_) | Violation::Contract(_) | Violation::Stopped)) => {
            CallError::Trapped { message: violation.to_string() }
        }
        None => {
            let message = format!("{error:#}");
            if message.contains(HOSTCALL_FUEL) {
                return CallError::TooMuchData("more than one call may carry".to_owned());
            }
            CallError::Trapped { message: scrubber.text(&message) }
        }
    }
}
