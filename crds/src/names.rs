//! The words of the API that code must spell right: group, finalizers, labels, condition types.
//!
//! Annotations and reasons have rooms of their own. Phases are enums, in `phase.rs`.

/// Annotations that are read from resources.
pub mod annotation;
/// Reasons of conditions.
pub mod reason;

/// The API group of all kinds.
pub const GROUP: &str = "dbops.dbprovision.io";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// Group and version as `apiVersion` spells them.
pub const API_VERSION: &str = "dbops.dbprovision.io/v1alpha1";
/// Key of the CA in a TLS Secret that states none.
pub const DEFAULT_CA_KEY: &str = "ca.crt";

/// The keys of option blocks, in specs and in statuses: those of the engines that have types of their own here, and the
/// one of all others.
pub const OPTION_BLOCKS: [&str; 4] = ["postgres", "mysql", "clickhouse", "parameters"];

/// Finalizers, one for each kind.
pub mod finalizer {
    /// Of `DatabaseInstance`.
    pub const DATABASE_INSTANCE: &str = "dbops.dbprovision.io/instance-protection";
    /// Of `ClusterDatabaseInstance`.
    pub const CLUSTER_DATABASE_INSTANCE: &str = "dbops.dbprovision.io/cluster-instance-protection";
    /// Of `Database`.
    pub const DATABASE: &str = "dbops.dbprovision.io/database-protection";
    /// Of `DatabaseUser`.
    pub const DATABASE_USER: &str = "dbops.dbprovision.io/user-protection";
    /// Of `DatabaseRole`.
    pub const DATABASE_ROLE: &str = "dbops.dbprovision.io/role-protection";
    /// Of `ClusterDatabaseRole`.
    pub const CLUSTER_DATABASE_ROLE: &str = "dbops.dbprovision.io/cluster-role-protection";
    /// Of `DatabaseGrant`.
    pub const DATABASE_GRANT: &str = "dbops.dbprovision.io/grant-protection";
    /// Of `ClusterDatabaseGrant`.
    pub const CLUSTER_DATABASE_GRANT: &str = "dbops.dbprovision.io/cluster-grant-protection";
    /// Of `DatabaseBackup`.
    pub const DATABASE_BACKUP: &str = "dbops.dbprovision.io/backup-protection";
    /// Of `DatabaseRestore`.
    pub const DATABASE_RESTORE: &str = "dbops.dbprovision.io/restore-protection";
    /// Of `DatabaseBackupSchedule`.
    pub const DATABASE_BACKUP_SCHEDULE: &str = "dbops.dbprovision.io/schedule-protection";
}

/// Labels.
pub mod label {
    /// Says which tool manages an object.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The value of [`MANAGED_BY`] on what this operator manages.
    pub const MANAGED_BY_VALUE: &str = "db-provision-operator";
    /// On an output Secret: the name of its `DatabaseUser`.
    pub const USER: &str = "dbops.dbprovision.io/user";
    /// On an output Secret of an auto-created user: the name of its `Database`.
    pub const DATABASE: &str = "dbops.dbprovision.io/database";
    /// On what belongs to an instance: the instance's name.
    pub const INSTANCE: &str = "dbops.dbprovision.io/instance";
    /// On a resource: the operator that serves it, where several share a cluster.
    pub const OPERATOR_INSTANCE_ID: &str = "dbops.dbprovision.io/operator-instance-id";
    /// The operator that serves resources without the label.
    pub const DEFAULT_OPERATOR_INSTANCE_ID: &str = "default";
}

/// What conditions say to people most.
pub mod message {
    /// Of a spec.
    pub const SERVED: &str = "the spec can be served";
    /// Of a resource.
    pub const IN_ORDER: &str = "as the spec says";
}

/// Types of conditions.
pub mod condition {
    /// The spec is understood, consented to and within what the engine can do.
    pub const ACCEPTED: &str = "Accepted";
    /// The server is as the spec of this generation asks.
    pub const SYNCED: &str = "Synced";
    /// What was asked for can be used.
    pub const READY: &str = "Ready";
    /// The server was reached and let us in.
    pub const CONNECTED: &str = "Connected";
    /// The server answered the last check.
    pub const HEALTHY: &str = "Healthy";
    /// The server was searched for what belongs to no resource; on instances that ask for it.
    pub const DISCOVERED: &str = "Discovered";
}
