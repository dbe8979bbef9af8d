//! The end of an instance: not while resources need it to clean up after themselves.

use crds::names::annotation;
use crds::{DeletionPolicy, InstanceStatus};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
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
    let own = run.object.namespace();
    let child = |kind: &str, namespace: Option<String>, name: String| match namespace {
        Some(namespace) if own.as_ref() != Some(&namespace) => format!("{kind}/{namespace}/{name}"),
        Some(_) | None => format!("{kind}/{name}"),
    };
    let children = databases
        .iter()
        .map(|database| child("Database", database.namespace(), database.name_any()))
        .chain(users.iter().map(|user| child("DatabaseUser", user.namespace(), user.name_any())))
        .collect();
    let request = Request {
        protected: run.object.instance_spec().deletion_protection,
        force: forced(run),
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
            let remaining = databases.len() + users.len();
            // Users first: they may own what is in the databases, and own nothing once it was handed over.
            for user in &users {
                take_along(run, user.as_ref()).await?;
            }
            for database in &databases {
                take_along(run, database.as_ref()).await?;
            }
            draft.deletion_confirmation = None;
            Err(Blocked::failed(
                crds::names::reason::CASCADE_DELETING,
                format!("{remaining} resources of the instance are being deleted first"),
                Class::Waiting,
            )
            .into())
        }
        Deletion::Release | Deletion::Drop => Ok(Done::Released),
    }
}

/// Deletes one resource for good: whoever confirmed the cascade saw its name.
async fn take_along<I: Connected, K: Ours>(run: &Run<I>, child: &K) -> Result<(), Stop> {
    if child.annotations().get(annotation::FORCE_DELETE).map(String::as_str) != Some(annotation::TRUE) {
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
