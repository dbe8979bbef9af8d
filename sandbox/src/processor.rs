//! Time on the processor: the clock of one call, and the ticker that interrupts guests.
//!
//! Decided here: what is counted (the guest's own instructions and what the host does for it, not its waits in the host
//! and not its place in the executor's queue) and when the ticker runs (only while a call is under way: an idle operator has
//! no timer here). The ticker is a thread, because a guest that loops on every executor thread would keep a
//! task from running.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::{Engine, EngineWeak, StoreContextMut, UpdateDeadline};

use crate::limits::Violation;
use crate::state::GuestState;

/// How often a running guest is interrupted.
const TICK: Duration = Duration::from_millis(10);

/// A mutex whose content stays usable after a panic elsewhere: nothing here leaves it half-changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what one call spends on the processor.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    limit: Duration,
    spent: Duration,
    running_since: Option<Instant>,
}

impl Clock {
    pub(crate) fn new(limit: Duration) -> Self {
        Self(Arc::new(Mutex::new(Reading { limit, spent: Duration::ZERO, running_since: None })))
    }

    /// A new call begins.
    pub(crate) fn restart(&self) {
        let mut reading = locked(&self.0);
        reading.spent = Duration::ZERO;
        reading.running_since = Some(Instant::now());
    }

    /// The guest stops running: it waits in the host, or gives way to others.
    pub(crate) fn pause(&self) {
        let mut reading = locked(&self.0);
        if let Some(since) = reading.running_since.take() {
            reading.spent = reading.spent.saturating_add(since.elapsed());
        }
    }

    /// The guest runs on.
    pub(crate) fn resume(&self) {
        locked(&self.0).running_since = Some(Instant::now());
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        let reading = locked(&self.0);
        (reading.spent > reading.limit).then_some(Violation::Processor(reading.limit))
    }
}

/// What happens at each tick to a guest that runs: it gives way to others, or ends.
pub(crate) fn at_tick(context: &StoreContextMut<'_, GuestState>) -> wasmtime::Result<UpdateDeadline> {
    let clock = context.data().clock.clone();
    clock.pause();
    if let Some(violation) = clock.violation() {
        return Err(wasmtime::Error::new(violation));
    }
    let give_way = async move {
        tokio::task::yield_now().await;
        clock.resume();
    };
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(give_way)))
}

/// The thread that moves the engine's epoch.
#[derive(Debug)]
pub(crate) struct Ticker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    turn: Mutex<Turn>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Turn {
    running: usize,
    ticks: u64,
    closed: bool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (weak, seen) = (engine.weak(), Arc::clone(&shared));
        std::thread::Builder::new().name("guest-ticker".to_owned()).spawn(move || seen.tick(&weak))?;
        Ok(Self(shared))
    }

    /// Ticks as long as the answer lives.
    pub(crate) fn run(&self) -> Running {
        let mut turn = locked(&self.0.turn);
        turn.running = turn.running.saturating_add(1);
        if turn.running == 1 {
            self.0.wake.notify_one();
        }
        Running(Arc::clone(&self.0))
    }

    /// How often it ticked so far.
    pub(crate) fn ticks(&self) -> u64 {
        locked(&self.0.turn).ticks
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        locked(&self.0.turn).closed = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn tick(&self, engine: &EngineWeak) {
        loop {
            let turn = locked(&self.turn);
            let waited = self.wake.wait_while(turn, |turn| turn.running == 0 && !turn.closed);
            let mut turn = waited.unwrap_or_else(PoisonError::into_inner);
            if turn.closed {
                return;
            }
            turn.ticks = turn.ticks.wrapping_add(1);
            drop(turn);
            // A sleep from now on, not from the last tick: what was missed under load is not made up for.
            std::thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    }
}

/// While it lives, the ticker ticks.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut turn = locked(&self.0.turn);
        turn.running = turn.running.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticker_stands_still_while_nothing_runs() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).unwrap();
        std::thread::sleep(TICK * 5);
        assert_eq!(ticker.ticks(), 0);
        let running = ticker.run();
        let started = Instant::now();
        while ticker.ticks() < 3 {
            assert!(started.elapsed() < Duration::from_secs(10));
            std::thread::sleep(TICK);
        }
        drop(running);
        std::thread::sleep(TICK * 3);
        let still = ticker.ticks();
        std::thread::sleep(TICK * 5);
        assert_eq!(ticker.ticks(), still);
    }

    #[test]
    fn waiting_is_not_counted() {
        let clock = Clock::new(Duration::from_millis(20));
        clock.restart();
        clock.pause();
        std::thread::sleep(Duration::from_millis(40));
        assert_eq!(clock.violation(), None);
        clock.resume();
        std::thread::sleep(Duration::from_millis(40));
        clock.pause();
        assert_eq!(clock.violation(), Some(Violation::Processor(Duration::from_millis(20))));
    }
}
