//! Where a user's password comes from: generated into its output Secret, or kept by the user in one of theirs.

use crds::names::{label, reason};
use crds::{DatabaseUser, DatabaseUserStatus, Managed as _, Time};
use planning::consent::{Referrer, Target};
use planning::output_secret::OutputSecret;
use planning::{Blocked, consent, names, output_secret};
use sandbox::contract::{Mark, Selection, UpdateReport, UserSpec};
use sandbox::{CallError, SecretValue, Session};

use super::UserInputs;
use crate::controllers::managed::Reported as _;
use crate::controllers::output;
use crate::controllers::run::Run;
use crate::controllers::trouble::{Stop, asking};

/// No server takes a longer password, and every one is looked for in all that an adapter says.
const LONGEST: usize = 4096;

/// The Secret to write: none where the password is the user's own and no Secret was asked for.
pub(super) fn output_of(run: &Run<DatabaseUser>) -> Result<Option<OutputSecret>, Blocked> {
    let spec = &run.object.spec;
    let stated = spec.password_secret.as_deref();
    let default_name = names::credentials_secret(&spec.username);
    // Read even where nothing is to be written: what it says is understood or refused.
    let wanted = output_secret::parse(stated, &run.key.namespace, default_name, (label::USER, &run.key.name))?;
    if stated.is_some_and(|secret| !secret.generate && secret.secret_template.is_some()) {
        return Err(Blocked::invalid(
            reason::INVALID_SPEC,
            "spec.passwordSecret.secretTemplate is about a Secret that is written, and generate is false: remove one",
        ));
    }
    let writes = stated.map_or(spec.existing_password_secret.is_none(), |secret| secret.generate);
    Ok(writes.then_some(wanted))
}

/// A password that the user keeps: in `existingPasswordSecret`, or in the Secret named by `passwordSecret` where
/// nothing is to be generated.
pub(super) async fn given_password(
    run: &Run<DatabaseUser>,
    output: Option<&OutputSecret>,
) -> Result<Option<SecretValue>, Stop> {
    let spec = &run.object.spec;
    let (path, namespace, name, key) = match (&spec.existing_password_secret, &spec.password_secret) {
        (Some(existing), _) => {
            ("spec.existingPasswordSecret", existing.namespace.clone(), existing.name.clone(), existing.key.clone())
        }
        (None, Some(secret)) if !secret.generate => {
            let key = "password".to_owned();
            ("spec.passwordSecret", secret.secret_namespace.clone(), secret.secret_name.clone(), key)
        }
        (None, Some(_) | None) => return Ok(None),
    };
    let namespace = namespace.filter(|namespace| !namespace.is_empty()).unwrap_or_else(|| run.key.namespace.clone());
    if output.is_some_and(|output| (&output.namespace, &output.name) == (&namespace, &name)) {
        return Err(Blocked::invalid(
            reason::INVALID_SPEC,
            format!("{path} and spec.passwordSecret name the same Secret {name:?}; choose another name for the output"),
        )
        .into());
    }
    let target = Target { group: "", kind: "Secret", namespace: &namespace, name: &name };
    consents(run, target, path)?;
    let found = run.ctx.secrets.get(&namespace, &name).await.map_err(asking("reading the password's Secret"))?;
    let Some(found) = found.filter(|found| !found.is_going()) else {
        return Err(Blocked::waiting(
            reason::SECRET_NOT_FOUND,
            format!("{path}: the Secret {namespace}/{name} does not exist"),
        )
        .into());
    };
    match found.value(&key) {
        Some(value) if value.len() > LONGEST => Err(Blocked::waiting(
            reason::INVALID_SPEC,
            format!(
                "{path}: key {key:?} of the Secret {namespace}/{name} has {} bytes; a password has at most {LONGEST}",
                value.len()
            ),
        )
        .into()),
        Some(value) if !value.is_empty() => Ok(Some(SecretValue::new(value))),
        Some(_) | None => Err(Blocked::waiting(
            reason::SECRET_KEY_NOT_FOUND,
            format!("{path}: the Secret {namespace}/{name} has no key {key:?}, or it is empty"),
        )
        .into()),
    }
}

fn consents(run: &Run<DatabaseUser>, target: Target<'_>, path: &str) -> Result<(), Blocked> {
    let from = Referrer { kind: DatabaseUser::KIND, namespace: Some(&run.key.namespace) };
    let grants = run.ctx.stores.grants_in(target.namespace);
    consent::may_read(grants.iter().map(AsRef::as_ref), from, target, path)
}

pub(super) fn may_write(run: &Run<DatabaseUser>, wanted: &OutputSecret) -> Result<(), Blocked> {
    let target = Target { group: "", kind: "Secret", namespace: &wanted.namespace, name: &wanted.name };
    consents(run, target, "spec.passwordSecret.secretNamespace")
}

/// Compares the password with the one that was set last.
pub(super) async fn compare(run: &Run<DatabaseUser>, inputs: &mut UserInputs) -> Result<(), Stop> {
    let recorded = run.object.ownership();
    let nonce = recorded.map(|ownership| ownership.nonce.clone()).unwrap_or_default();
    let last = run.object.status.as_ref().and_then(|status| status.password_fingerprint.clone());
    fingerprinted(run, inputs, &nonce, last.as_deref()).await
}

/// When the user got another password last.
pub(super) fn rotated_at(draft: &DatabaseUserStatus) -> Option<Time> {
    draft.secret.as_ref().and_then(|secret| secret.last_rotated_at.clone())
}

/// Notes which password the server has now.
pub(super) fn note(run: &Run<DatabaseUser>, inputs: &UserInputs, draft: &mut DatabaseUserStatus) {
    let fingerprint = inputs.password.as_ref().map(|_| inputs.fingerprint.clone());
    let former = std::mem::replace(&mut draft.password_fingerprint, fingerprint);
    if former.is_some()
        && former != draft.password_fingerprint
        && let Some(secret) = &mut draft.secret
    {
        secret.last_rotated_at = Some(Time::from(run.now));
    }
}

pub(super) async fn fingerprinted(
    run: &Run<DatabaseUser>,
    inputs: &mut UserInputs,
    nonce: &str,
    last: Option<&str>,
) -> Result<(), Stop> {
    if let Some(password) = &inputs.password {
        inputs.fingerprint = output::fingerprint(run, nonce, password).await?;
        inputs.is_new = last != Some(inputs.fingerprint.as_str());
    }
    Ok(())
}

/// Makes what was impossible without the password.
pub(super) async fn with_the_password(
    session: &mut Session,
    spec: &UserSpec,
    mark: &Mark,
    password: &SecretValue,
    mut report: UpdateReport,
    left: Vec<String>,
) -> Result<UpdateReport, CallError> {
    let rest = session.update_user(spec, mark, Some(password), &Selection::Only(left.clone())).await?;
    report.changes.retain(|change| !left.contains(&change.id));
    report.changes.extend(rest.changes.into_iter().filter(|change| left.contains(&change.id)));
    report.applied.extend(rest.applied);
    Ok(report)
}
