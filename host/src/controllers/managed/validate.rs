//! Whether the spec can be served by this engine at all. Asks no server: a spec that is wrong is told so even while
//! the server is down.

use crds::OptionBlocks;
use crds::names::reason;
use planning::{Blocked, drift, tracking};
use sandbox::contract::{BlockOwner, Examination, ObjectKind};

use super::super::run::Run;
use super::super::trouble::{Stop, stop};
use super::{Bound, Provisioned};

/// A spec that the engine understands.
pub(crate) struct Wanted<K: Provisioned> {
    /// In the adapter's words.
    pub(crate) spec: K::Spec,
    /// The text for people.
    pub(crate) comment: Option<String>,
    /// What it needs.
    pub(crate) examination: Examination,
}

/// Checks names, option blocks, and what the adapter says of the whole.
pub(super) async fn wanted<K: Provisioned>(run: &Run<K>, bound: &Bound) -> Result<Wanted<K>, Stop> {
    let object = run.object.as_ref();
    object.check()?;
    drift::check(object.drift_policy())?;
    check_name(bound, K::OBJECT, object.external_name(), K::NAME_FIELD)?;
    let options = options(object.option_blocks(), K::OPTIONS, bound)?;
    let comment = match object.own_comment() {
        Some(stated) => Some(stated.to_owned()),
        None => tracking::comment(bound.spec().resource_tracking.as_ref(), &run.identity())?,
    };
    let spec = object.spec(comment.clone(), options);
    let examination = K::examine(bound.engine.adapter(), spec.clone()).await.map_err(stop(bound.paths()))?;
    for companion in &examination.companions {
        check_name(bound, companion.kind, &companion.name, K::NAME_FIELD)?;
    }
    Ok(Wanted { spec, comment, examination })
}

/// The text of the engine's own block, after every stated block was looked at.
pub(crate) fn options(
    blocks: serde_json::Result<OptionBlocks>,
    owner: BlockOwner,
    bound: &Bound,
) -> Result<Option<String>, Blocked> {
    let blocks = blocks.map_err(|error| {
        Blocked::invalid(reason::INVALID_SPEC, format!("the option blocks cannot be read: {error}"))
    })?;
    let mut options = None;
    for (key, value) in blocks {
        if key != bound.block {
            return Err(Blocked::invalid(
                reason::UNSUPPORTED,
                format!("spec.{key} is not understood by engine {:?}; remove it", bound.spec().engine),
            ));
        }
        let problems = bound.engine.validate(owner, key, &value);
        if !problems.is_empty() {
            let text: Vec<String> =
                problems.iter().map(|problem| format!("spec.{key}{}: {}", problem.path, problem.problem)).collect();
            return Err(Blocked::invalid(reason::INVALID_OPTIONS, text.join("; ")));
        }
        options = Some(value.to_string());
    }
    Ok(options)
}

/// Limits are in bytes: an engine cuts a longer name off, or refuses it half-way.
fn check_name(bound: &Bound, kind: ObjectKind, name: &str, field: &str) -> Result<(), Blocked> {
    let limit = bound.engine.name_limit(kind);
    if limit.is_some_and(|limit| name.len() > limit) {
        let limit = limit.unwrap_or_default();
        return Err(Blocked::invalid(
            reason::INVALID_NAME,
            format!("spec.{field}: {name:?} has {} bytes; engine {:?} allows {limit}", name.len(), bound.spec().engine),
        ));
    }
    Ok(())
}
