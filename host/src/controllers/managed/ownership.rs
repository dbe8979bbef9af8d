//! Who else in the cluster names the same object on the same server.

use crds::{ClusterDatabaseRole, Database, DatabaseRole, DatabaseUser, InstanceId, Managed, Ownership};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt as _};
use planning::claim::Rival;
use planning::references::{Holder, NamedKind};

use super::super::run::Run;
use super::Provisioned;
use crate::context::Context;

/// The other resources that name the object of `run` on the server with this identity.
pub(super) fn rivals<K: Provisioned>(run: &Run<K>, identity: &str) -> Vec<Rival> {
    let name = run.object.external_name();
    let us = (run.object.meta().creation_timestamp.clone(), run.uid.clone());
    let mut rivals = Vec::new();
    let mut consider = |other: &dyn Claimant| {
        if other.uid() == run.uid || !other.may_claim(&run.ctx, identity, name) {
            return;
        }
        let recorded = other.ownership().is_some_and(|ownership| ownership.created_at.is_some());
        rivals.push(Rival { recorded, earlier: (other.created(), other.uid()) < us });
    };
    for database in run.ctx.stores.databases.state() {
        match translate_kind::<K>() {
            NamedKind::Database => consider(database.as_ref()),
            NamedKind::User | NamedKind::Role => consider(&CompanionsOf(database.as_ref())),
        }
    }
    if translate_kind::<K>() != NamedKind::Database {
        for user in run.ctx.stores.users.state() {
            consider(user.as_ref());
        }
        for role in run.ctx.stores.roles.state() {
            consider(role.as_ref());
        }
        for role in run.ctx.stores.cluster_roles.state() {
            consider(role.as_ref());
        }
    }
    rivals
}

fn translate_kind<K: Provisioned>() -> NamedKind {
    super::super::translate::named_kind(K::OBJECT)
}

/// The resource that manages an object of this name.
pub(super) fn holder(ctx: &Context, identity: &str, kind: NamedKind, name: &str) -> Option<Holder> {
    let holder = |kind: &str, namespace: Option<String>, object: String| Holder {
        kind: kind.to_owned(),
        namespace: namespace.unwrap_or_default(),
        name: object,
    };
    let databases = ctx.stores.databases.state();
    match kind {
        NamedKind::Database => databases
            .iter()
            .find(|database| database.may_claim(ctx, identity, name))
            .map(|database| holder("Database", database.namespace(), database.name_any())),
        // One namespace of names on many servers: a role may be a user's or a database's companion.
        NamedKind::User | NamedKind::Role => ctx
            .stores
            .users
            .state()
            .iter()
            .find(|user| user.may_claim(ctx, identity, name))
            .map(|user| holder("DatabaseUser", user.namespace(), user.name_any()))
            .or_else(|| {
                let role = ctx.stores.roles.state().into_iter().find(|role| role.may_claim(ctx, identity, name))?;
                Some(holder("DatabaseRole", role.namespace(), role.name_any()))
            })
            .or_else(|| {
                let roles = ctx.stores.cluster_roles.state();
                let role = roles.into_iter().find(|role| role.may_claim(ctx, identity, name))?;
                Some(holder("ClusterDatabaseRole", None, role.name_any()))
            })
            .or_else(|| {
                databases
                    .iter()
                    .find(|database| CompanionsOf(database.as_ref()).may_claim(ctx, identity, name))
                    .map(|database| holder("Database", database.namespace(), database.name_any()))
            }),
    }
}

/// Something that may hold or want an object.
trait Claimant {
    fn uid(&self) -> String;
    fn created(&self) -> Option<Time>;
    fn ownership(&self) -> Option<&Ownership>;
    fn may_claim(&self, ctx: &Context, identity: &str, name: &str) -> bool;
}

/// What is recorded counts; where nothing is, what the spec names on an instance of the same server.
fn claims(
    ctx: &Context,
    ownership: Option<&Ownership>,
    instance: Option<InstanceId>,
    external_name: &str,
    identity: &str,
    name: &str,
) -> bool {
    match ownership {
        Some(ownership) => ownership.server_identity == identity && ownership.name == name,
        None => {
            external_name == name
                && instance.and_then(|id| ctx.servers.get(&id)).is_some_and(|live| live.facts.identity == identity)
        }
    }
}

macro_rules! claimant {
    ($kind:ty) => {
        impl Claimant for $kind {
            fn uid(&self) -> String {
                self.meta().uid.clone().unwrap_or_default()
            }

            fn created(&self) -> Option<Time> {
                self.meta().creation_timestamp.clone()
            }

            fn ownership(&self) -> Option<&Ownership> {
                Managed::ownership(self)
            }

            fn may_claim(&self, ctx: &Context, identity: &str, name: &str) -> bool {
                claims(ctx, Managed::ownership(self), self.instance_id(), self.external_name(), identity, name)
            }
        }
    };
}

claimant!(Database);
claimant!(DatabaseUser);
claimant!(DatabaseRole);
claimant!(ClusterDatabaseRole);

/// A database, as the holder of the roles and users that were created with it.
struct CompanionsOf<'a>(&'a Database);

impl Claimant for CompanionsOf<'_> {
    fn uid(&self) -> String {
        Claimant::uid(self.0)
    }

    fn created(&self) -> Option<Time> {
        Claimant::created(self.0)
    }

    fn ownership(&self) -> Option<&Ownership> {
        Managed::ownership(self.0)
    }

    fn may_claim(&self, _: &Context, identity: &str, name: &str) -> bool {
        Managed::ownership(self.0).is_some_and(|ownership| {
            ownership.server_identity == identity && ownership.companions.iter().any(|companion| companion.name == name)
        })
    }
}
