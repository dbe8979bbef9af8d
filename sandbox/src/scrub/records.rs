//! Which kind of string each field of the contract's answers is. Every record is taken apart without `..`.
//!
//! The same list gives the records their equality, which the generated code has not.

use super::{Scrub, Scrubber, Unfit};
use crate::contract;

/// Strings of one kind, alone or in an option or a list.
trait Strings: Sized {
    fn each(self, clean: &impl Fn(&str) -> Result<String, Unfit>) -> Result<Self, Unfit>;
}

impl Strings for String {
    fn each(self, clean: &impl Fn(&str) -> Result<String, Unfit>) -> Result<Self, Unfit> {
        clean(&self)
    }
}

impl<T: Strings> Strings for Option<T> {
    fn each(self, clean: &impl Fn(&str) -> Result<String, Unfit>) -> Result<Self, Unfit> {
        self.map(|inner| inner.each(clean)).transpose()
    }
}

impl<T: Strings> Strings for Vec<T> {
    fn each(self, clean: &impl Fn(&str) -> Result<String, Unfit>) -> Result<Self, Unfit> {
        self.into_iter().map(|inner| inner.each(clean)).collect()
    }
}

/// For people.
fn text<T: Strings>(value: T, scrubber: &Scrubber) -> Result<T, Unfit> {
    value.each(&|text| Ok(scrubber.text(text)))
}

/// What the host compares and nobody chose.
fn word<T: Strings>(value: T, scrubber: &Scrubber) -> Result<T, Unfit> {
    value.each(&|text| scrubber.word(text))
}

/// What the host compares and somebody chose.
fn named<T: Strings>(value: T, scrubber: &Scrubber) -> Result<T, Unfit> {
    value.each(&|text| scrubber.name(text))
}

/// Documents.
fn json<T: Strings>(value: T, scrubber: &Scrubber) -> Result<T, Unfit> {
    value.each(&|text| scrubber.json(text))
}

/// Further records.
fn record<T: Scrub>(value: T, scrubber: &Scrubber) -> Result<T, Unfit> {
    value.scrub(scrubber)
}

/// Numbers, booleans and enums: what is `Copy` has no string.
#[expect(clippy::unnecessary_wraps, reason = "all kinds have one shape")]
fn plain<T: Copy>(value: T, _: &Scrubber) -> Result<T, Unfit> {
    Ok(value)
}

macro_rules! records {
    ($($record:ident { $($field:ident: $kind:ident),* $(,)? })*) => {$(
        impl Scrub for contract::$record {
            fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
                let Self { $($field),* } = self;
                Ok(Self { $($field: $kind($field, scrubber)?),* })
            }
        }
        equal!($record { $($field),* });
    )*};
}

macro_rules! equal {
    ($($record:ident { $($field:ident),* $(,)? })*) => {$(
        impl PartialEq for contract::$record {
            fn eq(&self, other: &Self) -> bool {
                let Self { $($field),* } = self;
                $(*$field == other.$field)&&*
            }
        }
        impl Eq for contract::$record {}
    )*};
}

records! {
    Error { kind: record, message: text, detail: text }
    OptionProblem { path: text, problem: text }
    Examination { privileges: record, references: record, companions: record }
    PrivilegeRequest { path: text, privilege: plain }
    Reference { path: text, kind: plain, name: named, standing: plain }
    Companion { path: text, kind: plain, name: named, wants_password: plain }
    InstanceExamination { tls: plain, connect_timeout_ms: plain, statement_timeout_ms: plain }
    Mark { cluster: named, operator: named, kind: named, namespace: named, name: named, nonce: named }
    Change { id: named, field: text, expected: text, actual: text, destructive: plain, impossible: plain, lacking: text }
    UpdateReport { changes: record, applied: named, details: json }
    OwnedObject { database: named, schema: named, name: named, kind: named }
    Listed { name: named, mark: record, standing: plain }
    Listing { items: record, next: named }
    ServerFacts { version: text, identity: word, administrator: named, superuser: plain }
    DatabaseInfo {
        name: named, object_id: word, owner: named, mark: record, standing: plain, size_bytes: plain, details: json,
    }
    ScriptReport { executed: plain, failure: record }
    ScriptFailure { statement: plain, error: record }
    UserInfo { name: named, object_id: word, mark: record, standing: plain, privileged: plain, details: json }
    RoleInfo { name: named, object_id: word, mark: record, standing: plain, privileged: plain, details: json }
    Granted { level: named, object: named, privilege: named, grantable: plain, grantor: named }
    GrantReport { update: record, held: record, stated: record, renewed: plain }
    Extension { name: named, schema: named, version: named }
    ToolPlan { tool: named, arguments: record, data: plain, format: named, minimum_version: named }
    StderrLine { class: plain, percent: plain, message: text }
    Description {
        engines: record, adapter_version: word, servers: record, groups: record, blocks: record, fields: record,
        tools: record, name_limits: record,
    }
    EngineName { name: named, aliases: named }
    ServerVersion { engine: named, oldest: word, newest: word }
    OptionBlock { owner: plain, block: named, schema: json }
    FieldList { owner: plain, readable: named }
    ToolRequest { id: named, reason: text }
    NameLimit { kind: plain, bytes: plain }
    ProgressStatus { percent: plain, phase: text }
}

// What the host passes in is not scrubbed, but compared in its tests.
equal! {
    Settings { engine, database, options, tracking, statement_timeout_ms }
    Proof { mark, object_id }
    Page { after, limit }
    DatabaseSpec { name, owner, comment, options }
    Script { statements, as_administrator }
    UserSpec { name, roles, shared_roles, comment, options }
    RoleSpec { name, shared_roles, comment, options }
    Grantee { kind, name, options }
    GrantSpec { grantee, roles, options, mode, recorded, shared }
    BackupSpec { database, options }
    RestoreSpec { database, format, options }
}

impl<T: Scrub> Scrub for Option<T> {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
        self.map(|inner| inner.scrub(scrubber)).transpose()
    }
}

impl<T: Scrub> Scrub for Vec<T> {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
        self.into_iter().map(|inner| inner.scrub(scrubber)).collect()
    }
}

/// A list of names.
impl Scrub for String {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
        scrubber.name(&self)
    }
}

macro_rules! without_strings {
    ($($plain:ty),*) => {$(
        impl Scrub for $plain {
            fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
                plain(self, scrubber)
            }
        }
    )*};
}

without_strings!((), bool, u32, contract::OperationGroup, contract::LoginOutcome);

impl Scrub for contract::ErrorKind {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
        Ok(match self {
            Self::InvalidOptions(problems) => Self::InvalidOptions(problems.scrub(scrubber)?),
            // The host shows it and never reads it.
            Self::Engine(code) => Self::Engine(scrubber.text(&code)),
            Self::Authentication
            | Self::PermissionDenied
            | Self::NotFound
            | Self::AlreadyExists
            | Self::DependencyMissing
            | Self::Conflict
            | Self::Unsupported
            | Self::Transient(_)
            | Self::TimedOut
            | Self::Protocol => self,
        })
    }
}

impl PartialEq for contract::ErrorKind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::InvalidOptions(mine), Self::InvalidOptions(theirs)) => mine == theirs,
            (Self::Engine(mine), Self::Engine(theirs)) => mine == theirs,
            (Self::Transient(mine), Self::Transient(theirs)) => mine == theirs,
            (mine, theirs) => std::mem::discriminant(mine) == std::mem::discriminant(theirs),
        }
    }
}

impl Eq for contract::ErrorKind {}

impl Scrub for contract::Argument {
    fn scrub(self, scrubber: &Scrubber) -> Result<Self, Unfit> {
        Ok(match self {
            Self::Literal(literal) => Self::Literal(scrubber.word(&literal)?),
            Self::SocketDirectory(before) => Self::SocketDirectory(scrubber.word(&before)?),
            Self::SocketPort(before) => Self::SocketPort(scrubber.word(&before)?),
            Self::Scratch((before, name)) => Self::Scratch((scrubber.word(&before)?, scrubber.word(&name)?)),
            Self::CredentialsFile(before) => Self::CredentialsFile(scrubber.word(&before)?),
        })
    }
}

impl PartialEq for contract::Argument {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(mine), Self::Literal(theirs))
            | (Self::SocketDirectory(mine), Self::SocketDirectory(theirs))
            | (Self::SocketPort(mine), Self::SocketPort(theirs))
            | (Self::CredentialsFile(mine), Self::CredentialsFile(theirs)) => mine == theirs,
            (Self::Scratch(mine), Self::Scratch(theirs)) => mine == theirs,
            _ => false,
        }
    }
}

impl Eq for contract::Argument {}

impl PartialEq for contract::Selection {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Only(mine), Self::Only(theirs)) => mine == theirs,
            (mine, theirs) => std::mem::discriminant(mine) == std::mem::discriminant(theirs),
        }
    }
}

impl Eq for contract::Selection {}
