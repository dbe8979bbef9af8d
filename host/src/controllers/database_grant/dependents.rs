//! The grants that depend on a user or role: it is not deleted under them without a person's word.
//!
//! Decided here: grants of its own namespace count, and grants of the whole cluster for a role of the whole cluster.
//! Another namespace's grant cannot hold it up, and one that is on its way out does not.

use std::sync::Arc;

use crds::{ClusterDatabaseGrant, DatabaseGrant};
use kube::{Resource, ResourceExt as _};

use super::{GrantResource as _, Named};
use crate::controllers::cascade::take_along;
use crate::controllers::managed::Reported;
use crate::controllers::run::Run;
use crate::controllers::trouble::Stop;

/// The grants of both scopes.
pub(crate) struct Dependents {
    grants: Vec<Arc<DatabaseGrant>>,
    cluster_grants: Vec<Arc<ClusterDatabaseGrant>>,
}

impl Dependents {
    /// Those that name the resource.
    pub(crate) fn of<K: Reported>(run: &Run<K>) -> Self {
        let namespace = Some(run.key.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let names_us = |named: Option<Named>| named.is_some_and(|named| named.is(K::KIND, namespace, &run.key.name));
        let stores = &run.ctx.stores;
        let grants = stores.access_grants.state_filter(|grant| {
            let is_near = namespace.is_none() || grant.metadata.namespace.as_deref() == namespace;
            is_near && stays(grant) && names_us(grant.named())
        });
        let cluster_grants = match namespace {
            Some(_) => Vec::new(),
            None => stores.cluster_access_grants.state_filter(|grant| stays(grant) && names_us(grant.named())),
        };
        Self { grants, cluster_grants }
    }

    /// As `Kind/Name`, with the namespace where the resource has none of its own.
    pub(crate) fn names<K: Reported>(&self, run: &Run<K>) -> Vec<String> {
        let of_namespace = |grant: &Arc<DatabaseGrant>| match grant.namespace() {
            Some(namespace) if namespace != run.key.namespace => {
                format!("DatabaseGrant/{namespace}/{}", grant.name_any())
            }
            Some(_) | None => format!("DatabaseGrant/{}", grant.name_any()),
        };
        let of_cluster = |grant: &Arc<ClusterDatabaseGrant>| format!("ClusterDatabaseGrant/{}", grant.name_any());
        self.grants.iter().map(of_namespace).chain(self.cluster_grants.iter().map(of_cluster)).collect()
    }

    /// Deletes them, as a person confirmed.
    pub(crate) async fn take_along<K: Reported>(&self, run: &Run<K>) -> Result<(), Stop> {
        for grant in &self.grants {
            take_along(run, grant.as_ref()).await?;
        }
        for grant in &self.cluster_grants {
            take_along(run, grant.as_ref()).await?;
        }
        Ok(())
    }
}

fn stays<K: Resource>(grant: &K) -> bool {
    grant.meta().deletion_timestamp.is_none()
}
