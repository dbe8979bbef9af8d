//! Whether what was given rights, and what they are on, is still the same: also where the engine itself does not tell.

use std::collections::{BTreeMap, BTreeSet};

use crds::{DatabaseGrantStatus, Managed as _, Ownership};
use sandbox::contract::{Examination, ObjectKind};
use sha2::{Digest as _, Sha256};

use super::super::managed::Reported;
use super::super::run::Run;
use super::GrantResource;
use crate::cluster::stores::Stores;

/// Whether this generation was applied to this very target, and on these very databases. Whoever was made again has
/// none of the rights that it was given, and on what was made again nobody has any: nothing was applied to it yet.
pub(super) fn was_applied<G>(
    run: &Run<G>,
    status: &DatabaseGrantStatus,
    owned: &Ownership,
    databases: &BTreeMap<String, String>,
) -> bool
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let to_it = status.ownership.as_ref().is_some_and(|record| {
        record.applied_generation == run.generation() && record.name == owned.name && is_of(record, owned)
    });
    // One that no resource manages any more may be the same.
    to_it && status.databases.iter().all(|(name, made)| databases.get(name).is_none_or(|now| now == made))
}

/// The databases that a spec names and resources manage on the server with this identity, each with a word for the very
/// one.
pub(crate) fn databases(stores: &Stores, identity: &str, examination: &Examination) -> BTreeMap<String, String> {
    let of_databases = examination.references.iter().filter(|one| one.kind == ObjectKind::Database);
    let named: BTreeSet<&str> = of_databases.map(|one| one.name.as_str()).collect();
    let mut found = BTreeMap::new();
    if named.is_empty() {
        return found;
    }
    for database in stores.databases.state() {
        let is_named = |owned: &&Ownership| {
            owned.created_at.is_some() && owned.server_identity == identity && named.contains(owned.name.as_str())
        };
        if let Some(owned) = database.ownership().filter(is_named) {
            // Only whether it is the same is asked, and its nonce is nobody else's to know.
            let digest = Sha256::digest(made(owned));
            found.insert(owned.name.clone(), hex::encode(digest.get(..8).unwrap_or_default()));
        }
    }
    found
}

/// Tells an object from one of its name that was made later, also where the engine itself does not.
pub(super) fn made(owned: &Ownership) -> String {
    let without_id = || format!("{}@{}", owned.nonce, owned.created_at.as_ref().map(|at| at.0).unwrap_or_default());
    owned.object_id.clone().unwrap_or_else(without_id)
}

/// Whether the rights that a record is about were given to this very target.
pub(super) fn is_of(record: &Ownership, owned: &Ownership) -> bool {
    record.object_id.as_ref() == Some(&made(owned))
}
