//! Annotations that are read from resources. A switch is on where its value is exactly [`TRUE`].

/// The value that turns a switch on.
pub const TRUE: &str = "true";
/// Switch: delete in spite of protection, dependents and failures on the server.
pub const FORCE_DELETE: &str = "dbops.dbprovision.io/force-delete";
/// The hash from `status.deletionConfirmation`, which lets a forced deletion take dependents along.
pub const CONFIRM_FORCE_DELETE: &str = "dbops.dbprovision.io/confirm-force-delete";
/// Switch: leave the resource alone.
pub const SKIP_RECONCILE: &str = "dbops.dbprovision.io/skip-reconcile";
/// Switch: the same as [`SKIP_RECONCILE`].
pub const PAUSE_RECONCILE: &str = "dbops.dbprovision.io/pause-reconcile";
/// `Delete` or `Retain`, on kinds whose spec has no `deletionPolicy`. Default: Delete.
pub const DELETION_POLICY: &str = "dbops.dbprovision.io/deletion-policy";
/// Switch: refuse deletion, on kinds whose spec has no `deletionProtection`.
pub const DELETION_PROTECTION: &str = "dbops.dbprovision.io/deletion-protection";
/// Switch: drift correction may lose data, rights or availability.
pub const ALLOW_DESTRUCTIVE_DRIFT: &str = "dbops.dbprovision.io/allow-destructive-drift";
/// On an instance: databases that resources of other namespaces may adopt, their names separated by commas.
pub const ADOPT_DATABASES: &str = "dbops.dbprovision.io/adopt-databases";
/// On an instance: users that resources of other namespaces may adopt, their names separated by commas.
pub const ADOPT_USERS: &str = "dbops.dbprovision.io/adopt-users";
/// On an instance: roles that resources of other namespaces may adopt, their names separated by commas.
pub const ADOPT_ROLES: &str = "dbops.dbprovision.io/adopt-roles";
