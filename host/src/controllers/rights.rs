//! What resources gave to a role or user: between the status that records it and the contract's list.
//!
//! Decided here: rights on one object stand together, and so do objects with the same rights, so that a status stays
//! small; how much of them a status may have; and whose rights count as shared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crds::names::reason;
use crds::{HeldRight, Managed as _, Ownership};
use kube::Resource as _;
use kube::api::ObjectMeta;
use planning::Blocked;
use sandbox::contract::{GrantReport, Granted, ObjectKind};

use super::cascade::is_forced;
use super::database_grant::GrantResource;
use super::ledger::{Ledger, Turn};
use super::managed::Lease;
use crate::cluster::stores::Stores;
use crate::context::Context;

/// So many bytes of a status may tell of rights. The API server takes 1.5 MiB for a whole object.
const LARGEST: usize = 1_000_000;

/// The paths of what an entry is about.
pub(crate) fn objects(right: &HeldRight) -> Vec<Vec<String>> {
    if right.names.is_empty() {
        return vec![right.object.clone()];
    }
    right.names.iter().map(|name| [right.object.as_slice(), std::slice::from_ref(name)].concat()).collect()
}

/// One entry for each privilege on each object, as the contract has it.
pub(crate) fn of_status(held: &[HeldRight]) -> Vec<Granted> {
    let mut all = Vec::new();
    for right in held {
        for object in objects(right) {
            all.extend(right.privileges.iter().map(|privilege| Granted {
                level: right.level.clone(),
                object: object.clone(),
                privilege: privilege.clone(),
                grantable: right.grantable,
                grantor: right.grantor.clone(),
            }));
        }
    }
    all
}

/// One entry for all neighbours with the same rights, sorted, as a status has it.
pub(crate) fn for_status(granted: impl IntoIterator<Item = Granted>) -> Vec<HeldRight> {
    let mut objects: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for Granted { level, object, privilege, grantable, grantor } in granted {
        objects.entry((level, object, grantable, grantor)).or_default().insert(privilege);
    }
    let mut alike: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for ((level, mut object, grantable, grantor), privileges) in objects {
        // What has only one name has no neighbours.
        if object.len() > 1
            && let Some(name) = object.pop()
        {
            alike.entry((level, object, privileges, grantable, grantor)).or_default().push(name);
        } else {
            let privileges = privileges.into_iter().collect();
            found.push(HeldRight { level, object, names: Vec::new(), privileges, grantable, grantor });
        }
    }
    for ((level, mut object, privileges, grantable, grantor), mut names) in alike {
        if names.len() == 1 {
            object.append(&mut names);
        }
        let privileges = privileges.into_iter().collect();
        found.push(HeldRight { level, object, names, privileges, grantable, grantor });
    }
    found.sort();
    found
}

/// Refuses what a status could not record: it would be given, and nobody would know what to take back.
pub(crate) fn fits(held: &[HeldRight]) -> Result<(), Blocked> {
    let bytes = serde_json::to_vec(held).map_or(usize::MAX, |text| text.len());
    if bytes <= LARGEST {
        return Ok(());
    }
    let count: usize = held.iter().map(|right| right.names.len().max(1)).sum();
    Err(Blocked::refused(
        reason::INVALID_SPEC,
        format!(
            "the rights are on {count} objects, which are more than a status can record ({bytes} bytes of at most \
             {LARGEST}): state the rights of some schemas or objects in a resource of their own"
        ),
    ))
}

/// Both, without repetitions.
pub(crate) fn union(one: &[HeldRight], other: impl IntoIterator<Item = Granted>) -> Vec<HeldRight> {
    for_status(of_status(one).into_iter().chain(other))
}

/// What a status records after a look or an application: what is held, and while something is lacking also what is going
/// to be given once it is there, so that nothing has to be written again and again meanwhile.
pub(crate) fn recorded(report: &GrantReport) -> Vec<HeldRight> {
    let is_lacking = report.update.changes.iter().any(|change| change.lacking.is_some());
    let stated = report.stated.iter().filter(|_| is_lacking);
    for_status(report.held.iter().chain(stated).cloned())
}

/// Who is given something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The server's identity.
    pub(crate) identity: String,
    /// User or role.
    pub(crate) kind: ObjectKind,
    /// Its name there.
    pub(crate) name: String,
}

impl Account {
    /// Whether the record is about it.
    pub(super) fn is_recorded_by(&self, ownership: &Ownership) -> bool {
        ownership.server_identity == self.identity && ownership.name == self.name
    }
}

/// Whether nothing keeps it from going: of two that go together, one would leave to the other what neither takes back.
fn is_going(meta: &ObjectMeta, is_protected: bool) -> bool {
    meta.deletion_timestamp.is_some() && (!is_protected || is_forced(meta))
}

/// With this a level begins that is about everyone on the server; see `wit/grant.wit`.
const EVERYONE: &str = "public ";

/// The level without saying whether it is about everyone.
pub(crate) fn plain_level(level: &str) -> &str {
    level.strip_prefix(EVERYONE).unwrap_or(level)
}

/// Calls with everything that a role or grant gave: its uid, the server's identity, the account's name, its share.
fn each_share(stores: &Stores, ledger: &Ledger, mut share: impl FnMut(Option<&String>, &str, &str, &[HeldRight])) {
    let mut notes = ledger.read();
    // One without a status counts too: what it gave may be noted already.
    let mut add = |meta: &ObjectMeta, counts: bool, ownership: Option<&Ownership>, held: Option<&Vec<HeldRight>>| {
        let uid = meta.uid.as_ref();
        let held: &[HeldRight] = held.map_or(&[], Vec::as_slice);
        notes.share(uid, ownership, held, counts, |identity, name, held| share(uid, identity, name, held));
    };
    for role in stores.roles.state() {
        let status = role.status.as_ref();
        let (ownership, held) = (role.ownership(), status.map(|status| &status.held));
        add(role.meta(), !is_going(role.meta(), role.deletion_protection()), ownership, held);
    }
    for role in stores.cluster_roles.state() {
        let status = role.status.as_ref();
        let (ownership, held) = (role.ownership(), status.map(|status| &status.held));
        add(role.meta(), !is_going(role.meta(), role.deletion_protection()), ownership, held);
    }
    for grant in stores.access_grants.state() {
        let status = grant.status.as_ref();
        let (ownership, held) =
            (status.and_then(|status| status.ownership.as_ref()), status.map(|status| &status.held));
        add(grant.meta(), !is_going(grant.meta(), grant.is_protected()), ownership, held);
    }
    for grant in stores.cluster_access_grants.state() {
        let status = grant.status.as_ref();
        let (ownership, held) =
            (status.and_then(|status| status.ownership.as_ref()), status.map(|status| &status.held));
        add(grant.meta(), !is_going(grant.meta(), grant.is_protected()), ownership, held);
    }
    notes.end();
}

/// What other resources than the one with this uid gave the account, or everyone on its server.
pub(crate) fn shared(ctx: &Context, account: &Account, uid: &str) -> Vec<Granted> {
    let mut shared = Vec::new();
    each_share(&ctx.stores, &ctx.ledger, |other, identity, name, held| {
        if other.is_some_and(|other| other == uid) || identity != account.identity {
            return;
        }
        let counts = |right: &&HeldRight| name == account.name || right.level.starts_with(EVERYONE);
        shared.extend(held.iter().filter(counts).flat_map(|right| of_status(std::slice::from_ref(right))));
    });
    shared
}

/// A turn at the account. The session is given back only where one has to wait.
pub(crate) async fn turn_at(ctx: &Context, account: &Account, concerns_everyone: bool, lease: &mut Lease<'_>) -> Turn {
    if let Some(turn) = ctx.ledger.try_enter(account, concerns_everyone) {
        return turn;
    }
    lease.rest();
    ctx.ledger.enter(account, concerns_everyone).await
}

/// Of these rights the memberships: the roles, without repetitions. See `wit/grant.wit` for the level's name.
pub(crate) fn roles_among(granted: &[Granted]) -> Vec<String> {
    let memberships = granted.iter().filter(|right| right.level == "membership");
    memberships.filter_map(|right| right.object.first().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether some of these are about everyone on the server.
pub(crate) fn concern_everyone<'right>(levels: impl IntoIterator<Item = &'right String>) -> bool {
    levels.into_iter().any(|level| level.starts_with(EVERYONE))
}

/// One resource's share of what an account, or everyone, was given.
type Share = (Option<String>, Vec<HeldRight>);

/// What all resources gave the accounts of one server: for whoever asks about many of them.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    accounts: HashMap<String, Vec<Share>>,
    everyone: Vec<Share>,
}

impl Shares {
    /// On the server with this identity.
    pub(crate) fn on(ctx: &Context, identity: &str) -> Self {
        let mut shares = Self::default();
        each_share(&ctx.stores, &ctx.ledger, |uid, server, name, held| {
            if server != identity {
                return;
            }
            let (everyone, own): (Vec<_>, Vec<_>) =
                held.iter().cloned().partition(|right| right.level.starts_with(EVERYONE));
            for (rights, shares) in
                [(everyone, &mut shares.everyone), (own, shares.accounts.entry(name.to_owned()).or_default())]
            {
                if !rights.is_empty() {
                    shares.push((uid.cloned(), rights));
                }
            }
        });
        shares
    }

    /// What other resources than the one with this uid gave the account, or everyone.
    pub(crate) fn of(&self, account: &Account, uid: &str) -> Vec<Granted> {
        let all = self.accounts.get(&account.name).into_iter().flatten().chain(&self.everyone);
        all.filter(|(other, _)| other.as_deref() != Some(uid)).flat_map(|(_, held)| of_status(held)).collect()
    }
}

#[cfg(test)]
mod tests;
