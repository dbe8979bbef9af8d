//! A loaded adapter: what it is, its pure functions, and binding it to a server.
//!
//! The pure functions run in a guest of their own that reaches neither a server nor a secret. What one of them was
//! asked for is all that its faults count against.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::binding::Binding;
use crate::contract::{
    BackupSpec, DatabaseSpec, Description, Error, Examination, GrantSpec, InstanceExamination, RestoreSpec, RoleSpec,
    Settings, StderrLine, UserSpec,
};
use crate::digest::Digest;
use crate::error::CallError;
use crate::guest::{Guest, Origin};
use crate::limits::Limits;
use crate::load::Grant;
use crate::quarantine::Place;
use crate::server::Server;
use crate::state::Reach;
use crate::tls::TlsSettingsError;

/// A loaded adapter. Clones are the same adapter.
#[derive(Clone)]
pub struct Adapter {
    origin: Arc<Origin>,
    parts: Arc<Parts>,
}

/// What was learned while loading.
pub(crate) struct Parts {
    pub(crate) description: Description,
    pub(crate) version: String,
    pub(crate) grant: Grant,
}

impl fmt::Debug for Adapter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Adapter").field("digest", &self.origin.digest).finish_non_exhaustive()
    }
}

macro_rules! pure {
    ($($(#[$doc:meta])* $name:ident = $interface:ident.$call:ident($($argument:ident: $type:ty),*) $finish:ident -> $answer:ty;)*) => {
        impl Adapter {$(
            $(#[$doc])*
            pub async fn $name(&self, $($argument: $type),*) -> Result<$answer, CallError> {
                let limits = Limits::default().pure();
                let place = Place::question(stringify!($name), &[$(&$argument),*]);
                let starting = Guest::start(&self.origin, stringify!($name), &limits, Reach::Examination, place);
                let mut guest = starting.await?;
                guest.begin(limits.wall)?;
                let (adapter, store) = guest.parts();
                let calling = adapter.$interface().$call(store, $($argument),*);
                let outcome = Guest::bounded(&self.origin, limits.wall, calling).await;
                guest.$finish(limits.wall, outcome)
            }
        )*}
    };
}

pure! {
    /// Checks the settings of an instance.
    examine_instance = dbprovision_adapter_connection.call_examine(settings: &Settings) finish -> InstanceExamination;
    /// Checks the spec of a database.
    examine_database = dbprovision_adapter_database_operations.call_examine(spec: &DatabaseSpec) finish -> Examination;
    /// Checks the spec of a user.
    examine_user = dbprovision_adapter_user_operations.call_examine(spec: &UserSpec) finish -> Examination;
    /// Checks the spec of a role.
    examine_role = dbprovision_adapter_role_operations.call_examine(spec: &RoleSpec) finish -> Examination;
    /// Checks the spec of a grant.
    examine_grant = dbprovision_adapter_grant_operations.call_examine(spec: &GrantSpec) finish -> Examination;
    /// Checks the spec of a backup.
    examine_backup = dbprovision_adapter_backup_operations.call_examine(spec: &BackupSpec) finish -> Examination;
    /// Checks the spec of a restore.
    examine_restore = dbprovision_adapter_restore_operations.call_examine(spec: &RestoreSpec) finish -> Examination;
    /// Reads a line of a backup tool's standard error.
    read_backup_stderr = dbprovision_adapter_backup_operations.call_read_stderr(step: u32, line: &str) finish_plain -> StderrLine;
    /// Says why a backup's step failed.
    explain_backup = dbprovision_adapter_backup_operations.call_explain(step: u32, exit_status: i32, last_lines: &[String]) finish_plain -> Error;
    /// Reads a line of a restore tool's standard error.
    read_restore_stderr = dbprovision_adapter_restore_operations.call_read_stderr(step: u32, line: &str) finish_plain -> StderrLine;
    /// Says why a restore's step failed.
    explain_restore = dbprovision_adapter_restore_operations.call_explain(step: u32, exit_status: i32, last_lines: &[String]) finish_plain -> Error;
}

impl Adapter {
    pub(crate) fn new(origin: Arc<Origin>, parts: Parts) -> Self {
        Self { origin, parts: Arc::new(parts) }
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.origin.digest
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.parts.description
    }

    /// The version of the contract that it was built for.
    pub fn contract_version(&self) -> &str {
        &self.parts.version
    }

    /// The tools that it asked for and was granted.
    pub fn tools(&self) -> BTreeSet<&str> {
        let asked = self.parts.description.tools.iter().map(|tool| tool.id.as_str());
        asked.filter(|id| self.parts.grant.tools.contains(*id)).collect()
    }

    /// Whether it is out of use for now because it kept failing wherever it was called.
    pub fn check_quarantine(&self) -> Result<(), CallError> {
        self.origin.check_everywhere()
    }

    /// Binds it to one database server. Nothing is dialled yet. Must be called within a Tokio runtime.
    pub fn bind(&self, binding: Binding) -> Result<Arc<Server>, TlsSettingsError> {
        Server::new(Arc::clone(&self.origin), binding)
    }
}
