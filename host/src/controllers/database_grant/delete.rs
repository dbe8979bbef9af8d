//! The end of a grant: what it gave is taken back, unless somebody else gives it too.

use std::time::Duration;

use crds::names::{annotation, reason};
use crds::{DatabaseGrantStatus, DeletionPolicy, Ownership};
use planning::deletion::{self, Deletion, Request};
use planning::{Blocked, Class};
use sandbox::contract::{GrantMode, GrantSpec, Grantee, ObjectKind};
use sandbox::{Lane, Session};

use super::super::managed::{self, Done, Reported};
use super::super::rights::{self, Account};
use super::super::run::Run;
use super::super::translate::Paths;
use super::super::trouble::{Stop, stop};
use super::{GrantResource, Target};
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::reconcile::mark_changed;

/// How long a deletion waits for the session that is kept for it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run<G>(run: &Run<G>, draft: &mut DatabaseGrantStatus) -> Result<Done, Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    if !run.has_finalizer(<G as GrantResource>::FINALIZER) {
        return Ok(Done::Released);
    }
    let force = run.switch(annotation::FORCE_DELETE);
    let recorded = draft.ownership.clone();
    let request = Request {
        protected: run.object.is_protected(),
        force,
        confirmation: None,
        policy: DeletionPolicy::Delete,
        children: Vec::new(),
        owns: recorded.is_some(),
    };
    match (deletion::plan(&request), recorded) {
        (Deletion::Wait { blocked, confirmation: _ }, _) => Err(blocked.into()),
        (Deletion::Cascade | Deletion::Release, _) | (Deletion::Drop, None) => Ok(Done::Released),
        (Deletion::Drop, Some(recorded)) => match take_back(run, draft, &recorded).await {
            Ok(()) => Ok(Done::Released),
            Err(Stop::Blocked(blocked)) if managed::is_hopeless(run, &blocked, false) && force => {
                let text = format!("left on the server, because deletion was forced: {}", blocked.message);
                run.ctx.events.warning(run.object.as_ref(), "RevokeFailed", &text);
                Ok(Done::Released)
            }
            Err(stopped) => Err(stopped),
        },
    }
}

async fn take_back<G>(run: &Run<G>, draft: &DatabaseGrantStatus, recorded: &Ownership) -> Result<(), Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    if run.ctx.stores.instance(&recorded.instance).is_none() {
        // There is no way to the server any more, and waiting would keep the namespace from going.
        let text = format!("left what {:?} was given: {} does not exist any more", recorded.name, recorded.instance);
        run.ctx.events.warning(run.object.as_ref(), "RevokeFailed", &text);
        return Ok(());
    }
    let live = run.ctx.servers.get(&recorded.instance).ok_or_else(|| {
        Blocked::failed(
            reason::INSTANCE_NOT_READY,
            format!("{} is not connected: the rights are taken back when it is", recorded.instance),
            Class::Waiting,
        )
    })?;
    if live.facts.identity != recorded.server_identity {
        let message = format!(
            "{} now leads to another server than the one where {:?} was given rights: point it back, \
             or set the annotation {}=\"true\" to leave them there",
            recorded.instance,
            recorded.name,
            annotation::FORCE_DELETE
        );
        return Err(Blocked::failed(reason::SERVER_CHANGED, message, Class::Refused).into());
    }
    let account = account(draft, recorded);
    let concerns_everyone = rights::concern_everyone(draft.held.iter().map(|right| &right.level));
    let _turn = run.ctx.ledger.enter(&account, concerns_everyone).await;
    let paths = Paths { block: "options", name: "userRef" };
    let mut session = live.server.lane(Lane::Reserved, PATIENCE).await.map_err(stop(paths))?;
    revoke(run, draft, recorded, &account, &mut session, paths).await
}

/// Takes back what is recorded, and notes that nothing is left. The caller has its turn at the account.
pub(super) async fn revoke<G>(
    run: &Run<G>,
    draft: &DatabaseGrantStatus,
    recorded: &Ownership,
    account: &Account,
    session: &mut Session,
    paths: Paths<'_>,
) -> Result<(), Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let call = stop(paths);
    let is_there = match account.kind {
        ObjectKind::Role => session.get_role_info(&account.name).await.map(|info| info.is_some()),
        ObjectKind::User | ObjectKind::Database => {
            session.get_user_info(&account.name).await.map(|info| info.is_some())
        }
    };
    let is_there = is_there.map_err(&call)?;
    let spec = taking_back(run, draft, recorded, account);
    run.may_write()?;
    // Also from who is gone: what everyone was given is still there.
    let outcome = session.revoke(&spec).await;
    let ending = Ending::of(&outcome);
    run.ctx.metrics.grant_operation(&recorded.instance, &recorded.engine, Operation::Delete, ending);
    outcome.map_err(&call)?;
    run.ctx.ledger.note(&run.uid, account, &[]);
    mark_changed();
    let (word, text) = if is_there {
        ("Revoked", format!("took back what {:?} was given", account.name))
    } else {
        ("RevokeSkipped", format!("{:?} is not on the server any more: nothing of its own was left", account.name))
    };
    run.ctx.events.normal(run.object.as_ref(), word, &text);
    Ok(())
}

/// Whom the record is about.
pub(super) fn account(draft: &DatabaseGrantStatus, recorded: &Ownership) -> Account {
    let type_ = draft.target_info.as_ref().and_then(|target| target.type_.as_deref());
    Account {
        identity: recorded.server_identity.clone(),
        kind: if type_ == Some(type_of(ObjectKind::Role)) { ObjectKind::Role } else { ObjectKind::User },
        name: recorded.name.clone(),
    }
}

/// The word for it in a status.
pub(super) fn type_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Role => "role",
        ObjectKind::User | ObjectKind::Database => "user",
    }
}

/// Everything recorded, but for what others share.
fn taking_back<G: GrantResource>(
    run: &Run<G>,
    draft: &DatabaseGrantStatus,
    recorded: &Ownership,
    account: &Account,
) -> GrantSpec {
    // The engine may need the target's own options to know its accounts; a target that is gone has none.
    let target = run.object.named().and_then(|named| Target::find(&run.ctx.stores, &named));
    let target = target.filter(|target| target.external_name == account.name && target.kind == account.kind);
    let engine = run.ctx.registry.find(&recorded.engine).ok();
    let grantee = target.zip(engine).map(|(target, engine)| target.grantee(&engine));
    GrantSpec {
        grantee: grantee.unwrap_or_else(|| Grantee { kind: account.kind, name: account.name.clone(), options: None }),
        roles: Vec::new(),
        options: None,
        mode: GrantMode::Additive,
        recorded: rights::of_status(&draft.held),
        shared: rights::shared(&run.ctx, account, &run.uid),
    }
}
