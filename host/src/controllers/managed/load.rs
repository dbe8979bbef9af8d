//! The instance a resource names: whether it is there, whether it serves this namespace, whether it is live.

use crds::names::reason;
use crds::{Instance as _, InstanceId, InstanceSpec, PrivilegeCeiling};
use planning::adoption::InstanceSide;
use planning::{Blocked, consent};
use sandbox::contract::BlockOwner;

use super::super::run::Run;
use super::super::translate::Paths;
use super::super::trouble::{Stop, asking};
use super::{Provisioned, Reported};
use crate::cluster::stores::AnyInstance;
use crate::engines::Engine;
use crate::servers::Live;

/// A resource's instance, with everything that was found out about it.
pub(crate) struct Bound {
    /// Which one.
    pub(crate) id: InstanceId,
    /// The instance.
    pub(crate) instance: AnyInstance,
    /// Its annotation that lists what may be adopted.
    pub(crate) adoptable: Option<String>,
    /// Its engine.
    pub(crate) engine: Engine,
    /// The key of the option block that this engine understands for the resource's kind.
    pub(crate) block: String,
    /// The field of the resource that holds the object's name.
    pub(crate) name_field: &'static str,
    /// It serves this namespace for the namespace's labels, which nobody watches.
    pub(crate) by_label: bool,
}

impl Bound {
    pub(crate) fn paths(&self) -> Paths<'_> {
        Paths { block: &self.block, name: self.name_field }
    }

    /// What it says.
    pub(crate) fn spec(&self) -> &InstanceSpec {
        self.instance.instance_spec()
    }

    pub(crate) fn ceiling(&self) -> PrivilegeCeiling {
        self.spec().privilege_ceiling.clone().unwrap_or_default()
    }

    pub(crate) fn side<'a>(&'a self, ceiling: &'a PrivilegeCeiling) -> InstanceSide<'a> {
        InstanceSide {
            namespace: self.id.namespace.as_deref(),
            listed: self.adoptable.as_deref(),
            ceiling: Some(ceiling),
        }
    }
}

/// Finds the instance that the resource names and asks for its consent.
pub(super) async fn bound<K: Provisioned>(run: &Run<K>) -> Result<Bound, Stop> {
    let id = run.object.instance_id().ok_or_else(|| {
        Blocked::invalid(
            reason::INVALID_SPEC,
            "exactly one of spec.instanceRef and spec.clusterInstanceRef must be set",
        )
    })?;
    bound_to(run, id, K::OPTIONS, K::NAME_FIELD).await
}

/// Finds an instance and asks for its consent to the resource.
pub(crate) async fn bound_to<K: Reported>(
    run: &Run<K>,
    id: InstanceId,
    options: BlockOwner,
    name_field: &'static str,
) -> Result<Bound, Stop> {
    let namespace = run.key.namespace.as_str();
    let found = run.ctx.stores.instance(&id);
    let allowed = found.as_ref().and_then(|instance| instance.instance_spec().allowed_namespaces.clone());
    let by_label = consent::needs_labels(&id, allowed.as_ref(), namespace);
    let labels = if by_label {
        let facts = run.ctx.namespaces.get(namespace).await.map_err(asking("reading the labels of the namespace"))?;
        facts.map(|facts| facts.labels.clone()).unwrap_or_default()
    } else {
        consent::Labels::new()
    };
    // Before it is said whether the instance exists: another namespace's instances are none of ours until they consent.
    consent::instance_serves(&id, allowed.as_ref(), namespace, &labels)?;
    let instance = found.ok_or_else(|| Blocked::waiting(reason::INSTANCE_NOT_FOUND, format!("{id} does not exist")))?;
    let engine = run
        .ctx
        .registry
        .find(&instance.instance_spec().engine)
        .map_err(|error| Blocked::waiting(error.reason(), error.to_string()).of_the_instance())?;
    let block = engine.block_key(options).unwrap_or("parameters").to_owned();
    let list = planning::adoption::annotation_for(K::KIND);
    Ok(Bound {
        adoptable: instance.metadata().annotations.as_ref().and_then(|all| all.get(list)).cloned(),
        instance,
        engine,
        block,
        name_field,
        by_label,
        id,
    })
}

/// The instance's sessions, if it is connected.
pub(crate) fn live<K: Reported>(run: &Run<K>, bound: &Bound) -> Result<Live, Blocked> {
    run.ctx.servers.get(&bound.id).ok_or_else(|| {
        Blocked::waiting(reason::INSTANCE_NOT_READY, format!("{} is not connected; see its conditions", bound.id))
            .of_the_instance()
    })
}
