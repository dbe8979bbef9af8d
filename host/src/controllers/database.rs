//! A `Database`: the database itself, the accounts that are created with it, and the statements that run once in it.

mod companions;
mod script;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crds::names::{GROUP, OPTION_BLOCKS, finalizer, reason};
use crds::{
    Database, DatabaseGrant, DatabaseInfo, DatabaseStatus, DeletionPolicy, InstanceId, Managed as _, Ownership,
};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use planning::{Blocked, Class, consent};
use sandbox::contract::{
    self, BlockOwner, Change, DatabaseSpec, Examination, Mark, ObjectKind, Proof, Selection, UpdateReport,
};
use sandbox::{Adapter, CallError, Session};
use serde_json::{Map, Value};

use self::companions::Companions;
use self::script::Prepared;
use super::cascade::take_along;
use super::failure::Failure;
use super::managed::{self, Bound, Lease, Provisioned, Reported, Seen, Wanted};
use super::rights::Shares;
use super::run::Run;
use super::translate;
use super::trouble::Stop;
use crate::context::Context;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::metrics::Metrics;

/// A size in status is renewed when it moved by more than one part in this many: it is no reason to write by itself.
const NOTABLE_PART: i64 = 10;

/// One reconcile.
pub async fn reconcile(database: Arc<Database>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let _turn = ctx.turns.enter(database.instance_id()).await;
    // It may have changed, or gone, while it waited for its turn.
    let Some(database) = ctx.stores.latest(database.as_ref()) else { return Ok(Action::await_change()) };
    Box::pin(managed::reconcile(database, ctx)).await
}

/// What was read from the cluster.
#[derive(Default)]
pub(crate) struct DatabaseInputs {
    script: Option<Prepared>,
    companions: Companions,
    /// What the last update learnt, for the status.
    learnt: Mutex<Option<String>>,
}

/// What the engine shows.
pub(crate) struct Info {
    owner: Option<String>,
    size: Option<u64>,
    details: Option<String>,
}

/// The grants that name this database as what they are about. Another namespace's count where ours consents.
fn grants_about(run: &Run<Database>) -> Vec<Arc<DatabaseGrant>> {
    let (own, name) = (run.key.namespace.as_str(), run.key.name.as_str());
    let consents = run.ctx.stores.grants_in(own);
    run.ctx.stores.access_grants.state_filter(|grant| {
        let from = grant.metadata.namespace.as_deref().unwrap_or_default();
        let named = grant.spec.database_ref.as_ref();
        let is_named = named.is_some_and(|named| named.name == name && named.namespace_or(from) == own);
        let referrer = consent::Referrer { kind: "DatabaseGrant", namespace: Some(from) };
        let target = consent::Target { group: GROUP, kind: "Database", namespace: own, name };
        is_named && (from == own || consent::granted(consents.iter().map(AsRef::as_ref), referrer, target))
    })
}

impl Reported for Database {
    type Status = DatabaseStatus;

    const KIND: &'static str = "Database";
    const FINALIZER: &'static str = finalizer::DATABASE;

    fn status(&self) -> Option<&DatabaseStatus> {
        self.status.as_ref()
    }

    fn names_what_nobody_watches(&self) -> bool {
        self.spec.init_sql.as_ref().is_some_and(|script| script.config_map_ref.is_some() || script.secret_ref.is_some())
    }
}

impl Provisioned for Database {
    type Spec = DatabaseSpec;
    type Info = Info;
    type Inputs = DatabaseInputs;

    const OPTIONS: BlockOwner = BlockOwner::Database;
    const INDEPENDENT: bool = false;
    const OBJECT: ObjectKind = ObjectKind::Database;
    const NAME_FIELD: &'static str = "name";

    fn check(&self) -> Result<(), Blocked> {
        match self.spec.deletion_policy {
            DeletionPolicy::Snapshot => Err(Blocked::invalid(
                reason::NOT_YET_SERVED,
                "spec.deletionPolicy Snapshot is not yet served: set it to Retain or Delete",
            )),
            DeletionPolicy::Retain | DeletionPolicy::Delete => Ok(()),
        }
    }

    fn spec(&self, comment: Option<String>, options: Option<String>) -> DatabaseSpec {
        DatabaseSpec { name: self.spec.name.clone(), owner: self.spec.owner.clone(), comment, options }
    }

    async fn gather(run: &Run<Self>, bound: &Bound, wanted: &Wanted<Self>) -> Result<DatabaseInputs, Stop> {
        let script = script::prepare(run).await?;
        if script.is_some() {
            script::may_run(run, bound, wanted)?;
        }
        let companions = companions::find(run, wanted).await?;
        Ok(DatabaseInputs { script, companions, learnt: Mutex::default() })
    }

    fn as_before(_: &Run<Self>, _: &Bound, _: &Wanted<Self>, _: &Shares) -> DatabaseInputs {
        DatabaseInputs::default()
    }

    fn fingerprint(inputs: &DatabaseInputs) -> String {
        let script = inputs.script.as_ref().map(|script| script.hash.as_str()).unwrap_or_default();
        format!("{script} {}", inputs.companions.fingerprint())
    }

    fn is_new(inputs: &DatabaseInputs) -> bool {
        // Whether a script is to run is decided beside the server.
        inputs.script.is_some() || inputs.companions.log_in()
    }

    fn size(draft: &DatabaseStatus) -> Option<u64> {
        draft.database.as_ref()?.size_bytes.and_then(|bytes| u64::try_from(bytes).ok())
    }

    fn applied(inputs: &mut DatabaseInputs) {
        inputs.companions.applied();
    }

    async fn examine(adapter: &Adapter, spec: DatabaseSpec) -> Result<Examination, CallError> {
        adapter.examine_database(&spec).await
    }

    async fn observe(session: &mut Session, name: &str) -> Result<Option<Seen<Info>>, CallError> {
        Ok(session.get_database_info(name).await?.map(seen))
    }

    async fn secure(
        run: &Run<Self>,
        bound: &Bound,
        lease: &mut Lease<'_>,
        _: &Wanted<Self>,
        inputs: &mut DatabaseInputs,
        draft: &mut DatabaseStatus,
    ) -> Result<(), Stop> {
        if inputs.companions.log_in() {
            lease.rest();
        }
        companions::secure(run, bound, &mut inputs.companions, draft).await
    }

    async fn create(
        session: &mut Session,
        spec: DatabaseSpec,
        _: &DatabaseInputs,
        mark: Mark,
    ) -> Result<Seen<Info>, CallError> {
        session.create_database(&spec, &mark).await.map(seen)
    }

    async fn update(
        session: &mut Session,
        spec: DatabaseSpec,
        inputs: &DatabaseInputs,
        mark: Mark,
        selection: Selection,
    ) -> Result<UpdateReport, CallError> {
        let passwords = inputs.companions.passwords_for(&selection);
        let mut report = session.update_database(&spec, &mark, &passwords, &selection).await?;
        *inputs.learnt.lock().unwrap_or_else(PoisonError::into_inner) = report.details.take();
        Ok(report)
    }

    async fn claim(
        session: &mut Session,
        name: &str,
        proof: Proof,
        comment: Option<String>,
        mark: Mark,
    ) -> Result<(), CallError> {
        session.claim_database(name, &proof, comment.as_deref(), &mark).await
    }

    async fn probe(session: &mut Session, _: &str, inputs: &DatabaseInputs) -> Result<Vec<Change>, CallError> {
        inputs.companions.probe(session).await
    }

    async fn finish(
        run: &Run<Self>,
        bound: &Bound,
        session: &mut Session,
        _: &Wanted<Self>,
        inputs: &DatabaseInputs,
        info: Info,
        draft: &mut DatabaseStatus,
    ) -> Result<(), Stop> {
        let Info { owner, size, details } = info;
        inputs.companions.record(draft);
        let learnt = inputs.learnt.lock().unwrap_or_else(PoisonError::into_inner).clone();
        set_block(draft, &bound.block, [details, learnt].iter().flatten())?;
        let size = size.and_then(|bytes| i64::try_from(bytes).ok());
        let known = draft.database.as_ref().and_then(|known| known.size_bytes);
        draft.database = Some(DatabaseInfo {
            name: Some(run.object.spec.name.clone()),
            owner: owner.clone(),
            size_bytes: notable(known, size),
            created_at: draft.ownership.as_ref().and_then(|ownership| ownership.created_at.clone()),
        });
        measure(run, size);
        let Some(script) = &inputs.script else {
            script::tidy_up(run, bound, session, draft).await?;
            draft.init_sql = None;
            return Ok(());
        };
        script::run(run, bound, session, script, owner.as_deref(), draft).await
    }

    fn vanished(draft: &mut DatabaseStatus) {
        draft.init_sql = None;
    }

    fn children(run: &Run<Self>) -> Vec<String> {
        let told = |grant: &Arc<DatabaseGrant>| match grant.namespace().filter(|from| *from != run.key.namespace) {
            Some(from) => format!("DatabaseGrant/{from}/{}", grant.name_any()),
            None => format!("DatabaseGrant/{}", grant.name_any()),
        };
        grants_about(run).iter().map(told).collect()
    }

    async fn take_children_along(run: &Run<Self>) -> Result<(), Stop> {
        for grant in grants_about(run) {
            take_along(run, grant.as_ref()).await?;
        }
        Ok(())
    }

    fn waits_its_turn(_run: &Run<Self>, _recorded: &Ownership) -> bool {
        false
    }

    async fn release(
        _: &Run<Self>,
        _: &mut Session,
        _: &Ownership,
        _: &Mark,
        _: &mut DatabaseStatus,
        _: bool,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn drop_object(session: &mut Session, spec: DatabaseSpec, proof: Proof) -> Result<(), CallError> {
        // Its sessions are ended: a database that somebody is connected to could never go.
        session.drop_database(&spec, &proof, true).await
    }

    async fn clean_up(session: &mut Session, mark: Mark) -> Result<(), CallError> {
        session.clean_up(&mark).await
    }

    async fn let_go(_: &Run<Self>, _: &DatabaseStatus) -> Result<(), Stop> {
        // The Secrets of its companions are its own, in its own namespace, and go with it.
        Ok(())
    }

    fn count(
        metrics: &Metrics,
        instance: &InstanceId,
        engine: &str,
        operation: Operation,
        ending: Ending,
        since: Instant,
    ) {
        metrics.database_operation(instance, engine, operation, ending, since.elapsed());
    }
}

fn seen(info: contract::DatabaseInfo) -> Seen<Info> {
    let contract::DatabaseInfo { name: _, object_id, owner, mark, standing, size_bytes, details } = info;
    Seen {
        observed: translate::observed(object_id, mark, standing, false),
        info: Info { owner, size: size_bytes, details },
    }
}

fn notable(known: Option<i64>, now: Option<i64>) -> Option<i64> {
    match (known, now) {
        (Some(known), Some(now)) if (known - now).abs() <= known.max(1) / NOTABLE_PART => Some(known),
        (_, now) => now,
    }
}

fn measure(run: &Run<Database>, size: Option<i64>) {
    if let Some(bytes) = size.and_then(|bytes| u64::try_from(bytes).ok()) {
        run.ctx.memory.note(&run.uid, |remembered| remembered.size = Some(bytes).into());
    }
}

/// Puts what the adapter tells under its engine's key, whichever of the blocks that is; the later of several details
/// goes over the earlier, and the schema decides what is kept.
fn set_block<'a>(
    draft: &mut DatabaseStatus,
    block: &str,
    details: impl IntoIterator<Item = &'a String>,
) -> Result<(), Blocked> {
    let broken = |error: serde_json::Error| {
        tracing::error!(%error, "the adapter's details do not fit the status");
        Blocked::failed(
            reason::ENGINE_FAILED,
            "the engine's adapter described the database in a way that is not understood",
            Class::Guest,
        )
    };
    // Every other field is the operator's own word.
    if !OPTION_BLOCKS.contains(&block) {
        return Ok(());
    }
    let mut told: Option<Map<String, Value>> = None;
    for one in details {
        told.get_or_insert_default().extend(serde_json::from_str::<Map<_, _>>(one).map_err(broken)?);
    }
    let Some(told) = told else { return Ok(()) };
    let mut status = serde_json::to_value(&*draft).map_err(broken)?;
    if let Some(fields) = status.as_object_mut() {
        fields.insert(block.to_owned(), told.into());
    }
    *draft = serde_json::from_value(status).map_err(broken)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt as _;

    use super::*;

    #[test]
    fn a_size_that_hardly_moved_keeps_its_word() {
        assert_eq!(notable(Some(1000), Some(1050)), Some(1000));
        assert_eq!(notable(Some(1000), Some(1200)), Some(1200));
        assert_eq!(notable(None, Some(5)), Some(5));
        assert_eq!(notable(Some(5), None), None);
    }

    #[test]
    fn an_adapters_details_stand_under_its_own_key() {
        let mut draft = DatabaseStatus::default();
        let details = [r#"{"charset":"latin1","collation":"x"}"#.to_owned(), r#"{"charset":"utf8mb4"}"#.to_owned()];
        set_block(&mut draft, "mysql", &details).unwrap();
        let told = draft.mysql.clone().unwrap();
        assert_eq!((told.charset.as_deref(), told.collation.as_deref()), (Some("utf8mb4"), Some("x")));
        set_block(&mut draft, "mysql", &[]).unwrap();
        assert!(draft.mysql.is_some(), "an adapter that tells nothing takes nothing back");
        assert!(set_block(&mut draft, "mysql", &["[]".to_owned()]).is_err());
    }

    #[test]
    fn no_field_of_the_operators_is_an_adapters_to_write() {
        let kept = DatabaseStatus { message: Some("ours".into()), ..DatabaseStatus::default() };
        let fields = serde_json::to_value(crds::Database::crd()).unwrap();
        let fields = fields.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status/properties").unwrap();
        let fields = fields.as_object().unwrap().keys().filter(|field| !OPTION_BLOCKS.contains(&field.as_str()));
        let mut tried = 0;
        for field in fields {
            let mut draft = kept.clone();
            for details in [r"{}", r#"{"name":"theirs","serverIdentity":"theirs"}"#] {
                set_block(&mut draft, field, &[details.to_owned()]).unwrap();
            }
            assert_eq!(draft, kept, "{field}");
            tried += 1;
        }
        assert!(tried > 8, "only {tried} fields were tried");
    }
}
