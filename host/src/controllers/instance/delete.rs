//! The end of an instance: not while resources need it to clean up after themselves.

use crds::names::annotation;
use crds::{DeletionPolicy, InstanceStatus};
use kube::ResourceExt as _;
use kube::api::{ObjectMeta, Patch, PatchParams};
use planning::deletion::{self, Deletion, Request};
use planning::{Blocked, Class};
use serde_json::json;

use super::{Connected, Done, forced};
use crate::cluster::patches::Ours;
use crate::controllers::run::Run;
use crate::controllers::trouble::{Stop, asking};

/// Waits for, or takes along, what depends on the instance.
pub(super) async fn run<I: Connected>(run: &Run<I>, draft: &mut InstanceStatus) -> Result<Done, Stop> {
    let id = run.object.id();
    let databases = run.ctx.stores.databases_of(&id);
    let users = run.ctx.stores.users_of(&id);
    let roles = run.ctx.stores.roles_of(&id);
    let cluster_roles = run.ctx.stores.cluster_roles_of(&id);
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

fn cascading(remaining: usize) -> Blocked {
    Blocked::failed(
        crds::names::reason::CASCADE_DELETING,
        format!("{remaining} resources of the instance are being deleted first"),
        Class::Waiting,
    )
}

fn is_forced(meta: &ObjectMeta) -> bool {
    let annotations = meta.annotations.as_ref();
    annotations.and_then(|all| all.get(annotation::FORCE_DELETE)).is_some_and(|value| value == annotation::TRUE)
}

/// Deletes one resource for good: whoever confirmed the cascade saw its name.
async fn take_along<I: Connected, K: Ours>(run: &Run<I>, child: &K) -> Result<(), Stop> {
    if !is_forced(child.meta()) {
        let body = json!({ "metadata": {
            "uid": child.uid(),
            "annotations": { annotation::FORCE_DELETE: annotation::TRUE },
        } });
        let patched =
            child.api(&run.ctx.client).patch(&child.name_any(), &PatchParams::default(), &Patch::Merge(&body)).await;
        match patched {
            Ok(_) => {}
            // It went by itself.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => return Ok(()),
            Err(error) => return Err(asking("marking a resource of the instance for deletion")(error)),
        }
    }
    if child.meta().deletion_timestamp.is_none() {
        run.ctx.patches.delete(child).await.map_err(asking("deleting a resource of the instance"))?;
    }
    Ok(())
}
