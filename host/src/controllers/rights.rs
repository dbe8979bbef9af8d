//! What resources gave to a role or user: between the status that records it and the contract's list.
//!
//! Decided here: rights on one object stand together, so that a status stays small; and whose rights count as shared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crds::{HeldRight, Ownership};
use sandbox::contract::{Granted, ObjectKind};

use super::cascade::is_forced;
use super::database_grant::GrantResource;
use super::ledger::{Ledger, Turn};
use super::managed::Lease;
use crate::cluster::stores::Stores;
use crate::context::Context;

/// One entry for each privilege, as the contract has it.
pub(crate) fn of_status(held: &[HeldRight]) -> Vec<Granted> {
    let one = |right: &HeldRight, privilege: &String| Granted {
        level: right.level.clone(),
        object: right.object.clone(),
        privilege: privilege.clone(),
        grantable: right.grantable,
        grantor: right.grantor.clone(),
    };
    held.iter().flat_map(|right| right.privileges.iter().map(move |privilege| one(right, privilege))).collect()
}

/// One entry for each object, sorted, as a status has it.
pub(crate) fn for_status(granted: impl IntoIterator<Item = Granted>) -> Vec<HeldRight> {
    let mut objects: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for Granted { level, object, privilege, grantable, grantor } in granted {
        objects.entry((level, object, grantable, grantor)).or_default().push(privilege);
    }
    objects
        .into_iter()
        .map(|((level, object, grantable, grantor), mut privileges)| {
            privileges.sort();
            privileges.dedup();
            HeldRight { level, object, privileges, grantable, grantor }
        })
        .collect()
}

/// Both, without repetitions.
pub(crate) fn union(one: &[HeldRight], other: impl IntoIterator<Item = Granted>) -> Vec<HeldRight> {
    for_status(of_status(one).into_iter().chain(other))
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
    fn is_recorded_by(&self, ownership: &Ownership) -> bool {
        ownership.server_identity == self.identity && ownership.name == self.name
    }
}

/// Whether nothing keeps it from going: of two that go together, one would leave to the other what neither takes back.
fn is_going<G: GrantResource>(grant: &G) -> bool {
    grant.meta().deletion_timestamp.is_some() && (!grant.is_protected() || is_forced(grant.meta()))
}

/// With this a level begins that is about everyone on the server; see `wit/grant.wit`.
const EVERYONE: &str = "public ";

/// Calls with everything that a role or grant gave: its uid, its record, its share.
fn each_share(stores: &Stores, ledger: &Ledger, mut share: impl FnMut(Option<&String>, &Ownership, &[HeldRight])) {
    let mut notes = ledger.read();
    let mut seen = HashSet::new();
    let mut add = |uid: Option<&String>, ownership: Option<&Ownership>, held: &[HeldRight]| {
        if !notes.is_empty() {
            seen.extend(uid.cloned());
        }
        let held = notes.held(uid, held);
        if let Some(ownership) = ownership.filter(|_| !held.is_empty()) {
            share(uid, ownership, &held);
        }
    };
    for role in stores.roles.state() {
        if let Some(status) = &role.status {
            add(role.metadata.uid.as_ref(), status.ownership.as_ref(), &status.held);
        }
    }
    for role in stores.cluster_roles.state() {
        if let Some(status) = &role.status {
            add(role.metadata.uid.as_ref(), status.ownership.as_ref(), &status.held);
        }
    }
    for grant in stores.access_grants.state() {
        if let Some(status) = grant.status.as_ref().filter(|_| !is_going(grant.as_ref())) {
            add(grant.metadata.uid.as_ref(), status.ownership.as_ref(), &status.held);
        }
    }
    for grant in stores.cluster_access_grants.state() {
        if let Some(status) = grant.status.as_ref().filter(|_| !is_going(grant.as_ref())) {
            add(grant.metadata.uid.as_ref(), status.ownership.as_ref(), &status.held);
        }
    }
    notes.keep(|uid| seen.contains(uid));
}

/// What other resources than the one with this uid gave the account, or everyone on its server.
pub(crate) fn shared(ctx: &Context, account: &Account, uid: &str) -> Vec<Granted> {
    let mut shared = Vec::new();
    each_share(&ctx.stores, &ctx.ledger, |other, ownership, held| {
        if other.is_some_and(|other| other == uid) || ownership.server_identity != account.identity {
            return;
        }
        let same_account = account.is_recorded_by(ownership);
        let counts = |right: &&HeldRight| same_account || right.level.starts_with(EVERYONE);
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
        each_share(&ctx.stores, &ctx.ledger, |uid, ownership, held| {
            if ownership.server_identity != identity {
                return;
            }
            let (everyone, own): (Vec<_>, Vec<_>) =
                held.iter().cloned().partition(|right| right.level.starts_with(EVERYONE));
            for (rights, shares) in
                [(everyone, &mut shares.everyone), (own, shares.accounts.entry(ownership.name.clone()).or_default())]
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
mod tests {
    use crds::DatabaseGrant;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;

    fn granted(object: &str, privilege: &str, grantor: Option<&str>) -> Granted {
        Granted {
            level: "table".to_owned(),
            object: vec!["db".to_owned(), "public".to_owned(), object.to_owned()],
            privilege: privilege.to_owned(),
            grantable: false,
            grantor: grantor.map(str::to_owned),
        }
    }

    #[test]
    fn roles_are_told_apart_from_rights_on_objects() {
        let member = |role: &str, privilege: &str| Granted {
            level: "membership".to_owned(),
            object: vec![role.to_owned()],
            privilege: privilege.to_owned(),
            grantable: false,
            grantor: None,
        };
        let all =
            [member("team", "MEMBER"), granted("a", "SELECT", None), member("team", "SET"), member("b", "MEMBER")];
        assert_eq!(roles_among(&all), ["b", "team"]);
    }

    #[test]
    fn what_was_just_given_up_is_nobodys_share_before_the_cache_knows() {
        let held = |role: &str| {
            for_status([Granted {
                level: "membership".to_owned(),
                object: vec![role.to_owned()],
                ..granted("", "MEMBER", None)
            }])
        };
        let grant: DatabaseGrant = serde_json::from_value(json!({
            "apiVersion": crds::names::API_VERSION,
            "kind": "DatabaseGrant",
            "metadata": { "namespace": "a", "name": "g", "uid": "g" },
            "spec": { "userRef": { "name": "app" } },
            "status": {
                "ownership": {
                    "name": "app", "serverIdentity": "server", "nonce": "n", "engine": "postgres",
                    "instance": { "kind": "DatabaseInstance", "namespace": "a", "name": "main" },
                },
                "held": held("team"),
            },
        }))
        .unwrap();
        let (stores, mut writers) = Stores::new();
        writers.access_grants.apply_watcher_event(&Event::Apply(grant));
        let ledger = Ledger::default();
        let shares = || {
            let mut all = Vec::new();
            each_share(&stores, &ledger, |_, _, held| all.extend(roles_among(&of_status(held))));
            all
        };
        assert_eq!(shares(), ["team"]);
        ledger.note("g", &held("other"));
        assert_eq!(shares(), ["other"]);
        ledger.note("g", &[]);
        assert_eq!(shares(), [""; 0]);
        // Its status is the same again: the note has done its work.
        ledger.note("g", &held("team"));
        assert_eq!(shares(), ["team"]);
    }

    #[test]
    fn rights_on_one_object_stand_together_and_come_apart_again() {
        let all = vec![
            granted("b", "SELECT", None),
            granted("a", "UPDATE", Some("root")),
            granted("a", "SELECT", Some("root")),
            granted("a", "SELECT", Some("root")),
            granted("a", "SELECT", Some("other")),
        ];
        let status = for_status(all);
        let privileges: Vec<_> = status.iter().map(|right| right.privileges.join("+")).collect();
        assert_eq!(privileges, ["SELECT", "SELECT+UPDATE", "SELECT"]);
        assert_eq!(of_status(&status).len(), 4);
        assert_eq!(for_status(of_status(&status)), status);
        assert_eq!(union(&status, vec![granted("b", "SELECT", None)]), status);
    }
}
