//! The statements of `spec.initSQL`: read from where they are, run once for each text, in the owner's name.

use crds::names::reason;
use crds::{
    AdoptionPolicy, ConfigMapKeySelector, Database, DatabaseStatus, InitSqlConfig, InitSqlFailurePolicy, InitSqlStatus,
    Managed as _, SecretKeySelector, Time,
};
use planning::consent::{Referrer, Target};
use planning::references::{Privilege, within_ceiling};
use planning::{Blocked, Class, consent, init_sql};
use sandbox::Session;
use sandbox::contract::{
    BlockOwner, ErrorKind, Examination, ObjectKind, Reference, Script, ScriptFailure, ScriptReport, Standing,
};

use super::super::managed::{self, Bound, Provisioned as _, Reported as _, Wanted, authority};
use super::super::run::Run;
use super::super::translate;
use super::super::trouble::{self, Stop, asking, stop};
use crate::telemetry::labels::{Ending, Operation};
use crate::telemetry::reconcile::mark_changed;

/// A script that was read.
pub(crate) struct Prepared {
    statements: Vec<String>,
    policy: InitSqlFailurePolicy,
    /// The text is a Secret's, and a server quotes what it refuses.
    is_secret: bool,
    /// Guards it from running twice.
    pub(crate) hash: String,
}

/// Reads the script, if there is one.
pub(super) async fn prepare(run: &Run<Database>) -> Result<Option<Prepared>, Stop> {
    let Some(config) = &run.object.spec.init_sql else { return Ok(None) };
    let statements = match config.as_ref() {
        InitSqlConfig { inline: Some(statements), config_map_ref: None, secret_ref: None, failure_policy: _ } => {
            statements.clone()
        }
        InitSqlConfig { inline: None, config_map_ref: Some(from), secret_ref: None, failure_policy: _ } => {
            vec![from_config_map(run, from).await?]
        }
        InitSqlConfig { inline: None, config_map_ref: None, secret_ref: Some(from), failure_policy: _ } => {
            vec![from_secret(run, from).await?]
        }
        InitSqlConfig { inline: _, config_map_ref: _, secret_ref: _, failure_policy: _ } => {
            return Err(Blocked::invalid(
                reason::INVALID_SPEC,
                "exactly one of spec.initSQL.inline, configMapRef and secretRef must be set",
            )
            .into());
        }
    };
    let hash = init_sql::hash(&statements);
    let is_secret = config.secret_ref.is_some();
    Ok(Some(Prepared { statements, policy: config.failure_policy, is_secret, hash }))
}

fn namespace<'a>(run: &'a Run<Database>, stated: Option<&'a String>) -> &'a str {
    stated.filter(|namespace| !namespace.is_empty()).unwrap_or(&run.key.namespace)
}

fn consents(run: &Run<Database>, target: Target<'_>, path: &str) -> Result<(), Blocked> {
    let from = Referrer { kind: Database::KIND, namespace: Some(&run.key.namespace) };
    let grants = run.ctx.stores.grants_in(target.namespace);
    consent::may_read(grants.iter().map(AsRef::as_ref), from, target, path)
}

async fn from_config_map(run: &Run<Database>, from: &ConfigMapKeySelector) -> Result<String, Stop> {
    const PATH: &str = "spec.initSQL.configMapRef";
    let namespace = namespace(run, from.namespace.as_ref());
    consents(run, Target { group: "", kind: "ConfigMap", namespace, name: &from.name }, PATH)?;
    let found =
        run.ctx.config_maps.get(namespace, &from.name).await.map_err(asking("reading the ConfigMap of initSQL"))?;
    let text = found.and_then(|found| found.data).and_then(|mut data| data.remove(&from.key));
    text.ok_or_else(|| {
        missing(reason::CONFIG_MAP_NOT_FOUND, PATH, "ConfigMap", namespace, &from.name, &from.key).into()
    })
}

async fn from_secret(run: &Run<Database>, from: &SecretKeySelector) -> Result<String, Stop> {
    const PATH: &str = "spec.initSQL.secretRef";
    let namespace = namespace(run, from.namespace.as_ref());
    consents(run, Target { group: "", kind: "Secret", namespace, name: &from.name }, PATH)?;
    let found = run.ctx.secrets.get(namespace, &from.name).await.map_err(asking("reading the Secret of initSQL"))?;
    let value = found.as_ref().and_then(|found| found.value(&from.key));
    let value =
        value.ok_or_else(|| missing(reason::SECRET_NOT_FOUND, PATH, "Secret", namespace, &from.name, &from.key))?;
    let text = std::str::from_utf8(value).map_err(|_not_text| {
        Blocked::invalid(
            reason::INVALID_SPEC,
            format!("{PATH}: key {:?} of Secret {namespace}/{} is not UTF-8 text", from.key, from.name),
        )
    })?;
    Ok(text.to_owned())
}

fn missing(reason: &'static str, path: &str, kind: &str, namespace: &str, name: &str, key: &str) -> Blocked {
    Blocked::waiting(reason, format!("{path}: {kind} {namespace}/{name} with key {key:?} does not exist"))
}

/// With the administrator as the owner there is no fence between a script and the whole server.
fn as_administrator(bound: &Bound) -> Result<(), Blocked> {
    within_ceiling(
        "spec.initSQL, on a database that belongs to the administrator itself,",
        Privilege::AdministratorScript,
        &bound.ceiling(),
    )
}

/// An owner that the spec does not state was found on the database: it is a reference like any other, because a script can
/// do whatever the owner can.
async fn as_found(
    run: &Run<Database>,
    bound: &Bound,
    session: &mut Session,
    draft: &DatabaseStatus,
    owner: &str,
) -> Result<(), Stop> {
    let is_stated = run.object.spec.owner.as_deref() == Some(owner);
    let mut companions = draft.ownership.iter().flat_map(|ownership| &ownership.companions);
    if is_stated || companions.any(|companion| companion.name == owner) {
        return Ok(());
    }
    let reference = Reference {
        path: "initSQL, which would run as the database's owner,".to_owned(),
        kind: ObjectKind::Role,
        name: owner.to_owned(),
        standing: Standing::Ordinary,
    };
    let examination = Examination { privileges: Vec::new(), references: vec![reference], companions: Vec::new() };
    let live = managed::live(run, bound)?;
    authority::names(run, bound, &live, &examination, None, session).await
}

/// Whether it may run at all, as far as that is known before the database is there: one that states no owner will
/// belong to the administrator.
pub(super) fn may_run(run: &Run<Database>, bound: &Bound, wanted: &Wanted<Database>) -> Result<(), Blocked> {
    let spec = &run.object.spec;
    let is_there = run.object.ownership().is_some_and(|ownership| ownership.created_at.is_some());
    let has_owner = spec.owner.is_some() || !wanted.examination.companions.is_empty();
    // Where databases have no owners, a script has rights on its database and on nothing else.
    let knows_owners = bound.engine.readable_fields(BlockOwner::Database).iter().any(|field| field == "owner");
    if is_there || has_owner || !knows_owners || spec.adoption_policy == AdoptionPolicy::Adopt {
        return Ok(());
    }
    as_administrator(bound)
}

/// Runs it if it is due, and says in the status how it went.
pub(super) async fn run(
    run: &Run<Database>,
    bound: &Bound,
    session: &mut Session,
    prepared: &Prepared,
    owner: Option<&str>,
    draft: &mut DatabaseStatus,
) -> Result<(), Stop> {
    let Prepared { statements, policy, is_secret, hash } = prepared;
    if !init_sql::due(draft.init_sql.as_deref(), hash, *policy) {
        return Ok(());
    }
    let administrator = session.server().await.map_err(stop(bound.paths()))?.administrator;
    let is_administrators = owner.is_some_and(|owner| owner == administrator);
    if is_administrators {
        as_administrator(bound)?;
    } else if let Some(owner) = owner {
        as_found(run, bound, session, draft, owner).await?;
    }
    let nonce = draft.ownership.as_ref().map(|ownership| ownership.nonce.clone()).unwrap_or_default();
    let mark = translate::mark(&run.identity(), &nonce);
    let script = Script { statements: statements.clone(), as_administrator: is_administrators };
    run.may_write()?;
    let started = std::time::Instant::now();
    let outcome = session.run_script(&run.object.spec.name, &script, &mark).await;
    let ending = match &outcome {
        Ok(ScriptReport { executed: _, failure: None }) => Ending::Success,
        Ok(ScriptReport { executed: _, failure: Some(_) }) | Err(_) => Ending::Failure,
    };
    Database::count(&run.ctx.metrics, &bound.id, &bound.spec().engine, Operation::InitSql, ending, started);
    let ScriptReport { executed, failure } = outcome.map_err(stop(bound.paths()))?;
    mark_changed();
    let error = failure.map(|ScriptFailure { statement, error }| {
        let said = if *is_secret {
            format!("{}; what the server said is withheld, because it may repeat the Secret", kind_of(&error.kind))
        } else {
            trouble::blocked(&sandbox::CallError::Adapter(error), bound.paths()).message
        };
        format!("statement {} of spec.initSQL failed: {said}", statement.saturating_add(1))
    });
    draft.init_sql = Some(Box::new(InitSqlStatus {
        applied: error.is_none(),
        applied_at: error.is_none().then(|| Time::from(run.now)),
        hash: Some(hash.clone()),
        error: error.clone(),
        statements_executed: i32::try_from(executed).ok(),
    }));
    match (error, policy) {
        (Some(error), InitSqlFailurePolicy::Block) => {
            Err(Blocked::failed(reason::INIT_SQLFAILED, error, Class::Waiting).into())
        }
        (Some(error), InitSqlFailurePolicy::Continue) => {
            run.ctx.events.warning(run.object.as_ref(), "InitSQLFailed", &error);
            Ok(())
        }
        (None, InitSqlFailurePolicy::Block | InitSqlFailurePolicy::Continue) => Ok(()),
    }
}

/// Removes what a script left that was stopped in its middle and is not wanted any more: an earlier spec's, which this
/// one takes the place of.
pub(super) async fn tidy_up(
    run: &Run<Database>,
    bound: &Bound,
    session: &mut Session,
    draft: &DatabaseStatus,
) -> Result<(), Stop> {
    let Some(recorded) = &draft.ownership else { return Ok(()) };
    if run.generation() <= Some(1) || recorded.applied_generation == run.generation() {
        return Ok(());
    }
    run.may_write()?;
    session.clean_up(&translate::mark(&run.identity(), &recorded.nonce)).await.map_err(stop(bound.paths()))
}

/// What may be told of a failure whose words may not.
fn kind_of(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Engine(code) => format!("error {code}"),
        ErrorKind::InvalidOptions(_) => "a value is not valid".to_owned(),
        ErrorKind::PermissionDenied | ErrorKind::Authentication => "permission denied".to_owned(),
        ErrorKind::NotFound | ErrorKind::DependencyMissing => "something that it names does not exist".to_owned(),
        ErrorKind::AlreadyExists => "what it creates exists already".to_owned(),
        ErrorKind::Unsupported => "the server does not support it".to_owned(),
        ErrorKind::TimedOut => "it took too long".to_owned(),
        ErrorKind::Conflict | ErrorKind::Transient(_) => "another session was in its way".to_owned(),
        ErrorKind::Protocol => "the session broke off".to_owned(),
    }
}
