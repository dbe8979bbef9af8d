//! Taking dependents along: a person confirmed their names, and they are deleted for good.

use crds::names::annotation;
use kube::ResourceExt as _;
use kube::api::{ObjectMeta, Patch, PatchParams};
use serde_json::json;

use super::run::Run;
use super::trouble::{Stop, asking};
use crate::cluster::patches::Ours;

/// Whether it is to go in spite of its protection.
pub(crate) fn is_forced(meta: &ObjectMeta) -> bool {
    let annotations = meta.annotations.as_ref();
    annotations.and_then(|all| all.get(annotation::FORCE_DELETE)).is_some_and(|value| value == annotation::TRUE)
}

/// Deletes one resource for good: whoever confirmed the cascade saw its name.
pub(crate) async fn take_along<P, K: Ours>(run: &Run<P>, child: &K) -> Result<(), Stop> {
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
            Err(error) => return Err(asking("marking a dependent resource for deletion")(error)),
        }
    }
    if child.meta().deletion_timestamp.is_none() {
        run.ctx.patches.delete(child).await.map_err(asking("deleting a dependent resource"))?;
    }
    Ok(())
}
