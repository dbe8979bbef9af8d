//! Who gives to an account or takes from it, one after the other, and what each resource gave, before the watch caches
//! have heard of it.
//!
//! What one resource may take back depends on what others gave. Two that give up the same right at the same moment,
//! each with a look at the other's last status, would leave it to each other, and it would stay for ever. So whoever
//! takes waits for its turn at the account, looks then, and notes what it holds before the next one looks. Losing the
//! notes with the process loses nothing: a new process begins with what every status says.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::HeldRight;
use tokio::sync::OwnedMutexGuard;

use super::rights::Account;

/// A turn at an account, and at what everyone holds on its server where that is concerned too.
#[must_use]
pub(crate) struct Turn {
    _account: OwnedMutexGuard<()>,
    _everyone: Option<OwnedMutexGuard<()>>,
}

/// A server's identity and a name on it; none: everyone.
type Place = (String, Option<String>);

/// Turns and notes.
#[derive(Debug, Default)]
pub struct Ledger {
    turns: Mutex<HashMap<Place, Arc<tokio::sync::Mutex<()>>>>,
    held: Mutex<HashMap<String, Vec<HeldRight>>>,
}

impl Ledger {
    /// Waits for a turn. Whoever has a session gives it back before, because the one whose turn it is may need it.
    pub(crate) async fn enter(&self, account: &Account, concerns_everyone: bool) -> Turn {
        // Always in this order, so that nobody waits for one who waits.
        let own = self.turn_at((account.identity.clone(), Some(account.name.clone()))).lock_owned().await;
        let everyone = if concerns_everyone {
            Some(self.turn_at((account.identity.clone(), None)).lock_owned().await)
        } else {
            None
        };
        Turn { _account: own, _everyone: everyone }
    }

    /// A turn, if it is free.
    pub(crate) fn try_enter(&self, account: &Account, concerns_everyone: bool) -> Option<Turn> {
        let own = self.turn_at((account.identity.clone(), Some(account.name.clone()))).try_lock_owned().ok()?;
        let everyone = if concerns_everyone {
            Some(self.turn_at((account.identity.clone(), None)).try_lock_owned().ok()?)
        } else {
            None
        };
        Some(Turn { _account: own, _everyone: everyone })
    }

    fn turn_at(&self, place: Place) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(place).or_default())
    }

    /// Notes what the resource with this uid holds from now on.
    pub(crate) fn note(&self, uid: &str, held: &[HeldRight]) {
        self.notes().insert(uid.to_owned(), held.to_vec());
    }

    /// What resources hold, for a look at many of them.
    pub(crate) fn read(&self) -> Reading<'_> {
        Reading { notes: self.notes() }
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<String, Vec<HeldRight>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notes while they are read.
pub(crate) struct Reading<'ledger> {
    notes: MutexGuard<'ledger, HashMap<String, Vec<HeldRight>>>,
}

impl Reading<'_> {
    /// Whether every status is up to date.
    pub(crate) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// What the resource holds, where its status says `told`. A note that its status has caught up with is forgotten.
    pub(crate) fn held<'told>(&mut self, uid: Option<&String>, told: &'told [HeldRight]) -> Cow<'told, [HeldRight]> {
        let Some(uid) = uid else { return Cow::Borrowed(told) };
        match self.notes.get(uid) {
            Some(note) if note != told => Cow::Owned(note.clone()),
            Some(_) => {
                self.notes.remove(uid);
                Cow::Borrowed(told)
            }
            None => Cow::Borrowed(told),
        }
    }

    /// Forgets the notes of resources that are not there any more.
    pub(crate) fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.notes.retain(|uid, _| is_there(uid));
    }
}
