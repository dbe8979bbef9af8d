//! The accounts that are created with a database: each that logs in gets a generated password and a Secret.

use crds::names::label;
use crds::{CompanionKind, Database, DatabaseStatus, OwnedCompanion};
use planning::output_secret::{self, OutputSecret};
use planning::password::Policy;
use sandbox::contract::{Change, LoginOutcome, Selection};
use sandbox::{CallError, SecretValue, Session};

use super::super::managed::{Bound, Wanted};
use super::super::output::{self, Found};
use super::super::run::Run;
use super::super::translate;
use super::super::trouble::Stop;

/// One companion.
struct Companion {
    kind: CompanionKind,
    name: String,
    /// The field that it comes from, in the adapter's words.
    path: String,
    login: Option<Login>,
}

/// What one that logs in has.
struct Login {
    secret: OutputSecret,
    found: Found,
    password: Option<SecretValue>,
    fingerprint: String,
    /// The password is not the one that was set last.
    is_new: bool,
}

/// The contract's id of the change of a companion's password.
fn change_id(name: &str) -> String {
    format!("password:{name}")
}

/// All of a database.
#[derive(Default)]
pub(crate) struct Companions(Vec<Companion>);

/// Reads what is there.
pub(super) async fn find(run: &Run<Database>, wanted: &Wanted<Database>) -> Result<Companions, Stop> {
    let mut all = Vec::new();
    for companion in &wanted.examination.companions {
        let login = if companion.wants_password {
            let default = planning::names::companion_secret(&run.key.name, &companion.name);
            let secret = output_secret::parse(None, &run.key.namespace, default, (label::DATABASE, &run.key.name))?;
            let found = output::find(run, &secret).await?;
            let password = output::password(&found);
            Some(Login { secret, found, password, fingerprint: String::new(), is_new: true })
        } else {
            None
        };
        let kind = translate::companion_kind(companion.kind);
        all.push(Companion { kind, name: companion.name.clone(), path: companion.path.clone(), login });
    }
    Ok(Companions(all))
}

/// Makes the missing passwords and their Secrets, before the server hears of them.
pub(super) async fn secure(
    run: &Run<Database>,
    bound: &Bound,
    companions: &mut Companions,
    draft: &DatabaseStatus,
) -> Result<(), Stop> {
    let Some(ownership) = &draft.ownership else { return Ok(()) };
    for Companion { kind: _, name, path: _, login } in &mut companions.0 {
        let Some(login) = login else { continue };
        let password = match &login.password {
            Some(password) => password.clone(),
            None => output::generate(&Policy::parse(None)?)?,
        };
        login.found = output::ensure(run, bound, &login.secret, &login.found, name, &password).await?;
        login.fingerprint = output::fingerprint(run, &ownership.nonce, &password).await?;
        let last = ownership.companions.iter().find(|companion| companion.name == *name);
        login.is_new = last.and_then(|last| last.password_fingerprint.as_ref()) != Some(&login.fingerprint);
        login.password = Some(password);
    }
    Ok(())
}

impl Companions {
    /// What the outcome depends on.
    pub(super) fn fingerprint(&self) -> String {
        let of = |companion: &Companion| {
            let version = companion.login.as_ref().map(|login| match &login.found {
                Found::Absent => String::new(),
                Found::Ours(found) => found.metadata.resource_version.clone().unwrap_or_default(),
            });
            format!("{}={version:?}", companion.name)
        };
        self.0.iter().map(of).collect::<Vec<_>>().join(",")
    }

    /// Whether one logs in, and so has a Secret.
    pub(super) fn log_in(&self) -> bool {
        self.0.iter().any(|companion| companion.login.is_some())
    }

    /// Notes that the server has heard of every password.
    pub(super) fn applied(&mut self) {
        self.0.iter_mut().filter_map(|companion| companion.login.as_mut()).for_each(|login| login.is_new = false);
    }

    /// Passwords to pass with a selection: all where something is applied, because an account may be made anew by it,
    /// and has its own then; a look is told of those only that the server has not heard of.
    pub(super) fn passwords_for(&self, selection: &Selection) -> Vec<(String, SecretValue)> {
        let chosen = |companion: &Companion| {
            let login = companion.login.as_ref()?;
            let is_due = match selection {
                Selection::All | Selection::Only(_) => true,
                Selection::Detect => login.is_new,
            };
            Some((companion.name.clone(), login.password.clone().filter(|_| is_due)?))
        };
        self.0.iter().filter_map(chosen).collect()
    }

    /// Asks the server whether it takes the passwords that were set last: somebody may have changed them, or the
    /// account was made anew.
    pub(super) async fn probe(&self, session: &mut Session) -> Result<Vec<Change>, CallError> {
        let mut changes = Vec::new();
        for Companion { kind: _, name, path, login } in &self.0 {
            let Some(password) = login.as_ref().filter(|login| !login.is_new).and_then(|login| login.password.as_ref())
            else {
                continue;
            };
            match session.try_login(name, password).await? {
                LoginOutcome::Accepted | LoginOutcome::Unknown => {}
                LoginOutcome::Rejected => changes.push(Change {
                    id: change_id(name),
                    field: path.clone(),
                    expected: "the password in the Secret".to_owned(),
                    actual: "another password".to_owned(),
                    destructive: false,
                    impossible: false,
                    lacking: None,
                }),
            }
        }
        Ok(changes)
    }

    /// Into the status: what was created, and which passwords were set.
    pub(super) fn record(&self, draft: &mut DatabaseStatus) {
        let Some(ownership) = &mut draft.ownership else { return };
        for Companion { kind, name, path: _, login } in &self.0 {
            let fingerprint = login.as_ref().map(|login| login.fingerprint.clone());
            match ownership.companions.iter_mut().find(|companion| companion.name == *name) {
                Some(known) => {
                    known.password_fingerprint = fingerprint;
                    known.established = true;
                }
                None => ownership.companions.push(OwnedCompanion {
                    kind: *kind,
                    name: name.clone(),
                    established: true,
                    password_fingerprint: fingerprint,
                }),
            }
        }
    }
}
