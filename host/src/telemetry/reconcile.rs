//! The reconcile that the running task belongs to: its id, and whether it changed anything.
//!
//! A task-local, so that the thin effects (a patch, a created Secret) can say that they changed something
//! without a parameter through every function. It is read for logs and metrics only: no decision hangs on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::RngExt as _;

tokio::task_local! {
    static CURRENT: Reconcile;
}

/// One run of a reconciler.
#[derive(Clone, Debug)]
pub struct Reconcile {
    id: Arc<str>,
    changed: Arc<AtomicBool>,
}

impl Reconcile {
    /// A new run with a random id of eight hexadecimal digits.
    pub fn begin() -> Self {
        let number: u32 = rand::rng().random();
        Self { id: format!("{number:08x}").into(), changed: Arc::default() }
    }

    /// The id in logs, status and events.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this run changed anything in the cluster or on a server.
    pub fn changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// Runs a future as this reconcile.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }
}

/// The id of the running reconcile; zeros outside of any.
pub fn current_id() -> String {
    CURRENT.try_with(|reconcile| reconcile.id.to_string()).unwrap_or_else(|_outside| "00000000".to_owned())
}

/// The running reconcile changed something: in the cluster (the effects here say so themselves) or on a server.
pub fn mark_changed() {
    // Outside of a reconcile, at start or in a test, nobody counts.
    CURRENT.try_with(|reconcile| reconcile.changed.store(true, Ordering::Relaxed)).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_noted_by_the_reconcile_it_happened_in() {
        let (one, other) = (Reconcile::begin(), Reconcile::begin());
        one.scope(async { mark_changed() }).await;
        assert!(one.changed());
        assert!(!other.changed());
        mark_changed();
        assert!(!other.changed());
    }

    #[tokio::test]
    async fn an_id_has_eight_hexadecimal_digits() {
        let reconcile = Reconcile::begin();
        let id = reconcile.scope(async { current_id() }).await;
        assert_eq!(id, reconcile.id());
        assert_eq!(id.len(), 8);
        assert!(id.chars().all(|character| character.is_ascii_hexdigit()));
        assert_eq!(current_id(), "00000000");
    }
}
