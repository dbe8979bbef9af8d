//! What is known of a namespace: its labels, by which instances admit it, and whether it is going.
//!
//! Read by name, metadata only, and remembered for a few seconds: watching all namespaces would cost more than
//! asking for the few that matter. Absence is not remembered; a namespace that was just created counts at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt as _};

use crate::cluster::absence::present_or_absent;

/// How long an answer is used.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The namespace whose UID tells this cluster from every other.
const SYSTEM: &str = "kube-system";

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// It is being deleted.
    pub terminating: bool,
}

/// Why the cluster has no identity.
#[derive(Debug, thiserror::Error)]
pub enum ReadClusterIdError {
    /// The request failed.
    #[error("cannot read the namespace {SYSTEM}, whose uid stands for the cluster")]
    Get(#[source] kube::Error),
    /// There is none.
    #[error("the namespace {SYSTEM}, whose uid stands for the cluster, does not exist or has none")]
    Find,
}

/// Access to namespaces by name.
#[derive(Clone)]
pub struct Namespaces {
    api: Api<PartialObjectMeta<Namespace>>,
    remembered: Arc<Mutex<Remembered>>,
}

/// By name: when it was read, and what was found.
type Remembered = HashMap<String, (Instant, Arc<NamespaceFacts>)>;

impl Namespaces {
    /// Access through this client.
    pub fn new(client: Client) -> Self {
        Self { api: Api::all(client), remembered: Arc::default() }
    }

    /// The namespace of this name; none where it positively does not exist.
    pub async fn get(&self, name: &str) -> Result<Option<Arc<NamespaceFacts>>, kube::Error> {
        if let Some(facts) = self.remembered(name, Instant::now()) {
            return Ok(Some(facts));
        }
        let Some(namespace) = self.read(name).await? else {
            self.lock().remove(name);
            return Ok(None);
        };
        let facts = Arc::new(NamespaceFacts {
            labels: namespace.labels().clone(),
            terminating: namespace.metadata.deletion_timestamp.is_some(),
        });
        let now = Instant::now();
        let mut remembered = self.lock();
        remembered.retain(|_, (read, _)| now.saturating_duration_since(*read) < REMEMBERED);
        remembered.insert(name.to_owned(), (now, Arc::clone(&facts)));
        Ok(Some(facts))
    }

    /// What stands for this cluster in marks: the UID of its kube-system namespace.
    pub async fn cluster_id(&self) -> Result<String, ReadClusterIdError> {
        let system = self.read(SYSTEM).await.map_err(ReadClusterIdError::Get)?;
        system.and_then(|namespace| namespace.uid()).ok_or(ReadClusterIdError::Find)
    }

    async fn read(&self, name: &str) -> Result<Option<PartialObjectMeta<Namespace>>, kube::Error> {
        present_or_absent(self.api.get(name).await, name)
    }

    fn remembered(&self, name: &str, now: Instant) -> Option<Arc<NamespaceFacts>> {
        let remembered = self.lock();
        let (read, facts) = remembered.get(name)?;
        (now.saturating_duration_since(*read) < REMEMBERED).then(|| Arc::clone(facts))
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
