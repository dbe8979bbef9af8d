//! What resources gave to a role or user: between the status that records it and the contract's list.
//!
//! Decided here: rights on one object stand together, so that a status stays small; and whose rights count as shared.

use std::collections::BTreeMap;

use crds::{HeldRight, Ownership};
use sandbox::contract::{Granted, ObjectKind};

use super::cascade::is_forced;
use super::database_grant::GrantResource;
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
    fn is_recorded_by(&self, ownership: Option<&Ownership>) -> bool {
        ownership.is_some_and(|owned| owned.server_identity == self.identity && owned.name == self.name)
    }
}

/// Whether nothing keeps it from going: of two that go together, one would leave to the other what neither takes back.
fn is_going<G: GrantResource>(grant: &G) -> bool {
    grant.meta().deletion_timestamp.is_some() && (!grant.is_protected() || is_forced(grant.meta()))
}

/// With this a level begins that is about everyone on the server; see `wit/grant.wit`.
const EVERYONE: &str = "public ";

/// What other resources than the one with this uid gave the account, or everyone on its server.
pub(crate) fn shared(ctx: &Context, account: &Account, uid: &str) -> Vec<Granted> {
    let mut shared = Vec::new();
    let mut add = |other: Option<&String>, ownership: Option<&Ownership>, held: &[HeldRight]| {
        let is_other = other.is_none_or(|other| other != uid);
        if !is_other || ownership.is_none_or(|owned| owned.server_identity != account.identity) {
            return;
        }
        let same_account = account.is_recorded_by(ownership);
        let counts = |right: &&HeldRight| same_account || right.level.starts_with(EVERYONE);
        shared.extend(held.iter().filter(counts).flat_map(|right| of_status(std::slice::from_ref(right))));
    };
    let stores = &ctx.stores;
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
    shared
}

#[cfg(test)]
mod tests {
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
