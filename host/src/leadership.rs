//! Which replica works: the one that holds the Lease.
//!
//! Every write to the Lease carries the resourceVersion it was decided on, so that two replicas that see the
//! same silent holder cannot both succeed; the API server refuses the second. The holder stops writing when
//! its last renewal is too long ago ([`Term`]), before others may take over, even if it cannot reach the API
//! server to learn of it.
//!
//! Not used for this: kube-lease-manager, which clears a silent holder's record without a precondition and does
//! not tell its caller when renewals fail. A process that lost its Lease ends; it does not stand again, because
//! only a fresh process has surely nothing under way.

mod lease;
mod term;

use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

pub use lease::Timing;
pub use term::{NotLeading, Term};

use crate::errors::chain;
use lease::{Decision, Observation};

/// A candidate for a Lease.
#[derive(Debug)]
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    term: Term,
    observation: Observation,
    renewed: Instant,
}

/// What a try at the Lease came to.
#[derive(Debug)]
enum Tried {
    /// It is ours, by a request sent at this moment.
    Ours(Instant),
    /// It is somebody else's.
    Theirs(String),
}

/// Why a leader stopped being one.
#[derive(Debug, thiserror::Error)]
pub enum LostLeadership {
    /// Another replica holds the Lease.
    #[error("the lease went to `{0}`")]
    Taken(String),
    /// It could not be renewed in time.
    #[error("the lease could not be renewed for {0:?}")]
    NotRenewed(std::time::Duration),
}

impl Candidate {
    /// A candidate; `client` must not be one that asks the term before it writes.
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, timing: Timing) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity,
            timing,
            term: Term::not_begun(),
            observation: Observation::default(),
            renewed: Instant::now(),
        }
    }

    /// The term to ask before each write.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Waits until the Lease is ours; false: it was told to stop before.
    pub async fn win(&mut self, stop: &CancellationToken) -> bool {
        let mut known_holder = String::new();
        loop {
            let tried = tokio::select! {
                tried = self.try_once() => tried,
                () = stop.cancelled() => return false,
            };
            match tried {
                Ok(Tried::Ours(sent)) => {
                    self.renewed = sent;
                    self.term.extend(sent, self.timing.give_up);
                    tracing::info!(lease = %self.name, identity = %self.identity, "leading");
                    return true;
                }
                Ok(Tried::Theirs(holder)) => {
                    if holder != known_holder {
                        tracing::info!(lease = %self.name, %holder, "standing by");
                        known_holder = holder;
                    }
                }
                Err(error) => {
                    tracing::warn!(lease = %self.name, error = chain(&error), "cannot read or write the lease");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.timing.retry) => {}
                () = stop.cancelled() => return false,
            }
        }
    }

    /// Renews the Lease until that fails. The term has ended when this returns.
    pub async fn keep(&mut self) -> LostLeadership {
        loop {
            tokio::time::sleep(self.timing.retry).await;
            let left = self.timing.give_up.saturating_sub(self.renewed.elapsed());
            match tokio::time::timeout(left, self.try_once()).await {
                Ok(Ok(Tried::Ours(sent))) => {
                    self.renewed = sent;
                    self.term.extend(sent, self.timing.give_up);
                }
                Ok(Ok(Tried::Theirs(holder))) => {
                    self.term.end();
                    return LostLeadership::Taken(holder);
                }
                Ok(Err(error)) => tracing::warn!(lease = %self.name, error = chain(&error), "cannot renew the lease"),
                Err(_elapsed) => {}
            }
            if self.renewed.elapsed() >= self.timing.give_up {
                self.term.end();
                return LostLeadership::NotRenewed(self.renewed.elapsed());
            }
        }
    }

    /// Gives the Lease back, after everything that wrote has ended.
    pub async fn release(&mut self) {
        self.term.end();
        match self.give_back().await {
            Ok(()) => tracing::info!(lease = %self.name, "released the lease"),
            // Others wait until it expires, which is what it is for.
            Err(error) => tracing::warn!(lease = %self.name, error = chain(&error), "cannot release the lease"),
        }
    }

    async fn give_back(&self) -> Result<(), kube::Error> {
        let Some(lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
            self.replace(lease, lease::released(&spec, Timestamp::now())).await?;
        }
        Ok(())
    }

    async fn try_once(&mut self) -> Result<Tried, kube::Error> {
        let sent = Instant::now();
        let lease = match self.leases.get_opt(&self.name).await? {
            Some(lease) => lease,
            None => self.create().await?,
        };
        let spec = lease.spec.clone().unwrap_or_default();
        match self.observation.decide(&spec, &self.identity, self.timing, Instant::now(), Timestamp::now()) {
            Decision::Wait { holder } => Ok(Tried::Theirs(holder)),
            Decision::Renew(spec) | Decision::Take(spec) => {
                self.replace(lease, *spec).await?;
                Ok(Tried::Ours(sent))
            }
        }
    }

    async fn create(&self) -> Result<Lease, kube::Error> {
        let lease = Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec::default()),
        };
        self.leases.create(&PostParams::default(), &lease).await
    }

    /// Writes the record on the very Lease that was read: its resourceVersion goes along.
    async fn replace(&self, mut lease: Lease, spec: LeaseSpec) -> Result<(), kube::Error> {
        lease.spec = Some(spec);
        lease.metadata.managed_fields = None;
        self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(())
    }
}
