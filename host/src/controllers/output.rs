//! The Secret an application logs in with: made before the password is set on the server, repaired where it was
//! changed, and never taken from somebody else.

use crds::names::{label, reason};
use planning::output_secret::{self, OutputSecret};
use planning::password::Policy;
use planning::{Blocked, Class};
use rand::TryRng as _;
use rand::rngs::SysRng;
use sandbox::SecretValue;
use zeroize::Zeroizing;

use super::managed::{Bound, Provisioned};
use super::run::Run;
use super::trouble::{Stop, asking};
use crate::cluster::secrets::{FoundSecret, SecretData, SecretError, WantedSecret};

/// The key under which the password is.
const PASSWORD: &str = "password";

/// The Secret as it was found.
pub(crate) enum Found {
    /// There is none.
    Absent,
    /// Ours, or the one the resource says is its own.
    Ours(Box<FoundSecret>),
}

/// Reads it; somebody else's is a reason to stop.
pub(crate) async fn find<K: Provisioned>(run: &Run<K>, wanted: &OutputSecret) -> Result<Found, Stop> {
    let found =
        run.ctx.secrets.get(&wanted.namespace, &wanted.name).await.map_err(asking("reading the output Secret"))?;
    match found {
        None => Ok(Found::Absent),
        Some(found) if found.is_going() => Err(Blocked::waiting(
            reason::SECRET_NOT_FOUND,
            format!(
                "the Secret {}/{} is being deleted and is made again when it is gone",
                wanted.namespace, wanted.name
            ),
        )
        .into()),
        Some(found) if is_ours(run, wanted, &found) => Ok(Found::Ours(Box::new(found))),
        Some(_) => Err(Blocked::conflict(
            reason::SECRET_CONFLICT,
            format!(
                "the Secret {}/{} exists and was not made by this resource; it is left alone: \
                 delete it, or choose another name in spec.passwordSecret.secretName",
                wanted.namespace, wanted.name
            ),
        )
        .into()),
    }
}

/// Owned by this very resource; across namespaces, where there are no owners, made by us and named after it.
fn is_ours<K: Provisioned>(run: &Run<K>, wanted: &OutputSecret, found: &FoundSecret) -> bool {
    if wanted.namespace == run.key.namespace {
        let mut owners = found.metadata.owner_references.iter().flatten();
        return owners.any(|owner| owner.uid == run.uid && owner.kind == K::KIND);
    }
    let annotation = |name: &str| found.metadata.annotations.as_ref().and_then(|all| all.get(name));
    found.metadata.labels.as_ref().and_then(|labels| labels.get(label::MANAGED_BY)).map(String::as_str)
        == Some(label::MANAGED_BY_VALUE)
        && annotation(OWNER_ANNOTATION) == Some(&run.uid)
}

/// On a Secret in another namespace: the UID of its resource, since owner references do not cross namespaces.
const OWNER_ANNOTATION: &str = "dbops.dbprovision.io/owner-uid";

/// The password in it, where there is one that can be used.
pub(crate) fn password(found: &Found) -> Option<SecretValue> {
    match found {
        Found::Absent => None,
        Found::Ours(found) => found.value(PASSWORD).filter(|value| !value.is_empty()).map(SecretValue::new),
    }
}

/// A new password by the policy.
pub(crate) fn generate(policy: &Policy) -> Result<SecretValue, Blocked> {
    let mut random = Zeroizing::new(vec![0; policy.random_bytes()]);
    let no_random = |detail: String| {
        tracing::error!(detail, "no random bytes");
        Blocked::failed(reason::RECONCILE_FAILED, "the machine has no random bytes for a password", Class::Bug)
    };
    SysRng.try_fill_bytes(&mut random).map_err(|error| no_random(error.to_string()))?;
    policy.generate(&random).map(SecretValue::new).ok_or_else(|| no_random("they ran out".to_owned()))
}

/// Brings the Secret to what it should be, creating it where it is absent; answers what it is then.
pub(crate) async fn ensure<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    wanted: &OutputSecret,
    found: &Found,
    username: &str,
    password: &SecretValue,
) -> Result<Found, Stop> {
    let connection = &bound.spec().connection;
    let data = output_secret::data(username, password.expose(), &connection.host, connection.port);
    let full = full(run, wanted, data.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect())?;
    let clash = |error: SecretError| match error {
        SecretError::Exists { namespace, name } | SecretError::Moved { namespace, name } => {
            Stop::Blocked(Blocked::failed(
                reason::RECONCILING,
                format!("the Secret {namespace}/{name} changed meanwhile; looking again"),
                Class::Transient,
            ))
        }
        error @ SecretError::Read { .. } => asking("writing the output Secret")(error),
        error @ SecretError::Write { .. } => refused(error, wanted, password),
    };
    if let Found::Ours(found) = found
        && found.kind != full.kind
    {
        return Err(Blocked::invalid(
            reason::IMMUTABLE,
            format!(
                "spec.passwordSecret.secretTemplate.type: the Secret {}/{} has the type {:?}, which cannot be changed; \
                 delete the Secret, and it is made again with the type {:?} and a new password",
                wanted.namespace, wanted.name, found.kind, full.kind
            ),
        )
        .into());
    }
    match found {
        Found::Absent => {
            let created = run.ctx.secrets.create(&full).await.map_err(clash)?;
            if run.object.ownership().is_some_and(|ownership| ownership.created_at.is_some()) {
                let text = format!("the Secret {} was not there any more and is made again", wanted.name);
                run.ctx.events.normal(run.object.as_ref(), "SecretRegenerated", &text);
            }
            Ok(Found::Ours(Box::new(created)))
        }
        Found::Ours(found) if !full.is_as(found) => {
            let updated = run.ctx.secrets.update(found, &full).await.map_err(clash)?;
            let text = format!("repaired the Secret {}", wanted.name);
            run.ctx.events.normal(run.object.as_ref(), "SecretRegenerated", &text);
            Ok(Found::Ours(Box::new(updated)))
        }
        Found::Ours(found) => Ok(Found::Ours(found.clone())),
    }
}

/// The API server said no: in its own words, unless they tell what they must not.
fn refused(error: SecretError, wanted: &OutputSecret, password: &SecretValue) -> Stop {
    let SecretError::Write { source: kube::Error::Api(status), .. } = &error else {
        return asking("writing the output Secret")(error);
    };
    let place = format!("the Secret {}/{}", wanted.namespace, wanted.name);
    let said = if password.is_told_by(&status.message) { "it is not valid" } else { status.message.as_str() };
    match status.code {
        400 | 422 => Blocked::invalid(
            reason::INVALID_SPEC,
            format!("spec.passwordSecret: the API server does not take {place}: {said}"),
        )
        .into(),
        403 => Blocked::failed(
            reason::PERMISSION_DENIED,
            format!("the API server does not let the operator write {place}: {said}"),
            Class::Refused,
        )
        .into(),
        404 => Blocked::waiting(
            reason::DEPENDENCY_MISSING,
            format!("spec.passwordSecret.secretNamespace: {place} cannot be written: {said}"),
        )
        .into(),
        _ => asking("writing the output Secret")(error),
    }
}

fn full<K: Provisioned>(run: &Run<K>, wanted: &OutputSecret, data: SecretData) -> Result<WantedSecret, Stop> {
    let OutputSecret { namespace, name, type_, labels, annotations } = wanted.clone();
    let same_namespace = namespace == run.key.namespace;
    let mut annotations = annotations;
    if !same_namespace {
        annotations.insert(OWNER_ANNOTATION.to_owned(), run.uid.clone());
    }
    let owner = run.object.controller_owner_ref(&());
    if owner.is_none() {
        return Err(Blocked::failed(reason::RECONCILE_FAILED, "the resource has no UID", Class::Bug).into());
    }
    Ok(WantedSecret {
        namespace,
        name,
        labels,
        annotations,
        owner: owner.filter(|_| same_namespace),
        kind: type_,
        data,
    })
}

/// The Secret, where it is there and ours.
pub(crate) async fn found_of_ours<K: Provisioned>(run: &Run<K>, wanted: &OutputSecret) -> Result<Option<Found>, Stop> {
    match find(run, wanted).await {
        Ok(found @ Found::Ours(_)) => Ok(Some(found)),
        // Somebody else's by now, or on its way out.
        Ok(Found::Absent) | Err(Stop::Blocked(_)) => Ok(None),
        Err(failure @ Stop::Failure(_)) => Err(failure),
    }
}

/// Deletes a Secret of ours that nobody needs any more; anybody else's is left alone.
pub(crate) async fn discard<K: Provisioned>(run: &Run<K>, wanted: &OutputSecret) -> Result<(), Stop> {
    if let Some(Found::Ours(found)) = found_of_ours(run, wanted).await? {
        let uid = found.metadata.uid.clone().unwrap_or_default();
        let deleted = run.ctx.secrets.delete(&wanted.namespace, &wanted.name, &uid).await;
        deleted.map_err(asking("deleting the output Secret"))?;
    }
    Ok(())
}

/// The fingerprint that stands in the status.
pub(crate) async fn fingerprint<K: Provisioned>(
    run: &Run<K>,
    nonce: &str,
    password: &SecretValue,
) -> Result<String, Stop> {
    let key = run.ctx.fingerprint_key.get().await.map_err(asking("reading the key of the fingerprints"))?;
    Ok(planning::fingerprint::fingerprint(key, nonce, password.expose()))
}
