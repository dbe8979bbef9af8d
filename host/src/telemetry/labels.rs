//! The label sets of the metrics, and the closed sets of words in them.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// As asked.
    Success,
    /// Not as asked.
    Failure,
}

impl Ending {
    /// Of a result.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Success } else { Self::Failure }
    }
}

impl EncodeLabelValue for Ending {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        let word = match self {
            Self::Success => "success",
            Self::Failure => "failure",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

/// What was done to an object on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It was created.
    Create,
    /// It was changed.
    Update,
    /// It was dropped.
    Delete,
    /// A script ran in it.
    InitSql,
    /// Its password was set.
    SetPassword,
}

impl EncodeLabelValue for Operation {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        let word = match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::InitSql => "init_sql",
            Self::SetPassword => "set_password",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct InstanceLabels {
    /// Name of the resource.
    pub instance: String,
    /// Namespace of the resource; empty for a cluster-scoped one.
    pub namespace: String,
    /// The engine in its spec.
    pub engine: String,
}

/// Attempts to connect to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// Name of the resource.
    pub instance: String,
    /// Namespace of the resource; empty for a cluster-scoped one.
    pub namespace: String,
    /// The engine in its spec.
    pub engine: String,
    /// How the attempt ended.
    pub status: Ending,
}

/// What a search of an instance's server found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OrphanLabels {
    /// Name of the resource.
    pub instance: String,
    /// Namespace of the resource; empty for a cluster-scoped one.
    pub namespace: String,
    /// The engine in its spec.
    pub engine: String,
    /// `database`, `user` or `role`.
    pub object: &'static str,
}

/// What an instance is, as labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct InstanceInfoLabels {
    /// Name of the resource.
    pub instance: String,
    /// Namespace of the resource; empty for a cluster-scoped one.
    pub namespace: String,
    /// The engine in its spec.
    pub engine: String,
    /// Version of the server.
    pub version: String,
    /// Host in its spec.
    pub host: String,
    /// Port in its spec.
    pub port: String,
    /// Its phase.
    pub phase: String,
}

/// Operations on databases or users.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    /// What was done.
    pub operation: Operation,
    /// Name of the instance.
    pub instance: String,
    /// Namespace of the instance; empty for a cluster-scoped one.
    pub namespace: String,
    /// The engine of the instance.
    pub engine: String,
    /// How it ended.
    pub status: Ending,
}

/// Durations of operations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationDurationLabels {
    /// What was done.
    pub operation: Operation,
    /// The engine of the instance.
    pub engine: String,
}

/// The size of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DatabaseLabels {
    /// Name of the resource.
    pub name: String,
    /// Its name on the server.
    pub database: String,
    /// Name of its instance.
    pub instance: String,
    /// The engine of the instance.
    pub engine: String,
    /// Namespace of the resource.
    pub namespace: String,
}

/// What a database is, as labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DatabaseInfoLabels {
    /// Name of the resource.
    pub name: String,
    /// Its name on the server.
    pub database: String,
    /// Name of its instance.
    pub instance: String,
    /// Namespace of the resource.
    pub namespace: String,
    /// Its phase.
    pub phase: String,
}

/// What a user is, as labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UserInfoLabels {
    /// Name of the resource.
    pub name: String,
    /// Its name on the server.
    pub username: String,
    /// Name of its instance.
    pub instance: String,
    /// Namespace of the resource.
    pub namespace: String,
    /// Its phase.
    pub phase: String,
}

/// What a role is, as labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoleInfoLabels {
    /// Name of the resource.
    pub name: String,
    /// Its name on the server.
    pub role: String,
    /// Name of its instance.
    pub instance: String,
    /// Namespace of the resource; empty for a cluster-scoped one.
    pub namespace: String,
    /// Its phase.
    pub phase: String,
}

/// What a grant is, as labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GrantInfoLabels {
    /// Name of the resource.
    pub name: String,
    /// Namespace of the resource; empty for a cluster-scoped one.
    pub namespace: String,
    /// The user or role that it gives to, as the server calls it; empty while that is not known.
    pub grantee: String,
    /// Its phase.
    pub phase: String,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObjectLabels {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for a cluster-scoped one.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Corrections of drift.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CorrectionLabels {
    /// The object's kind.
    pub kind: String,
    /// Its namespace; empty for a cluster-scoped one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: Ending,
}

/// Objects of a kind that sweeps of an instance looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SweptLabels {
    /// Name of the instance.
    pub instance: String,
    /// Namespace of the instance; empty for a cluster-scoped one.
    pub namespace: String,
    /// The engine of the instance.
    pub engine: String,
    /// The kind.
    pub kind: &'static str,
}

/// Whatever is about one engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EngineLabels {
    /// Its name.
    pub engine: String,
}

/// Objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// The kind.
    pub kind: &'static str,
}

/// Reconciles.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReconcileLabels {
    /// The kind.
    pub kind: &'static str,
    /// `changed`, `unchanged`, or the class of the error.
    pub outcome: &'static str,
}
