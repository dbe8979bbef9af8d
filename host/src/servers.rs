//! The database servers that are bound now, one for each instance, and who waits for them.
//!
//! An instance's controller binds and replaces; its resources take what is connected, or wait and are told when
//! it is, without any write to the API server. A binding that changed is closed politely behind its successor.
//! Deliberately absent: why a server is not connected, which the instance's conditions say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::InstanceId;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use sandbox::Server;
use sandbox::contract::ServerFacts;
use tokio::sync::broadcast;

/// Changes that may wait for their reader; more than there are instances that change at a time.
const WAITING_CHANGES: usize = 1024;

/// How long all servers together may take to say good-bye when the process ends.
const GOODBYE: Duration = Duration::from_secs(3);

/// What can be closed.
pub trait Close: Send + Sync + 'static {
    /// Ends idle sessions politely and lends no more.
    fn close(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl Close for Server {
    fn close(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move { Server::close(&self).await }.boxed()
    }
}

/// A connected server.
#[derive(Debug)]
pub struct Live<S = Server> {
    /// Lends sessions.
    pub server: Arc<S>,
    /// What it said of itself when it was connected last.
    pub facts: Arc<ServerFacts>,
}

impl<S> Clone for Live<S> {
    fn clone(&self) -> Self {
        Self { server: Arc::clone(&self.server), facts: Arc::clone(&self.facts) }
    }
}

/// A bound server, connected or not.
#[derive(Debug)]
pub struct BoundServer<S = Server> {
    /// Lends sessions.
    pub server: Arc<S>,
    /// The hash of everything it was bound with; another hash is another binding.
    pub binding: String,
    /// What it said of itself; none: it is not connected.
    pub facts: Option<Arc<ServerFacts>>,
}

impl<S> Clone for BoundServer<S> {
    fn clone(&self) -> Self {
        Self { server: Arc::clone(&self.server), binding: self.binding.clone(), facts: self.facts.clone() }
    }
}

/// All of them. Cloning shares them.
#[derive(Debug)]
pub struct Servers<S = Server> {
    bound: Arc<Mutex<HashMap<InstanceId, BoundServer<S>>>>,
    changes: broadcast::Sender<InstanceId>,
}

impl<S> Clone for Servers<S> {
    fn clone(&self) -> Self {
        Self { bound: Arc::clone(&self.bound), changes: self.changes.clone() }
    }
}

impl<S> Default for Servers<S> {
    fn default() -> Self {
        Self { bound: Arc::default(), changes: broadcast::Sender::new(WAITING_CHANGES) }
    }
}

impl<S: Close> Servers<S> {
    /// The instance's server, if it is connected.
    pub fn get(&self, id: &InstanceId) -> Option<Live<S>> {
        let bound = self.lock();
        let BoundServer { server, binding: _, facts } = bound.get(id)?;
        Some(Live { server: Arc::clone(server), facts: Arc::clone(facts.as_ref()?) })
    }

    /// The instance's server, connected or not: for its own controller.
    pub fn bound(&self, id: &InstanceId) -> Option<BoundServer<S>> {
        self.lock().get(id).cloned()
    }

    /// Takes a new binding, not connected yet. The former one is closed in the background.
    pub fn bind(&self, id: &InstanceId, binding: String, server: Arc<S>) {
        let former = self.lock().insert(id.clone(), BoundServer { server, binding, facts: None });
        close_in_background(former);
    }

    /// The server of this binding answered. Who waits for it is told if it did not before, or is another now.
    pub fn connected(&self, id: &InstanceId, binding: &str, facts: ServerFacts) {
        let told = {
            let mut bound = self.lock();
            // A binding that was replaced while it connected has nothing to say any more.
            let Some(entry) = bound.get_mut(id).filter(|entry| entry.binding == binding) else { return };
            let is_known = entry.facts.as_ref().is_some_and(|known| known.identity == facts.identity);
            entry.facts = Some(Arc::new(facts));
            !is_known
        };
        if told {
            self.tell(id);
        }
    }

    /// The server does not answer, or may not be asked: its resources wait. Its binding stays.
    pub fn disconnected(&self, id: &InstanceId) {
        if let Some(entry) = self.lock().get_mut(id) {
            entry.facts = None;
        }
    }

    /// The instance is gone, or may not be used any more.
    pub fn remove(&self, id: &InstanceId) {
        let former = self.lock().remove(id);
        let existed = former.is_some();
        close_in_background(former);
        if existed {
            self.tell(id);
        }
    }

    /// Tells which instance was connected or removed. A reader that lags behind must look at all.
    pub fn changes(&self) -> broadcast::Receiver<InstanceId> {
        self.changes.subscribe()
    }

    /// Closes all, when the process ends.
    pub async fn close_all(&self) {
        let all: Vec<_> = self.lock().drain().map(|(_, bound)| bound.server.close()).collect();
        if tokio::time::timeout(GOODBYE, join_all(all)).await.is_err() {
            tracing::warn!("some sessions were not closed in time");
        }
    }

    fn tell(&self, id: &InstanceId) {
        // Nobody listens before the controllers run.
        self.changes.send(id.clone()).unwrap_or_default();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, BoundServer<S>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close_in_background<S: Close>(former: Option<BoundServer<S>>) {
    if let Some(former) = former {
        tokio::spawn(former.server.close());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Door(AtomicBool);

    impl Close for Door {
        fn close(self: Arc<Self>) -> BoxFuture<'static, ()> {
            self.0.store(true, Ordering::SeqCst);
            futures::future::ready(()).boxed()
        }
    }

    fn facts(identity: &str) -> ServerFacts {
        ServerFacts {
            version: "15".to_owned(),
            identity: identity.to_owned(),
            administrator: "admin".to_owned(),
            superuser: false,
        }
    }

    fn id() -> InstanceId {
        InstanceId::namespaced("team-a", "main")
    }

    #[tokio::test]
    async fn a_server_is_lent_only_while_it_is_connected() {
        let servers = Servers::default();
        assert!(servers.get(&id()).is_none());
        servers.bind(&id(), "1".to_owned(), Arc::new(Door::default()));
        assert!(servers.get(&id()).is_none());
        servers.connected(&id(), "1", facts("x"));
        assert_eq!(servers.get(&id()).unwrap().facts.identity, "x");
        servers.disconnected(&id());
        assert!(servers.get(&id()).is_none());
        assert!(servers.bound(&id()).is_some());
    }

    #[tokio::test]
    async fn who_waits_is_told_once() {
        let servers = Servers::default();
        let mut changes = servers.changes();
        servers.bind(&id(), "1".to_owned(), Arc::new(Door::default()));
        servers.connected(&id(), "1", facts("x"));
        servers.connected(&id(), "1", facts("x"));
        assert_eq!(changes.try_recv().unwrap(), id());
        assert!(changes.try_recv().is_err());
        servers.disconnected(&id());
        servers.connected(&id(), "1", facts("x"));
        assert_eq!(changes.try_recv().unwrap(), id());
        servers.connected(&id(), "1", facts("another"));
        assert_eq!(changes.try_recv().unwrap(), id());
    }

    #[tokio::test]
    async fn a_replaced_binding_is_closed_and_cannot_speak_for_its_successor() {
        let servers = Servers::default();
        let (old, new) = (Arc::new(Door::default()), Arc::new(Door::default()));
        servers.bind(&id(), "1".to_owned(), Arc::clone(&old));
        servers.bind(&id(), "2".to_owned(), Arc::clone(&new));
        servers.connected(&id(), "1", facts("x"));
        assert!(servers.get(&id()).is_none());
        tokio::task::yield_now().await;
        assert!(old.0.load(Ordering::SeqCst));
        servers.close_all().await;
        assert!(new.0.load(Ordering::SeqCst));
    }
}
