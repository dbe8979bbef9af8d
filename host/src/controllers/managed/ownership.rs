//! Who else in the cluster names the same object on the same server.

use std::sync::Arc;

use crds::{ClusterDatabaseRole, Database, DatabaseRole, DatabaseUser, Instance as _, InstanceId, Managed, Ownership};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt as _};
use planning::claim::Rival;
use planning::references::{Holder, NamedKind};
use planning::{Identity, Mark, consent};

use super::super::run::Run;
use super::super::translate;
use super::{Provisioned, Reported, Wanted};
use crate::cluster::stores::Stores;
use crate::context::Context;

/// The other resources that name the object of `run` on the server with this identity.
pub(super) fn rivals<K: Provisioned>(run: &Run<K>, identity: &str) -> Vec<Rival> {
    let name = run.object.external_name();
    let us = (run.object.meta().creation_timestamp.clone(), run.uid.clone());
    let mut rivals = Vec::new();
    claimants(&run.ctx, translate::named_kind(K::OBJECT), |_, other| {
        // Of thousands nearly all have another name, and that is told without a copy of anything.
        let Some(claim) = other.claim(&run.ctx, identity, name) else { return };
        if other.uid() == run.uid || (claim == ClaimOf::Named && !may_want(&run.ctx, other)) {
            return;
        }
        let recorded = other.ownership().is_some_and(|ownership| ownership.created_at.is_some());
        rivals.push(Rival { recorded, earlier: (other.created(), other.uid()) < us });
    });
    rivals
}

/// Whether the resource that a mark names is gone. One of another cluster cannot be asked for.
pub(crate) fn is_abandoned(ctx: &Context, mark: &Mark) -> bool {
    let Identity { cluster, operator: _, kind, namespace, name } = &mark.identity;
    *cluster == ctx.cluster_id && !ctx.stores.exists(kind, namespace, name)
}

/// The accounts on this server that are as much this namespace's as the resource is: they may get what it leaves. Code
/// runs with the rights of whoever owns it, so nobody else's account may.
pub(crate) fn heirs<K: Reported>(run: &Run<K>, identity: &str) -> Vec<String> {
    let mut heirs = Vec::new();
    claimants(&run.ctx, NamedKind::Role, |_, other| {
        if other.place().0 != run.key.namespace {
            return;
        }
        let has = |name: &&str| other.claim(&run.ctx, identity, name) == Some(ClaimOf::Established);
        heirs.extend(other.names().into_iter().filter(has).map(str::to_owned));
    });
    heirs
}

/// What is recorded of the accounts that are going to be made with the object.
pub(super) fn planned_companions<K: Provisioned>(wanted: &Wanted<K>) -> Vec<crds::OwnedCompanion> {
    wanted
        .examination
        .companions
        .iter()
        .map(|companion| crds::OwnedCompanion {
            kind: translate::companion_kind(companion.kind),
            name: companion.name.clone(),
            established: false,
            password_fingerprint: None,
        })
        .collect()
}

/// Whether a resource that has nothing yet may have what it names: otherwise anybody could keep a name from others
/// by writing it down in a namespace that the instance does not serve. Labels of namespaces are not at hand here, so
/// whom an instance serves for its labels counts from its acceptance on.
fn may_want(ctx: &Context, claimant: &dyn Claimant) -> bool {
    if claimant.was_accepted() {
        return true;
    }
    let Some(id) = claimant.instance() else { return false };
    let Some(instance) = ctx.stores.instance(&id) else { return false };
    let allowed = instance.instance_spec().allowed_namespaces.as_ref();
    consent::instance_serves_by_name(&id, allowed, &claimant.place().0)
}

/// Who stands behind a name on a server.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// The resource that manages the object, or is about to.
    pub(super) holder: Option<Holder>,
    /// A resource of the asking namespace names the object and does not have it, or does not have it yet.
    pub(super) awaited: bool,
}

/// Who manages the object of this name on the server of the instance `through`, as far as a resource of the namespace
/// `asking` is concerned.
///
/// Only a record tells: a spec that names an object says what somebody wants, and so does a creation that has not
/// happened yet. Of the asking namespace itself neither counts, or naming an object would be a way to get it.
pub(super) fn holding(
    ctx: &Context,
    (identity, through): (&str, &InstanceId),
    kind: NamedKind,
    name: &str,
    asking: &str,
) -> Holding {
    let mut known = Vec::new();
    claimants(ctx, kind, |kind, claimant| known.extend(Standing::of(ctx, kind, claimant, identity, name)));
    among(&known, through, asking)
}

/// What one resource has to do with a name.
#[derive(Debug)]
pub(super) struct Standing {
    kind: &'static str,
    claim: ClaimOf,
    namespace: String,
    object: String,
    through: Option<InstanceId>,
}

impl Standing {
    fn of(ctx: &Context, kind: &'static str, claimant: &dyn Claimant, identity: &str, name: &str) -> Option<Self> {
        let claim = claimant.claim(ctx, identity, name)?;
        let (namespace, object) = claimant.place();
        let through = claimant.ownership().map(|ownership| ownership.instance.clone());
        Some(Self { kind, claim, namespace, object, through })
    }
}

pub(super) fn among(known: &[Standing], through: &InstanceId, asking: &str) -> Holding {
    let mut holding = Holding::default();
    let mut weight = 0;
    for one in known {
        let is_own = one.namespace == asking;
        let counts = match one.claim {
            ClaimOf::Established => true,
            ClaimOf::Intended => !is_own,
            ClaimOf::Named => false,
        };
        if !counts {
            holding.awaited |= is_own;
            continue;
        }
        let through_this_instance = one.through.as_ref() == Some(through);
        // What is established outweighs what is intended, and a record of this instance one of another.
        let own_weight = 1 + u8::from(one.claim == ClaimOf::Established) + 2 * u8::from(through_this_instance);
        if own_weight > weight {
            weight = own_weight;
            let (kind, namespace, name) = (one.kind.to_owned(), one.namespace.clone(), one.object.clone());
            holding.holder = Some(Holder { kind, namespace, name, through_this_instance });
        }
    }
    holding
}

/// Whether another resource has an object of this name, or is about to and came first.
pub(super) fn is_held_by_another<K: Reported>(run: &Run<K>, identity: &str, kind: NamedKind, name: &str) -> bool {
    let us = (run.object.meta().creation_timestamp.clone(), run.uid.clone());
    let mut held = false;
    claimants(&run.ctx, kind, |_, other| {
        held |= match other.claim(&run.ctx, identity, name) {
            Some(ClaimOf::Established) => other.uid() != run.uid,
            Some(ClaimOf::Intended) => other.uid() != run.uid && (other.created(), other.uid()) < us,
            Some(ClaimOf::Named) | None => false,
        };
    });
    held
}

/// Everything that can be behind a name of this kind, with its kind.
fn claimants(ctx: &Context, kind: NamedKind, mut consider: impl FnMut(&'static str, &dyn Claimant)) {
    each_candidate(&ctx.stores, kind, |candidate| candidate.claimant(&mut consider));
}

/// A resource that can be behind a name.
pub(super) enum Candidate {
    Database(Arc<Database>),
    CompanionsOf(Arc<Database>),
    User(Arc<DatabaseUser>),
    Role(Arc<DatabaseRole>),
    ClusterRole(Arc<ClusterDatabaseRole>),
}

impl Candidate {
    fn claimant<T>(&self, consider: impl FnOnce(&'static str, &dyn Claimant) -> T) -> T {
        match self {
            Self::Database(database) => consider("Database", database.as_ref()),
            Self::CompanionsOf(database) => consider("Database", &CompanionsOf(database)),
            Self::User(user) => consider("DatabaseUser", user.as_ref()),
            Self::Role(role) => consider("DatabaseRole", role.as_ref()),
            Self::ClusterRole(role) => consider("ClusterDatabaseRole", role.as_ref()),
        }
    }

    /// Calls with every name that it may say something of; one may come twice.
    pub(super) fn each_name(&self, mut name: impl FnMut(&str)) {
        self.claimant(|_, claimant| claimant.names().into_iter().for_each(&mut name));
    }

    /// What it has to do with an object of this name.
    pub(super) fn standing(&self, ctx: &Context, identity: &str, name: &str) -> Option<Standing> {
        self.claimant(|kind, claimant| Standing::of(ctx, kind, claimant, identity, name))
    }
}

/// Calls with everything that can be behind a name of this kind.
pub(super) fn each_candidate(stores: &Stores, kind: NamedKind, take: impl FnMut(Candidate)) {
    let databases = stores.databases.state().into_iter();
    match kind {
        NamedKind::Database => databases.map(Candidate::Database).for_each(take),
        // One namespace of names on many servers: a role may be a user's or a database's companion.
        NamedKind::User | NamedKind::Role => {
            let users = stores.users.state().into_iter().map(Candidate::User);
            let roles = stores.roles.state().into_iter().map(Candidate::Role);
            let cluster_roles = stores.cluster_roles.state().into_iter().map(Candidate::ClusterRole);
            users.chain(roles).chain(cluster_roles).chain(databases.map(Candidate::CompanionsOf)).for_each(take);
        }
    }
}

/// Something that may hold or want an object.
trait Claimant {
    fn uid(&self) -> String;
    fn created(&self) -> Option<Time>;
    fn instance(&self) -> Option<InstanceId>;
    fn ownership(&self) -> Option<&Ownership>;
    /// Whether its spec was accepted once, its instance's consent included: the finalizer comes after that.
    fn was_accepted(&self) -> bool;
    /// Namespace, empty for a cluster-scoped resource, and name.
    fn place(&self) -> (String, String);
    /// Every name that it may say something of.
    fn names(&self) -> Vec<&str>;
    /// What it says of an object of this name on this server; none: nothing.
    fn claim(&self, ctx: &Context, identity: &str, name: &str) -> Option<ClaimOf>;
}

/// How much there is to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimOf {
    /// It has the object: recorded in its status when it was seen on the server.
    Established,
    /// It recorded that it is about to create or adopt it.
    Intended,
    /// Its spec names it.
    Named,
}

/// What is recorded; where nothing is, what the spec names on an instance of the same server.
fn claim(
    ctx: &Context,
    ownership: Option<&Ownership>,
    instance: impl FnOnce() -> Option<InstanceId>,
    external_name: &str,
    identity: &str,
    name: &str,
) -> Option<ClaimOf> {
    if let Some(ownership) = ownership {
        let is_it = ownership.server_identity == identity && ownership.name == name;
        let claim = if ownership.created_at.is_some() { ClaimOf::Established } else { ClaimOf::Intended };
        return is_it.then_some(claim);
    }
    let is_there =
        || instance().and_then(|id| ctx.servers.get(&id)).is_some_and(|live| live.facts.identity == identity);
    (external_name == name && is_there()).then_some(ClaimOf::Named)
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

            fn instance(&self) -> Option<InstanceId> {
                self.instance_id()
            }

            fn ownership(&self) -> Option<&Ownership> {
                Managed::ownership(self)
            }

            fn was_accepted(&self) -> bool {
                self.finalizers().iter().any(|known| known == <$kind as Reported>::FINALIZER)
            }

            fn place(&self) -> (String, String) {
                (self.meta().namespace.clone().unwrap_or_default(), self.name_any())
            }

            fn names(&self) -> Vec<&str> {
                let recorded = Managed::ownership(self).map(|ownership| ownership.name.as_str());
                recorded.into_iter().chain([self.external_name()]).collect()
            }

            fn claim(&self, ctx: &Context, identity: &str, name: &str) -> Option<ClaimOf> {
                claim(ctx, Managed::ownership(self), || self.instance_id(), self.external_name(), identity, name)
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

    fn instance(&self) -> Option<InstanceId> {
        self.0.instance_id()
    }

    fn ownership(&self) -> Option<&Ownership> {
        Managed::ownership(self.0)
    }

    fn was_accepted(&self) -> bool {
        Claimant::was_accepted(self.0)
    }

    fn place(&self) -> (String, String) {
        self.0.place()
    }

    fn names(&self) -> Vec<&str> {
        let companions = Managed::ownership(self.0).into_iter().flat_map(|ownership| &ownership.companions);
        companions.map(|companion| companion.name.as_str()).collect()
    }

    fn claim(&self, _: &Context, identity: &str, name: &str) -> Option<ClaimOf> {
        let ownership = Managed::ownership(self.0).filter(|ownership| ownership.server_identity == identity)?;
        let companion = ownership.companions.iter().find(|companion| companion.name == name)?;
        Some(if companion.established { ClaimOf::Established } else { ClaimOf::Intended })
    }
}
