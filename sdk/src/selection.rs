//! Which of the differences that an update found are made, as `types.selection` means it. Pure.

use crate::{Change, Error, Result, Selection, UpdateReport};

/// A difference between what is and what is wanted.
pub trait Difference {
    /// What is reported of it.
    fn change(&self) -> &Change;
}

/// The differences to make, without those that cannot be made at all.
///
/// # Errors
/// A conflict where an id is asked for and gone, since the state moved; a missing dependency where a chosen difference
/// lacks something.
pub fn select<'found, D: Difference>(found: &'found [D], selection: &Selection) -> Result<Vec<&'found D>> {
    let chosen = chosen(found, selection)?;
    match chosen.iter().find_map(|one| one.change().lacking.as_ref()) {
        Some(what) => Err(Error::dependency_missing(what)),
        None => Ok(chosen),
    }
}

/// As `select`, but among all of them those that lack something are left: for operations that make the rest meanwhile.
///
/// # Errors
/// As of `select`: what is chosen by its id must lack nothing.
pub fn select_possible<'found, D: Difference>(found: &'found [D], selection: &Selection) -> Result<Vec<&'found D>> {
    match selection {
        Selection::All => {
            let chosen = chosen(found, selection)?;
            Ok(chosen.into_iter().filter(|one| one.change().lacking.is_none()).collect())
        }
        Selection::Detect | Selection::Only(_) => select(found, selection),
    }
}

fn chosen<'found, D: Difference>(found: &'found [D], selection: &Selection) -> Result<Vec<&'found D>> {
    match selection {
        Selection::Detect => Ok(Vec::new()),
        Selection::All => Ok(found.iter().filter(|one| !one.change().impossible).collect()),
        Selection::Only(ids) => {
            if let Some(gone) = ids.iter().find(|id| !found.iter().any(|one| one.change().id == **id)) {
                return Err(Error::conflict(format!("the change `{gone}` is not there any more")));
            }
            Ok(found.iter().filter(|one| ids.contains(&one.change().id) && !one.change().impossible).collect())
        }
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
