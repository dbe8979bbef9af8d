//! What resources gave to a role or user: between the status that records it and the contract's list.
//!
//! Decided here: rights on one object stand together, so that a status stays small; and whose rights count as shared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crds::{DatabaseGrantStatus, HeldRight, Ownership};
use sandbox::contract::{Granted, ObjectKind};

use super::cascade::is_forced;
use super::database_grant::GrantResource;
use crate::cluster::stores::Stores;

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
fn each_share(stores: &Stores, mut share: impl FnMut(Option<&String>, &Ownership, &[HeldRight])) {
    let mut add = |uid: Option<&String>, ownership: Option<&Ownership>, held: &[HeldRight]| {
        if let Some(ownership) = ownership.filter(|_| !held.is_empty()) {
            share(uid, ownership, held);
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
}

/// What other resources than the one with this uid gave the account, or everyone on its server.
pub(crate) fn shared(stores: &Stores, account: &Account, uid: &str) -> Vec<Granted> {
    let mut shared = Vec::new();
    each_share(stores, |other, ownership, held| {
        if other.is_some_and(|other| other == uid) || ownership.server_identity != account.identity {
            return;
        }
        let same_account = account.is_recorded_by(ownership);
        let counts = |right: &&HeldRight| same_account || right.level.starts_with(EVERYONE);
        shared.extend(held.iter().filter(counts).flat_map(|right| of_status(std::slice::from_ref(right))));
    });
    shared
}

/// The roles that grants made the account a member of, and go on to: of a grant whose spec changed since, nobody knows
/// what it still states, and two resources that drop a role together would each leave it to the other.
pub(crate) fn roles_by_grants(stores: &Stores, account: &Account) -> Vec<String> {
    let mut roles = BTreeSet::new();
    let mut add = |generation: Option<i64>, status: Option<&DatabaseGrantStatus>| {
        let Some(status) = status.filter(|status| status.observed_generation == generation) else { return };
        if status.ownership.as_ref().is_some_and(|ownership| account.is_recorded_by(ownership)) {
            roles.extend(roles_among(&status.held));
        }
    };
    for grant in stores.access_grants.state().iter().filter(|grant| !is_going(grant.as_ref())) {
        add(grant.metadata.generation, grant.status.as_ref());
    }
    for grant in stores.cluster_access_grants.state().iter().filter(|grant| !is_going(grant.as_ref())) {
        add(grant.metadata.generation, grant.status.as_ref());
    }
    roles.into_iter().collect()
}

/// Of these rights the memberships; see `wit/grant.wit` for the level's name.
fn roles_among(held: &[HeldRight]) -> impl Iterator<Item = String> {
    held.iter().filter(|right| right.level == "membership").filter_map(|right| right.object.first().cloned())
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
    pub(crate) fn on(stores: &Stores, identity: &str) -> Self {
        let mut shares = Self::default();
        each_share(stores, |uid, ownership, held| {
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

    /// The roles that resources made the account a member of.
    pub(crate) fn roles_of(&self, account: &Account) -> Vec<String> {
        let all = self.accounts.get(&account.name).into_iter().flatten();
        all.flat_map(|(_, held)| roles_among(held)).collect::<BTreeSet<_>>().into_iter().collect()
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
    fn a_grant_speaks_for_its_memberships_only_while_its_spec_is_the_one_that_was_applied() {
        let grant = |name: &str, generation: i64, role: &str| -> DatabaseGrant {
            serde_json::from_value(json!({
                "apiVersion": crds::names::API_VERSION,
                "kind": "DatabaseGrant",
                "metadata": { "namespace": "a", "name": name, "uid": name, "generation": generation },
                "spec": { "userRef": { "name": "app" } },
                "status": {
                    "observedGeneration": 2,
                    "ownership": {
                        "name": "app", "serverIdentity": "server", "nonce": "n", "engine": "postgres",
                        "instance": { "kind": "DatabaseInstance", "namespace": "a", "name": "main" },
                    },
                    "held": [
                        { "level": "membership", "object": [role], "privileges": ["MEMBER"], "grantable": false },
                        { "level": "table", "object": ["db", "t"], "privileges": ["SELECT"], "grantable": false },
                    ],
                },
            }))
            .unwrap()
        };
        let (stores, mut writers) = Stores::new();
        for grant in [grant("settled", 2, "team"), grant("changed", 3, "other")] {
            writers.access_grants.apply_watcher_event(&Event::Apply(grant));
        }
        let account =
            |name: &str| Account { identity: "server".to_owned(), kind: ObjectKind::User, name: name.to_owned() };
        assert_eq!(roles_by_grants(&stores, &account("app")), ["team"]);
        assert_eq!(roles_by_grants(&stores, &account("somebody")), [""; 0]);
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
