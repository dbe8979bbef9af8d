//! The option blocks of PostgreSQL: what `spec.postgres` of an instance, a database, a user, a role and a grant may
//! say, and what `status.postgres` of a database reports.
//!
//! One definition serves the CRD schema and the adapter, so both accept the same fields.
//! Every optional field is an `Option`: the defaults named in the comments are the adapter's,
//! because only a value that somebody stated may be refused.
//! Deliberately absent: validation beyond shape, and anything that needs a server or Kubernetes.

mod database;
mod grant;
mod instance;
mod ownership;
mod role;
mod status;
mod user;

pub use database::{
    PostgresDatabaseConfig, PostgresDefaultPrivilege, PostgresExtension, PostgresObjectType, PostgresSchema,
};
pub use grant::{
    PostgresDefaultPrivilegeGrant, PostgresGrant, PostgresGrantConfig, PostgresMembership, PostgresPublic,
};
pub use instance::{PostgresChannelBinding, PostgresInstanceConfig, PostgresSslMode};
pub use ownership::PostgresOwnershipConfig;
pub use role::PostgresRoleConfig;
pub use status::{PostgresDatabaseStatus, PostgresExtensionStatus, PostgresOwnershipPhase, PostgresOwnershipStatus};
pub use user::PostgresUserConfig;

#[cfg(test)]
mod tests;
