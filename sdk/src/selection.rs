//! Which of the differences that an update found are made, as `types.selection` means it. Pure.

use crate::{Change, Error, Result, Selection, UpdateReport};

/// A difference between what is and what is wanted.
pub trait Difference {
    /// What is reported of it.
    fn change(&self) -> &Change;
    /// What must be there before it can be made, as a message.
    fn lacking(&self) -> Option<&str>;
}

/// The differences to make, without those that cannot be made at all.
///
/// # Errors
/// A conflict where an id is asked for and gone, since the state moved; a missing dependency where a chosen difference
/// lacks something.
pub fn select<'found, D: Difference>(found: &'found [D], selection: &Selection) -> Result<Vec<&'found D>> {
    let chosen: Vec<&D> = match selection {
        Selection::Detect => Vec::new(),
        Selection::All => found.iter().filter(|one| !one.change().impossible).collect(),
        Selection::Only(ids) => {
            if let Some(gone) = ids.iter().find(|id| !found.iter().any(|one| one.change().id == **id)) {
                return Err(Error::conflict(format!("the change `{gone}` is not there any more")));
            }
            found.iter().filter(|one| ids.contains(&one.change().id) && !one.change().impossible).collect()
        }
    };
    match chosen.iter().find_map(|one| one.lacking()) {
        Some(what) => Err(Error::dependency_missing(what)),
        None => Ok(chosen),
    }
}

/// What was found and what of it was made.
pub fn report<'made, D: Difference + 'made>(found: &[D], made: impl IntoIterator<Item = &'made D>) -> UpdateReport {
    UpdateReport {
        changes: found.iter().map(|one| one.change().clone()).collect(),
        applied: made.into_iter().map(|one| one.change().id.clone()).collect(),
        details: None,
    }
}
