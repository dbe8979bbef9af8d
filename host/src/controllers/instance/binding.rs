//! Everything that the sessions of an instance need: options that its engine understands, credentials and
//! certificates whose owners consented, TLS in its exact mode. Reads the cluster, asks no server.

use std::time::Duration;

use crds::names::{DEFAULT_CA_KEY, reason};
use crds::{InstanceSpec, TlsSecretRef};
use kube::ResourceExt as _;
use planning::consent::{Referrer, Target};
use planning::{Blocked, consent, tls};
use sandbox::contract::{BlockOwner, Settings};
use sandbox::{Binding, Credentials, Endpoint, SecretValue, TlsSettings, WriteGate};
use sha2::{Digest as _, Sha256};

use super::{Connected, limits};
use crate::cluster::secrets::FoundSecret;
use crate::controllers::run::Run;
use crate::controllers::translate::{self, Paths};
use crate::controllers::trouble::{Stop, asking, stop};
use crate::engines::Engine;

/// A session that nobody used for so long is closed.
const IDLE: Duration = Duration::from_mins(5);

/// How long one statement may take, unless the options say otherwise.
const STATEMENT: Duration = Duration::from_mins(1);

/// What was prepared.
pub(super) struct Prepared {
    pub(super) engine: Engine,
    pub(super) binding: Binding,
    /// Tells this binding from another: over everything in it, secrets included.
    pub(super) hash: String,
}

/// Prepares the binding, or says what is wrong or missing.
pub(super) async fn prepare<I: Connected>(run: &Run<I>) -> Result<Prepared, Stop> {
    let spec = run.object.instance_spec();
    let engine =
        run.ctx.registry.find(&spec.engine).map_err(|error| Blocked::unserved(error.reason(), error.to_string()))?;
    let block = engine.block_key(BlockOwner::Instance).unwrap_or("parameters").to_owned();
    let paths = Paths { block: &block, name: "connection.database" };
    let settings = settings(spec, &engine, &block)?;
    let examination = engine.adapter().examine_instance(&settings).await.map_err(stop(paths))?;
    let mode = tls::mode(spec.tls.as_ref(), examination.tls.map(translate::tls_mode));
    let credentials = credentials(run).await?;
    let (tls, certificates) = certificates(run, mode).await?;
    let limits = limits::of(&examination, &block)?;
    let hash = hash(spec, &engine, &settings, &credentials, &certificates);
    let term = run.ctx.term.clone();
    let binding = Binding {
        name: run.object.id().to_string(),
        endpoint: Endpoint { host: spec.connection.host.clone(), port: spec.connection.port },
        addresses: run.ctx.addresses.clone(),
        tls,
        credentials,
        settings,
        limits,
        idle: IDLE,
        gate: Some(WriteGate::new(move || term.check().is_ok())),
    };
    Ok(Prepared { engine, binding, hash })
}

fn settings(spec: &InstanceSpec, engine: &Engine, block: &str) -> Result<Settings, Stop> {
    let unreadable = |error: serde_json::Error| {
        Blocked::invalid(reason::INVALID_SPEC, format!("the option blocks cannot be read: {error}"))
    };
    let mut options = None;
    for (key, value) in spec.option_blocks().map_err(unreadable)? {
        if key != block {
            let message = format!("spec.{key} is not understood by engine {:?}; remove it", spec.engine);
            return Err(Blocked::invalid(reason::UNSUPPORTED, message).into());
        }
        let problems = engine.validate(BlockOwner::Instance, key, &value);
        if !problems.is_empty() {
            let text: Vec<String> =
                problems.iter().map(|problem| format!("spec.{key}{}: {}", problem.path, problem.problem)).collect();
            return Err(Blocked::invalid(reason::INVALID_OPTIONS, text.join("; ")).into());
        }
        options = Some(value.to_string());
    }
    let tracking = spec.resource_tracking.as_ref().map(serde_json::to_string).transpose().map_err(unreadable)?;
    Ok(Settings {
        engine: spec.engine.clone(),
        database: spec.connection.database.clone(),
        options,
        tracking,
        statement_timeout_ms: u32::try_from(STATEMENT.as_millis()).unwrap_or(u32::MAX),
    })
}

async fn credentials<I: Connected>(run: &Run<I>) -> Result<Credentials, Stop> {
    let connection = &run.object.instance_spec().connection;
    let (path, reference) = match (&connection.secret_ref, &connection.existing_secret) {
        (Some(reference), None) => ("spec.connection.secretRef", reference),
        (None, Some(reference)) => ("spec.connection.existingSecret", reference),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Blocked::invalid(
                reason::INVALID_SPEC,
                "exactly one of spec.connection.secretRef and spec.connection.existingSecret must be set",
            )
            .into());
        }
    };
    let secret = secret(run, path, reference.namespace.as_deref(), &reference.name).await?;
    let keys = reference.key_names();
    let username = short(value(&secret, &keys.username, path)?, &keys.username, path)?;
    let password = value(&secret, &keys.password, path)?;
    let username = String::from_utf8(username.to_vec()).map_err(|_not_text| {
        Blocked::waiting(reason::SECRET_KEY_NOT_FOUND, format!("{path}: key {:?} is not UTF-8 text", keys.username))
    })?;
    Ok(Credentials { username, password: SecretValue::new(short(password, &keys.password, path)?) })
}

/// The certificates' bytes, for the hash.
type Certificates = Vec<Vec<u8>>;

async fn certificates<I: Connected>(run: &Run<I>, mode: tls::Mode) -> Result<(TlsSettings, Certificates), Stop> {
    const PATH: &str = "spec.tls.secretRef";
    let mut settings = TlsSettings::of(translate::tls_mode_of_contract(mode));
    let reference = run.object.instance_spec().tls.as_ref().and_then(|block| block.secret_ref.as_ref());
    let Some(reference) = reference else { return Ok((settings, Vec::new())) };
    if mode == tls::Mode::Disable {
        let off = run.object.instance_spec().tls.as_ref().is_some_and(|block| block.enabled == Some(false));
        return if off { Ok((settings, Vec::new())) } else { Err(unused_certificates().into()) };
    }
    let secret = secret(run, PATH, tls_namespace(run, reference).as_deref(), &reference.name).await?;
    let keys = reference.key_names();
    settings.client = match (&keys.cert, &keys.key) {
        (Some(certificate), Some(key)) => {
            Some((value(&secret, certificate, PATH)?.to_vec(), SecretValue::new(value(&secret, key, PATH)?)))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(Blocked::invalid(
                reason::INVALID_SPEC,
                "spec.tls.secretRef.keys: cert and key belong together; state both or none",
            )
            .into());
        }
    };
    settings.authorities = match value(&secret, &keys.ca, PATH) {
        Ok(authorities) => Some(authorities.to_vec()),
        Err(missing) if verifies(mode) => return Err(missing.into()),
        // Whoever names a CA wants the chain checked. Only a Secret that is read for a client's certificate, as one
        // without a CA often is, may lack the key that nobody named.
        Err(missing) if settings.client.is_none() || keys.ca != DEFAULT_CA_KEY => {
            let message = format!(
                "{}; without a CA, the Secret is of use only for a client's certificate, which {PATH}.keys.cert and \
                 {PATH}.keys.key name",
                missing.message
            );
            return Err(Blocked::waiting(missing.reason, message).into());
        }
        Err(_) => None,
    };
    let certificates =
        [settings.authorities.clone(), settings.client.as_ref().map(|(certificate, _)| certificate.clone())]
            .into_iter()
            .chain([settings.client.as_ref().map(|(_, key)| key.expose().to_vec())])
            .map(Option::unwrap_or_default)
            .collect();
    Ok((settings, certificates))
}

/// Whoever names a CA believes that it is used.
fn unused_certificates() -> Blocked {
    Blocked::invalid(
        reason::INVALID_SPEC,
        "spec.tls.secretRef is of no use without TLS: state spec.tls.mode (require, verify-ca or verify-full), or \
         spec.tls.enabled: false",
    )
}

fn verifies(mode: tls::Mode) -> bool {
    matches!(mode, tls::Mode::VerifyCa | tls::Mode::VerifyFull)
}

/// A cluster-scoped instance has no namespace of its own: its certificates are beside its credentials.
fn tls_namespace<I: Connected>(run: &Run<I>, reference: &TlsSecretRef) -> Option<String> {
    reference.namespace.clone().or_else(|| match run.object.namespace() {
        Some(own) => Some(own),
        None => {
            run.object.instance_spec().connection.credentials().and_then(|credentials| credentials.namespace.clone())
        }
    })
}

async fn secret<I: Connected>(
    run: &Run<I>,
    path: &str,
    namespace: Option<&str>,
    name: &str,
) -> Result<FoundSecret, Stop> {
    let own = run.object.namespace();
    let namespace = namespace.filter(|namespace| !namespace.is_empty()).or(own.as_deref()).ok_or_else(|| {
        Blocked::invalid(
            reason::INVALID_SPEC,
            format!("{path}.namespace must be set: a {} has none of its own", I::KIND),
        )
    })?;
    let from = Referrer { kind: I::KIND, namespace: own.as_deref() };
    let grants = run.ctx.stores.grants_in(namespace);
    let target = Target { group: "", kind: "Secret", namespace, name };
    consent::may_read(grants.iter().map(AsRef::as_ref), from, target, path)?;
    let found = run.ctx.secrets.get(namespace, name).await.map_err(asking("reading a Secret of the instance"))?;
    found.filter(|found| !found.is_going()).ok_or_else(|| {
        Blocked::waiting(reason::SECRET_NOT_FOUND, format!("{path}: the Secret {namespace}/{name} does not exist"))
            .into()
    })
}

fn value<'a>(secret: &'a FoundSecret, key: &str, path: &str) -> Result<&'a [u8], Blocked> {
    secret.value(key).filter(|value| !value.is_empty()).ok_or_else(|| {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        Blocked::waiting(
            reason::SECRET_KEY_NOT_FOUND,
            format!("{path}: the Secret {name:?} has no key {key:?}, or it is empty"),
        )
    })
}

/// No server takes longer credentials, and every one is looked for in all that an adapter says.
fn short<'a>(value: &'a [u8], key: &str, path: &str) -> Result<&'a [u8], Blocked> {
    const LONGEST: usize = 4096;
    if value.len() > LONGEST {
        let message = format!("{path}: key {key:?} has {} bytes; credentials have at most {LONGEST}", value.len());
        return Err(Blocked::waiting(reason::INVALID_SPEC, message));
    }
    Ok(value)
}

/// Over everything that makes another session necessary, each part with its length.
fn hash(
    spec: &InstanceSpec,
    engine: &Engine,
    settings: &Settings,
    credentials: &Credentials,
    certificates: &[Vec<u8>],
) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    };
    add(engine.adapter().digest().to_string().as_bytes());
    add(spec.connection.host.as_bytes());
    add(&spec.connection.port.to_be_bytes());
    add(format!("{:?}", spec.tls).as_bytes());
    add(format!("{settings:?}").as_bytes());
    add(credentials.username.as_bytes());
    add(credentials.password.expose());
    for certificate in certificates {
        add(certificate);
    }
    hex::encode(digest.finalize())
}
