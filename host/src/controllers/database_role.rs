//! A `DatabaseRole` and a `ClusterDatabaseRole`: the role itself, and the rights that it is given.
//!
//! Both kinds are one here: what differs is whose instances they may name, which the common reconcile knows.

mod secure;
mod wish;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::names::{finalizer, reason};
use crds::{ClusterDatabaseRole, DatabaseRole, DatabaseRoleStatus, InstanceId, Managed, Ownership, RoleInfo};
use kube::Resource;
use kube::runtime::controller::Action;
use planning::{Blocked, Class};
use sandbox::contract::{
    self, BlockOwner, Change, Examination, GrantSpec, Granted, Mark, ObjectKind, Proof, RoleSpec, Selection,
    UpdateReport,
};
use sandbox::{Adapter, CallError, Session};

use super::database_grant::databases;
use super::failure::Failure;
use super::ledger::Turn;
use super::managed::{self, Bound, Lease, Provisioned, Reported, Seen, Wanted};
use super::rights::{self, Account, Shares};
use super::run::Run;
use super::translate;
use super::trouble::{Stop, stop};
use crate::cluster::patches::Ours;
use crate::cluster::stores::Cached;
use crate::context::Context;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::metrics::Metrics;
pub(crate) use wish::RoleWish;
use wish::{OF_RIGHTS, divided, rights_of, stated_rights, without_grants};

/// At most this many of a role's objects are named.
const NAMED_OBJECTS: u32 = 3;

/// How long a deletion waits for its turn with a session in its hand.
const PATIENCE: Duration = Duration::from_secs(2);

/// One reconcile.
pub async fn reconcile<R: RoleResource>(role: Arc<R>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let _turn = ctx.turns.enter(role.instance_id()).await;
    // It may have changed, or gone, while it waited for its turn.
    let Some(role) = ctx.stores.latest(role.as_ref()) else { return Ok(Action::await_change()) };
    Box::pin(managed::reconcile(role, ctx)).await
}

/// Either kind of role.
pub trait RoleResource: Managed + Ours + Cached + Resource<DynamicType = ()> {
    /// The kind's name.
    const KIND: &'static str;
    /// The kind's finalizer.
    const FINALIZER: &'static str;

    /// The status, if there is one.
    fn role_status(&self) -> Option<&DatabaseRoleStatus>;

    /// The comment that the resource states itself.
    fn stated_comment(&self) -> Option<&str>;
}

impl RoleResource for DatabaseRole {
    const KIND: &'static str = "DatabaseRole";
    const FINALIZER: &'static str = finalizer::DATABASE_ROLE;

    fn role_status(&self) -> Option<&DatabaseRoleStatus> {
        self.status.as_ref()
    }

    fn stated_comment(&self) -> Option<&str> {
        None
    }
}

impl RoleResource for ClusterDatabaseRole {
    const KIND: &'static str = "ClusterDatabaseRole";
    const FINALIZER: &'static str = finalizer::CLUSTER_DATABASE_ROLE;

    fn role_status(&self) -> Option<&DatabaseRoleStatus> {
        self.status.as_ref()
    }

    fn stated_comment(&self) -> Option<&str> {
        self.spec.managed_resource_comment.as_deref()
    }
}

/// What is known of the role from elsewhere.
pub(crate) struct RoleInputs {
    /// The rights to give and to take back; none where there are neither.
    rights: Option<GrantSpec>,
    /// Roles that others make it a member of.
    shared_roles: Vec<String>,
    /// The databases that it names and resources manage: on one that was made again it is looked at at once.
    databases: BTreeMap<String, String>,
}

/// What the engine shows.
pub(crate) struct Info {
    details: Option<String>,
}

impl<R: RoleResource> Reported for R {
    type Status = DatabaseRoleStatus;

    const KIND: &'static str = <R as RoleResource>::KIND;
    const FINALIZER: &'static str = <R as RoleResource>::FINALIZER;

    fn status(&self) -> Option<&DatabaseRoleStatus> {
        self.role_status()
    }

    fn names_what_nobody_watches(&self) -> bool {
        false
    }
}

impl<R: RoleResource> Provisioned for R {
    type Spec = RoleWish;
    type Info = Info;
    type Inputs = RoleInputs;

    const OPTIONS: BlockOwner = BlockOwner::Role;
    const INDEPENDENT: bool = true;
    const OBJECT: ObjectKind = ObjectKind::Role;
    const NAME_FIELD: &'static str = "roleName";

    fn check(&self) -> Result<(), Blocked> {
        Ok(())
    }

    fn spec(&self, comment: Option<String>, options: Option<String>) -> RoleWish {
        let (options, rights) = options.map_or((None, None), |block| without_grants(&block));
        let name = self.external_name().to_owned();
        RoleWish { role: RoleSpec { name, shared_roles: Vec::new(), comment, options }, rights }
    }

    fn own_comment(&self) -> Option<&str> {
        self.stated_comment()
    }

    async fn gather(run: &Run<Self>, bound: &Bound, wanted: &Wanted<Self>) -> Result<RoleInputs, Stop> {
        // What others share is looked at when the server is: most reconciles end before.
        let mut inputs = inputs(run, wanted);
        if let Some(live) = run.ctx.servers.get(&bound.id) {
            inputs.databases = databases(&run.ctx.stores, &live.facts.identity, &wanted.examination);
        }
        Ok(inputs)
    }

    fn as_before(run: &Run<Self>, bound: &Bound, wanted: &Wanted<Self>, shares: &Shares) -> RoleInputs {
        let mut inputs = inputs(run, wanted);
        if let Some(account) = account(run, bound) {
            share(&mut inputs, shares.of(&account, &run.uid));
        }
        inputs
    }

    fn is_new(_: &RoleInputs) -> bool {
        false
    }

    fn fingerprint(inputs: &RoleInputs) -> String {
        // What others share is no wish of this resource: it counts when something is taken back, not before.
        let recorded = inputs.rights.as_ref().map(|rights| rights::for_status(rights.recorded.iter().cloned()));
        format!("{recorded:?} {:?}", inputs.databases)
    }

    fn applied(_: &mut RoleInputs) {}

    async fn examine(adapter: &Adapter, spec: RoleWish) -> Result<Examination, CallError> {
        let mut examination = adapter.examine_role(&spec.role).await?;
        if let Some(rights) = stated_rights(&spec) {
            let Examination { references, privileges, companions } = adapter.examine_grant(&rights).await?;
            examination.references.extend(references);
            examination.privileges.extend(privileges);
            examination.companions.extend(companions);
        }
        Ok(examination)
    }

    async fn observe(session: &mut Session, name: &str) -> Result<Option<Seen<Info>>, CallError> {
        Ok(session.get_role_info(name).await?.map(seen))
    }

    async fn secure(
        run: &Run<Self>,
        bound: &Bound,
        lease: &mut Lease<'_>,
        _: &Wanted<Self>,
        inputs: &mut RoleInputs,
        draft: &mut DatabaseRoleStatus,
    ) -> Result<(), Stop> {
        secure::record(run, bound, lease, inputs, draft).await
    }

    async fn create(
        session: &mut Session,
        spec: RoleWish,
        _: &RoleInputs,
        mark: Mark,
    ) -> Result<Seen<Info>, CallError> {
        session.create_role(&spec.role, &mark).await.map(seen)
    }

    async fn settle(run: &Run<Self>, bound: &Bound, lease: &mut Lease<'_>, inputs: &mut RoleInputs) -> Option<Turn> {
        let account = account(run, bound)?;
        let recorded = inputs.rights.iter().flat_map(|rights| &rights.recorded);
        let concerns_everyone = rights::concern_everyone(recorded.map(|right| &right.level));
        let turn = rights::turn_at(&run.ctx, &account, concerns_everyone, lease).await;
        share(inputs, rights::shared(&run.ctx, &account, &run.uid));
        Some(turn)
    }

    async fn update(
        session: &mut Session,
        spec: RoleWish,
        inputs: &RoleInputs,
        mark: Mark,
        selection: Selection,
    ) -> Result<UpdateReport, CallError> {
        let (own, of_rights) = divided(selection);
        let role = RoleSpec { shared_roles: inputs.shared_roles.clone(), ..spec.role };
        let mut report = session.update_role(&role, &mark, &own).await?;
        if let Some(rights) = &inputs.rights {
            let UpdateReport { changes, applied, details: _ } = session.grant(rights, &of_rights).await?.update;
            let change = |change: Change| Change { id: format!("{OF_RIGHTS}{}", change.id), ..change };
            report.changes.extend(changes.into_iter().map(change));
            report.applied.extend(applied.into_iter().map(|id| format!("{OF_RIGHTS}{id}")));
        }
        Ok(report)
    }

    async fn claim(
        session: &mut Session,
        name: &str,
        proof: Proof,
        comment: Option<String>,
        mark: Mark,
    ) -> Result<(), CallError> {
        session.claim_role(name, &proof, comment.as_deref(), &mark).await
    }

    async fn probe(_: &mut Session, _: &str, _: &RoleInputs) -> Result<Vec<Change>, CallError> {
        Ok(Vec::new())
    }

    async fn finish(
        run: &Run<Self>,
        bound: &Bound,
        session: &mut Session,
        _: &Wanted<Self>,
        inputs: &RoleInputs,
        info: Info,
        draft: &mut DatabaseRoleStatus,
    ) -> Result<(), Stop> {
        let held = match &inputs.rights {
            Some(rights) => {
                let now = session.grant(rights, &Selection::Detect).await.map_err(stop(bound.paths()))?;
                rights::recorded(&now)
            }
            None => Vec::new(),
        };
        rights::fits(&held)?;
        draft.held = held;
        if let Some(account) = account(run, bound).filter(|_| inputs.rights.is_some()) {
            run.ctx.ledger.note(&run.uid, &account, &draft.held);
        }
        let created_at = draft.ownership.as_ref().and_then(|ownership| ownership.created_at.clone());
        draft.role = Some(RoleInfo { name: Some(run.object.external_name().to_owned()), created_at });
        if let Some(details) = info.details {
            tracing::trace!(details, "the role as the server shows it");
        }
        Ok(())
    }

    /// A database that this role owns; one whose deletion waits for a person is not on its way.
    fn waits_its_turn(run: &Run<Self>, recorded: &Ownership) -> bool {
        managed::owns_what_goes(run, recorded)
    }

    async fn release(
        run: &Run<Self>,
        session: &mut Session,
        ownership: &Ownership,
        mark: &Mark,
        draft: &mut DatabaseRoleStatus,
        force: bool,
    ) -> Result<(), Stop> {
        let call = stop(managed::paths_of_recorded::<Self>());
        let owned = session.role_owned_objects(&ownership.name, NAMED_OBJECTS).await.map_err(&call)?;
        if !owned.is_empty() {
            if !force {
                let first: Vec<_> = owned.iter().map(|object| format!("{} {}", object.kind, object.name)).collect();
                let message = format!("{:?} owns {}: {}", ownership.name, first.join(", "), managed::HAND_OVER);
                return Err(Blocked::failed(reason::OWNERSHIP_BLOCKS, message, Class::Refused).into());
            }
            let proof = Proof { mark: Some(mark.clone()), object_id: ownership.object_id.clone() };
            let heirs = managed::heirs(run, &ownership.server_identity);
            session.reassign_role_owned(&ownership.name, &proof, &heirs).await.map_err(&call)?;
        }
        if !draft.held.is_empty() {
            // What was given to everyone in the role's name would outlive the role; what others give everyone stays.
            let spec = run.object.spec(None, None);
            let account = Account {
                identity: ownership.server_identity.clone(),
                kind: ObjectKind::Role,
                name: ownership.name.clone(),
            };
            let concerns_everyone = rights::concern_everyone(draft.held.iter().map(|right| &right.level));
            // Whoever has the turn may need the session that is held here.
            let turn = tokio::time::timeout(PATIENCE, run.ctx.ledger.enter(&account, concerns_everyone)).await;
            let Ok(_turn) = turn else {
                let message = "its rights are being changed; looking again";
                return Err(Blocked::failed(reason::RECONCILING, message, Class::Transient).into());
            };
            let rights = GrantSpec {
                recorded: rights::of_status(&draft.held),
                shared: rights::shared(&run.ctx, &account, &run.uid),
                ..rights_of(&spec, None)
            };
            session.revoke(&rights).await.map_err(&call)?;
            run.ctx.ledger.note(&run.uid, &account, &[]);
        }
        Ok(())
    }

    async fn drop_object(session: &mut Session, spec: RoleWish, proof: Proof) -> Result<(), CallError> {
        session.drop_role(&spec.role, &proof).await
    }

    async fn clean_up(_: &mut Session, _: Mark) -> Result<(), CallError> {
        Ok(())
    }

    async fn let_go(_: &Run<Self>, _: &DatabaseRoleStatus) -> Result<(), Stop> {
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
        metrics.role_operation(instance, engine, operation, ending, since.elapsed());
    }
}

/// What is known of the role's rights without asking anybody; not what others share.
fn inputs<R: RoleResource>(run: &Run<R>, wanted: &Wanted<R>) -> RoleInputs {
    let recorded = run.object.role_status().map(|status| status.held.as_slice()).unwrap_or_default();
    let mut rights = stated_rights(&wanted.spec);
    if rights.is_none() && !recorded.is_empty() {
        rights = Some(rights_of(&wanted.spec, None));
    }
    if let Some(rights) = &mut rights {
        rights.recorded = rights::of_status(recorded);
    }
    RoleInputs { rights, shared_roles: Vec::new(), databases: BTreeMap::new() }
}

/// The role on its server, where that is known.
fn account<R: RoleResource>(run: &Run<R>, bound: &Bound) -> Option<Account> {
    let identity = run.ctx.servers.get(&bound.id)?.facts.identity.clone();
    Some(Account { identity, kind: ObjectKind::Role, name: run.object.external_name().to_owned() })
}

/// Notes what others gave.
fn share(inputs: &mut RoleInputs, shared: Vec<Granted>) {
    inputs.shared_roles = rights::roles_among(&shared);
    if let Some(rights) = &mut inputs.rights {
        rights.shared = shared;
    }
}

fn seen(info: contract::RoleInfo) -> Seen<Info> {
    let contract::RoleInfo { name: _, object_id, mark, standing, privileged, details } = info;
    Seen { observed: translate::observed(object_id, mark, standing, privileged), info: Info { details } }
}
