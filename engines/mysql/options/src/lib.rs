//! The option blocks of MySQL and MariaDB: what `spec.mysql` of an instance, a database, a user, a role and a
//! grant may say, the MySQL parts of the generic blocks, and what `status.mysql` of a database reports.
//!
//! One definition serves the CRD schema and the adapter, so both accept the same fields.
//! Every optional field is an `Option`: the defaults named in the comments are the adapter's,
//! because only a value that somebody stated may be refused (and MariaDB cannot keep all of MySQL's).
//! Deliberately absent: validation beyond shape, and anything that needs a server or Kubernetes.

mod database;
mod grant;
mod instance;
mod user;

pub use database::{MySqlDatabaseConfig, MySqlDatabaseStatus};
pub use grant::{MySqlGrant, MySqlGrantConfig, MySqlGrantLevel, MySqlRoleConfig};
pub use instance::{MySqlInstanceConfig, MySqlResourceTrackingConfig, MySqlTlsMode};
pub use user::{MySqlAuthPlugin, MySqlRotationConfig, MySqlUserConfig};

#[cfg(test)]
mod tests;
