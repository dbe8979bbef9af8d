//! What a scrape of the metrics reads: from the caches, the sandbox and the engines, as they are then.

use std::sync::Arc;

use crds::{Database, DatabaseUser, Managed as _, ResourcePhase};
use kube::ResourceExt as _;
use sandbox::Sandbox;

use crate::cluster::stores::Stores;
use crate::engines::Registry;
use crate::object_key::ObjectKey;
use crate::telemetry::labels::{DatabaseInfoLabels, UserInfoLabels};
use crate::telemetry::readings::Readings;

/// What a scrape reads.
pub(super) struct Sources {
    pub(super) sandbox: Sandbox,
    pub(super) registry: Arc<Registry>,
    pub(super) stores: Stores,
}

impl Readings for Sources {
    fn is_there(&self, key: &ObjectKey) -> bool {
        self.stores.exists(&key.kind, &key.namespace, &key.name)
    }

    fn resources(&self) -> Vec<(&'static str, usize)> {
        self.stores.counts()
    }

    fn databases(&self) -> Vec<DatabaseInfoLabels> {
        let databases = self.stores.databases.state();
        let labels = |database: &Arc<Database>| DatabaseInfoLabels {
            name: database.name_any(),
            database: database.spec.name.clone(),
            instance: database.instance_id().map(|instance| instance.name).unwrap_or_default(),
            namespace: database.namespace().unwrap_or_default(),
            phase: phase(database.status.as_ref().and_then(|status| status.phase)),
        };
        databases.iter().map(labels).collect()
    }

    fn users(&self) -> Vec<UserInfoLabels> {
        let users = self.stores.users.state();
        let labels = |user: &Arc<DatabaseUser>| UserInfoLabels {
            name: user.name_any(),
            username: user.spec.username.clone(),
            instance: user.instance_id().map(|instance| instance.name).unwrap_or_default(),
            namespace: user.namespace().unwrap_or_default(),
            phase: phase(user.status.as_ref().and_then(|status| status.phase)),
        };
        users.iter().map(labels).collect()
    }

    fn sandbox(&self) -> sandbox::Counters {
        self.sandbox.counters()
    }

    fn engines(&self) -> (usize, usize) {
        self.registry.counts()
    }
}

fn phase(phase: Option<ResourcePhase>) -> String {
    phase.map(|phase| phase.to_string()).unwrap_or_default()
}
