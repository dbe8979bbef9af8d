//! What a kind brings to the common reconcile: its spec in the adapter's words, its inputs from the cluster, its calls.

use std::future::Future;
use std::time::Instant;

use crds::{InstanceId, Managed, Ownership};
use kube::Resource;
use planning::Blocked;
use planning::claim::Observed;
use sandbox::contract::{BlockOwner, Change, Error, Examination, Mark, ObjectKind, Proof, Selection, UpdateReport};
use sandbox::{Adapter, CallError, Session};

use super::super::ledger::Turn;
use super::super::rights::Shares;
use super::super::run::Run;
use super::super::status::StatusFields;
use super::super::trouble::Stop;
use super::{Bound, Lease, Wanted};
use crate::cluster::patches::Ours;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::metrics::Metrics;

/// What the engine shows of an object.
pub(crate) struct Seen<I> {
    /// What whose-is-it is decided from.
    pub(crate) observed: Observed,
    /// For the status.
    pub(crate) info: I,
}

/// A kind of ours that has a status and a finalizer.
pub(crate) trait Reported: Ours + Resource<DynamicType = ()> {
    /// The status of the kind.
    type Status: StatusFields;

    /// The kind's name.
    const KIND: &'static str;
    /// The kind's finalizer.
    const FINALIZER: &'static str;
    /// The predecessor's word for the event of a deletion that failed.
    const DELETE_FAILED: &'static str = "DeleteFailed";

    /// The status, if there is one.
    fn status(&self) -> Option<&Self::Status>;

    /// Whether it names Secrets or `ConfigMap`s of others, which are never watched: they are read again in time.
    fn names_what_nobody_watches(&self) -> bool;
}

/// A kind that stands for an object on a server.
pub(crate) trait Provisioned: Managed + Reported {
    /// The spec in the adapter's words.
    type Spec: Clone + Send + Sync;
    /// What the engine shows, for the status.
    type Info: Send;
    /// What was read from the cluster: passwords, scripts.
    type Inputs: Send + Sync;

    /// Whose option block it has.
    const OPTIONS: BlockOwner;
    /// Whether what it can be asked to change needs none of its other changes: while something lacks, the rest is made.
    const INDEPENDENT: bool;
    /// What its objects are.
    const OBJECT: ObjectKind;
    /// The field of the spec that holds the object's name.
    const NAME_FIELD: &'static str;

    /// Refuses what this operator does not serve, and what contradicts itself. Asks nobody.
    fn check(&self) -> Result<(), Blocked>;

    /// The spec in the adapter's words.
    fn spec(&self, comment: Option<String>, options: Option<String>) -> Self::Spec;

    /// The text for people that the resource itself states; otherwise the instance's format is filled in.
    fn own_comment(&self) -> Option<&str> {
        None
    }

    /// Reads what the resource names in the cluster. Writes nothing.
    fn gather(
        run: &Run<Self>,
        bound: &Bound,
        wanted: &Wanted<Self>,
    ) -> impl Future<Output = Result<Self::Inputs, Stop>> + Send;

    /// The inputs as they are while nothing in the cluster changes, for a look in a sweep. Asks nobody.
    fn as_before(run: &Run<Self>, bound: &Bound, wanted: &Wanted<Self>, shares: &Shares) -> Self::Inputs;

    /// What the outcome depends on besides spec and annotations: in a form that reveals nothing.
    fn fingerprint(inputs: &Self::Inputs) -> String;

    /// Whether the inputs have something that the server was not given yet.
    fn is_new(inputs: &Self::Inputs) -> bool;

    /// The size of the object in bytes, as the status tells it.
    fn size(_draft: &Self::Status) -> Option<u64> {
        None
    }

    /// Notes that the server has everything of the inputs.
    fn applied(inputs: &mut Self::Inputs);

    /// Asks the adapter about the spec, without a server.
    fn examine(adapter: &Adapter, spec: Self::Spec) -> impl Future<Output = Result<Examination, CallError>> + Send;

    /// Looks at the object.
    fn observe(
        session: &mut Session,
        name: &str,
    ) -> impl Future<Output = Result<Option<Seen<Self::Info>>, CallError>> + Send;

    /// Writes what must be in the cluster before the server is changed: the Secret before the password, and before
    /// the Secret where it is; the record of rights before they are given. Before the object is created, and again before it is updated. The session
    /// rests while the cluster is written.
    fn secure(
        run: &Run<Self>,
        bound: &Bound,
        lease: &mut Lease<'_>,
        wanted: &Wanted<Self>,
        inputs: &mut Self::Inputs,
        draft: &mut Self::Status,
    ) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Notes in the draft what `secure` is about to make: it is recorded with the intent, in the same write.
    fn intends(_inputs: &Self::Inputs, _draft: &mut Self::Status) {}

    /// The object vanished from the server and is about to be created again: what was done inside of it is undone.
    fn vanished(_draft: &mut Self::Status) {}

    /// The object was created with what `inputs` hold: notes what that was.
    fn created(_inputs: &Self::Inputs, _draft: &mut Self::Status) {}

    /// Creates the object with its mark.
    fn create(
        session: &mut Session,
        spec: Self::Spec,
        inputs: &Self::Inputs,
        mark: Mark,
    ) -> impl Future<Output = Result<Seen<Self::Info>, CallError>> + Send;

    /// Whose turn it is, where what others gave decides what is taken back: it is looked at anew then. Held until
    /// after `finish`.
    fn settle(
        _run: &Run<Self>,
        _bound: &Bound,
        _lease: &mut Lease<'_>,
        _inputs: &mut Self::Inputs,
    ) -> impl Future<Output = Option<Turn>> + Send {
        std::future::ready(None)
    }

    /// Brings the rest about.
    fn update(
        session: &mut Session,
        spec: Self::Spec,
        inputs: &Self::Inputs,
        mark: Mark,
        selection: Selection,
    ) -> impl Future<Output = Result<UpdateReport, CallError>> + Send;

    /// Writes the mark on an existing object.
    fn claim(
        session: &mut Session,
        name: &str,
        proof: Proof,
        comment: Option<String>,
        mark: Mark,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Differences that only a look from outside finds, at an unchanged generation (a password changed behind our back).
    fn probe(
        session: &mut Session,
        name: &str,
        inputs: &Self::Inputs,
    ) -> impl Future<Output = Result<Vec<Change>, CallError>> + Send;

    /// What comes after the object is as the spec says; fills the kind's own status.
    fn finish(
        run: &Run<Self>,
        bound: &Bound,
        session: &mut Session,
        wanted: &Wanted<Self>,
        inputs: &Self::Inputs,
        info: Self::Info,
        draft: &mut Self::Status,
    ) -> impl Future<Output = Result<(), Stop>> + Send;

    /// What keeps the object from being dropped; `force` says that a person wants it gone all the same.
    fn release(
        run: &Run<Self>,
        session: &mut Session,
        ownership: &Ownership,
        mark: &Mark,
        draft: &mut Self::Status,
        force: bool,
    ) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Drops the object.
    fn drop_object(
        session: &mut Session,
        spec: Self::Spec,
        proof: Proof,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// After the object is gone: leftovers on the server.
    fn clean_up(session: &mut Session, mark: Mark) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Resources that depend on this one, as `Kind/Name` or `Kind/Namespace/Name`.
    fn children(_run: &Run<Self>) -> Vec<String> {
        Vec::new()
    }

    /// Deletes what depends on this one, as a person confirmed.
    fn take_children_along(_run: &Run<Self>) -> impl Future<Output = Result<(), Stop>> + Send {
        std::future::ready(Ok(()))
    }

    /// Whether other resources that are being deleted have to go before this one can, and are still on their way.
    fn waits_its_turn(run: &Run<Self>, recorded: &Ownership) -> bool;

    /// Before the resource is gone, whatever became of its object: leftovers in the cluster.
    fn let_go(run: &Run<Self>, draft: &Self::Status) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Counts an operation that began at `since`.
    fn count(
        metrics: &Metrics,
        instance: &InstanceId,
        engine: &str,
        operation: Operation,
        ending: Ending,
        since: Instant,
    );
}

/// Whether the adapter says that the object moved under our hands.
pub(crate) fn is_conflict(error: &CallError) -> bool {
    use sandbox::contract::ErrorKind;
    matches!(
        error,
        CallError::Adapter(Error { kind: ErrorKind::Conflict | ErrorKind::AlreadyExists, message: _, detail: _ })
    )
}
