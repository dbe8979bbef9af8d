//! The contract as Rust types, generated from `wit/`, flat and under the names that the operator uses.
//!
//! Decided here: which generated names leave the crate, and what equality means for them. Absent: the call
//! functions, which only [`Session`](crate::Session) and [`Adapter`](crate::Adapter) use, so that no call
//! can bypass the limits and the scrubber.

#[expect(missing_docs, reason = "generated code")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        world: "database-adapter",
        path: "../wit",
        with: {
            "dbprovision:adapter/net.connection": crate::imports::net::Connection,
            "dbprovision:adapter/secrets.secret": crate::imports::secrets::Secret,
        },
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// The package of the contract, as it stands in the names of imports and exports.
pub const PACKAGE: &str = "dbprovision:adapter";

/// The version that this host serves. A component of another patch version is accepted where it links.
pub const VERSION: (u32, u32) = (0, 1);

pub(crate) use bindings::dbprovision::adapter as imported;
use bindings::exports::dbprovision::adapter as exported;

pub use exported::backup_operations::BackupSpec;
pub use exported::connection::{InstanceExamination, Server as ServerFacts, Settings, TlsMode};
pub(crate) use exported::database_operations::CompanionPassword;
pub use exported::database_operations::{DatabaseInfo, DatabaseSpec, Script, ScriptFailure, ScriptReport};
pub use exported::describe::{
    BlockOwner, Description, EngineName, FieldList, NameLimit, OperationGroup, OptionBlock, ServerVersion, ToolRequest,
};
pub use exported::grant_operations::{GrantReport, GrantSpec, Granted, Grantee, Mode as GrantMode};
pub use exported::restore_operations::RestoreSpec;
pub use exported::role_operations::{RoleInfo, RoleSpec};
pub use exported::schema_operations::Extension;
pub use exported::user_operations::{LoginOutcome, UserInfo, UserSpec};
pub use imported::progress::Status as ProgressStatus;
pub use imported::tools::{Argument, DataFlow, StderrClass, StderrLine, ToolPlan};
pub use imported::types::{
    Change, Companion, Error, ErrorKind, Examination, Listed, Listing, Mark, ObjectKind, OptionProblem, OwnedObject,
    Page, Privilege, PrivilegeRequest, Proof, Reference, Selection, Standing, UpdateReport,
};
