//! Where the Secrets of a user are: recorded before they are made, so that a kill in between leaves none behind.

use std::collections::BTreeMap;

use crds::{DatabaseUser, DatabaseUserStatus, OwnedSecret};
use planning::output_secret::OutputSecret;

use crate::controllers::run::Run;

/// The place of a Secret.
pub(super) fn of(secret: &OutputSecret) -> OwnedSecret {
    OwnedSecret { name: secret.name.clone(), namespace: secret.namespace.clone() }
}

/// A Secret by its place alone.
pub(super) fn secret_at(place: &OwnedSecret) -> OutputSecret {
    OutputSecret {
        namespace: place.namespace.clone(),
        name: place.name.clone(),
        type_: String::new(),
        labels: BTreeMap::default(),
        annotations: BTreeMap::default(),
    }
}

/// Notes in the draft where the Secret is going to be; whether that is news, which has to be written first.
pub(super) fn note(wanted: &OutputSecret, draft: &mut DatabaseUserStatus) -> bool {
    let place = of(wanted);
    let is_news = !draft.owned_secrets.contains(&place);
    if is_news {
        draft.owned_secrets.push(place);
    }
    is_news
}

/// The Secrets that are recorded and are not the one to write now, the latest first.
pub(super) fn former(run: &Run<DatabaseUser>, wanted: Option<&OutputSecret>) -> Vec<OutputSecret> {
    let recorded = run.object.status.iter().flat_map(|status| &status.owned_secrets).rev();
    let wanted = wanted.map(of);
    recorded.filter(|place| wanted.as_ref() != Some(place)).map(secret_at).collect()
}
