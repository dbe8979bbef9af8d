//! `ConfigMap`s, read by name: where initSQL may come from.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};

use crate::cluster::absence::{can_exist, present_or_absent};

/// Access to `ConfigMap`s by name.
#[derive(Clone)]
pub struct ConfigMaps {
    client: Client,
}

impl ConfigMaps {
    /// Access through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The `ConfigMap` of this name; none where it positively does not exist.
    pub async fn get(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
        if !can_exist(namespace, name) {
            return Ok(None);
        }
        present_or_absent(Api::namespaced(self.client.clone(), namespace).get(name).await, name)
    }
}
