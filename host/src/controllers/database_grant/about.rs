//! The `Database` that a grant is about: it stays while the grant is there.
//!
//! Only the name is asked for. A grant about a `Database` that does not exist is given all the same, and its message
//! says that nothing is kept.

use crds::names::GROUP;
use planning::{Blocked, consent};

use super::super::run::Run;
use super::GrantResource;
use super::apply::agreed;

const PATH: &str = "spec.databaseRef";

/// Whoever keeps another namespace's database from going needs that namespace's consent.
pub(super) fn consented<G: GrantResource>(run: &Run<G>) -> Result<(), Blocked> {
    let Some((namespace, name)) = run.object.about() else { return Ok(()) };
    agreed(run, PATH, consent::Target { group: GROUP, kind: "Database", namespace: &namespace, name: &name })
}

/// What to say where there is no such database.
pub(super) fn missing<G: GrantResource>(run: &Run<G>) -> Option<String> {
    let (namespace, name) = run.object.about()?;
    let is_there = run.ctx.stores.database(&namespace, &name).is_some();
    (!is_there).then(|| format!("{PATH}: Database {namespace}/{name} does not exist, so that nothing is kept"))
}
