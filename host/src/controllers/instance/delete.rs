//! The end of an instance: not while resources need it to clean up after themselves.

use crds::names::annotation;
use crds::{DeletionPolicy, InstanceStatus};
use kube::ResourceExt as _;
use kube::api::ObjectMeta;
use planning::deletion::{self, Deletion, Request};
use planning::{Blocked, Class, consent};

use super::{Connected, Done, forced};
use crate::controllers::cascade::{is_forced, take_along};
use crate::controllers::run::Run;
use crate::controllers::trouble::Stop;

/// Waits for, or takes along, what depends on the instance.
pub(super) async fn run<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) -> Result<Done, Stop> {
    let id = run.object.id();
    let mut databases = run.ctx.stores.databases_of(&id);
    let mut users = run.ctx.stores.users_of(&id);
    let mut roles = run.ctx.stores.roles_of(&id);
    let mut cluster_roles = run.ctx.stores.cluster_roles_of(&id);
    databases.retain(|one| depends(run, &one.metadata));
    users.retain(|one| depends(run, &one.metadata));
    roles.retain(|one| depends(run, &one.metadata));
    cluster_roles.retain(|one| depends(run, &one.metadata));
    let own = run.object.namespace();
    let child = |kind: &str, namespace: Option<String>, name: String| match namespace {
        Some(namespace) if own.as_ref() != Some(&namespace) => format!("{kind}/{namespace}/{name}"),
        Some(_) | None => format!("{kind}/{name}"),
    };
    let force = forced(run);
    // What is going for good already needs nobody's word any more.
    let counts = |meta: &ObjectMeta| !(force && meta.deletion_timestamp.is_some() && is_forced(meta));
    let children: Vec<_> = databases
        .iter()
        .filter(|database| counts(&database.metadata))
        .map(|database| child("Database", database.namespace(), database.name_any()))
        .chain(
            users
                .iter()
                .filter(|user| counts(&user.metadata))
                .map(|user| child("DatabaseUser", user.namespace(), user.name_any())),
        )
        .chain(
            roles
                .iter()
                .filter(|role| counts(&role.metadata))
                .map(|role| child("DatabaseRole", role.namespace(), role.name_any())),
        )
        .chain(
            cluster_roles
                .iter()
                .filter(|role| counts(&role.metadata))
                .map(|role| format!("ClusterDatabaseRole/{}", role.name_any())),
        )
        .collect();
    let remaining = databases.len() + users.len() + roles.len() + cluster_roles.len();
    if children.is_empty() && remaining > 0 {
        draft.deletion_confirmation = None;
        return Err(cascading(remaining).into());
    }
    let request = Request {
        protected: run.object.instance_spec().deletion_protection,
        force,
        confirmation: run.annotation(annotation::CONFIRM_FORCE_DELETE).map(ToOwned::to_owned),
        policy: DeletionPolicy::Retain,
        children,
        owns: false,
    };
    match deletion::plan(&request) {
        Deletion::Wait { blocked, confirmation } => {
            draft.deletion_confirmation = confirmation;
            Err(blocked.into())
        }
        Deletion::Cascade => {
            // Databases first: their owners wait for them.
            for database in &databases {
                take_along(run, database.as_ref()).await?;
            }
            for user in &users {
                take_along(run, user.as_ref()).await?;
            }
            for role in &roles {
                take_along(run, role.as_ref()).await?;
            }
            for role in &cluster_roles {
                take_along(run, role.as_ref()).await?;
            }
            draft.deletion_confirmation = None;
            Err(cascading(remaining).into())
        }
        Deletion::Release | Deletion::Drop => Ok(Done::Released),
    }
}

/// Whether a resource that names the instance has to do with it: it was accepted once, or its namespace is served.
/// Anybody can write down a name, and must not keep the instance by that.
fn depends<I: Connected>(run: &Run<I>, meta: &ObjectMeta) -> bool {
    let accepted = meta.finalizers.iter().flatten().any(|finalizer| finalizer.starts_with(FINALIZERS));
    let allowed = run.object.instance_spec().allowed_namespaces.as_ref();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    accepted || consent::instance_serves_by_name(&run.object.id(), allowed, namespace)
}

/// What all our finalizers begin with.
const FINALIZERS: &str = "dbops.dbprovision.io/";

fn cascading(remaining: usize) -> Blocked {
    Blocked::failed(
        crds::names::reason::CASCADE_DELETING,
        format!("{remaining} resources of the instance are being deleted first"),
        Class::Waiting,
    )
}
