//! One view of the resources that stand for an object on a server.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use serde::Serialize;
use serde_json::Value;

use crate::{
    AdoptionPolicy, ClusterDatabaseGrantSpec, ClusterDatabaseRole, Condition, Database, DatabaseGrantSpec,
    DatabaseRole, DatabaseUser, DeletionPolicy, DriftPolicy, InstanceId, Ownership, ReadDeletionPolicyError, names,
};

/// The option blocks that a spec states, by their key in the spec. What is not stated is not in it.
pub type OptionBlocks = BTreeMap<&'static str, Value>;

/// A resource that stands for an object on a server, seen the same way whatever its kind.
pub trait Managed {
    /// The instance it names; `None` where it names none or two.
    fn instance_id(&self) -> Option<InstanceId>;
    /// Name of the object on the server.
    fn external_name(&self) -> &str;
    /// Its own drift policy, if it states one.
    fn drift_policy(&self) -> Option<&DriftPolicy>;
    /// Whether deleting it is refused.
    fn deletion_protection(&self) -> bool;
    /// What happens on the server when it is deleted.
    fn deletion_policy(&self) -> Result<DeletionPolicy, ReadDeletionPolicyError>;
    /// Whether it may take over what exists.
    fn adoption_policy(&self) -> AdoptionPolicy;
    /// The option blocks that it states, by their key in the spec.
    fn option_blocks(&self) -> serde_json::Result<OptionBlocks>;
    /// What it owns on the server, as recorded.
    fn ownership(&self) -> Option<&Ownership>;
    /// The conditions of the status; none where there is no status.
    fn conditions(&self) -> &[Condition];
    /// The generation its status is about.
    fn observed_generation(&self) -> Option<i64>;
}

impl Managed for Database {
    fn instance_id(&self) -> Option<InstanceId> {
        InstanceId::named_by(
            self.spec.instance_ref.as_ref(),
            self.spec.cluster_instance_ref.as_ref(),
            &self.namespace().unwrap_or_default(),
        )
    }

    fn external_name(&self) -> &str {
        &self.spec.name
    }

    fn drift_policy(&self) -> Option<&DriftPolicy> {
        self.spec.drift_policy.as_ref()
    }

    fn deletion_protection(&self) -> bool {
        self.spec.deletion_protection
    }

    fn deletion_policy(&self) -> Result<DeletionPolicy, ReadDeletionPolicyError> {
        Ok(self.spec.deletion_policy)
    }

    fn adoption_policy(&self) -> AdoptionPolicy {
        self.spec.adoption_policy
    }

    fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        let mut blocks = OptionBlocks::new();
        block(&mut blocks, "postgres", self.spec.postgres.as_ref())?;
        block(&mut blocks, "mysql", self.spec.mysql.as_ref())?;
        block(&mut blocks, "clickhouse", self.spec.clickhouse.as_ref())?;
        block(&mut blocks, "parameters", self.spec.parameters.as_ref())?;
        Ok(blocks)
    }

    fn ownership(&self) -> Option<&Ownership> {
        self.status.as_ref()?.ownership.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map_or(&[], |status| status.conditions.as_slice())
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }
}

impl Managed for DatabaseUser {
    fn instance_id(&self) -> Option<InstanceId> {
        InstanceId::named_by(
            self.spec.instance_ref.as_ref(),
            self.spec.cluster_instance_ref.as_ref(),
            &self.namespace().unwrap_or_default(),
        )
    }

    fn external_name(&self) -> &str {
        &self.spec.username
    }

    fn drift_policy(&self) -> Option<&DriftPolicy> {
        self.spec.drift_policy.as_deref()
    }

    fn deletion_protection(&self) -> bool {
        annotated_protection(self.annotations())
    }

    fn deletion_policy(&self) -> Result<DeletionPolicy, ReadDeletionPolicyError> {
        annotated_policy(self.annotations())
    }

    fn adoption_policy(&self) -> AdoptionPolicy {
        self.spec.adoption_policy
    }

    fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        let mut blocks = OptionBlocks::new();
        block(&mut blocks, "postgres", self.spec.postgres.as_ref())?;
        block(&mut blocks, "mysql", self.spec.mysql.as_ref())?;
        block(&mut blocks, "clickhouse", self.spec.clickhouse.as_ref())?;
        block(&mut blocks, "parameters", self.spec.parameters.as_ref())?;
        Ok(blocks)
    }

    fn ownership(&self) -> Option<&Ownership> {
        self.status.as_ref()?.ownership.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map_or(&[], |status| status.conditions.as_slice())
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }
}

macro_rules! managed_role {
    ($kind:ty, $instance:expr, $blocks:expr) => {
        impl Managed for $kind {
            fn instance_id(&self) -> Option<InstanceId> {
                $instance(self)
            }

            fn external_name(&self) -> &str {
                &self.spec.role_name
            }

            fn drift_policy(&self) -> Option<&DriftPolicy> {
                self.spec.drift_policy.as_ref()
            }

            fn deletion_protection(&self) -> bool {
                annotated_protection(self.annotations())
            }

            fn deletion_policy(&self) -> Result<DeletionPolicy, ReadDeletionPolicyError> {
                annotated_policy(self.annotations())
            }

            fn adoption_policy(&self) -> AdoptionPolicy {
                self.spec.adoption_policy
            }

            fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
                let mut blocks = OptionBlocks::new();
                block(&mut blocks, "postgres", self.spec.postgres.as_ref())?;
                block(&mut blocks, "mysql", self.spec.mysql.as_ref())?;
                $blocks(self, &mut blocks)?;
                block(&mut blocks, "parameters", self.spec.parameters.as_ref())?;
                Ok(blocks)
            }

            fn ownership(&self) -> Option<&Ownership> {
                self.status.as_ref()?.ownership.as_ref()
            }

            fn conditions(&self) -> &[Condition] {
                self.status.as_ref().map_or(&[], |status| status.conditions.as_slice())
            }

            fn observed_generation(&self) -> Option<i64> {
                self.status.as_ref()?.observed_generation
            }
        }
    };
}

managed_role!(
    DatabaseRole,
    |role: &DatabaseRole| {
        let namespace = role.namespace().unwrap_or_default();
        InstanceId::named_by(role.spec.instance_ref.as_ref(), role.spec.cluster_instance_ref.as_ref(), &namespace)
    },
    |role: &DatabaseRole, blocks: &mut OptionBlocks| block(blocks, "clickhouse", role.spec.clickhouse.as_ref())
);

managed_role!(
    ClusterDatabaseRole,
    |role: &ClusterDatabaseRole| Some(InstanceId::cluster(&role.spec.cluster_instance_ref.name)),
    |_: &ClusterDatabaseRole, _: &mut OptionBlocks| Ok::<(), serde_json::Error>(())
);

impl DatabaseGrantSpec {
    /// The option blocks that it states, by their key in the spec.
    pub fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        let mut blocks = OptionBlocks::new();
        block(&mut blocks, "postgres", self.postgres.as_ref())?;
        block(&mut blocks, "mysql", self.mysql.as_ref())?;
        block(&mut blocks, "clickhouse", self.clickhouse.as_ref())?;
        block(&mut blocks, "parameters", self.parameters.as_ref())?;
        Ok(blocks)
    }
}

impl ClusterDatabaseGrantSpec {
    /// The option blocks that it states, by their key in the spec.
    pub fn option_blocks(&self) -> serde_json::Result<OptionBlocks> {
        let mut blocks = OptionBlocks::new();
        block(&mut blocks, "postgres", self.postgres.as_ref())?;
        block(&mut blocks, "mysql", self.mysql.as_ref())?;
        block(&mut blocks, "parameters", self.parameters.as_ref())?;
        Ok(blocks)
    }
}

/// Whether an annotation protects the resource; its kind has no field for that.
fn annotated_protection(annotations: &BTreeMap<String, String>) -> bool {
    annotations.get(names::annotation::DELETION_PROTECTION).is_some_and(|value| value == "true")
}

/// The policy that an annotation states; the resource's kind has no field for that.
fn annotated_policy(annotations: &BTreeMap<String, String>) -> Result<DeletionPolicy, ReadDeletionPolicyError> {
    let Some(text) = annotations.get(names::annotation::DELETION_POLICY) else {
        return Ok(DeletionPolicy::default());
    };
    match text.parse()? {
        // There is nothing of a user or role that a backup could hold.
        DeletionPolicy::Snapshot => Err(ReadDeletionPolicyError { text: text.clone() }),
        policy @ (DeletionPolicy::Retain | DeletionPolicy::Delete) => Ok(policy),
    }
}

/// Adds a block that is stated.
pub(crate) fn block<T: Serialize>(
    blocks: &mut OptionBlocks,
    key: &'static str,
    stated: Option<&T>,
) -> serde_json::Result<()> {
    if let Some(stated) = stated {
        blocks.insert(key, serde_json::to_value(stated)?);
    }
    Ok(())
}
