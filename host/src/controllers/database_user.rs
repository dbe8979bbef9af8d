//! A `DatabaseUser`: an account on the server, its password, and the Secret its application logs in with.

mod owned;
mod password;
mod places;

use std::sync::Arc;
use std::time::Instant;

use crds::names::{finalizer, reason};
use crds::{
    DatabaseUser, DatabaseUserStatus, InstanceId, Managed as _, Ownership, OwnershipBlockStatus, SecretInfo, Time,
    UserInfo,
};
use kube::runtime::controller::Action;
use planning::Blocked;
use planning::output_secret::OutputSecret;
use planning::password::Policy;
use sandbox::contract::{
    self, BlockOwner, Change, Examination, Granted, LoginOutcome, Mark, ObjectKind, Proof, Selection, UpdateReport,
    UserSpec,
};
use sandbox::{Adapter, CallError, SecretValue, Session};

use super::failure::Failure;
use super::ledger::Turn;
use super::managed::{self, Bound, Lease, Provisioned, Reported, Seen, Wanted};
use super::output::{self, Found};
use super::report;
use super::rights::{self, Account, Shares};
use super::run::Run;
use super::translate;
use super::trouble::{Stop, stop};
use crate::context::Context;
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::metrics::Metrics;

/// At most this many of a user's objects are named in its status.
const NAMED_OBJECTS: u32 = 20;

/// One reconcile.
pub async fn reconcile(user: Arc<DatabaseUser>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let _turn = ctx.turns.enter(user.instance_id()).await;
    // It may have changed, or gone, while it waited for its turn.
    let Some(user) = ctx.stores.latest(user.as_ref()) else { return Ok(Action::await_change()) };
    Box::pin(managed::reconcile(user, ctx)).await
}

/// The password and where it comes from.
#[derive(Default)]
pub(crate) struct UserInputs {
    /// The password in effect; none until [`Provisioned::secure`] makes one, or for an account without one.
    password: Option<SecretValue>,
    /// Set when the password is not the one that was set on the server last.
    is_new: bool,
    /// The fingerprint of `password`.
    fingerprint: String,
    /// The Secret to write.
    output: Option<(OutputSecret, Found, Policy)>,
    /// The Secrets that were written before, where they are others, the latest first.
    former: Vec<OutputSecret>,
    /// Roles that others make it a member of.
    shared_roles: Vec<String>,
}

/// What the engine shows.
pub(crate) struct Info {
    details: Option<String>,
}

impl Reported for DatabaseUser {
    type Status = DatabaseUserStatus;

    const KIND: &'static str = "DatabaseUser";
    const FINALIZER: &'static str = finalizer::DATABASE_USER;

    fn status(&self) -> Option<&DatabaseUserStatus> {
        self.status.as_ref()
    }

    fn names_what_nobody_watches(&self) -> bool {
        self.spec.existing_password_secret.is_some()
            || self.spec.password_secret.as_ref().is_some_and(|secret| !secret.generate)
    }
}

impl Provisioned for DatabaseUser {
    type Spec = UserSpec;
    type Info = Info;
    type Inputs = UserInputs;

    const OPTIONS: BlockOwner = BlockOwner::User;
    const INDEPENDENT: bool = true;
    const OBJECT: ObjectKind = ObjectKind::User;
    const NAME_FIELD: &'static str = "username";

    fn check(&self) -> Result<(), Blocked> {
        if self.spec.password_rotation.as_ref().is_some_and(|rotation| rotation.enabled == Some(true)) {
            return Err(Blocked::invalid(
                reason::NOT_YET_SERVED,
                "spec.passwordRotation is not yet served: remove it, or set enabled to false",
            ));
        }
        let generated = self.spec.password_secret.as_ref().is_some_and(|secret| !secret.generate);
        if generated && self.spec.existing_password_secret.is_some() {
            return Err(Blocked::invalid(
                reason::INVALID_SPEC,
                "spec.passwordSecret.generate is false and spec.existingPasswordSecret is set: \
                 both name a password of yours; remove one",
            ));
        }
        Ok(())
    }

    fn spec(&self, comment: Option<String>, options: Option<String>) -> UserSpec {
        UserSpec {
            name: self.spec.username.clone(),
            roles: self.spec.roles.clone().unwrap_or_default(),
            shared_roles: Vec::new(),
            comment,
            options,
        }
    }

    async fn gather(run: &Run<Self>, bound: &Bound, _: &Wanted<Self>) -> Result<UserInputs, Stop> {
        let spec = &run.object.spec;
        let output = password::output_of(run)?;
        let given = password::given_password(run, output.as_ref()).await?;
        let output = match output {
            Some(wanted) => {
                password::may_write(run, &wanted)?;
                let found = output::find(run, &wanted).await?;
                Some((wanted, found, Policy::parse(spec.password_secret.as_deref())?))
            }
            None => None,
        };
        let mut password = given.or_else(|| output.as_ref().and_then(|(_, found, _)| output::password(found)));
        let former = places::former(run, output.as_ref().map(|(wanted, ..)| wanted));
        for former in &former {
            // Under its new name the Secret has the password that is in use.
            if password.is_none() {
                password = output::found_of_ours(run, former).await?.as_ref().and_then(output::password);
            }
        }
        let shared_roles = shared_roles(run, bound, |account| rights::shared(&run.ctx, account, &run.uid));
        let fingerprint = String::new();
        let mut inputs = UserInputs { password, is_new: false, fingerprint, output, former, shared_roles };
        password::compare(run, &mut inputs).await?;
        Ok(inputs)
    }

    fn as_before(run: &Run<Self>, bound: &Bound, _: &Wanted<Self>, shares: &Shares) -> UserInputs {
        let shared_roles = shared_roles(run, bound, |account| shares.of(account, &run.uid));
        UserInputs { shared_roles, ..UserInputs::default() }
    }

    fn fingerprint(inputs: &UserInputs) -> String {
        let secret = inputs.output.as_ref().map(|(_, found, _)| match found {
            Found::Absent => "absent".to_owned(),
            Found::Ours(found) => found.metadata.resource_version.clone().unwrap_or_default(),
        });
        format!("{} {} {secret:?}", inputs.fingerprint, inputs.is_new)
    }

    fn is_new(inputs: &UserInputs) -> bool {
        inputs.is_new || !inputs.former.is_empty()
    }

    fn applied(inputs: &mut UserInputs) {
        inputs.is_new = false;
    }

    async fn examine(adapter: &Adapter, spec: UserSpec) -> Result<Examination, CallError> {
        adapter.examine_user(&spec).await
    }

    async fn observe(session: &mut Session, name: &str) -> Result<Option<Seen<Info>>, CallError> {
        Ok(session.get_user_info(name).await?.map(seen))
    }

    async fn secure(
        run: &Run<Self>,
        bound: &Bound,
        lease: &mut Lease<'_>,
        _: &Wanted<Self>,
        inputs: &mut UserInputs,
        draft: &mut DatabaseUserStatus,
    ) -> Result<(), Stop> {
        let Some((wanted, found, policy)) = &inputs.output else { return Ok(()) };
        lease.rest();
        if places::note(wanted, draft) {
            report::write(run, draft).await?;
        }
        let password = match &inputs.password {
            Some(password) => password.clone(),
            None => output::generate(policy)?,
        };
        let found = output::ensure(run, bound, wanted, found, &run.object.spec.username, &password).await?;
        for former in std::mem::take(&mut inputs.former) {
            output::discard(run, &former).await?;
        }
        draft.owned_secrets = vec![places::of(wanted)];
        let (namespace, name) = (wanted.namespace.clone(), wanted.name.clone());
        let last_rotated_at = password::rotated_at(draft);
        draft.secret = Some(SecretInfo { namespace: Some(namespace), name: Some(name), last_rotated_at });
        let wanted = wanted.clone();
        let policy = policy.clone();
        inputs.password = Some(password);
        inputs.output = Some((wanted, found, policy));
        let nonce = draft.ownership.as_ref().map(|ownership| ownership.nonce.clone()).unwrap_or_default();
        password::fingerprinted(run, inputs, &nonce, draft.password_fingerprint.as_deref()).await
    }

    fn intends(inputs: &UserInputs, draft: &mut DatabaseUserStatus) {
        if let Some((wanted, ..)) = &inputs.output {
            places::note(wanted, draft);
        }
    }

    async fn create(
        session: &mut Session,
        spec: UserSpec,
        inputs: &UserInputs,
        mark: Mark,
    ) -> Result<Seen<Info>, CallError> {
        session.create_user(&spec, inputs.password.as_ref(), &mark).await.map(seen)
    }

    fn created(inputs: &UserInputs, draft: &mut DatabaseUserStatus) {
        draft.password_fingerprint = inputs.password.as_ref().map(|_| inputs.fingerprint.clone());
    }

    async fn settle(run: &Run<Self>, bound: &Bound, lease: &mut Lease<'_>, inputs: &mut UserInputs) -> Option<Turn> {
        let account = account(run, bound)?;
        let turn = rights::turn_at(&run.ctx, &account, false, lease).await;
        inputs.shared_roles = rights::roles_among(&rights::shared(&run.ctx, &account, &run.uid));
        Some(turn)
    }

    async fn update(
        session: &mut Session,
        spec: UserSpec,
        inputs: &UserInputs,
        mark: Mark,
        selection: Selection,
    ) -> Result<UpdateReport, CallError> {
        let asked_for = matches!(&selection, Selection::Only(ids) if ids.iter().any(|id| id == "password"));
        let passed = inputs.password.as_ref().filter(|_| inputs.is_new || asked_for);
        let spec = UserSpec { shared_roles: inputs.shared_roles.clone(), ..spec };
        let report = session.update_user(&spec, &mark, passed, &selection).await?;
        let is_chosen = |id: &String| match &selection {
            Selection::All => true,
            Selection::Only(ids) => ids.contains(id),
            Selection::Detect => false,
        };
        // Another login method cannot be given without the password (see `wit/user.wit`).
        let left = |change: &&Change| change.impossible && is_chosen(&change.id);
        let left: Vec<String> = report.changes.iter().filter(left).map(|change| change.id.clone()).collect();
        match inputs.password.as_ref().filter(|_| passed.is_none() && !left.is_empty()) {
            Some(password) => password::with_the_password(session, &spec, &mark, password, report, left).await,
            None => Ok(report),
        }
    }

    async fn claim(
        session: &mut Session,
        name: &str,
        proof: Proof,
        comment: Option<String>,
        mark: Mark,
    ) -> Result<(), CallError> {
        session.claim_user(name, &proof, comment.as_deref(), &mark).await
    }

    async fn probe(session: &mut Session, name: &str, inputs: &UserInputs) -> Result<Vec<Change>, CallError> {
        let Some(password) = inputs.password.as_ref().filter(|_| !inputs.is_new) else { return Ok(Vec::new()) };
        match session.try_login(name, password).await? {
            LoginOutcome::Accepted | LoginOutcome::Unknown => Ok(Vec::new()),
            LoginOutcome::Rejected => Ok(vec![Change {
                id: "password".to_owned(),
                field: "passwordSecret".to_owned(),
                expected: "the password in the Secret".to_owned(),
                actual: "another password".to_owned(),
                destructive: false,
                impossible: false,
                lacking: None,
            }]),
        }
    }

    async fn finish(
        run: &Run<Self>,
        _: &Bound,
        _: &mut Session,
        _: &Wanted<Self>,
        inputs: &UserInputs,
        info: Info,
        draft: &mut DatabaseUserStatus,
    ) -> Result<(), Stop> {
        let created_at = draft.ownership.as_ref().and_then(|ownership| ownership.created_at.clone());
        draft.user = Some(UserInfo { username: Some(run.object.spec.username.clone()), created_at });
        draft.ownership_block = None;
        if inputs.output.is_none() {
            for former in &inputs.former {
                output::discard(run, former).await?;
            }
            draft.owned_secrets.clear();
            draft.secret = run.object.spec.existing_password_secret.as_ref().map(|secret| SecretInfo {
                name: Some(secret.name.clone()),
                namespace: Some(secret.namespace.clone().unwrap_or_else(|| run.key.namespace.clone())),
                last_rotated_at: password::rotated_at(draft),
            });
        }
        password::note(run, inputs, draft);
        if let Some(details) = info.details {
            tracing::trace!(details, "the account as the server shows it");
        }
        Ok(())
    }

    fn waits_its_turn(run: &Run<Self>, recorded: &Ownership) -> bool {
        managed::owns_what_goes(run, recorded)
    }

    async fn release(
        run: &Run<Self>,
        session: &mut Session,
        ownership: &Ownership,
        mark: &Mark,
        draft: &mut DatabaseUserStatus,
        force: bool,
    ) -> Result<(), Stop> {
        let call = stop(managed::paths_of_recorded::<Self>());
        let owned = session.user_owned_objects(&ownership.name, NAMED_OBJECTS).await.map_err(&call)?;
        if owned.is_empty() {
            return Ok(());
        }
        if force {
            let proof = Proof { mark: Some(mark.clone()), object_id: ownership.object_id.clone() };
            let heirs = managed::heirs(run, &ownership.server_identity);
            return session.reassign_user_owned(&ownership.name, &proof, &heirs).await.map_err(call);
        }
        let blocked = owned::owns_objects(&ownership.name, &owned);
        let found = OwnershipBlockStatus {
            blocked: Some(true),
            last_checked_at: None,
            owned_objects: owned.into_iter().map(owned::owned_object).collect(),
            resolution: Some(managed::HAND_OVER.to_owned()),
            message: Some(blocked.message.clone()),
        };
        let told = draft.ownership_block.take().map(|told| *told);
        draft.ownership_block = Some(Box::new(owned::told_since(told, found, Time::from(run.now))));
        Err(blocked.into())
    }

    async fn drop_object(session: &mut Session, spec: UserSpec, proof: Proof) -> Result<(), CallError> {
        session.drop_user(&spec, &proof).await
    }

    async fn clean_up(_: &mut Session, _: Mark) -> Result<(), CallError> {
        Ok(())
    }

    async fn let_go(run: &Run<Self>, draft: &DatabaseUserStatus) -> Result<(), Stop> {
        // The garbage collector takes along what is in its own namespace.
        for place in draft.owned_secrets.iter().filter(|place| place.namespace != run.key.namespace) {
            output::discard(run, &places::secret_at(place)).await?;
        }
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
        metrics.user_operation(instance, engine, operation, ending, since.elapsed());
    }
}

/// The user on its server, where that is known.
fn account(run: &Run<DatabaseUser>, bound: &Bound) -> Option<Account> {
    let identity = run.ctx.servers.get(&bound.id)?.facts.identity.clone();
    Some(Account { identity, kind: ObjectKind::User, name: run.object.spec.username.clone() })
}

/// What others make the user a member of, as `shared` tells.
fn shared_roles(run: &Run<DatabaseUser>, bound: &Bound, shared: impl FnOnce(&Account) -> Vec<Granted>) -> Vec<String> {
    account(run, bound).map(|account| rights::roles_among(&shared(&account))).unwrap_or_default()
}

fn seen(info: contract::UserInfo) -> Seen<Info> {
    let contract::UserInfo { name: _, object_id, mark, standing, privileged, details } = info;
    Seen { observed: translate::observed(object_id, mark, standing, privileged), info: Info { details } }
}
