//! Whose turn it is: so many reconciles at a time for each instance, in the order in which they came.
//!
//! A server that hangs holds up the resources of its own instance and nobody else's: they wait here, where waiting
//! costs next to nothing, and not in the places of others.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};

use crds::InstanceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of all instances.
#[derive(Debug)]
pub struct Turns {
    each: usize,
    instances: Mutex<HashMap<InstanceId, Arc<Semaphore>>>,
}

/// One turn; it is over when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many at a time for each instance.
    pub fn new(each: NonZeroU16) -> Self {
        Self { each: usize::from(each.get()), instances: Mutex::default() }
    }

    /// Waits for a turn. A resource that names no instance needs none: it is refused at once.
    pub async fn enter(&self, instance: Option<InstanceId>) -> Turn {
        let Some(instance) = instance else { return Turn { _permit: None } };
        let semaphore = {
            let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
            // Instances come and go; what nobody waits for or uses is forgotten.
            instances.retain(|id, semaphore| *id == instance || Arc::strong_count(semaphore) > 1);
            Arc::clone(instances.entry(instance).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
        };
        Turn { _permit: semaphore.acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn id(name: &str) -> InstanceId {
        InstanceId::cluster(name)
    }

    #[tokio::test]
    async fn a_full_instance_holds_up_only_its_own() {
        let turns = Turns::new(NonZeroU16::MIN);
        let first = turns.enter(Some(id("slow"))).await;
        assert!(turns.enter(Some(id("slow"))).now_or_never().is_none());
        assert!(turns.enter(Some(id("quick"))).now_or_never().is_some());
        assert!(turns.enter(None).now_or_never().is_some());
        drop(first);
        assert!(turns.enter(Some(id("slow"))).now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_instance_that_nobody_uses_is_forgotten() {
        let turns = Turns::new(NonZeroU16::MIN);
        drop(turns.enter(Some(id("gone"))).await);
        let _held = turns.enter(Some(id("there"))).await;
        assert_eq!(turns.instances.lock().unwrap().len(), 1);
    }
}
