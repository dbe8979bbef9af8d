//! Listings that do not end, or hold more than was asked for.

use dbprovision_sdk::types::Listed;
use dbprovision_sdk::{Error, Listing, Page, Result, Standing};

use crate::Behaviour;

pub(crate) fn list(page: &Page) -> Result<Listing> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others list nothing")]
    match Behaviour::chosen() {
        Behaviour::ListsWithoutAnEnd => Ok(without_an_end(page, page.size())),
        Behaviour::ListsMoreThanAPage => Ok(without_an_end(page, page.size().saturating_add(1))),
        _ => Err(Error::unsupported("listings")),
    }
}

/// So many objects after those of the last page, and a next page always. The names ascend.
fn without_an_end(page: &Page, count: u32) -> Listing {
    let last = page.after.as_deref().and_then(|after| after.strip_prefix("object-")?.parse::<u32>().ok());
    let first = last.map_or(0, |last| last.saturating_add(1));
    let names = (first..first.saturating_add(count)).map(|number| format!("object-{number:010}"));
    let items: Vec<Listed> = names.map(|name| Listed { name, mark: None, standing: Standing::Ordinary }).collect();
    let next = items.last().map(|last| last.name.clone());
    Listing { items, next }
}
