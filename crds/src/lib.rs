//! The API types of the group `dbops.dbprovision.io/v1alpha1`, one kind a file.
//!
//! The comments on fields are what `kubectl explain` prints. What to install is [`all_crds`].
//! Accessors here answer "what does the resource say"; what follows from it is decided in `planning`.
//! Deliberately absent: IO, clocks, policy, and any knowledge of what an engine can do.

mod cluster_database_instance;
mod condition;
mod connection;
mod credentials;
mod database;
mod database_grant;
mod database_instance;
mod database_reference_grant;
mod database_role;
mod database_user;
mod default_value;
mod deletion;
mod discovery;
mod drift;
mod health_check;
mod held_right;
mod init_sql;
mod instance;
mod instance_access;
mod managed;
pub mod names;
mod ownership;
mod password;
mod password_rotation;
mod phase;
mod reference;
mod schema;
mod tls;
mod tracking;
mod user_status;

pub use cluster_database_instance::{ClusterDatabaseInstance, ClusterDatabaseInstanceSpec};
pub use condition::{Condition, Word};
pub use connection::ConnectionConfig;
pub use credentials::{ConfigMapKeySelector, CredentialKeys, CredentialSecretRef, SecretKeySelector};
pub use database::{Database, DatabaseInfo, DatabaseSpec, DatabaseStatus};
pub use database_grant::{
    AppliedGrantsInfo, ClusterDatabaseGrant, ClusterDatabaseGrantSpec, DatabaseGrant, DatabaseGrantSpec,
    DatabaseGrantStatus, DatabaseReference, GrantDetail, GrantMode, GrantTargetInfo, NamespacedRoleReference,
    NamespacedUserReference, RoleKind, RoleReference, UserReference,
};
pub use database_instance::{DatabaseInstance, DatabaseInstanceSpec};
pub use database_reference_grant::{
    DatabaseReferenceGrant, DatabaseReferenceGrantSpec, ReferenceGrantFrom, ReferenceGrantTo,
};
pub use database_role::{
    ClusterDatabaseRole, ClusterDatabaseRoleSpec, DatabaseRole, DatabaseRoleSpec, DatabaseRoleStatus, RoleInfo,
};
pub use database_user::{DatabaseUser, DatabaseUserSpec, DatabaseUserStatus};
pub use deletion::{DeletionConfirmation, DeletionPolicy, ReadDeletionPolicyError};
pub use discovery::{DiscoveredResource, DiscoveredResourcesStatus, DiscoveryConfig};
pub use drift::{DriftDiff, DriftMode, DriftPolicy, DriftStatus};
pub use health_check::HealthCheckConfig;
pub use held_right::HeldRight;
pub use init_sql::{InitSqlConfig, InitSqlFailurePolicy, InitSqlStatus};
pub use instance::{Instance, InstanceEngineStatus, InstanceSpec, InstanceStatus};
pub use instance_access::{AllowedNamespaces, PrivilegeCeiling};
pub use managed::{Managed, OptionBlocks};
pub use ownership::{AdoptionPolicy, CompanionKind, OwnedCompanion, Ownership};
pub use password::{ExistingPasswordSecret, PasswordConfig, SecretFormat, SecretTemplate};
pub use password_rotation::{
    OldUserAction, OldUserPolicy, PasswordRotationConfig, RotationStrategy, ServiceRoleConfig,
};
pub use phase::{InstancePhase, ResourcePhase};
pub use reference::{ClusterInstanceReference, InstanceId, InstanceKind, InstanceReference};
pub use schema::all_crds;
pub use tls::{TlsConfig, TlsKeys, TlsMode, TlsSecretRef};
pub use tracking::ResourceTrackingConfig;
pub use user_status::{
    OwnedObject, OwnedSecret, OwnershipBlockStatus, PendingDeletionInfo, PendingDeletionState, RotationStatus,
    SecretInfo, UserInfo,
};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};

/// The block of an engine that has none of its own in the CRD: any JSON object, checked by the engine's adapter.
pub type Parameters = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests;
