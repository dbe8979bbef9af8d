//! Who gives to an account or takes from it, one after the other, and what each resource gave, before the watch caches
//! have heard of it.
//!
//! What one resource may take back depends on what others gave. Two that give up the same right at the same moment,
//! each with a look at the other's last status, would leave it to each other, and it would stay for ever. So whoever
//! takes waits for its turn at the account, looks then, and notes what it holds before the next one looks. Losing the
//! notes with the process loses nothing: a new process begins with what every status says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::{HeldRight, Ownership};
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

/// What a resource gave, and whom: its status may still tell of somebody else.
#[derive(Clone, Debug)]
struct Note {
    account: Account,
    held: Vec<HeldRight>,
}

impl Note {
    /// Whether the status says the same. Where nothing is held, it does not matter by whom.
    fn is_told_by(&self, ownership: Option<&Ownership>, held: &[HeldRight]) -> bool {
        let same_account = ownership.is_some_and(|ownership| self.account.is_recorded_by(ownership));
        self.held == held && (same_account || held.is_empty())
    }
}

/// Turns and notes.
#[derive(Debug, Default)]
pub struct Ledger {
    turns: Mutex<HashMap<Place, Arc<tokio::sync::Mutex<()>>>>,
    held: Mutex<HashMap<String, Arc<Note>>>,
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

    /// Notes what the resource with this uid gave the account, from now on.
    pub(crate) fn note(&self, uid: &str, account: &Account, held: &[HeldRight]) {
        let note = Note { account: account.clone(), held: held.to_vec() };
        self.notes().insert(uid.to_owned(), Arc::new(note));
    }

    /// What resources gave, for a look at many of them. Nobody is kept from taking notes meanwhile.
    pub(crate) fn read(&self) -> Reading<'_> {
        Reading { ledger: self, notes: self.notes().clone() }
    }

    /// Whose notes are kept.
    #[cfg(test)]
    pub(super) fn noted(&self) -> Vec<String> {
        self.notes().keys().cloned().collect()
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<String, Arc<Note>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notes as they were when the reading began. What is not asked for is of a resource that is not there any more.
pub(crate) struct Reading<'ledger> {
    ledger: &'ledger Ledger,
    notes: HashMap<String, Arc<Note>>,
}

impl Reading<'_> {
    /// Calls with the share of the resource with this uid, whose status tells of these; `counts` says whether there is
    /// one at all. A note that its status has caught up with is forgotten.
    pub(crate) fn share(
        &mut self,
        uid: Option<&String>,
        ownership: Option<&Ownership>,
        held: &[HeldRight],
        counts: bool,
        share: impl FnOnce(&str, &str, &[HeldRight]),
    ) {
        let note = uid.and_then(|uid| self.notes.remove_entry(uid));
        match &note {
            Some((uid, note)) if note.is_told_by(ownership, held) => self.forget(uid, note),
            Some((_, note)) => {
                if counts && !note.held.is_empty() {
                    share(&note.account.identity, &note.account.name, &note.held);
                }
                return;
            }
            None => {}
        }
        if let Some(ownership) = ownership.filter(|_| counts && !held.is_empty()) {
            share(&ownership.server_identity, &ownership.name, held);
        }
    }

    /// Forgets the notes of resources that nobody asked about.
    pub(crate) fn end(self) {
        self.notes.iter().for_each(|(uid, note)| self.forget(uid, note));
    }

    /// Not where another note was taken meanwhile.
    fn forget(&self, uid: &str, note: &Arc<Note>) {
        let mut notes = self.ledger.notes();
        if notes.get(uid).is_some_and(|now| Arc::ptr_eq(now, note)) {
            notes.remove(uid);
        }
    }
}
