//! Pages of a listing: how many objects one has, and where the next begins.

use crate::types::{Listed, Listing, Page};

/// No page has more, whatever the host asks for.
const MOST: u32 = 500;

impl Page {
    /// How many objects to list at most, at least one.
    pub fn size(&self) -> u32 {
        self.limit.clamp(1, MOST)
    }
}

impl Listing {
    /// The answer to a request for this page. A full one may have a successor.
    pub fn of(page: &Page, items: impl IntoIterator<Item = Listed>) -> Self {
        let items: Vec<Listed> = items.into_iter().collect();
        let full = items.len() >= usize::try_from(page.size()).unwrap_or(usize::MAX);
        let next = items.last().map(|last| last.name.clone()).filter(|_| full);
        Self { items, next }
    }
}
