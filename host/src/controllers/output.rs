//! The Secret an application logs in with: made before the password is set on the server, repaired where it was
//! changed, and never taken from somebody else.

use std::collections::BTreeMap;

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

/// Brings the Secret to what it should be, creating it where it is absent.
pub(crate) async fn ensure<K: Provisioned>(
    run: &Run<K>,
    bound: &Bound,
    wanted: &OutputSecret,
    found: &Found,
    username: &str,
    password: &SecretValue,
) -> Result<(), Stop> {
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
        error @ (SecretError::Read { .. } | SecretError::Write { .. }) => asking("writing the output Secret")(error),
    };
    match found {
        Found::Absent => {
            run.ctx.secrets.create(&full).await.map_err(clash)?;
        }
        Found::Ours(found) if differs(found, &full) => {
            run.ctx.secrets.update(found, &full).await.map_err(clash)?;
            let text = format!("repaired the Secret {}", wanted.name);
            run.ctx.events.normal(run.object.as_ref(), "SecretRegenerated", &text).await;
        }
        Found::Ours(_) => {}
    }
    Ok(())
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

/// Whether something that we decide is not as it should be. What others added is theirs.
fn differs(found: &FoundSecret, wanted: &WantedSecret) -> bool {
    let lacks = |has: Option<&BTreeMap<String, String>>, want: &BTreeMap<String, String>| {
        want.iter().any(|(key, value)| has.and_then(|has| has.get(key)) != Some(value))
    };
    found.data.len() != wanted.data.len()
        || wanted.data.iter().any(|(key, value)| found.value(key) != Some(value.as_slice()))
        || lacks(found.metadata.labels.as_ref(), &wanted.labels)
        || lacks(found.metadata.annotations.as_ref(), &wanted.annotations)
}

/// Deletes a Secret in another namespace, which no garbage collector does for us.
pub(crate) async fn remove<K: Provisioned>(run: &Run<K>, wanted: &OutputSecret) -> Result<(), Stop> {
    if wanted.namespace == run.key.namespace {
        return Ok(());
    }
    match find(run, wanted).await {
        Ok(Found::Ours(found)) => {
            let uid = found.metadata.uid.clone().unwrap_or_default();
            let deleted = run.ctx.secrets.delete(&wanted.namespace, &wanted.name, &uid).await;
            deleted.map_err(asking("deleting the output Secret"))
        }
        // Somebody else's by now, or on its way out.
        Ok(Found::Absent) | Err(Stop::Blocked(_)) => Ok(()),
        Err(failure @ Stop::Failure(_)) => Err(failure),
    }
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
